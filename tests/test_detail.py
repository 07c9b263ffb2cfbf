"""Integers on the grid: promises kept, sizes met, damaged files refused, layers that add up."""

import contextlib
import dataclasses
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import coordcodec
from coordcodec import codec
from coordcodec.data import Grid, Signal, on_grid
from coordcodec.errors import ContainerError, CoordCodecError, RecipeError
from coordcodec.layers.detail.trial import excerpt
from coordcodec.samples import DTYPES
from coordcodec.stream import container

WHOLE = [name for name in DTYPES if not name.startswith("float")]


class Plain:
    """A stand-in for a plugin whose only fact is its size."""

    name, rate_unit, main_score = "plain", "bytes", "rmse"
    defaults = coordcodec.Recipe(num_bytes=2000)

    def rate(self, num_bytes, meta):
        return float(num_bytes)


PLAIN = Plain()


def encode(signal, **choices):
    recipe = codec.make_recipe(PLAIN, device="cpu", **choices)
    return codec.compress_signal(signal, PLAIN, recipe).data


def signal_of(samples, shape, periodic=(), mask=None, unit="K"):
    """Samples (n, c) scaled to what their own range needs."""
    known = samples if mask is None else samples[mask]
    low, high = float(known.min()), float(known.max())
    if samples.dtype.kind != "f":
        limits = np.iinfo(samples.dtype)
        low, high = float(limits.min), float(limits.max)
    scale, offset = max((high - low) / 2, 1e-6), (high + low) / 2
    values = np.clip((samples.astype(np.float64) - offset) / scale, -1, 1)
    grid = Grid(shape, periodic=periodic or (False,) * len(shape))
    return Signal(grid, values, "plain", samples=samples, scale=scale, offset=offset, unit=unit, mask=mask)


@st.composite
def fields(draw, kinds=DTYPES):
    """Small signals: 1 to 4 axes, all types, smooth or noisy, masks, circles, several channels."""
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    if len(shape) == 1:
        shape = (draw(st.integers(1, 300)),)
    channels, name = draw(st.integers(1, 3)), draw(st.sampled_from(kinds))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = int(np.prod(shape))
    rough = rng.normal(size=(n, channels)) * draw(st.sampled_from([0, 1, 100]))
    smooth = np.cumsum(rng.normal(size=(n, channels)), axis=0) * draw(st.sampled_from([0, 1, 1e4]))
    samples = rough + smooth
    if not name.startswith("float"):
        limits = np.iinfo(name)
        if limits.bits == 32:
            limits = np.iinfo(name.replace("32", "16"))
        samples = np.clip(np.rint(samples), limits.min, limits.max)
        if draw(st.booleans()):
            samples = rng.integers(limits.min, limits.max, (n, channels), endpoint=True)
    mask = rng.random(n) < draw(st.sampled_from([0.2, 0.9])) if draw(st.booleans()) else None
    mask = mask if mask is not None and mask.any() and not mask.all() else None
    periodic = tuple(side > 1 and draw(st.booleans()) for side in shape)
    return signal_of(samples.astype(name), shape, periodic, mask)


quickly = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@quickly
@given(fields(WHOLE))
def test_lossless_files_give_back_every_sample(signal):
    opened = coordcodec.open(encode(signal, lossless=True))
    back, known = opened.samples(), slice(None) if signal.mask is None else signal.mask
    assert (back.dtype, opened.info["max_error"]) == (signal.samples.dtype, 0)
    assert np.array_equal(back[known], signal.samples[known])


@quickly
@given(fields(), st.sampled_from([1.0, 3.0, 20.0, 1000.0]), st.sampled_from(["auto", "identity", "9/7", "5/3"]))
def test_no_bound_is_broken(signal, bound, basis):
    try:
        data = encode(signal, max_error=bound, detail={"basis": basis})
    except RecipeError as error:
        assert "is too small" in str(error) or "less than" in str(error)
        return
    opened = coordcodec.open(data)
    known = slice(None) if signal.mask is None else signal.mask
    theirs, ours = signal.samples[known].astype(np.float64), opened.samples()[known].astype(np.float64)
    assert np.abs(theirs - ours).max() <= bound == opened.container.promise.max_error
    assert np.isnan(opened.field.on_grid(signal.coords)).any() == (signal.mask is not None)


@quickly
@given(fields(), st.integers(40, 400), st.integers(0, 2**32))
def test_damaged_files_are_refused_or_decode(signal, size, seed):
    """With right checksums, so that only what is coded is wrong."""
    try:
        data = bytearray(encode(signal, num_bytes=300 + size, layers="detail"))
    except RecipeError:
        return
    rng = np.random.default_rng(seed)
    for _ in range(3):
        data[rng.integers(5, len(data) - 4)] = rng.integers(256)
    data[-4:] = zlib.crc32(data[:-4]).to_bytes(4, "little")
    try:
        opened = coordcodec.open(bytes(data))
        if np.prod(opened.container.meta["shape"]) < 1 << 20:
            opened.field(np.zeros((1, opened.container.dims)))
    except (ContainerError, CoordCodecError):
        pass


def waves(shape=(96, 128), channels=3):
    rng = np.random.default_rng(0)
    coords = Grid(shape).coords()
    values = np.stack([np.sin(5 * coords @ rng.normal(size=len(shape)) + k) for k in range(channels)], 1)
    return np.clip(0.7 * values + 0.01 * rng.normal(size=values.shape), -1, 1)


def tone(n=40000):
    t = np.arange(n) / 16000
    rng = np.random.default_rng(0)
    return np.clip(0.5 * np.sin(2 * np.pi * 440 * t) * np.exp(-3 * (t % 0.5)) + 0.003 * rng.normal(size=n), -1, 1)[
        :, None
    ]


@pytest.mark.parametrize("target", [700, 3000, 9000])
@pytest.mark.parametrize("kind", ["picture", "sound", "volume"])
def test_sizes_are_met_from_below(kind, target):
    shapes = {"picture": (96, 128), "sound": (40000,), "volume": (20, 24, 28)}
    values = tone() if kind == "sound" else waves(shapes[kind], 3 if kind == "picture" else 1)
    data = encode(Signal(Grid(shapes[kind]), values, "plain"), num_bytes=target, layers="detail")
    assert target - max(24, 0.01 * target) <= len(data) <= target


def test_more_bytes_are_less_error():
    signal, errors = Signal(Grid((96, 128)), waves(), "plain"), []
    for target in (500, 1500, 5000, 15000):
        opened = coordcodec.open(encode(signal, num_bytes=target, layers="detail"))
        errors.append(float(((opened.field.on_grid(signal.coords) - signal.values) ** 2).mean()))
    assert sorted(errors, reverse=True) == errors
    assert errors[-1] < errors[0] / 20


def test_a_step_may_be_given_in_place_of_a_target():
    signal = Signal(Grid((96, 128)), waves(), "plain")
    coarse, fine = (encode(signal, detail={"step": step}) for step in (0.1, 0.01))
    assert len(fine) > 2 * len(coarse)
    error = coordcodec.open(fine).field.on_grid(signal.coords) - signal.values
    assert float(np.sqrt((error**2).mean())) < 0.01


def test_between_samples_it_is_linear_and_circles_close():
    values = np.array([[-1.0], [0.0], [1.0], [0.5]])
    signal = signal_of((values * 100).astype(np.int16), (4,), periodic=(True,))
    field = coordcodec.open(encode(signal, lossless=True)).field
    known = field.on_grid(signal.coords)[:, 0]
    assert np.allclose(field(signal.coords.coords())[:, 0], known)
    middles = field(np.array([[-0.75], [-0.25], [0.25], [0.75]]))[:, 0]
    assert np.allclose(middles, (known + np.roll(known, -1)) / 2, atol=1e-6)
    assert np.allclose(field(np.array([[-1.0]])), field(np.array([[1.0]])))


def test_a_window_is_that_part_of_the_whole():
    signal = Signal(Grid((96, 128)), waves(), "plain")
    field = coordcodec.open(encode(signal, num_bytes=3000, layers="detail")).field
    whole = on_grid(field, signal.coords).reshape(96, 128, 3)
    window = signal.coords.window([(10, 30), (100, 128)])
    assert np.array_equal(on_grid(field, window).reshape(20, 28, 3), whole[10:30, 100:])


def test_layers_add_up():
    signal = Signal(Grid((48, 64)), waves((48, 64)), "plain")
    data = encode(signal, num_bytes=1500, layers="siren+detail", siren={"steps": 60})
    opened = coordcodec.open(data)
    assert [layer["kind"] for layer in opened.info["layers"]] == ["siren", "detail"]
    assert 1450 <= len(data) <= 1500
    parts = [on_grid(layer, signal.coords) for layer in opened.field.layers]
    assert np.allclose(sum(parts), opened.field.on_grid(signal.coords), atol=1e-6)
    error = ((sum(parts) - signal.values) ** 2).mean()
    assert error < ((parts[0] - signal.values) ** 2).mean() / 2


def test_the_layer_is_chosen_by_what_is_asked_and_given():
    def kinds(signal, **choices):
        return [layer["kind"] for layer in coordcodec.open(encode(signal, **choices)).info["layers"]]

    grid = Signal(Grid((48, 64)), waves((48, 64)), "plain")
    cloud = Signal(np.random.default_rng(0).uniform(-1, 1, (2000, 2)), np.zeros((2000, 1)), "plain")
    assert kinds(grid, num_bytes=900) == ["detail"]
    assert kinds(grid, num_bytes=900, siren={"steps": 20}) == ["siren"]
    assert kinds(cloud, num_bytes=900, siren={"steps": 20}) == ["siren"]
    with pytest.raises(RecipeError, match="grids of 1 to 4 axes"):
        encode(cloud, layers="detail")


@pytest.mark.parametrize(
    ("dtype", "choices", "says"),
    [
        ("float32", {"lossless": True}, "lossless is for whole numbers, these are float32"),
        ("float32", {"max_error": 0}, "must be above 0, got 0"),
        ("float32", {"max_error": "much"}, "is a number, such as 0.5K or 0.5%; got 'much'"),
        ("float32", {"max_error": "3m"}, "the samples are in K"),
        ("float32", {"max_error": 1e-9}, "less than float32 resolves"),
        ("float64", {"max_error": 1e-9}, "is too small for samples that span"),
        ("int16", {"max_error": 0.5}, "is below one step of whole numbers; use 1 or more, or --lossless"),
        ("int16", {"max_error": 1, "layers": "siren"}, "layers siren can promise nothing"),
        ("int16", {"max_error": 1, "lossless": True}, "choose one of"),
        ("int16", {"max_error": 1, "num_bytes": 500}, "choose one of"),
        ("int16", {"max_error": 1, "detail": {"basis": "lapped"}}, "can promise nothing of an error"),
        ("int16", {"layers": "siren+siren"}, "unknown layers"),
        ("int16", {"detail": {"basis": "haar"}}, "unknown basis"),
        (
            "int16",
            {"num_bytes": 60, "layers": "detail"},
            "60 bytes is too little for this signal",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(dtype, choices, says):
    signal = signal_of((waves((300,), 1) * 100).astype(dtype), (300,))
    with pytest.raises((RecipeError, LookupError)) as raised:
        encode(signal, **choices)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_bounds_may_be_shares_of_the_range_and_bear_units():
    signal = signal_of((waves((300,), 1) * 50 + 300).astype("f4"), (300,))
    span = float(np.ptp(signal.samples))
    assert coordcodec.open(encode(signal, max_error="2%")).container.promise.max_error == pytest.approx(0.02 * span)
    assert coordcodec.open(encode(signal, max_error="0.5K")).container.promise.max_error == 0.5


def test_a_file_with_a_promise_decodes_without_torch(tmp_path):
    signal = signal_of((waves((40, 50), 1) * 100).astype("i2"), (40, 50))
    (tmp_path / "a.ccdc").write_bytes(encode(signal, lossless=True))
    code = (
        "import sys, coordcodec; opened = coordcodec.open('a.ccdc'); print(opened.samples().sum()); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(int(signal.samples.sum())), "False"]


def test_checksums_run_through_the_chunks():
    data = encode(Signal(Grid((96, 128)), waves(), "plain"), num_bytes=9000, layers="detail")
    parsed = container.unpack(data)
    assert len(parsed.sections[0].chunks) > 3
    place = data.index(parsed.sections[0].chunks[1]) + 5
    wrong = bytearray(data)
    wrong[place] ^= 1
    wrong[-4:] = zlib.crc32(wrong[:-4]).to_bytes(4, "little")
    with pytest.raises(ContainerError, match="checksum does not match"):
        coordcodec.open(bytes(wrong))


def test_a_promise_on_floats_is_refused():
    parsed = container.unpack(encode(signal_of((tone() * 100).astype("i2"), (40000,)), lossless=True))
    other = container.unpack(encode(Signal(Grid((40000,)), tone(), "plain"), layers="detail"))
    with pytest.raises(ContainerError, match="its promise rests on a layer that cannot keep any"):
        container.pack(dataclasses.replace(parsed, sections=other.sections))


@pytest.mark.parametrize("dtype", ["int32", "uint32"])
def test_integers_of_32_bits_are_exact(dtype):
    rng, limits = np.random.default_rng(0), np.iinfo(dtype)
    wide = rng.integers(limits.min, limits.max, (200, 1), dtype=dtype, endpoint=True)
    assert np.array_equal(coordcodec.open(encode(signal_of(wide, (200,)), lossless=True)).samples(), wide)


def test_the_beginning_of_a_file_decodes_as_far_as_it_goes():
    signal = Signal(Grid((96, 128)), waves(), "plain")
    data = encode(signal, num_bytes=9000, layers="detail")
    errors, counts = [], []
    for share in (0.2, 0.5, 0.9, 1):
        part = data[: int(share * len(data))]
        if share < 1:
            with pytest.raises(ContainerError):
                coordcodec.open(part)
        opened = coordcodec.open(part, partial=True)
        counts.append(len(opened.section.chunks))
        errors.append(float(((opened.field.on_grid(signal.coords) - signal.values) ** 2).mean()))
    assert sorted(errors, reverse=True) == errors
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    with pytest.raises(ContainerError, match="hold no whole chunk of a layer; take more"):
        coordcodec.open(data[:60], partial=True)


def test_a_beginning_keeps_no_promise():
    signal = signal_of((waves((60, 70), 1) * 1000).astype("i2"), (60, 70))
    data = encode(signal, max_error=4)
    assert coordcodec.open(data, partial=True).container.promise.max_error == 4
    opened = coordcodec.open(data[: len(data) - 5], partial=True)
    assert opened.container.promise is None
    assert np.abs(opened.samples().astype(int) - signal.samples).max() > 4


@quickly
@given(fields(), st.integers(0, 2**32))
def test_any_beginning_is_refused_or_decodes(signal, seed):
    try:
        data = encode(signal, num_bytes=600, layers="detail")
    except RecipeError:
        return
    for cut in np.random.default_rng(seed).integers(1, len(data), 4):
        with contextlib.suppress(ContainerError):
            coordcodec.open(data[:cut], partial=True).field(np.zeros((1, signal.dims)))


@pytest.mark.parametrize(("bound", "basis"), [(20.0, "9/7"), (0.02, "identity")])
def test_a_bound_is_kept_by_what_takes_fewer_bytes(bound, basis):
    rng = np.random.default_rng(0)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(90, 120)), 0), 1)
    signal = signal_of((smooth + rng.normal(size=smooth.shape)).astype(np.float32).reshape(-1, 1), (90, 120))
    chosen = encode(signal, max_error=bound)
    assert coordcodec.open(chosen).section.spec.basis == basis
    assert len(chosen) <= min(len(encode(signal, max_error=bound, detail={"basis": b})) for b in ("9/7", "identity"))


def test_an_excerpt_is_the_middle_and_may_know_nothing():
    signal = signal_of(np.arange(700 * 200, dtype=np.int32).reshape(-1, 1), (700, 200))
    part = excerpt(signal)
    assert part.coords.shape == (350, 100) or len(part.values) <= 1 << 16
    assert part.samples[0, 0] == 262 * 200 + (0 if part.coords.shape[1] == 200 else 50)
    mask = np.zeros((700, 200), bool)
    mask[0, 0] = True
    assert excerpt(dataclasses.replace(signal, mask=mask.ravel())) is None
    assert excerpt(signal_of(np.arange(60, dtype=np.int32).reshape(-1, 1), (60,))).samples[7, 0] == 7
