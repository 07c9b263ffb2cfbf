"""The network, its initialisation, its gradient and its optimisers, each against something independent."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coordcodec.compute import kernels, sampling
from coordcodec.compute.device import choose_precision, find_device, has_bfloat16_units
from coordcodec.compute.optim import Adam, Soap
from coordcodec.compute.workers import PIECES, Workers
from coordcodec.data import Grid, Signal
from coordcodec.errors import ContainerError, RecipeError
from coordcodec.layers.siren import batches, fit, network, objective
from coordcodec.layers.siren.batch import split
from coordcodec.layers.siren.encoding import encode
from coordcodec.layers.siren.penalty import L1Penalty
from coordcodec.partition import Partition
from coordcodec.specs import SirenSpec, unpack_spec

CPU = torch.device("cpu")


def make(signal, spec, partition=None, batch=100_000, l1=0.0, dtype=torch.float32, device=CPU):
    partition = partition or Partition((1,) * signal.dims)
    source = batches.batches_of(signal, partition, spec, batch, 0, device)
    return objective.Objective(spec, source, dtype, device, L1Penalty(l1))


def test_the_encoding_is_that_of_the_papers():
    spec = SirenSpec(2, 1, 4, 1, 3, 1400)
    p = torch.tensor([[0.3, -0.7]])
    expected = []
    for x in (0.3, -0.7):
        phases = [1.4**k * math.pi * x for k in range(3)]
        expected += [x, *map(math.sin, phases), *map(math.cos, phases)]
    assert np.allclose(encode(p, spec)[0], expected, atol=1e-6)


def test_the_number_of_parameters_is_that_of_the_papers():
    # Strümpler et al. report 8-bit widths 32 to 128; COIN's five networks at 16 bit: 0.07 to 1.2 bpp of Kodak.
    assert SirenSpec(2, 3, 64, 3, 16, 1400).parameters == 66 * 64 + 64 + 3 * (64 * 64 + 64) + 64 * 3 + 3
    rates = [
        SirenSpec(2, 3, w, d, 0, 1000).parameters * 16 / 768 / 512
        for d, w in ((4, 20), (4, 30), (9, 28), (9, 40), (12, 49))
    ]
    assert np.allclose(rates, [0.07, 0.15, 0.3, 0.6, 1.2], rtol=0.06)


def test_activations_start_with_the_spread_that_siren_promises():
    spec = SirenSpec(2, 1, 256, 3, 0, 1000)
    params = network.init(spec, 1, 0)
    hidden = torch.rand(1, 4000, 2) * 2 - 1
    for layer in range(4):
        phase = torch.baddbmm(params[f"bias{layer}"][:, None], hidden, params[f"weight{layer}"].mT)
        hidden = torch.sin(phase)
        assert 0.6 < float(hidden.std()) < 0.8  # arcsine distributed: 1 / sqrt(2)


@pytest.mark.parametrize(
    ("shape", "parts"),
    [((40,), (1,)), ((48,), (3,)), ((16, 32), (1, 1)), ((32, 16), (2, 1)), ((6, 6, 6), (1, 1, 1)), (None, (1, 1)),
     (None, (2, 1)), ((1, 1), (1, 1)), ((2, 1, 3, 4), (1, 1, 1, 1))],
)  # fmt: skip
def test_the_written_out_gradient_is_autograds(shape, parts):
    if shape is None:
        coords = np.random.default_rng(0).uniform(-1, 1, (700, 2)).astype(np.float32)
        grid = coords
    else:
        grid = Grid(shape)
        coords = grid.coords()
    values = np.stack([np.sin(3 * coords.sum(1)), np.cos(coords[:, 0])], axis=1).astype(np.float32) * 0.5
    signal, spec, partition = Signal(grid, values, "x"), SirenSpec(len(parts), 2, 16, 2, 3, 1400), Partition(parts)
    params = network.init(spec, len(partition), 0)
    loss, number, local = make(signal, spec, partition, l1=1e-3), *partition.locate(coords)
    with loss:
        value, gradients = loss.gradient(params)
    free = {name: tensor.clone().requires_grad_() for name, tensor in params.items()}
    expected = 1e-3 * sum(tensor.abs().sum() for tensor in free.values())
    for part in range(len(partition)):
        own = {name: tensor[part : part + 1] for name, tensor in free.items()}
        mine = number == part
        out = network.apply(spec, own, torch.from_numpy(local[mine])[None])[0]
        expected = expected + (out - torch.from_numpy(values[mine])).square().mean()
    expected.backward()
    assert float(value) == pytest.approx(float(expected.detach()), rel=1e-5)
    for name, tensor in free.items():
        assert torch.allclose(gradients[name], tensor.grad, atol=1e-5, rtol=1e-3), name


def test_autograd_differentiates_through_the_loss(waves):
    spec = SirenSpec(2, 2, 8, 1, 2, 1400)
    loss = make(waves, spec)
    params = {name: tensor.requires_grad_() for name, tensor in network.init(spec, 1, 0).items()}
    value = 3 * loss(params)
    value.backward()
    _, gradients = make(waves, spec).gradient({name: tensor.detach() for name, tensor in params.items()})
    for name, tensor in params.items():
        assert torch.allclose(tensor.grad, 3 * gradients[name], atol=1e-6)


def test_low_precision_and_threads_change_the_gradient_little(waves):
    spec = SirenSpec(2, 2, 32, 3, 4, 1400)
    params = network.init(spec, 1, 0)
    _, exact = make(waves, spec).gradient(params)
    rough = make(waves, spec, dtype=torch.bfloat16)
    with rough:
        _, gradients = rough.gradient(params)
    for name, gradient in exact.items():
        assert float((gradients[name] - gradient).norm() / gradient.norm()) < 0.1, name


def test_threads_are_given_back(waves):
    before = torch.get_num_threads()
    with make(waves, SirenSpec(2, 2, 8, 1, 2, 1400)):
        pass
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_compiled_kernels_do_what_pytorch_does(dtype):
    plain, compiled = kernels.TorchKernels(), kernels.kernels_for(CPU)
    assert isinstance(compiled, kernels.CompiledKernels), "Numba is part of the development environment"
    generator = torch.Generator().manual_seed(0)
    near = {"atol": 2e-6} if dtype == torch.float32 else {"atol": 0.008}

    def both(work):
        return [work(k) for k in (plain, compiled)]

    def waves(k):
        phase = (torch.randn(2, 60, 24, generator=generator.manual_seed(1)) * 12).to(dtype)
        sine = torch.empty_like(phase)
        k.waves(phase, sine)
        return sine, phase

    def combine(k):
        s, c, t, d = (torch.rand(5, n, 24, generator=generator.manual_seed(n)) for n in (3, 3, 4, 4))
        out = torch.empty(2, 5, 3, 4, 24, dtype=dtype)
        k.combine((s, c), (t, d), out[0], out[1])
        return tuple(out)

    def chain(k):
        delta, slope = (torch.rand(2, 60, 24, generator=generator.manual_seed(i)).to(dtype) for i in (1, 2))
        return k.chain(delta, slope).to(torch.float32) / 60, delta

    def collect(k):
        delta, slope = (torch.rand(5, 3, 4, 24, generator=generator.manual_seed(i)).to(dtype) for i in (1, 2))
        return tuple(t / 4 for t in k.collect(delta, slope))

    for work in (waves, combine, chain, collect):
        for expected, got in zip(*both(work), strict=True):
            assert torch.allclose(expected.to(torch.float32), got.to(torch.float32), **near), work.__name__


@pytest.mark.parametrize("shape", [(40,), (23, 17), (5, 6, 7), (1, 1), (3, 1)])
def test_an_epoch_sees_every_sample(shape):
    grid = Grid(shape)
    index = np.linspace(-1, 1, len(grid), dtype=np.float32)[:, None] if len(grid) > 1 else np.zeros((1, 1), np.float32)
    signal = Signal(grid, index, "x")
    (source,) = batches.batches_of(
        signal, Partition((1,) * grid.dims), SirenSpec(grid.dims, 1, 4, 1, 2, 1400), 64, 0, CPU
    )
    seen, drawn = set(), 0
    while drawn < 4 * len(grid) + 600:
        batch = source.next()
        drawn += batch.targets.shape[1]
        seen |= set(batch.targets[0, :, 0].tolist())
    assert len(seen) == len(grid)


@pytest.mark.parametrize(("count", "size"), [(512, 16), (768, 16), (37, 6), (5, 5), (1, 1), (7, 2)])
def test_a_group_takes_a_sample_from_every_strip(count, size):
    groups = sampling.strata(count, size, torch.Generator().manual_seed(0))
    assert groups.shape == (math.ceil(count / size), size)
    assert set(groups.flatten().tolist()) == set(range(count))
    for strip in groups.T:  # of several samples no strip reaches into another
        assert strip.max() - strip.min() <= len(groups) - 1
    assert count < 500 or not torch.equal(groups.sort(0).values, groups)


@pytest.mark.parametrize("counts", [(32, 48), (48, 32), (1, 1), (9,), (40, 7, 9), (7, 40, 9), (2, 3, 4, 5)])
def test_products_come_evenly(counts):
    order = sampling.products(counts, torch.Generator().manual_seed(0))
    assert sorted(order.tolist()) == list(range(math.prod(counts)))
    longest = max(counts)
    groups = torch.stack(torch.unravel_index(order, counts))[:, : max(longest, math.prod(counts) // longest)]
    for k, count in enumerate(counts):
        if len(counts) < 3 or count == longest:
            times = groups[k].bincount(minlength=count)
            assert times.max() - times.min() <= 1, k


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 4), st.integers(1, 200), st.integers(1, 60))
def test_minibatches_of_scattered_points_are_spread_over_them(dims, count, size):
    coords = torch.rand(count, dims, generator=torch.Generator().manual_seed(count))
    spec = SirenSpec(dims, 1, 4, 1, 2, 1400)
    source = batches.PointBatches(coords, coords[:, :1], spec, size, 0)
    seen = set()
    for _ in range(math.ceil(count / size)):
        batch = source.next()
        assert torch.equal(batch.features[0][0, 0, :, 0], batch.targets[0, :, 0])
        seen |= set(batch.targets[0, :, 0].tolist())
    assert seen == set(coords[:, 0].tolist())


def test_the_curve_keeps_neighbours_together():
    coords = torch.rand(4096, 3, generator=torch.Generator().manual_seed(0))
    order = sampling.along_curve(coords)
    assert sorted(order.tolist()) == list(range(4096))
    jumps = coords[order].diff(dim=0).norm(dim=1)
    assert jumps.mean() < 0.2 * coords.diff(dim=0).norm(dim=1).mean()


def test_features_belong_to_their_targets(waves):
    spec = SirenSpec(2, 2, 4, 1, 3, 1400)
    (source,) = batches.batches_of(waves, Partition((1, 1)), spec, 64, 0, CPU)
    rows, columns = source.next().features
    at = waves.coords.coords().astype(np.float32)
    lookup = {tuple(np.round(c, 4)): v for c, v in zip(at, waves.values, strict=True)}
    batch = source.next()
    rows, columns = batch.features
    y = rows[0, :, :, 0][:, :, None].expand(-1, -1, columns.shape[2]).reshape(-1)
    x = columns[0, :, :, 0][:, None, :].expand(-1, rows.shape[2], -1).reshape(-1)
    for a, b, target in zip(y.tolist(), x.tolist(), batch.targets[0].numpy(), strict=True):
        assert np.allclose(lookup[tuple(np.round(np.float32([a, b]), 4))], target)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shares_of_a_batch_are_the_batch(waves, count):
    spec = SirenSpec(2, 2, 4, 1, 3, 1400)
    scattered = Signal(waves.coords.coords(), waves.values, "x")
    for signal in (waves, scattered):
        (source,) = batches.batches_of(signal, Partition((1, 1)), spec, 400, 0, CPU)
        batch = source.next()
        shares = split(batch, count)
        assert len(shares) <= count
        assert torch.equal(torch.cat([s.targets for s in shares], 1), batch.targets)


def test_soap_and_adam_minimise():
    generator = torch.Generator().manual_seed(0)
    target, mix = torch.randn(1, 6, 9, generator=generator), torch.randn(9, 9, generator=generator)
    # The problem is ill conditioned: what a matrix preconditioner is for.
    for maker, rate, near in ((Adam, 0.1, 0.3), (Soap, 0.1, 0.02)):
        weight, bias = torch.zeros(1, 6, 9), torch.zeros(1, 6)
        optimizer = maker([weight, bias])
        for step in range(400):
            error = (weight - target) @ mix
            optimizer.step([error @ mix.T, bias - 1], [rate * (1 - step / 400)] * 2)
        assert float((weight - target).abs().max()) < near, maker
        assert float((bias - 1).abs().max()) < 0.05, maker


def test_adam_is_torchs_adam():
    weight = torch.ones(2, 3)
    ours, theirs = weight.clone(), weight.clone().requires_grad_()
    mine, reference = Adam([ours]), torch.optim.Adam([theirs], lr=0.01, betas=Adam.betas, eps=1e-12)
    for k in range(5):
        gradient = torch.arange(6.0).view(2, 3) * (k + 1) - 7
        mine.step([gradient], [0.01])
        theirs.grad = gradient.clone()
        reference.step()
    assert torch.allclose(ours, theirs.detach(), atol=1e-6)


def test_a_fit_lowers_the_error(waves, device):
    place = torch.device(device)
    spec = SirenSpec(2, 2, 16, 2, 4, 1400)
    loss = make(waves, spec, dtype=choose_precision("auto", place, 16), device=place)
    params = {name: tensor.to(place) for name, tensor in network.init(spec, 1, 0).items()}
    stages = []
    with loss:
        fitted, steps = fit.fit(
            loss, params, steps=400, lr=5e-2, optimizer="soap", progress=lambda *a: stages.append(a)
        )
    assert steps == 400
    assert float(loss.error) < 1.5e-3
    assert stages[-1] == ("fit", 400, 400)
    assert all(not torch.equal(fitted[name], params[name]) for name in params)


def test_a_fine_fit_is_finished_in_full_precision(waves):
    spec = SirenSpec(2, 2, 32, 2, 4, 1400)
    errors = {}
    for dtype in (torch.bfloat16, torch.float32):
        with make(waves, spec, dtype=dtype) as loss:
            fit.fit(loss, network.init(spec, 1, 0), steps=800, lr=2e-2, optimizer="soap")
            errors[dtype] = float(loss.error)
            assert loss.dtype == torch.float32
    assert errors[torch.bfloat16] < max(3 * errors[torch.float32], 2e-7)


def test_a_diverging_fit_goes_back_and_slows_down(waves):
    spec = SirenSpec(2, 2, 16, 2, 4, 1400)
    params = network.init(spec, 1, 0)
    with make(waves, spec) as loss:
        fit.fit(loss, params, steps=600, lr=3.0, optimizer="soap")
        assert float(loss.error) < 0.5
    guard = fit._Guard(params)
    assert not guard.diverged(0.1, params)
    assert guard.diverged(0.2, params)
    assert guard.diverged(math.nan, params)


def test_a_perfect_fit_stops_early():
    signal = Signal(Grid((1, 1)), np.full((1, 3), 0.25), "x")
    spec = SirenSpec(2, 3, 4, 1, 0, 1400)
    with make(signal, spec) as loss:
        _, steps = fit.fit(loss, network.init(spec, 1, 0), steps=20_000, lr=1e-2, optimizer="adam")
    assert steps < 20_000


def test_a_field_is_the_network_in_slices_and_in_parts(waves):
    spec, partition = SirenSpec(2, 2, 8, 1, 3, 1400), Partition((2, 3))
    params = network.init(spec, 6, 0)
    field = network.as_field(spec, {n: t.numpy() for n, t in params.items()}, partition, CPU)
    coords = waves.coords.coords()
    number, local = partition.locate(coords)
    values = field(coords)
    for i in range(0, len(coords), 37):
        own = {name: tensor[number[i] : number[i] + 1] for name, tensor in params.items()}
        expected = network.apply(spec, own, torch.from_numpy(local[i : i + 1])[None])[0, 0]
        assert np.allclose(values[i], expected, atol=1e-5)
    with pytest.raises(ValueError, match=r"\(n, 2\)"):
        field(np.zeros((3, 3), np.float32))


def test_a_specification_survives_its_six_bytes():
    spec = SirenSpec(2, 3, 47, 3, 16, 1400)
    assert unpack_spec(*spec.pack(), 2, 3) == spec
    for kind, data in ((2, bytes(6)), (1, bytes(5)), (1, bytes(6)), (1, b"\xff" * 6)):
        with pytest.raises(ContainerError):
            unpack_spec(kind, data, 2, 3)


@pytest.mark.parametrize("features", [{"amx-bf16": True}, {"avx512bf16": True}, {"avx2": True, "amx-bf16": False}, {}])
def test_the_processors_units_decide_the_precision(monkeypatch, features):
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_features", lambda: features)
    has_bfloat16_units.cache_clear()
    wide = torch.bfloat16 if any(features.values()) and "avx2" not in features else torch.float32
    assert choose_precision("auto", CPU, 64) == wide
    assert choose_precision("auto", CPU, 16) == torch.float32
    assert choose_precision("bfloat16", CPU, 64) == torch.bfloat16
    assert choose_precision("float32", CPU, 64) == torch.float32
    has_bfloat16_units.cache_clear()


def test_work_is_shared_and_its_results_keep_their_order():
    for threads in (1, 2, 4):
        with Workers(CPU, threads) as workers:
            assert (workers.count, workers.pieces) == (threads, PIECES)
            assert workers.start(lambda n: n * n, range(11))() == [n * n for n in range(11)]
            assert workers.start(lambda n: n, [])() == []

            def fails(number):
                if number == 3:
                    raise ValueError("three")
                return number

            with pytest.raises(ValueError, match="three"):
                workers.start(fails, range(8))()


def test_devices_that_are_not_there_are_told():
    assert find_device("cpu") == CPU
    with pytest.raises(RecipeError, match="device 'tpu9' cannot be used"):
        find_device("tpu9")
