"""The built-in quantizers keep the contract that plugin authors are given, and each is worth its time."""

import numpy as np
import pytest
import torch

from coordcodec import codec
from coordcodec.data import Grid, Signal
from coordcodec.encoder.plan import make_plan
from coordcodec.layers.siren import batches, fit, network, objective
from coordcodec.layers.siren.penalty import L1Penalty, RatePenalty
from coordcodec.layers.siren.training import penalty_for
from coordcodec.partition import Partition
from coordcodec.plugins import Entry, installed
from coordcodec.quant.adaround import AdaRound
from coordcodec.quant.qat import ADAROUND_CALLS, QuantizationAware
from coordcodec.quant.uniform import Uniform, grid_limit, grid_steps, largest
from coordcodec.specs import SirenSpec
from coordcodec.testing import check_quantizer

NAMES = ("uniform", "adaround", "qat", "rd", "half")


@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_the_contract(name):
    check_quantizer(installed().quantizers.get(name))


def test_the_contract_catches_quantizers_that_break_it():
    class Greedy(Uniform):
        name = "greedy"

        def __call__(self, params, loss, ranges, bits, budget):
            for _ in range(budget + 1):
                loss(params)
            return super().__call__(params, loss, ranges, bits, budget)

    class Flat(Uniform):
        name = "flat"

        def __call__(self, params, loss, ranges, bits, budget):
            return super().__call__(params, loss, ranges, 8, budget)

    for broken, says in ((Greedy(), "called 41 times"), (Flat(), "smaller file")):
        with pytest.raises(AssertionError, match=says):
            check_quantizer(broken)


@pytest.fixture(scope="module")
def fitted():
    """A network that fits a picture of 48 x 48, its loss and its field's true error."""
    grid = Grid((48, 48))
    x = grid.coords()
    values = np.stack([np.sin(9 * x[:, 0] + 4 * x[:, 1] ** 2), np.cos(7 * x[:, 1]) * x[:, 0]], axis=1) * 0.8
    signal = Signal(grid, values.astype(np.float32), "x")
    spec, whole = SirenSpec(2, 2, 20, 2, 8, 1400), Partition((1, 1))
    source = batches.batches_of(signal, whole, spec, 2304, 0, torch.device("cpu"))
    loss = objective.Objective(spec, source, torch.float32, torch.device("cpu"), L1Penalty(3e-7))
    with loss:
        params, _ = fit.fit(loss, network.init(spec, 1, 0), steps=1000, lr=3e-2, optimizer="soap")

        def error(symbols):
            arrays = {name: q.dequantize() for name, q in symbols.items()}
            field = network.as_field(spec, arrays, whole, torch.device("cpu"))
            return float(((field(x) - values) ** 2).mean())

        yield params, loss, error


def test_learned_rounding_beats_nearest(fitted):
    params, loss, error = fitted
    ratios = []
    for bits in (5.0, 6.5, 8.0):
        learned, nearest = (q(params, loss, largest(params), bits, 500) for q in (AdaRound(), Uniform()))
        ratios.append(error(learned) / error(nearest))
    assert np.exp(np.log(ratios).mean()) < 0.7, ratios


@pytest.mark.parametrize("bits", [5.0, 6.5, 8.0])
def test_training_never_harms(fitted, monkeypatch, bits):
    params, loss, error = fitted
    rounded = AdaRound()(params, loss, largest(params), bits, ADAROUND_CALLS)
    monkeypatch.setattr("coordcodec.quant.qat.AdaRound", lambda: lambda *_: rounded)
    # The loss has its L1 norm on top, and is that of the gradient's precision.
    assert error(QuantizationAware()(params, loss, largest(params), bits, 500)) < 1.02 * error(rounded) + 1e-5


def test_training_goes_on_where_rounding_ends(fitted, monkeypatch):
    params, loss, error = fitted
    ratios = []
    # From nearest rounding, which leaves much to gain, training alone must gain most of it, on average over several
    # widths: at a single one it is a matter of luck how much there is.
    for bits in (6.0, 7.0, 8.0):
        rounded = Uniform()(params, loss, largest(params), bits, 0)
        monkeypatch.setattr("coordcodec.quant.qat.AdaRound", lambda rounded=rounded: lambda *_: rounded)
        ratios.append(error(QuantizationAware()(params, loss, largest(params), bits, 800)) / error(rounded))
    assert np.exp(np.log(ratios).mean()) < 0.5, ratios


def test_a_grid_reaches_as_far_as_its_largest_parameter(fitted):
    params, loss, _ = fitted
    for bits in (8.0, 6.3, 2.0):
        steps = grid_steps(largest(params), bits)
        for name, q in Uniform()(params, loss, largest(params), bits, 0).items():
            reach = float(params[name].abs().max())
            assert reach / grid_limit(bits) <= steps[name] <= reach / grid_limit(bits) * 1.008
            assert np.abs(q.symbols).max() <= np.ceil(grid_limit(bits))
            assert np.abs(q.dequantize() - params[name].numpy()).max() <= steps[name] * 0.5001


def test_half_is_binary16(fitted):
    params, loss, _ = fitted
    for name, q in installed().quantizers.get("half")(params, loss, largest(params), 8.0, 0).items():
        assert np.array_equal(q.dequantize(), params[name].numpy().astype(np.float16).astype(np.float32))


def test_tensors_of_zeros_stay_zeros(fitted):
    _, loss, _ = fitted
    zeros = {"weight0": torch.zeros(1, 3, 3)}
    assert not Uniform()(zeros, loss, largest(zeros), 8.0, 0)["weight0"].symbols.any()


@pytest.mark.parametrize("name", ["uniform", "adaround", "qat"])
def test_spans_decide_the_steps_and_parameters_may_lie_beyond(fitted, name):
    params, loss, error = fitted
    ranges = {tensor: span / 3 for tensor, span in largest(params).items()}
    symbols = installed().quantizers.get(name)(params, loss, ranges, 7.0, 300)
    steps = grid_steps(ranges, 7.0)
    assert all(q.step == steps[tensor] for tensor, q in symbols.items())
    assert max(np.abs(q.symbols).max() for q in symbols.values()) > 2 * grid_limit(7.0)
    assert error(symbols) < 1.5 * error(Uniform()(params, loss, largest(params), 8.0, 0))


def test_no_symbol_exceeds_what_a_file_holds(fitted):
    _, loss, _ = fitted
    far = {"weight0": torch.full((1, 3, 3), 1e6)}
    assert Uniform()(far, loss, {"weight0": 1.0}, 8.0, 0)["weight0"].symbols.max() == 2047


@pytest.mark.parametrize(("told", "deeper"), [({}, 0), ({"in_loop": False}, 0), ({"in_loop": True}, 2)])
def test_a_plugins_quantizer_may_have_the_rate_in_the_loop(monkeypatch, told, deeper):
    mine = type("Mine", (Uniform,), {"name": "mine", **told})()
    monkeypatch.setitem(installed().quantizers.entries, "mine", Entry(mine, "mine", "1"))
    kind = installed().modalities.get("image")
    signal = kind.read(np.zeros((256, 256, 3), np.uint8))
    recipe = codec.make_recipe(kind, siren={"quantizer": "mine"}, num_bytes=8000, init="none")
    plan = make_plan(signal, kind, recipe)
    assert plan.spec.depth == recipe.siren.depth + deeper
    penalty = penalty_for(plan.spec, plan.goal, plan.init, recipe, torch.device("cpu"))
    assert isinstance(penalty, RatePenalty if deeper else L1Penalty)
