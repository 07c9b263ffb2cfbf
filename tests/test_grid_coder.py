"""The coder of integers on grids: there and back, damage, counting, rounding, frozen bytes, with and without Numba."""

import hashlib
import importlib
import os
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from coordcodec.errors import ContainerError
from coordcodec.stream import grid
from coordcodec.stream.grid import GridDecoder, GridEncoder, GridState, layout, start, tables

LARGEST = 2**31 - 1
NAMES = ["parent", "sibling", "channel", "energy"]
few = settings(max_examples=80)


def noise(seed, shape, scale=1.5):
    """Laplacian integers, louder here than there."""
    random = np.random.default_rng(seed)
    loud = np.exp(np.cumsum(random.normal(size=shape) * 0.3, axis=-1))
    return np.clip(np.rint(random.laplace(size=shape) * scale * loud), -LARGEST, LARGEST).astype(np.int32)


@st.composite
def planes(draw):
    """Values of any size with some guides, zones and ends."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=7))
    magnitude = draw(st.sampled_from([1, 3, 40, 3000, LARGEST]))
    elements = st.integers(-magnitude, magnitude)
    values = draw(hnp.arrays(np.int32, shape, elements=elements, fill=st.just(0)))
    names = draw(st.sets(st.sampled_from(NAMES)))
    guides = {name: draw(hnp.arrays(np.int32, shape, elements=elements, fill=st.just(1))) for name in names}
    zones = draw(st.none() | hnp.arrays(np.int32, shape[-1:], elements=st.integers(0, 15)))
    ends = draw(st.none() | hnp.arrays(np.int32, shape[:-1], elements=st.integers(0, shape[-1])))
    if ends is not None:
        values = np.where(np.arange(shape[-1]) < ends[..., None], values, 0).astype(np.int32)
    return values, guides, zones, ends


def encoded(chunks, model=0, module=grid):
    state = module.GridState(model)
    made = []
    for chunk in chunks:
        encoder = module.GridEncoder(state)
        for plane in chunk:
            encoder.plane(*plane)
        made.append(encoder.finish())
    return made


def decoded(made, chunks, model=0, module=grid):
    state = module.GridState(model)
    found = []
    for data, chunk in zip(made, chunks, strict=True):
        decoder = module.GridDecoder(state, data)
        found.append([decoder.plane(values.shape, *known) for values, *known in chunk])
        decoder.finish()
    return found


def same(found, chunks):
    return all(
        np.array_equal(a, b[0]) and a.dtype == np.int32
        for chunk, planes in zip(found, chunks, strict=True)
        for a, b in zip(chunk, planes, strict=True)
    )


@pytest.fixture(scope="module")
def plain():
    """The coder a second time, as it is without Numba."""

    def names():
        return [name for name in sys.modules if name.startswith("coordcodec.stream.grid")]

    compiled = {name: sys.modules.pop(name) for name in names()}
    os.environ["COORDCODEC_JIT"] = "0"
    try:
        module = importlib.import_module("coordcodec.stream.grid")
        assert importlib.import_module("coordcodec.stream.grid.jit").COMPILED is False
        importlib.import_module("coordcodec.stream.grid.kernel")
    finally:
        del os.environ["COORDCODEC_JIT"]
    slow = {name: sys.modules[name] for name in names()}

    class Swapped:
        """The second copy; imports inside its functions find it too."""

        def __enter__(self):
            sys.modules.update(slow)
            return module

        def __exit__(self, *_):
            for name in names():
                del sys.modules[name]
            sys.modules.update(compiled)

    sys.modules.update(compiled)
    return Swapped()


@few
@given(st.lists(st.lists(planes(), min_size=0, max_size=2), min_size=1, max_size=2), st.integers(0, 3))
def test_planes_come_back(chunks, model):
    assert same(decoded(encoded(chunks, model), chunks, model), chunks)


@settings(max_examples=25)
@given(st.lists(planes(), min_size=1, max_size=2), st.integers(0, 3))
def test_bytes_are_the_same_without_numba(plain, chunk, model):
    compiled = encoded([chunk], model)
    with plain as module:
        assert encoded([chunk], model, module) == compiled
        assert same(decoded(compiled, [chunk], model, module), [chunk])


@pytest.mark.parametrize("ends", [None, np.arange(9) * 2])
def test_rounding_is_the_same_without_numba(plain, ends):
    scaled = noise(3, (9, 20), 70)
    encoder = GridEncoder(GridState(2))
    values = encoder.plane_rdo(scaled, 900, points=(-4, -2, 0), ends=ends)
    assert ends is None or not values[np.arange(20) >= ends[:, None]].any()
    with plain as module:
        other = module.GridEncoder(module.GridState(2))
        assert np.array_equal(other.plane_rdo(scaled, 900, points=(-4, -2, 0), ends=ends), values)
        assert other.finish() == encoder.finish()


def test_what_lies_behind_the_ends_takes_no_bits():
    values = np.zeros((1 << 9, 1 << 9), np.int32)
    assert encoded([[(values, {}, None, np.zeros(1 << 9, int))]]) == [b""]
    for wrong in (np.full(3, 5), np.full(3, -1)):
        with pytest.raises(ValueError, match="ends are 0 to 4"):
            GridEncoder(GridState()).plane(np.zeros((3, 4), np.int32), ends=wrong)
    with pytest.raises(ValueError, match="behind the ends"):
        GridEncoder(GridState()).plane(np.ones((3, 4), np.int32), ends=np.array([4, 4, 3]))


@pytest.mark.parametrize("shape", [(300,), (30, 40), (5, 20, 20), (3, 4, 10, 20), (1, 50, 1), (2, 1, 1), (0, 3), (1,)])
@pytest.mark.parametrize("scale", [0.05, 1, 50, 1e6])
def test_all_shapes_and_scales(shape, scale):
    values = noise(1, shape, scale)
    chunks = [[(values, {}, None), (values, {"channel": values}, None)]]
    assert same(decoded(encoded(chunks), chunks), chunks)


def test_extreme_values():
    values = np.array([[LARGEST, -LARGEST, 0, 1], [0, 0, -LARGEST, LARGEST]], np.int32).repeat(9, 1)
    chunks = [[(values, dict.fromkeys(NAMES, values), None)]]
    assert same(decoded(encoded(chunks), chunks), chunks)


def test_guides_broadcast():
    values, guide = noise(2, (6, 5, 8)), noise(4, (5, 1))
    chunks = [[(values, {"energy": guide, "parent": None}, np.int32(3))]]
    assert same(decoded(encoded(chunks), chunks), chunks)


def test_guides_may_hold_what_planes_may_not():
    guide = np.array([[-(2**31), 2**31 - 1, 0, 5]] * 3)
    chunks = [[(noise(2, (3, 4)), {"channel": guide, "sibling": guide << 20}, None)]]
    assert same(decoded(encoded(chunks), chunks), chunks)


@pytest.mark.parametrize(
    "call",
    [
        lambda e: e.plane(np.array([-(2**31)], np.int32)),
        lambda e: e.plane(np.zeros((1, 1, 1, 1, 1), np.int32)),
        lambda e: e.plane(np.zeros(3)),
        lambda e: e.plane(np.zeros(3, np.int32), {"mother": np.zeros(3, np.int32)}),
        lambda e: e.plane(np.zeros(3, np.int32), {"parent": np.zeros(4, np.int32)}),
        lambda e: e.plane(np.zeros(3, np.int32), {"parent": np.zeros(3)}),
        lambda e: e.plane(np.zeros(3, np.int32), zones=[0, 1, 16]),
        lambda e: e.plane(np.zeros(3, np.int32), zones=[0, 1, 1.5]),
        lambda e: e.plane_rdo(np.zeros(3, np.int32), -1),
        lambda e: e.plane_rdo(np.array([2**30 + 1]), 1),
    ],
)
def test_what_cannot_be_coded_is_refused(call):
    with pytest.raises(ValueError):
        call(GridEncoder(GridState()))


def test_an_unknown_model_is_refused():
    with pytest.raises(ContainerError, match="newer"):
        GridState(200)


def attempt(data, shape, model=0):
    try:
        decoder = GridDecoder(GridState(model), data)
        values = decoder.plane(shape)
        decoder.finish()
    except ContainerError:
        return None
    assert values.shape == shape
    return values


@few
@given(st.binary(max_size=60), hnp.array_shapes(min_dims=1, max_dims=4, max_side=9))
def test_any_bytes_are_values_or_damage(data, shape):
    values = attempt(data, shape)
    if values is not None:  # and then they are what an encoder writes
        assert encoded([[(values, {}, None)]]) == [data]


def test_cuts_and_tails_are_noticed():
    values = noise(5, (20, 30))
    (data,) = encoded([[(values, {}, None)]])
    for n in range(len(data)):
        found = attempt(data[:n], values.shape)
        # A last byte less may be what an encoder writes for other values; checksums are for that.
        assert found is None or (n == len(data) - 1 and not np.array_equal(found, values))
    for tail in (b"\0", b"\0" * 9, b"x", data):
        assert attempt(data + tail, values.shape) is None


def test_flipped_bits_do_no_harm():
    values = noise(6, (20, 30), 100)
    (data,) = encoded([[(values, {}, None)]])
    for bit in range(0, 8 * len(data), 37):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        found = attempt(bytes(damaged), values.shape)
        assert found is None or not np.array_equal(found, values)


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 20, 1 << 20, 1 << 20, 1 << 20), (1 << 17,)])
def test_more_than_a_chunk_can_hold_is_refused_at_once(shape):
    with pytest.raises(ContainerError, match="cannot hold"):
        GridDecoder(GridState(), b"\x01").plane(shape)


def test_zeros_are_never_shorter_than_the_limit_allows():
    values = np.zeros((1 << 9, 1 << 9), np.int32)
    (data,) = encoded([[(values, {}, None)]], 2)
    assert values.size <= (len(data) << 15) + (1 << 16)
    assert np.array_equal(attempt(data, values.shape, 2), values)


@pytest.mark.parametrize("scale", [0.02, 1, 1000])
def test_counting_says_what_writing_needs(scale):
    values = noise(7, (40, 50), scale)
    writer, counter = GridEncoder(GridState(1)), GridEncoder(GridState(1), count=True)
    writer.plane(values)
    counter.plane(values)
    assert counter.bits == writer.bits
    assert counter.finish() == b""
    assert counter.bits / 8 - 0.5 <= len(writer.finish()) <= counter.bits / 8 + 2


def test_a_copy_of_a_state_goes_its_own_way():
    values, state = noise(8, (20, 20)), GridState()
    GridEncoder(state.copy(), count=True).plane(values)
    encoder = GridEncoder(state)
    encoder.plane(values)
    assert [encoder.finish()] == encoded([[(values, {}, None)]])


@pytest.mark.parametrize("rate", [0, 200, 2000, 20000])
def test_rounding_decodes_to_what_it_said(rate):
    scaled = noise(9, (60, 60), 90)
    encoder = GridEncoder(GridState(2))
    values = encoder.plane_rdo(scaled, rate)
    assert np.array_equal(attempt(encoder.finish(), values.shape, 2), values)
    nearest = np.sign(scaled) * ((np.abs(scaled) + 32) >> 6)
    assert (np.abs(values) <= np.abs(nearest)).all()
    assert rate or np.array_equal(values, nearest)


def test_rounding_buys_bits_at_the_price_it_was_told():
    scaled, rate = noise(10, (150, 150), 60), 600
    lengths, errors = [], []
    for price in (0, rate):
        encoder = GridEncoder(GridState(2), count=True)
        values = encoder.plane_rdo(scaled, price)
        lengths.append(encoder.bits)
        errors.append(float(((scaled - 64.0 * values) ** 2).sum()))
    assert errors[1] + rate * lengths[1] < errors[0] + rate * lengths[0]
    assert lengths[1] < 0.97 * lengths[0]


def test_contexts_are_worth_their_work():
    random = np.random.default_rng(11)
    loud = np.kron(np.exp(random.normal(size=(10, 10))), np.ones((16, 16)))
    values = np.rint(random.laplace(size=loud.shape) * loud).astype(np.int32)
    counts = np.unique(values, return_counts=True)[1]
    entropy = -(counts * np.log2(counts / values.size)).sum()
    (data,) = encoded([[(values, {}, None)]])
    assert 8 * len(data) < 0.95 * entropy


def test_tables_are_whole_and_symmetric():
    squash, stretch = tables.squash().astype(int), tables.stretch().astype(int)
    x = (np.arange(2 * layout.REACH) - layout.REACH) / 256
    assert np.abs(squash - np.clip(65536 / (1 + np.exp(-x)), 16, 65520)).max() <= 1
    assert (np.diff(squash) >= 0).all()
    p = (np.arange(4096) + 0.5) / 4096
    assert np.abs(stretch - np.clip(256 * np.log(p / (1 - p)), -2176, 2175)).max() <= 1
    assert np.abs(tables.costs() + 256 * np.log2(p)).max() <= 1


def test_starting_is_quick_once_compiled():
    grid.warm()
    assert grid.ready()


def digest(*parts):
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def frozen_chunks():
    """The same planes on every machine: integers out of a generator written here."""
    seed, raw = 12345, []
    for _ in range(4000):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        raw.append(seed >> 33)
    draws = np.array(raw)
    sizes = (draws % 64 == 0) * (draws >> 20) + (draws % 5 == 0) * (draws >> 8) % 7
    values = np.where(draws & 1024, sizes, -sizes).astype(np.int32)
    flat, deep = values[:2000].reshape(40, 50), values[2000:].reshape(2, 5, 10, 20)
    return [
        [(flat, {}, None), (flat[::-1], {"channel": flat}, np.arange(50) * 16 // 50)],
        [
            (deep, {"parent": deep // 2, "sibling": np.abs(deep)[::-1]}, None),
            (values[:100], {"energy": values[:100]}, None),
        ],
    ]


FROZEN = {0: "f829e357387025b8", 1: "7d0b178af028bd3f", 2: "418b6fcc2e77dbb8", 3: "f829e357387025b8"}


@pytest.mark.parametrize("model", FROZEN)
def test_the_format_does_not_change_unnoticed(model):
    chunks = frozen_chunks()
    made = encoded(chunks, model)
    assert digest(*made) == FROZEN[model]
    assert same(decoded(made, chunks, model), chunks)


def test_built_in_starts_do_not_change():
    assert digest(*((start.FOLDER / f"{n}.bin").read_bytes() for n in start.LEARNED)) == "593cfff92dc787ff"
