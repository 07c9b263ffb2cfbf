"""The bases of the detail layer: exact where they are integers, frozen where files depend on them."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coordcodec.layers.detail import estimate, predict
from coordcodec.layers.detail.blocks import choose_blocks, segment_costs
from coordcodec.layers.detail.fill import fill
from coordcodec.layers.detail.lapped import BLOCKS, WINDOWS, Lapped
from coordcodec.layers.detail.planes import WaveletBasis
from coordcodec.layers.detail.region import crop, inverse_region, support
from coordcodec.layers.detail.rotation import KINDS, Rotation, fit_rotation, turns_of
from coordcodec.layers.detail.wavelet import Wavelet, default_levels
from coordcodec.specs.detail import CASCADE_SPAN, DetailSpec

ROOT = Path(__file__).parent.parent
quick = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def scrambled(shape, low, high, seed=1):
    """Integers that look random, the same with every version of NumPy."""
    n = int(np.prod(shape))
    x = (np.arange(1, n + 1, dtype=np.uint64) + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(29)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(32)
    return (x % np.uint64(high - low + 1)).astype(np.int64).reshape(shape) + low


def smooth(shape, seed=1):
    """Something like a signal: sums of scrambled steps along every axis, in 0..255."""
    x = scrambled(shape, -2, 2, seed)
    for axis in range(x.ndim - 1):
        x = np.cumsum(x, axis)
    return (x % 256).astype(np.int32)


def digest(*arrays):
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
    return found.hexdigest()[:16]


@st.composite
def wavelets(draw):
    shape = tuple(
        draw(st.lists(st.integers(1, 40), min_size=1, max_size=2) | st.lists(st.integers(1, 9), min_size=3, max_size=4))
    )
    levels = tuple(draw(st.integers(0, 4)) for _ in shape)
    periodic = tuple(draw(st.booleans()) for _ in shape)
    groups = tuple(draw(st.integers(0, 2)) for _ in shape)
    return Wavelet(shape, levels, draw(st.sampled_from(("5/3", "9/7"))), periodic, groups)


# Wavelets


@pytest.mark.parametrize("kind", ("5/3", "9/7"))
@pytest.mark.parametrize("periodic", (False, True))
def test_a_wavelet_is_exact_for_every_length(kind, periodic):
    for n in range(1, 41):
        for levels in (0, 1, 2, 5):
            wavelet = Wavelet((n,), (levels,), kind, (periodic,))
            x = scrambled((n,), -(2**31), 2**31 - 1, n).astype(np.int32)
            bands = wavelet.forward(x)
            assert [band.shape for band in bands] == [band.shape for band in wavelet.bands()]
            assert sum(band.size for band in bands) == n
            np.testing.assert_array_equal(wavelet.inverse(bands), x)


@quick
@given(wavelets(), seeds, st.sampled_from((np.int32, np.int64)))
def test_a_wavelet_is_exact_whatever_the_shape(wavelet, seed, dtype):
    x = np.random.default_rng(seed).integers(
        np.iinfo(dtype).min, np.iinfo(dtype).max, wavelet.shape, dtype, endpoint=True
    )
    before = x.copy()
    bands = wavelet.forward(x)
    assert all(band.dtype == dtype for band in bands)
    np.testing.assert_array_equal(x, before)
    kept = [band.copy() for band in bands]
    np.testing.assert_array_equal(wavelet.inverse(bands), x)
    for band, copy in zip(bands, kept, strict=True):
        np.testing.assert_array_equal(band, copy)


@quick
@given(wavelets(), seeds)
def test_within_the_limit_nothing_runs_over(wavelet, seed):
    limit = wavelet.limit()
    x = np.random.default_rng(seed).choice(np.array([-limit, limit], np.int32), wavelet.shape)
    wide = wavelet.forward(x.astype(np.int64))
    for narrow, band in zip(wavelet.forward(x), wide, strict=True):
        np.testing.assert_array_equal(narrow, band)


@quick
@given(wavelets(), seeds, st.data())
def test_a_region_is_that_part_of_the_whole(wavelet, seed, data):
    rng = np.random.default_rng(seed)
    bands = [rng.integers(-(2**20), 2**20, band.shape).astype(np.int32) for band in wavelet.bands()]
    whole = wavelet.inverse(bands)
    region = []
    for n, circle in zip(wavelet.shape, wavelet.periodic, strict=True):
        start = data.draw(st.integers(0, n - 1))
        region.append((start, start + data.draw(st.integers(1, n if circle else n - start))))
    parts = [crop(band, spans) for band, spans in zip(bands, support(wavelet, region), strict=True)]
    np.testing.assert_array_equal(inverse_region(wavelet, region, parts), crop(whole, region))


def test_a_region_needs_little():
    wavelet = Wavelet((512, 512), (5, 5))
    spans = support(wavelet, ((200, 232), (0, 32)))
    sizes = [np.prod([stop - start for start, stop in box]) for box in spans]
    assert sum(sizes) < 4 * 32 * 32
    with pytest.raises(ValueError, match="not inside"):
        support(wavelet, ((-1, 3), (0, 1)))


@pytest.mark.parametrize("kind", ("5/3", "9/7"))
def test_norms_are_those_of_the_synthesis(kind):
    for groups in ((0, 0), (1, 0)):
        check_norms(Wavelet((256, 192), (4, 3), kind, (True, True), groups))


def check_norms(wavelet):
    for number, (band, norm) in enumerate(zip(wavelet.bands(), wavelet.norms(), strict=True)):
        bands = [np.zeros(b.shape, np.int64) for b in wavelet.bands()]
        bands[number][tuple(n // 2 for n in band.shape)] = 1 << 30
        assert np.linalg.norm(wavelet.inverse(bands) / (1 << 30)) == pytest.approx(norm, rel=1e-4)


def test_a_circle_has_no_seam():
    x = np.round(10000 * np.sin(2 * np.pi * (np.arange(64) + 0.3) / 64)).astype(np.int32)
    ends = [np.abs(Wavelet((64,), (3,), "9/7", (p,)).forward(x)[-1]).max() for p in (True, False)]
    assert ends[0] < ends[1] / 5


def test_levels_follow_sizes():
    assert default_levels((512, 768, 3)) == (6, 6, 0)
    assert default_levels((240, 37, 49)) == (6, 3, 3)
    assert default_levels((1, 7, 8)) == (0, 0, 1)


def test_wavelets_refuse_what_they_cannot_do():
    for bad in (((), ()), ((0,), (1,)), ((4,), (17,)), ((4,), (1, 1)), ((1,) * 6, (0,) * 6)):
        with pytest.raises(ValueError):
            Wavelet(*bad)
    with pytest.raises(ValueError, match="unknown wavelet"):
        Wavelet((4,), (1,), "haar")
    with pytest.raises(ValueError, match="expected int32"):
        Wavelet((4,), (1,)).forward(np.zeros(4))
    with pytest.raises(ValueError, match="not the bands"):
        Wavelet((4,), (1,)).inverse([np.zeros(4, np.int32)])


# Lapped cosines


@quick
@given(st.integers(1, 20000), st.sampled_from((4096, 8192)), st.integers(1, 3), st.sampled_from(WINDOWS), seeds)
def test_lapped_cosines_are_orthonormal_however_blocks_change(n, segment, channels, window, seed):
    rng = np.random.default_rng(seed)
    lapped = Lapped(n, tuple(int(s) for s in rng.choice(BLOCKS, -(-n // segment))), segment, window)
    x = rng.standard_normal((n, channels))
    planes = lapped.forward(x)
    assert [plane.shape for plane in planes] == [(*shape, channels) for shape in lapped.shapes()]
    np.testing.assert_allclose(lapped.inverse(planes), x, atol=1e-12)
    assert sum(np.square(plane).sum() for plane in planes) == pytest.approx(np.square(x).sum())


def test_a_block_is_the_textbook_mdct():
    n = 64
    x = np.random.default_rng(3).standard_normal((6 * n, 1))
    time = np.arange(2 * n)
    window = np.sin(np.pi * (time + 0.5) / (2 * n))
    phase = np.outer(np.arange(n) + 0.5, time + 0.5 - n / 2)
    expected = np.sqrt(2 / n) * (np.cos(np.pi / n * phase) * window) @ x[2 * n - n // 2 : 4 * n - n // 2, 0]
    found = Lapped(6 * n, (n,), 6 * n).forward(x)[0][2, :, 0]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_blocks_follow_the_signal():
    rng = np.random.default_rng(0)
    n = 16384
    tone = np.sin(2 * np.pi * 0.0312 * np.arange(3 * n))
    clicks = np.zeros(n)
    clicks[rng.integers(0, n, 30)] = rng.standard_normal(30) * 4
    signal = np.concatenate([tone, clicks])[:, None]
    sizes = choose_blocks(signal, 0.01)
    assert sizes[1] >= 1024
    assert sizes[3] <= 128
    assert segment_costs(signal, 0.01).shape == (len(BLOCKS), 4)


def test_lapped_cosines_refuse_what_they_cannot_do():
    for bad in ((0, ()), (10, ()), (10, (100,)), (10, (4096,), 1000), (10, (64,), 64, "kaiser")):
        with pytest.raises(ValueError):
            Lapped(*bad)
    with pytest.raises(ValueError, match="expected 10 samples"):
        Lapped(10, (64,)).forward(np.zeros((9, 1)))
    with pytest.raises(ValueError, match="not the planes"):
        Lapped(10, (64,)).inverse([np.zeros((2, 64, 1))])


# Rotations


@quick
@given(st.integers(1, 8), st.sampled_from((np.int32, np.int64)), seeds)
def test_rotations_are_exact(channels, dtype, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, (50, channels), dtype, endpoint=True)
    turns = tuple(int(t) for t in rng.integers(-(2**14), 2**14 + 1, channels * (channels - 1) // 2))
    kinds = [k for k in KINDS[:4] if channels >= {"identity": 1, "midside": 2}.get(k, 3)]
    for rotation in (*map(Rotation, kinds), Rotation("fitted", turns)):
        np.testing.assert_array_equal(rotation.inverse(rotation.forward(x)), x)


def test_fixed_rotations_are_what_they_are_called():
    x = scrambled((100, 4), 0, 255).astype(np.int32)
    r, g, b, alpha = x.T
    y, co, cg, kept = Rotation("ycocg").forward(x).T
    np.testing.assert_array_equal(co, r - b)
    np.testing.assert_array_equal(cg, g - (b + ((r - b) >> 1)))
    np.testing.assert_allclose(y, (r + 2 * g + b) / 4, atol=1)
    np.testing.assert_array_equal(kept, alpha)
    mid, side = Rotation("midside").forward(x[:, :2]).T
    np.testing.assert_array_equal(side, g - r)
    np.testing.assert_array_equal(mid, (r + g) >> 1)
    axes = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
    found = Rotation("opponent").forward(x << 8)[:, :3] / 256
    np.testing.assert_allclose(np.abs(found), np.abs(x[:, :3] @ axes.T), atol=0.1)
    np.testing.assert_array_equal(
        Rotation("fitted", turns_of(axes)).forward(x[:, :3]), Rotation("opponent").forward(x)[:, :3]
    )


def test_a_fitted_rotation_finds_the_axes():
    rng = np.random.default_rng(1)
    x = (
        rng.standard_normal((4000, 5)) * [900, 300, 100, 30, 10] @ np.linalg.qr(rng.standard_normal((5, 5)))[0]
    ).round()
    found = fit_rotation(x).forward(x.astype(np.int32) << 6) / 64
    np.testing.assert_allclose(found.std(axis=0), [900, 300, 100, 30, 10], rtol=0.05)
    assert np.abs(np.corrcoef(found.T) - np.eye(5)).max() < 0.02
    assert fit_rotation(x[:, :1]) == Rotation()


def test_rotations_refuse_what_they_cannot_do():
    for bad in (("hue",), ("ycocg", (1,)), ("fitted", (2**14 + 1,))):
        with pytest.raises(ValueError):
            Rotation(*bad)
    for rotation, channels in ((Rotation("ycocg"), 2), (Rotation("midside"), 1), (Rotation("fitted", (1,)), 3)):
        with pytest.raises(ValueError, match="does not rotate"):
            rotation.forward(np.zeros((2, channels), np.int32))


# Predictors

RANGES = ((-(2**31), 2**31 - 1), (0, 255), (-(2**15), 2**15 - 1), (-(2**24), 2**24 - 1), (5, 5), (0, 1), (-1, 1))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=1)
    | st.lists(st.integers(1, 14), min_size=2, max_size=2)
    | st.lists(st.integers(1, 6), min_size=3, max_size=4),
    st.integers(1, 4),
    st.sampled_from(RANGES),
    st.booleans(),
    seeds,
)
@example([1], 1, (0, 255), False, 0)
@example([700], 2, RANGES[3], True, 0)
def test_predictors_are_exact(sizes, channels, bounds, extreme, seed):
    low, high = bounds
    rng = np.random.default_rng(seed)
    x = rng.integers(low, high, (*sizes, channels), endpoint=True).astype(np.int32)
    if extreme:
        x = np.where(x > (low + high) // 2, high, low).astype(np.int32)
    span = high - low + 1
    for method in predict.METHODS:
        if method == "cascade" and (len(sizes) > 1 or span > CASCADE_SPAN):
            continue
        found = predict.residual(x, method, low, high)
        assert found.min() >= -(span // 2)
        assert found.max() <= span - 1 - span // 2
        np.testing.assert_array_equal(predict.restore(found, method, low, high), x)
        hostile = rng.integers(-(2**31), 2**31, x.shape).astype(np.int32)
        back = predict.restore(hostile, method, low, high)
        assert back.min() >= low
        assert back.max() <= high


def test_better_predictors_leave_less():
    y, x = np.mgrid[:60, :80] / 9
    picture = np.round(120 + 60 * np.sin(x + y * y / 9) + 40 * np.cos(3 * y - x)).astype(np.int32)
    picture = np.stack([picture, picture // 2 + 9], -1)
    left = {m: np.abs(predict.residual(picture, m, 0, 255)).mean() for m in predict.METHODS if m != "cascade"}
    assert left["blend"] < left["plane"] < left["med"] < left["left"] < left["none"]
    time = np.arange(6000)
    sound = np.round(3000 * np.sin(time * 0.1) + 2000 * np.sin(time * 0.37)).astype(np.int32)
    sound = np.stack([sound, sound // 3], -1)
    loud = {m: np.abs(predict.residual(sound, m, -(2**15), 2**15 - 1)[3000:]).mean() for m in ("left", "cascade")}
    assert loud["cascade"] < 1 < loud["left"]


def test_predictors_refuse_what_they_cannot_do():
    x = np.zeros((4, 4, 1), np.int32)
    for array, method, low, high in (
        (x, "magic", 0, 1),
        (x.astype(np.int64), "left", 0, 1),
        (x, "left", 1, 0),
        (x, "left", 1, 2),
        (x, "cascade", 0, 1),
        (x[0], "cascade", -(2**31), 0),
    ):
        with pytest.raises(ValueError):
            predict.residual(array, method, low, high)
    assert predict.residual(x[:0], "blend", 0, 1).shape == (0, 4, 1)


# What files depend on


def frozen():
    """Digests of all that a decoder computes in integers."""
    found = {}
    for kind in ("5/3", "9/7"):
        for shape, levels, periodic, groups in (
            ((37, 50), (3, 4), (False, True), (0, 0)),
            ((9, 1, 12, 7), (1, 2, 2, 1), (True,) * 4, (0,) * 4),
            ((12, 9, 7), (3, 2, 1), (False, True, False), (1, 2, 2)),
        ):
            wavelet = Wavelet(shape, levels, kind, periodic, groups)
            bands = [
                scrambled(band.shape, -(2**24), 2**24, i).astype(np.int32) for i, band in enumerate(wavelet.bands())
            ]
            norms = [wavelet.integer_norm(band) for band in wavelet.bands()]
            found[f"{kind} {len(shape)}"] = digest(wavelet.inverse(bands), norms)
    x = scrambled((40, 4), -(2**20), 2**20).astype(np.int32)
    for kind in KINDS[:4]:
        found[kind] = digest(Rotation(kind).inverse(x))
    found["fitted"] = digest(Rotation("fitted", (11, -2222, 16384, -16384, 0, 7)).inverse(x))
    for method, shape in (
        *((m, (5, 8, 9, 2)) for m in ("none", "left", "plane", "med")),
        *(("blend", shape) for shape in ((90, 2), (12, 14, 3), (4, 7, 8, 1), (3, 3, 4, 5, 2))),
        *(("cascade", shape) for shape in ((250, 1), (160, 2), (40, 3))),
    ):
        found[f"{method} {shape}"] = digest(predict.residual(smooth(shape), method, 0, 255))
    return found


FROZEN = {
    "5/3 2": "7b3d2baa21543042",
    "5/3 4": "a03cc7d4cdb1543c",
    "5/3 3": "bb0d7ede1998a13c",
    "9/7 2": "e8a3a315487ab39b",
    "9/7 4": "39d4b476a667ecc3",
    "9/7 3": "66b1f74df059953c",
    "identity": "68cf1fa05721b0b3",
    "midside": "d797d0d698ba94b4",
    "ycocg": "b6485a83e888e1c6",
    "opponent": "f64e2185dc87dad6",
    "fitted": "311c293141a68d1c",
    "none (5, 8, 9, 2)": "0a14616612dec54b",
    "left (5, 8, 9, 2)": "02ff498cc740ee3e",
    "plane (5, 8, 9, 2)": "d5ec7136e7915b83",
    "med (5, 8, 9, 2)": "41548d3b7287ea12",
    "blend (90, 2)": "d7d96a0efd433599",
    "blend (12, 14, 3)": "53e7f399f7862c88",
    "blend (4, 7, 8, 1)": "f91ade6b7b6f02d4",
    "blend (3, 3, 4, 5, 2)": "4a147b0e80556d1e",
    "cascade (250, 1)": "596c43f91ed450a3",
    "cascade (160, 2)": "06de9ea28138af02",
    "cascade (40, 3)": "2c2c3743cf3df3ba",
}


def test_integers_are_frozen():
    assert frozen() == FROZEN


def test_without_numba_the_integers_are_the_same():
    code = (
        "import sys; sys.modules['numba'] = None\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "import numpy as np, warnings; warnings.simplefilter('error')\n"
        "from tests import test_bases as t\n"
        "assert not hasattr(t.predict._median, 'py_func')\n"
        "assert t.frozen() == t.FROZEN\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# Filling


@quick
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.floats(0.05, 0.95), seeds)
def test_filling_keeps_what_is_known_and_stays_within_it(sizes, share, seed):
    rng = np.random.default_rng(seed)
    known = rng.random(sizes) < share
    values = np.where(known[..., None], rng.standard_normal((*sizes, 2)), np.nan)
    found = fill(values, known, tuple(rng.random(len(sizes)) < 0.5))
    np.testing.assert_array_equal(found[known], values[known])
    if known.any():
        assert found.max() <= np.nanmax(values) + 1e-12
        assert found.min() >= np.nanmin(values) - 1e-12
    else:
        assert not found.any()


def test_filling_is_smooth():
    y, x = np.mgrid[:60, :80] / 20
    values = np.sin(x + y)[..., None]
    known = np.hypot(x - 2, y - 1.5) > 0.6
    found = fill(values, known)
    assert np.abs(np.diff(found, axis=1)).max() < 2 * np.abs(np.diff(values, axis=1)).max()
    with pytest.raises(ValueError, match="does not fit"):
        fill(values, known[1:])


def test_the_size_of_a_large_plane_is_estimated_in_bands(monkeypatch):
    rng = np.random.default_rng(0)
    plane = (rng.normal(size=(1, 301, 97)) * np.linspace(1, 900, 301)[:, None]).astype(np.int32)
    whole = estimate.bits_of(plane, 64)
    monkeypatch.setattr(estimate, "_LARGE", 97 * 20)
    assert estimate.bits_of(plane, 64) == pytest.approx(whole, rel=1e-12)


def test_the_planes_of_a_wavelet_may_take_the_place_of_its_array():
    spec = DetailSpec((37, 50), 3, "9/7", unit=(1.0,) * 3, levels=(2, 2), groups=(0, 0), model="picture")
    array = np.random.default_rng(0).integers(-999, 999, (37, 50, 3)).astype(np.int32)
    kept, basis = array.copy(), WaveletBasis(spec)
    planes = basis.analyse(array)
    assert np.array_equal(array, kept)
    inside = np.moveaxis(np.ascontiguousarray(np.moveaxis(array, -1, 0)), 0, -1)
    there = basis.analyse(inside, overwrite=True)
    assert all(np.array_equal(a, b) for a, b in zip(planes, there, strict=True))
    assert all(np.shares_memory(plane, inside) for plane in there)
    assert np.array_equal(basis.synthesise(there), kept)
