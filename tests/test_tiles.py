"""Tiles: the same numbers from a part as from the whole, only what is asked for, on any number of threads."""

import contextlib
import dataclasses
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import coordcodec
from coordcodec.data import Grid
from coordcodec.errors import ContainerError, CoordCodecError, RecipeError
from coordcodec.layers.detail import reading
from coordcodec.layers.detail.layer import Detail
from coordcodec.layers.detail.planes import basis_of
from coordcodec.layers.detail.tiles import chunks_of
from coordcodec.layers.detail.values import decoded
from coordcodec.specs import DetailSpec
from coordcodec.specs.detail import pack_section, unpack_section
from coordcodec.stream import container
from tests import reference
from tests.test_detail import encode, signal_of

quickly = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])

SOUND = {"num_bytes": 12_000, "detail": {"tile": 14}}
WAYS = {
    "wavelet": {"num_bytes": 3000, "detail": {"tile": 12}},
    "reversible": {"num_bytes": 3000, "detail": {"tile": 12, "basis": "5/3"}},
    "bound": {"max_error": 40.0, "detail": {"tile": 12}},
    "lossless": {"lossless": True, "detail": {"tile": 12}},
}


def smooth(shape, channels, seed=0, periodic=()):
    """An array that bases are good at: sums of sums along every axis."""
    found = np.random.default_rng(seed).normal(size=(*shape, channels))
    for axis in range(len(shape)):
        found = np.cumsum(found, axis) if shape[axis] > 1 else found
    found = np.clip(found * 4000 / np.abs(found).max(), -32768, 32767).astype(np.int16)
    return signal_of(found.reshape(-1, channels), shape, periodic)


@st.composite
def arrays(draw):
    """Larger than a tile of 2^12, one to four axes, some of them circles, some of one sample, some samples unknown."""
    axes = draw(st.integers(1, 4))
    low, high = {1: (33_000, 50_000), 2: (70, 150), 3: (17, 30), 4: (9, 14)}[axes]
    shape = [draw(st.integers(low, high)) for _ in range(axes)]
    if axes < 4 and draw(st.booleans()):
        shape.insert(draw(st.integers(0, axes)), 1)
    periodic = tuple(side > 1 and draw(st.booleans()) for side in shape)
    seed = draw(st.integers(0, 99))
    signal = smooth(tuple(shape), draw(st.integers(1, 3)), seed, periodic)
    if draw(st.booleans()):
        return signal
    coarse = np.random.default_rng(seed).random(tuple(-(-side // 5) for side in shape)) < 0.7
    mask = coarse[np.ix_(*(np.arange(side) // 5 for side in shape))]
    mask.flat[:2] = True, False
    return dataclasses.replace(signal, mask=mask.reshape(-1))


def windows_of(grid, rng, count=3):
    for _ in range(count):
        low = [int(rng.integers(0, n)) for n in grid.shape]
        yield grid.window([(a, min(n, a + int(rng.integers(1, 40)))) for a, n in zip(low, grid.shape, strict=True)])


@settings(quickly, max_examples=20)
@given(arrays(), st.sampled_from(sorted(WAYS)), st.integers(0, 99))
def test_a_part_is_equal_to_that_part_of_the_whole(signal, way, seed):
    data = encode(signal, **WAYS[way])
    spec = coordcodec.open(data).section.spec
    assert len(chunks_of(spec, basis_of(spec).planes)) > 1
    symbols = reading.decode(coordcodec.open(data).section.chunks, spec)
    whole = Detail().field(spec, symbols, None, "cpu").exact_on(signal.coords)
    assert np.array_equal(coordcodec.open(data).field.layers[0].exact_on(signal.coords), whole)
    parts = coordcodec.open(data).field.layers[0]
    for window in windows_of(signal.coords, np.random.default_rng(seed)):
        expected = whole.reshape(*signal.coords.shape, -1)[window.place].reshape(-1, signal.channels)
        assert np.array_equal(parts.exact_on(window), expected)
        # Between samples, and across the seam of circles.
        assert np.isfinite(parts(window.coords() + 0.3 / max(signal.coords.shape))).all()


def sound_of(channels, count=150_000):
    """Tones that come and go, noise, and silence at the end."""
    rng = np.random.default_rng(0)
    time = np.arange(count)[:, None]
    sound = 9000 * np.sin(time * [0.03, 0.05][:channels] + 3 * np.sin(time / 9000))
    sound = sound + rng.normal(size=sound.shape) * 200
    sound[count * 4 // 5 :] = 0
    return signal_of(sound.astype(np.int16), (count,))


@pytest.mark.parametrize("channels", [1, 2])
def test_sounds_are_cut_along_time(channels):
    signal = sound_of(channels)
    data = encode(signal, num_bytes=12_000, detail={"tile": 15})
    assert len(data) <= 12_000
    spec = coordcodec.open(data).section.spec
    assert (spec.basis, spec.ends) == ("lapped", True)
    whole = coordcodec.open(data).field.on_grid(signal.coords)
    assert np.square(whole - signal.values).mean() < 1e-3
    parts = coordcodec.open(data).field
    for bounds in [(0, 10), (32_760, 32_780), (70_000, 99_000), (149_990, 150_000)]:
        assert np.array_equal(parts.on_grid(signal.coords.window([bounds])), whole[slice(*bounds)])


def test_a_region_decodes_only_the_tiles_that_it_touches(monkeypatch):
    signal = smooth((200, 300), 1)
    data = encode(signal, lossless=True, detail={"tile": 12})
    decoded = []
    monkeypatch.setattr(reading.Coded, "_decode", _counting(decoded, reading.Coded._decode))
    opened = coordcodec.open(data)
    opened.field.on_grid(signal.coords.window([(190, 200), (290, 300)]))
    count = len(opened.section.chunks)
    assert decoded == [0, count - 1]  # the first, whose state the others begin with, and the last corner
    opened.field.on_grid(signal.coords.window([(190, 200), (290, 300)]))
    assert len(decoded) == 2
    opened.field.on_grid(signal.coords)
    assert sorted(decoded) == list(range(count))


def _counting(decoded, decode):
    def counted(self, number):
        decoded.append(number)
        decode(self, number)

    return counted


@pytest.mark.parametrize("way", sorted(WAYS))
def test_any_number_of_threads_makes_the_same_file(way):
    signal = smooth((90, 130), 3)
    assert len({encode(signal, **WAYS[way], threads=threads) for threads in (1, 2, 5)}) == 1
    sound = sound_of(1, 60_000)
    assert len({encode(sound, **SOUND, threads=threads) for threads in (1, 3)}) == 1


def test_silence_takes_next_to_no_bytes():
    silent = signal_of(np.zeros((1_100_000, 3), np.int16), (1_100_000,))
    data = encode(silent, num_bytes=2000)
    assert len(data) < 400
    assert not coordcodec.open(data).samples().any()


@pytest.fixture(scope="module")
def files():
    """A file of every kind, with its signal."""
    signal, sound = smooth((70, 80), 2), sound_of(2, 40_000)
    made = {way: (encode(signal, **choices), signal) for way, choices in WAYS.items()}
    return made | {"sound": (encode(sound, **SOUND), sound)}


@settings(quickly, max_examples=80)
@given(st.sampled_from([*sorted(WAYS), "sound"]), st.integers(0, 2**32))
def test_damage_inside_a_tile_is_refused_or_decodes(files, way, seed):
    data, signal = files[way]
    parsed, rng = container.unpack(data), np.random.default_rng(seed)
    (section,) = parsed.sections
    chunks = [bytearray(chunk) for chunk in section.chunks]
    for chunk in (chunks[k] for k in rng.integers(0, len(chunks), 3)):
        if chunk:
            chunk[int(rng.integers(len(chunk)))] = int(rng.integers(256))
    forged = dataclasses.replace(section, chunks=tuple(map(bytes, chunks)))
    with contextlib.suppress(CoordCodecError):
        coordcodec.open(container.pack(dataclasses.replace(parsed, sections=(forged,)))).field.on_grid(signal.coords)


def test_the_beginning_of_a_file_of_tiles_decodes():
    signal = smooth((120, 140), 1)
    data = encode(signal, **WAYS["wavelet"])
    errors = []
    for share in (0.3, 0.6, 0.9):
        opened = coordcodec.open(data[: int(len(data) * share)], partial=True)
        errors.append(float(np.square(opened.field.on_grid(signal.coords) - signal.values).mean()))
    assert errors[0] > errors[1] > errors[2]


def test_the_page_alone_is_enough_where_siblings_have_other_sides():
    signal = smooth((5, 9, 8, 13), 1)
    data = encode(signal, num_bytes=1500, detail={"tile": 12, "basis": "5/3"})
    section = coordcodec.open(data).section
    ours = decoded(section.spec, reading.decode(section.chunks, section.spec))
    assert np.array_equal(reference.parse(data)["detail"]["integers"], ours.reshape(-1, 1))


def test_tiles_cost_next_to_nothing():
    signal = smooth((400, 500), 1)
    whole, cut = (len(encode(signal, lossless=True, detail={"tile": tile})) for tile in (0, 16))
    assert cut < 1.02 * whole


@pytest.mark.parametrize("tile", [1, 11, 27, -1])
def test_tiles_of_other_sizes_are_refused(tile):
    with pytest.raises(RecipeError, match=r"tiles hold|tile"):
        encode(smooth((70, 80), 1), lossless=True, detail={"tile": tile})


def test_tiles_need_scales_that_are_chunks():
    spec = DetailSpec((64, 64), 1, "identity", (1.0,), tile=12)
    with pytest.raises(ContainerError, match="tiles of"):
        unpack_section(pack_section(spec), (64, 64), 1, (False, False))


@quickly
@given(st.lists(st.integers(1, 50), min_size=1, max_size=4), st.integers(12, 14))
def test_tiles_cover_a_plane_once(sides, tile):
    shape = tuple(4 * side for side in sides) if len(sides) > 2 else tuple(90 * side for side in sides)
    if math.prod(shape) > 1 << 22:
        shape = tuple(min(n, 40) for n in shape)
    spec = DetailSpec(shape, 1, "identity", (1.0,), split=True, tile=tile)
    seen = np.zeros(shape, np.int8)
    for chunk in chunks_of(spec, basis_of(spec).planes):
        (part,) = chunk.parts
        assert math.prod(part.shape) <= 1 << tile
        seen[part.inside] += 1
    assert (seen == 1).all()
    assert Grid(shape).shape == shape


def test_tiles_of_a_sound_do_not_wait_for_each_other():
    spec = coordcodec.open(encode(sound_of(1, 60_000), **SOUND)).section.spec
    first, *others = chunks_of(spec, basis_of(spec).planes)
    assert (first.apart, {(chunk.apart, chunk.scale) for chunk in others}) == (False, {(True, first.scale)})
    assert len(others) > 1
