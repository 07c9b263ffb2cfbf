"""Pyramids: what a fit measures against PyTorch's own gradients, odd signals, files of several layers."""

import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

import coordcodec
from coordcodec import codec
from coordcodec.data import Grid, Signal, on_grid
from coordcodec.errors import ContainerError, RecipeError
from coordcodec.layers.pyramid import networks
from coordcodec.layers.pyramid.geometry import neighbours
from coordcodec.layers.pyramid.step import Stepper
from coordcodec.layers.pyramid.upsample import features
from coordcodec.specs import PyramidSpec

QUICK = {"steps": 12, "synthesis": (8, 8), "context": (8, 8)}


class Plain:
    """A stand-in for a plugin whose only fact is its size."""

    name, rate_unit, main_score = "plain", "bytes", "rmse"
    defaults = coordcodec.Recipe(num_bytes=2000)

    def rate(self, num_bytes, meta):
        return float(num_bytes)


PLAIN = Plain()


def encode(signal, **choices):
    given = {"layers": "pyramid", "pyramid": QUICK, "device": "cpu"} | choices
    return codec.compress_signal(signal, PLAIN, codec.make_recipe(PLAIN, **given)).data


def waves(*shape, channels=3):
    axes = np.meshgrid(*[np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape], indexing="ij")
    total = sum(np.sin(3 * (k + 1) * axis) for k, axis in enumerate(axes)) / len(shape)
    return (0.9 * np.stack([total * (1 - 0.2 * c) for c in range(channels)], -1)).reshape(-1, channels)


def signal_of(*shape, channels=3, periodic=(), mask=None):
    return Signal(Grid(shape, periodic=periodic), waves(*shape, channels=channels), "plain", mask=mask)


def spec_of(shape, halved, periodic=(), context=(8, 8), first=0, count=9, channels=2):
    return PyramidSpec(
        shape, channels, halved, first, (8, 12), context, count, (1.0,) * channels, (0.0,) * channels, periodic
    )


def network(tensors, kind, given, residual):
    """A network by PyTorch: (inputs, n) to (outputs, n)."""
    t = {name.removeprefix(kind + "."): value for name, value in tensors.items() if name.startswith(kind)}
    first = torch.relu(t["0.weight"] @ given + t["0.bias"][:, None])
    second = t["1.weight"] @ first + t["1.bias"][:, None]
    second = torch.relu(second + first if residual else second)
    return t["2.weight"] @ second + t["2.bias"][:, None] + t["skip"] @ given


def shifted(latents, offset):
    """latents at index + offset, 0 beyond the edge."""
    padded = torch.zeros([n + 2 * abs(o) for n, o in zip(latents.shape, offset, strict=True)], dtype=latents.dtype)
    padded[tuple(slice(abs(o), abs(o) + n) for n, o in zip(latents.shape, offset, strict=True))] = latents
    return padded[tuple(slice(abs(o) + o, abs(o) + o + n) for n, o in zip(latents.shape, offset, strict=True))]


def contexts(spec, latents, level):
    """What the context network sees of a level: (inputs, n), in float64."""
    own, axes = latents[level], len(spec.shape)
    given = [shifted(own, offset[4 - axes :]).reshape(-1) for offset in neighbours(axes, spec.neighbours)]
    if level + 1 in latents:
        above, places = latents[level + 1], np.indices(own.shape)
        halved = [spec.halved[level] >> k & 1 for k in range(axes)]
        wide = torch.zeros([n + 2 for n in above.shape], dtype=above.dtype)
        wide[tuple(slice(1, -1) for _ in above.shape)] = above
        base = [places[k] >> halved[k] for k in range(axes)]
        sides = [np.where(places[k] % 2, 1, -1) if halved[k] else np.ones_like(places[k]) for k in range(axes)]
        for moved in (None, *range(axes)):
            index = [torch.from_numpy(b + 1 + (sides[k] if k == moved else 0)) for k, b in enumerate(base)]
            given.append(wide[tuple(index)].reshape(-1))
    else:
        given += [torch.zeros(own.numel(), dtype=own.dtype)] * (1 + axes)
    return torch.stack([*given, torch.full((own.numel(),), float(level), dtype=own.dtype)])


def bits_of(spec, tensors, latents):
    """The bits of latents under discretised Laplacians."""
    total = torch.zeros((), dtype=torch.float64)
    for level in spec.levels:
        out = network(tensors, "context", contexts(spec, latents, level), spec.context[0] == spec.context[1])
        scale = 2.0 ** (out[1] * 8 / 7).clamp(-4, 5)
        model = torch.distributions.Laplace(out[0], scale)
        own = latents[level].reshape(-1)
        total = total - torch.log2(model.cdf(own + 0.5) - model.cdf(own - 0.5) + 1.6e-5).sum()
    return total


@pytest.mark.parametrize(
    ("shape", "halved", "options"),
    [
        ((61,), (1, 1, 1), {"count": 16}),
        ((19, 23), (3, 2, 1), {}),
        ((12, 17), (3, 3), {"first": 1, "periodic": (False, True), "context": (12, 8)}),
        ((5, 6, 7), (7, 5), {"periodic": (True, False, False)}),
        ((3, 4, 5, 4), (15,), {"count": 20}),
    ],
)
def test_a_step_measures_what_pytorch_does_with_its_gradients(shape, halved, options):
    spec, random = spec_of(shape, halved, **options), np.random.default_rng(0)
    target = random.normal(size=(math.prod(shape), 2)).astype(np.float32)
    stepper = Stepper(spec, target, None, 0, 2)
    tensors = {n: (0.3 * random.normal(size=s)).astype(np.float32) for n, s in spec.tensors().items()}
    for name in ("context.2.weight", "context.skip"):
        tensors[name] *= np.float32(0.1)  # scales stay where their gradients are not cut off
    for own in stepper.planes:
        own.inside(own.plane)[:] = 1.5 * random.normal(size=own.shape)
        own.slopes[:] = 1
    measured = stepper.measure(*networks.nets(tensors), 0.02)
    ours = stepper.gradients()
    stepper.close()
    weights = {n: torch.from_numpy(t.astype(np.float64)).requires_grad_() for n, t in tensors.items()}
    latents = {
        level: torch.from_numpy(
            own.inside(own.plane).reshape(spec.level_shape(level)).astype(np.float64)
        ).requires_grad_()
        for level, own in zip(spec.levels, stepper.planes, strict=True)
    }
    # Interpolation is linear: what it does to every unit vector is its matrix.
    flat = torch.cat([latents[level].reshape(-1) for level in spec.levels])
    rows = []
    for k in range(len(flat)):
        unit = np.zeros(len(flat), np.float32)
        unit[k] = 1
        parts = np.split(unit, np.cumsum([latents[level].numel() for level in spec.levels])[:-1])
        given = {level: part.reshape(spec.level_shape(level)) for level, part in zip(spec.levels, parts, strict=True)}
        rows.append(features(spec, given).reshape(len(spec.levels), -1))
    matrix = torch.from_numpy(np.stack(rows).astype(np.float64))
    out = network(weights, "synthesis", torch.einsum("k,kfn->fn", flat, matrix), False)
    error = ((out - torch.from_numpy(target.T.astype(np.float64))) ** 2).sum()
    bits = bits_of(spec, weights, latents)
    (error / target.size + 0.02 * bits / len(target)).backward()
    assert measured.error == pytest.approx(error.item(), rel=1e-4)
    assert measured.bits.sum() == pytest.approx(bits.item(), rel=1e-4)
    for level, found in zip(spec.levels, ours, strict=True):
        np.testing.assert_allclose(found.reshape(spec.level_shape(level)), latents[level].grad, atol=2e-5, rtol=5e-3)
    padded = [*measured.context, *measured.synthesis]
    for (name, weight), found in zip(weights.items(), padded, strict=True):
        trimmed = found[tuple(slice(n) for n in weight.shape)]
        np.testing.assert_allclose(trimmed, weight.grad, atol=2e-4, rtol=5e-3, err_msg=name)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((900,), {}),
        ((40, 56), {"channels": 1}),
        ((33, 47), {"periodic": (False, True)}),
        ((9, 11, 13), {"channels": 2}),
        ((4, 5, 6, 7), {"channels": 1}),
        ((1, 1), {}),
        ((1, 70), {}),
    ],
)
def test_files_of_odd_shapes_fit_their_target_and_decode(shape, options):
    signal = signal_of(*shape, **options)
    data = encode(signal, num_bytes=2500)
    opened = coordcodec.open(data)
    assert len(data) <= 2500
    assert opened.info["layers"][-1]["kind"] == "pyramid"
    values = on_grid(opened.field, signal.coords)
    assert values.shape == signal.values.shape
    assert np.isfinite(values).all()
    np.testing.assert_allclose(opened.field(signal.coords.coords()), values, atol=1e-5)


def test_it_learns_a_smooth_signal_in_the_bytes_that_it_is_given():
    signal, errors = signal_of(64, 96), []
    for size in (1500, 4000):
        data = encode(signal, num_bytes=size, pyramid=QUICK | {"steps": 250})
        errors.append(
            float(np.sqrt(np.mean((on_grid(coordcodec.open(data).field, signal.coords) - signal.values) ** 2)))
        )
        assert len(data) <= size
    assert errors[1] < errors[0] < 0.1


def test_the_bytes_are_the_same_on_any_number_of_threads_and_of_every_run():
    signal = signal_of(150, 220)
    files = {encode(signal, num_bytes=3000, threads=threads) for threads in (1, 2, 2, 5)}
    assert len(files) == 1


def test_what_is_unknown_is_not_fitted_and_comes_back_unknown():
    mask = np.ones(60 * 40, bool)
    mask[500:900] = False
    signal = signal_of(60, 40, mask=mask)
    values = on_grid(coordcodec.open(encode(signal, num_bytes=2500)).field, signal.coords)
    assert np.isnan(values[~mask]).all()
    assert np.isfinite(values[mask]).all()


@pytest.mark.parametrize("choices", [{"time_budget": 0}, {"num_bytes": 2500, "time_budget": 0.5, "effort": 9}])
def test_a_fit_ends_in_time(choices):
    given = QUICK if choices["time_budget"] == 0 else {}
    data = encode(signal_of(64, 64), **({"num_bytes": 2500, "pyramid": given} | choices))
    assert len(data) <= 2500


def test_a_constant_signal_and_a_tradeoff_in_place_of_a_target():
    constant = Signal(Grid((30, 30)), np.full((900, 1), 0.25, np.float32), "plain")
    values = on_grid(coordcodec.open(encode(constant, num_bytes=2000)).field, constant.coords)
    assert np.abs(values - 0.25).max() < 0.01
    sizes = [len(encode(signal_of(64, 64), pyramid=QUICK | {"tradeoff": t, "steps": 60})) for t in (1e-3, 1.0)]
    assert sizes[0] > sizes[1]


def test_detail_stands_on_a_pyramid_and_a_field_can_be_pickled():
    signal = signal_of(64, 96)
    opened = coordcodec.open(encode(signal, num_bytes=6000, layers="pyramid+detail"))
    assert [layer["kind"] for layer in opened.info["layers"]] == ["pyramid", "detail"]
    again = pickle.loads(pickle.dumps(opened))
    assert np.array_equal(on_grid(again.field, signal.coords), on_grid(opened.field, signal.coords))


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"max_error": 1.0}, "can promise nothing"),
        ({"pyramid": {"finest": 11}}, "the finest level is 11"),
        ({"pyramid": {"synthesis": (7, 8)}}, "multiples of 4"),
        ({"pyramid": {"lr": 0}}, "lr"),
        ({"num_bytes": 60}, "is too little for this signal"),
    ],
)
def test_what_cannot_be_is_one_clear_line(choices, words):
    with pytest.raises(RecipeError, match=words):
        encode(signal_of(32, 32), **choices)


def test_scattered_points_have_no_pyramid():
    cloud = Signal(np.zeros((50, 2), np.float32), np.zeros((50, 1), np.float32), "plain")
    with pytest.raises(RecipeError, match="take grids"):
        encode(cloud, num_bytes=2000)


def test_without_numba_files_decode_to_the_same_values(tmp_path):
    signal = signal_of(40, 50)
    data = encode(signal, num_bytes=2500)
    (tmp_path / "a.ccdc").write_bytes(data)
    np.save(tmp_path / "a.npy", on_grid(coordcodec.open(data).field, signal.coords))
    script = (
        "import numpy as np, coordcodec\n"
        "from coordcodec.data import Grid, on_grid\n"
        "values = on_grid(coordcodec.open(open('a.ccdc', 'rb').read()).field, Grid((40, 50)))\n"
        "assert np.array_equal(values, np.load('a.npy'))\n"
    )
    environment = {"COORDCODEC_JIT": "0", "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_cut_file_shows_its_coarse_levels():
    data = encode(signal_of(64, 96), num_bytes=4000, pyramid=QUICK | {"steps": 60})
    with pytest.raises(ContainerError):
        coordcodec.open(data[:-40])
    part = coordcodec.open(data[:-40], partial=True)
    assert np.isfinite(on_grid(part.field, Grid((64, 96)))).all()
