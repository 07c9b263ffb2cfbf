"""Learning where fits begin: its gradient against finite differences, by hand, and against others' code."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from coordcodec.data import Grid, Signal
from coordcodec.layers.siren import adapt, batches, curvature, network
from coordcodec.layers.siren.batch import Batch, join
from coordcodec.layers.siren.curvature import Loss
from coordcodec.layers.siren.learnable import LearnableSiren
from coordcodec.layers.siren.objective import Objective
from coordcodec.learning import maml, ranks
from coordcodec.partition import Partition
from coordcodec.specs import SirenSpec

CPU = torch.device("cpu")
SPEC = SirenSpec(2, 1, 4, 1, 1, 1400)


class Fixed:
    """Minibatches that are the same whenever they are asked for again, in float64."""

    def __init__(self, seed, inner_steps, spec=SPEC, blocks=2, sides=(2, 3)):
        generator = torch.Generator().manual_seed(seed)
        per_axis = spec.features // spec.dims
        self.batches = []
        for _ in range(inner_steps + 1):
            features = [torch.randn(1, blocks, n, per_axis, generator=generator, dtype=torch.float64) for n in sides]
            targets = torch.randn(1, blocks * math.prod(sides), spec.channels, generator=generator, dtype=torch.float64)
            self.batches.append(Batch(features, targets))
        self.shape, self.asked = (blocks, *sides), 0

    def next(self):
        self.asked += 1
        return self.batches[(self.asked - 1) % len(self.batches)]


def learner(first_order=False, inner_steps=2, spec=SPEC):
    settings = maml.Settings(outer_steps=10, inner_steps=inner_steps, inner_lr=0.1, first_order=first_order)
    theta = {name: tensor.double() / 3 for name, tensor in network.init(spec, 1, 0, 3.0).items()}
    found = maml.Learner(LearnableSiren(spec), settings, theta)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for tensor in found.adam.params:
            tensor.add_(torch.randn(tensor.shape, generator=generator, dtype=torch.float64) / 3)
    return found


def test_the_gradient_of_second_order_is_that_of_finite_differences():
    found, tasks = learner(), [Fixed(1, 2), Fixed(2, 2)]
    free = [*found.theta.values(), *found.adam.params]
    _, gradients = found.gradient(tasks)
    checked = 0
    for tensor, gradient in zip(free, gradients, strict=True):
        flat = tensor.detach().view(-1)
        for i in range(flat.numel()):
            before, losses = float(flat[i]), []
            for sign in (1, -1):
                flat[i] = before + sign * 1e-6
                losses.append(float(found.gradient(tasks)[0]))
            flat[i] = before
            expected = (losses[0] - losses[1]) / 2e-6
            assert float(gradient.view(-1)[i]) == pytest.approx(expected, rel=1e-5, abs=1e-8)
            checked += 1
    assert checked == 3 * SPEC.parameters


def plain_loss(params, batch):
    """Independent of what is tested: point after point, with torch.sin."""
    rows, columns = batch.features
    errors = []
    for block in range(rows.shape[1]):
        for i in range(rows.shape[2]):
            for j in range(columns.shape[2]):
                hidden = torch.cat([rows[0, block, i], columns[0, block, j]])
                for layer in range(SPEC.depth + 2):
                    hidden = params[f"weight{layer}"][0] @ hidden + params[f"bias{layer}"][0]
                    hidden = torch.sin(hidden) if layer <= SPEC.depth else hidden
                errors.append((hidden - batch.targets[0, len(errors)]).square().mean())
    return torch.stack(errors).mean()


def test_the_gradient_of_first_order_is_the_one_computed_by_hand():
    found, task = learner(first_order=True), Fixed(1, 2)
    rates = found.rates()
    params, inner = {name: tensor.detach() for name, tensor in found.theta.items()}, []
    for step in range(3):
        params = {name: tensor.clone().requires_grad_() for name, tensor in params.items()}
        gradients = torch.autograd.grad(plain_loss(params, task.batches[step]), list(params.values()))
        inner.append(dict(zip(params, gradients, strict=True)))
        if step < 2:
            params = {name: tensor.detach() - rates[step][name] * inner[step][name] for name, tensor in params.items()}
    loss, gradients = found.gradient([task])
    assert float(loss) == pytest.approx(float(plain_loss(params, task.batches[2]).detach()), rel=1e-12)
    expected = [*inner[2].values()]
    expected += [-rates[step][name] * inner[step][name] * inner[2][name] for step in range(2) for name in params]
    for got, wanted in zip(gradients, expected, strict=True):
        assert torch.allclose(got, wanted, rtol=1e-9, atol=1e-12)


def test_the_orders_differ_and_without_inner_steps_agree():
    task = Fixed(1, 2)
    second, first = (learner(first_order=order).gradient([task])[1] for order in (False, True))
    assert not torch.allclose(second[0], first[0], rtol=1e-3)
    second, first = (learner(order, inner_steps=0).gradient([Fixed(1, 0)])[1] for order in (False, True))
    assert torch.equal(second[0], first[0])


def test_metasgd_of_learn2learn_gives_the_same_gradient():
    learn2learn = pytest.importorskip("learn2learn", reason="its release of 2023 does not build on Python 3.11")
    found, task = learner(inner_steps=1), Fixed(1, 1)

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, tensor in found.theta.items():
                self.register_parameter(name, torch.nn.Parameter(tensor.detach().clone()))

    network = Network()
    names = [name for name, _ in network.named_parameters()]
    (rates,) = found.rates()
    lrs = torch.nn.ParameterList([torch.nn.Parameter(rates[name].clone()) for name in names])
    theirs = learn2learn.algorithms.MetaSGD(network, lr=1.0, first_order=False, lrs=lrs)
    clone = theirs.clone()
    clone.adapt(plain_loss(dict(clone.module.named_parameters()), task.batches[0]))
    loss = plain_loss(dict(clone.module.named_parameters()), task.batches[1])
    by_theta = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
    by_rates = torch.autograd.grad(loss, list(lrs))
    expected = [*by_theta, *(g * rates[name] for g, name in zip(by_rates, names, strict=True))]  # ours are logarithms
    ours, gradients = found.gradient([task])
    assert float(ours) == pytest.approx(float(loss.detach()), rel=1e-12)
    for got, wanted in zip(gradients, expected, strict=True):
        assert torch.allclose(got, wanted, rtol=1e-9, atol=1e-12)


def parts(shape, spec, count=3, points=10_000, device=CPU):
    """Tasks of one family: waves of one frequency at random places."""
    rng = np.random.default_rng(0)
    coords = rng.uniform(-1, 1, (300, spec.dims)) if shape is None else Grid(shape)
    at = coords if shape is None else coords.coords()
    found = []
    for i in range(count):
        x = (at + rng.uniform(-1, 1, spec.dims)).sum(1)
        values = np.stack([np.sin((3 + c) * x) * 0.8 for c in range(spec.channels)], axis=1).astype(np.float32)
        signal = Signal(coords.astype(np.float32) if shape is None else coords, values, "waves")
        found += batches.batches_of(signal, Partition((1,) * spec.dims), spec, points, i, device)
    return found


@pytest.mark.parametrize(("shape", "dims"), [((40,), 1), ((12, 9), 2), ((4, 5, 6), 3), (None, 2)])
def test_networks_on_minibatches_are_those_on_coordinates(shape, dims):
    spec = SirenSpec(dims, 2, 8, 2, 3, 1400)
    params = network.init(spec, 2, 0)
    batch = join([task.next() for task in parts(shape, spec, 2)])
    got = curvature.evaluate(spec, params, batch.features)
    # The encoding begins with the coordinate itself.
    axes = [feature[..., 0] for feature in batch.features]
    if shape is None:
        (feature,) = batch.features
        coords = torch.stack([feature[:, 0, :, 0], feature[:, 0, :, spec.features // 2]], dim=-1)
    else:
        sides = [axis.shape[2] for axis in axes]
        wide = []
        for k, axis in enumerate(axes):
            view = [*axis.shape[:2], *[1] * dims]
            view[2 + k] = sides[k]
            wide.append(axis.view(view).expand(*axis.shape[:2], *sides).flatten(1))
        coords = torch.stack(wide, dim=-1)
    assert torch.allclose(got, network.apply(spec, params, coords), atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "dims", "depth"), [((40,), 1, 2), ((12, 9), 2, 0), ((12, 9), 2, 3), ((4, 5, 6), 3, 1), (None, 2, 1)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_losses_gradients_and_hessians_are_autograds(shape, dims, depth, dtype, device):
    device = torch.device(device)
    spec = SirenSpec(dims, 2, 6, depth, 2, 1400)
    batch = join([task.next() for task in parts(shape, spec, 2, device=device)])
    batch = Batch([feature.to(dtype) for feature in batch.features], batch.targets.to(dtype))
    params = {name: tensor.to(device, dtype).requires_grad_() for name, tensor in network.init(spec, 2, 0, 4.0).items()}
    direction = {name: tensor.to(device, dtype) for name, tensor in network.init(spec, 2, 1, 1.0).items()}
    losses = adapt.errors(spec, params, batch)
    gradients = torch.autograd.grad(losses.sum(), list(params.values()), create_graph=True)
    along = sum((gradient * direction[name]).sum() for name, gradient in zip(params, gradients, strict=True))
    curved = torch.autograd.grad(along, list(params.values()))
    found = Loss(spec, {name: tensor.detach() for name, tensor in params.items()}, batch)
    products = found.curved(direction)
    near = {"rtol": 1e-3, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 1e-9, "atol": 1e-11}
    assert torch.allclose(found.losses, losses.detach(), **near)
    for name, gradient, product in zip(params, gradients, curved, strict=True):
        assert torch.allclose(found.gradients[name], gradient.detach(), **near), name
        assert torch.allclose(products[name], product, **near), name


def test_adapting_takes_the_inner_steps(device):
    device = torch.device(device)
    spec = SirenSpec(2, 1, 8, 1, 2, 1400)
    theta = {name: tensor.to(device) for name, tensor in network.init(spec, 1, 3, 5.0).items()}
    rates = maml.Learner(LearnableSiren(spec), maml.Settings(inner_lr=0.05), theta).rates()
    params = {name: tensor.expand(3, *tensor.shape[1:]).clone() for name, tensor in theta.items()}
    for rate, task in zip(rates, [parts((8, 9), spec, device=device)] * 3, strict=True):
        free = {name: tensor.requires_grad_() for name, tensor in params.items()}
        loss = adapt.errors(spec, free, join([t.next() for t in task])).sum()
        gradients = torch.autograd.grad(loss, list(free.values()))
        params = {n: (t - rate[n] * g).detach() for (n, t), g in zip(free.items(), gradients, strict=True)}
    with Objective(spec, parts((8, 9), spec, device=device), torch.float32, device) as objective:
        by_objective = adapt.adapt(spec, theta, rates, objective)
    for got in (adapt.adapt(spec, theta, rates, parts((8, 9), spec, device=device)), by_objective):
        for name, tensor in params.items():
            assert torch.allclose(got[name], tensor, atol=1e-4), name


def test_learning_makes_the_inner_steps_worth_taking(device):
    spec, device = SirenSpec(2, 1, 12, 1, 2, 1400), torch.device(device)
    tasks = parts((16, 16), spec, 12, device=device)
    theta = {name: tensor.to(device) for name, tensor in network.init(spec, 1, 0, 2.0).items()}
    found = maml.Learner(LearnableSiren(spec), maml.Settings(outer_steps=120, inner_lr=0.5, outer_lr=0.02), theta)

    def error():
        held_back, theirs = tasks[:4], {n: t.detach() for n, t in found.theta.items()}
        params = adapt.adapt(spec, theirs, found.rates(), held_back)
        return float(adapt.errors(spec, params, join([t.next() for t in held_back])).mean())

    before = error()
    with found:
        losses = [found.learn(tasks[4:], 8) for _ in range(120)]
    assert found.step == 120
    assert found.skipped == 0
    assert error() < before / 5
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) / 5


def test_tasks_of_several_shapes_count_alike():
    spec = SirenSpec(2, 1, 8, 1, 2, 1400)
    theta = network.init(spec, 1, 0)

    def gradient(tasks):
        return maml.Learner(LearnableSiren(spec), maml.Settings(inner_lr=0.1), theta).gradient(tasks)

    loss, together = gradient(parts((8, 8), spec, 2) + parts((5, 20), spec, 1))
    apart = [gradient(parts((8, 8), spec, 2)), gradient(parts((5, 20), spec, 1))]
    assert float(loss) == pytest.approx(sum(float(own) for own, _ in apart), rel=1e-4)
    for i, tensor in enumerate(together):
        assert torch.allclose(tensor, apart[0][1][i] + apart[1][1][i], atol=1e-4, rtol=1e-3)


def test_a_step_without_a_finite_gradient_changes_nothing():
    spec = SirenSpec(2, 1, 8, 1, 2, 1400)
    tasks = parts((8, 8), spec, 2)
    tasks[1].values = tasks[1].values.clone()
    tasks[1].values[3] = math.nan
    found = maml.Learner(LearnableSiren(spec), maml.Settings(), network.init(spec, 1, 0))
    before = {name: tensor.clone() for name, tensor in found.state().items()}
    assert math.isnan(found.learn(tasks, 2))
    assert (found.step, found.skipped, found.whole) == (1, 1, True)
    for name, tensor in found.state().items():
        if name != "numbers":
            assert torch.equal(tensor, before[name]), name
    assert math.isfinite(found.learn(tasks[:1], 1))


def test_a_learner_goes_on_from_its_state():
    spec, settings = SirenSpec(2, 1, 8, 1, 2, 1400), maml.Settings(outer_steps=12, inner_lr=0.1)

    def fresh():
        return maml.Learner(LearnableSiren(spec), settings, network.init(spec, 1, 0)), parts((8, 8), spec, 4)

    (whole, tasks), (begun, _) = fresh(), fresh()
    losses = [whole.learn(tasks, 4) for _ in range(6)]
    _, tasks = fresh()
    assert [begun.learn(tasks, 4) for _ in range(3)] == pytest.approx(losses[:3], rel=1e-5)
    other, _ = fresh()
    other.restore(begun.state())
    assert [other.learn(tasks, 4) for _ in range(3)] == pytest.approx(losses[3:], rel=1e-4)
    assert other.step == 6
    slower = maml.slowed(other.state())
    other.restore(slower)
    assert other.factor == 0.5
    small = SirenSpec(2, 1, 7, 1, 2, 1400)
    narrow = maml.Learner(LearnableSiren(small), settings, network.init(small, 1, 0))
    with pytest.raises(ValueError, match="must be"):
        narrow.restore(begun.state())
    with pytest.raises(KeyError):
        narrow.restore({})


def test_the_outer_rates_rise_and_fall():
    settings = maml.Settings(outer_steps=1000)
    shares = [settings.share(step) for step in range(1000)]
    assert shares[0] == pytest.approx(0.01)
    assert max(shares) == pytest.approx(0.98, abs=0.01)
    assert shares.index(max(shares)) == 99
    assert shares[-1] == pytest.approx(0.02, abs=0.001)
    assert maml.Settings(outer_steps=1).share(0) == 1


def test_shares_of_ranks_are_the_whole():
    both = [ranks.Ranks(rank, 2) for rank in range(2)]
    assert sorted(i for r in both for i in r.share(5)) == [0, 1, 2, 3, 4]
    assert [r.leads for r in both] == [True, False]
    tensor = torch.ones(2)
    ranks.ALONE.sum([tensor])
    assert torch.equal(tensor, torch.ones(2))


def test_two_processes_learn_what_one_does(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for i in range(9):
        # Within one minibatch, so that whoever draws it draws the same.
        small = Image.fromarray(rng.integers(0, 255, (4, 4, 3), np.uint8))
        small.resize((16, 16), Image.Resampling.BICUBIC).save(tmp_path / "pictures" / f"{i}.png")
    words = ["pictures", "--modality", "image", "--width", "8", "--outer-steps", "12", "--tasks-per-step", "5"]
    words += ["--points", "256", "--fits", "3", "--fit-steps", "4", "--device", "cpu", "--quiet"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}

    def run(output, *launcher):
        command = [sys.executable, "-m", *launcher, "coordcodec", "learn-init", *words, "-o", output]
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    started = (
        run("one.safetensors"),
        run("two.safetensors", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m"),
    )
    for process in started:
        stdout, stderr = process.communicate(timeout=300)
        assert process.returncode == 0, stderr
        assert stdout == ""
    curves = [load_file(tmp_path / f"{name}.checkpoint.safetensors")["curve"] for name in ("one", "two")]
    assert curves[0].shape == (2, 4)
    assert torch.allclose(curves[0], curves[1], rtol=1e-2, equal_nan=True)
    one, two = (load_file(tmp_path / f"{name}.safetensors") for name in ("one", "two"))
    assert torch.allclose(one["theta/weight1"].float(), two["theta/weight1"].float(), atol=0.05)
    # The codes come from the fits of all tasks, whoever fitted them; half as many would be 2 less.
    differences = [one[name].float() - two[name].float() for name in one if name.startswith("scale/")]
    assert abs(float(torch.cat([d.flatten() for d in differences]).mean())) < 0.7
