"""The coder of a pyramid's latents: there and back, with and without Numba, by the page, damage, limits, length."""

import importlib
import os
import re
import sys
from dataclasses import replace
from math import log2, prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordcodec.data import Quantized
from coordcodec.errors import ContainerError
from coordcodec.layers.pyramid import coding
from coordcodec.layers.pyramid.context import ContextNet, evaluate
from coordcodec.layers.pyramid.geometry import Padded
from coordcodec.layers.pyramid.tables import DECAYS, SIXTEENTHS, tables
from coordcodec.specs import pack_section, unpack_section
from coordcodec.specs.pyramid import SECTION, PyramidSpec
from coordcodec.stream.grid import jit
from tests import reference_pyramid

few = settings(max_examples=40, deadline=None)


def symbols_of(spec, seed, size=1.5):
    """Networks and Laplacian latents at random."""
    random, found = np.random.default_rng(seed), {}
    for name, shape in spec.tensors().items():
        low = name.endswith("bias")
        drawn = random.integers(-20, 21, shape) if low else np.clip(np.rint(random.normal(0, 12, shape)), -127, 127)
        found[name] = Quantized(drawn.astype(np.int32), 2.0**-6)
    for level in spec.levels:
        drawn = np.clip(np.rint(random.laplace(0, size * (0.2 + level), spec.level_shape(level))), -32767, 32767)
        found[f"latents.{level}"] = Quantized(drawn.astype(np.int32), 1.0)
    return found


def a_spec(shape, halved, first=0, context=(8, 8), count=12):
    return PyramidSpec(shape, 2, halved, first, (4, 8), context, count, (0.5, 2.0), (0.0, 1.0))


@st.composite
def pyramids(draw):
    axes = draw(st.integers(1, 4))
    shape = tuple(draw(st.lists(st.integers(1, 24 if axes < 3 else 5), min_size=axes, max_size=axes)))
    halved = tuple(draw(st.lists(st.integers(1, (1 << axes) - 1), max_size=4)))
    context = draw(st.sampled_from([(4, 4), (8, 4), (16, 16), (64, 64)]))
    spec = a_spec(shape, halved, draw(st.integers(0, len(halved))), context, draw(st.integers(1, 20)))
    return spec, symbols_of(spec, draw(st.integers(0, 99)), draw(st.sampled_from([0.05, 1.0, 30.0, 30000.0])))


def same(symbols, others):
    return all(np.array_equal(q.symbols, others[name].symbols) for name, q in symbols.items())


@few
@given(pyramids())
def test_there_and_back(given_):
    spec, symbols = given_
    kind, body = pack_section(spec)
    assert unpack_section(kind, body + b"rest", len(spec.shape), spec.shape, 2, ()) == (spec, b"rest")
    chunks = coding.encode(symbols, spec)
    coding.check(spec, b"", chunks)
    assert same(symbols, coding.decode(chunks, spec))


def test_levels_that_are_missing_at_the_end_are_zero():
    spec = a_spec((9, 7), (3, 1, 2))
    symbols = symbols_of(spec, 1)
    chunks = coding.encode(symbols, spec)
    coding.check(spec, b"", chunks[:3], cut=True)
    with pytest.raises(ContainerError, match="3 chunks of a pyramid, expected 5"):
        coding.check(spec, b"", chunks[:3])
    found = coding.decode(chunks[:3], spec)
    assert not found["latents.0"].symbols.any()
    assert same({name: symbols[name] for name in ("latents.3", "latents.2")}, found)


@pytest.fixture
def interpreted():
    """The coder as it is without Numba: modules of its own, the compiled ones stay as they are."""
    names = [f"coordcodec.layers.pyramid.{name}" for name in ("bits", "walk", "coding")]
    names.append("coordcodec.stream.grid.jit")
    kept = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    before = os.environ.get("COORDCODEC_JIT")
    os.environ["COORDCODEC_JIT"] = "0"
    try:
        yield importlib.import_module("coordcodec.layers.pyramid.coding")
    finally:
        del os.environ["COORDCODEC_JIT"]
        os.environ |= {} if before is None else {"COORDCODEC_JIT": before}
        sys.modules.update(kept)


CASES = [
    a_spec((23,), (1, 1, 1), count=20),
    a_spec((13, 9), (3, 1, 2), context=(16, 8)),
    a_spec((4, 5, 6), (7, 2), 1),
    a_spec((2, 3, 4, 3), (15,), count=17),
]


@pytest.mark.parametrize("size", [0.1, 2.0, 9000.0])
@pytest.mark.parametrize("spec", CASES, ids=lambda s: f"{len(s.shape)}d")
def test_numpy_writes_and_reads_what_numba_does(spec, size, interpreted):
    symbols = symbols_of(spec, 3, size)
    chunks = coding.encode(symbols, spec)
    assert jit.COMPILED
    assert interpreted is not coding
    assert interpreted.encode(symbols, spec) == chunks
    assert same(symbols, interpreted.decode(chunks, spec))


@pytest.mark.parametrize("spec", CASES, ids=lambda s: f"{len(s.shape)}d")
def test_the_page_decodes_the_same(spec):
    symbols = symbols_of(spec, 5, 20.0)
    chunks = coding.encode(symbols, spec)
    layers, parent = [], None
    for k in range(3):
        weight, bias = symbols[f"context.{k}.weight"], symbols[f"context.{k}.bias"]
        shift = -int(log2(weight.step))
        biases = [b << (6 + shift + int(log2(bias.step))) for b in bias.symbols.tolist()]
        layers.append((weight.symbols.tolist(), biases, shift))
    net = (*layers, symbols["context.skip"].symbols.tolist())
    for level, chunk in zip(reversed(spec.levels), chunks[1:], strict=True):
        halved = spec.halved[level] if parent is not None else 0
        shape = spec.level_shape(level)
        parent = reference_pyramid.decode_level(chunk, shape, level, halved, parent, spec.neighbours, net)
        assert [parent[at] for at in np.ndindex(shape)] == symbols[f"latents.{level}"].symbols.reshape(-1).tolist()


@few
@given(pyramids(), st.data())
def test_damaged_chunks_give_other_latents_or_one_line(given_, data):
    spec, symbols = given_
    chunks = list(coding.encode(symbols, spec))
    at = data.draw(st.integers(0, len(chunks) - 1))
    kind = data.draw(st.sampled_from(["cut", "flip", "replace", "grow"]))
    old = chunks[at]
    if kind == "cut":
        chunks[at] = old[: data.draw(st.integers(0, len(old)))]
    elif kind == "flip" and old:
        place, bit = data.draw(st.integers(0, len(old) - 1)), data.draw(st.integers(0, 7))
        chunks[at] = old[:place] + bytes([old[place] ^ 1 << bit]) + old[place + 1 :]
    else:
        new = data.draw(st.binary(max_size=40)) + b"\xff" * data.draw(st.integers(0, 8))
        chunks[at] = old + new if kind == "grow" else new
    try:
        coding.check(spec, b"", chunks)
        found = coding.decode(chunks, spec)
    except ContainerError:
        return
    for level in spec.levels:
        latents = found[f"latents.{level}"].symbols
        assert latents.shape == spec.level_shape(level)
        assert -32767 <= latents.min() <= latents.max() <= 32767


@pytest.mark.parametrize("extra", [b"\0", b"\1" * 9])
def test_a_chunk_holds_no_more_than_its_latents(extra):
    spec = CASES[1]
    chunks = coding.encode(symbols_of(spec, 0), spec)
    with pytest.raises(ContainerError, match="a chunk of latents"):
        coding.decode([*chunks[:-1], chunks[-1] + extra], spec)


@pytest.mark.parametrize(
    ("shape", "size", "words"),
    [
        ((1 << 14, 1 << 14), 1 << 20, "values, at most"),
        ((1 << 20, 16), 100, "too few bytes for 8388608 latents"),
        ((1 << 26, 1, 1), 1 << 12, "takes 603979820 numbers"),
    ],
)
def test_limits_come_before_memory(shape, size, words):
    spec = a_spec(shape, (1,), count=20)
    small = replace(spec, shape=(1,) * len(shape))
    networks = coding.encode(symbols_of(small, 0), small)[0]
    with pytest.raises(ContainerError, match=words):
        coding.check(spec, b"", [networks, bytes(size), bytes(size)])


def test_levels_take_little_more_memory_than_their_latents():
    for shape in [(20000, 500), (500, 20000), (1 << 20, 16), (300, 300, 300)]:
        spec = a_spec(shape, (), count=20)
        assert Padded.of(spec, 0).size < 1.4 * prod(shape)
        assert Padded.of(spec, 0).widest <= max(shape) // 4 + 1


def test_latents_that_the_format_cannot_hold_are_refused():
    spec = a_spec((4, 4), ())
    symbols = symbols_of(spec, 0)
    for value in (32768, -32768, -(2**31)):
        symbols["latents.0"] = Quantized(np.full((4, 4), value, np.int32), 1.0)
        with pytest.raises(ValueError, match="latents are -32767 to 32767"):
            coding.encode(symbols, spec)


@pytest.mark.parametrize(
    ("name", "value", "step"),
    [
        ("context.0.weight", 128, 2.0**-6),
        ("context.1.weight", 1, 0.375),
        ("context.1.weight", 1, 2.0**-11),
        ("context.2.weight", 1, 2.0**-5),
        ("context.1.bias", 1, 2.0**-13),
        ("context.0.bias", 2047, 2.0**12),
    ],
)
def test_networks_whose_sums_might_overflow_are_refused(name, value, step):
    spec = a_spec((4, 4), (3,))
    symbols = symbols_of(spec, 0)
    ContextNet.of(spec, symbols)
    symbols[name] = Quantized(np.full_like(symbols[name].symbols, value), step)
    with pytest.raises(ContainerError, match="context network"):
        ContextNet.of(spec, symbols)


def test_no_sum_of_the_largest_network_leaves_32_bits():
    spec = a_spec((4, 4, 4, 4), (), context=(64, 64), count=20)
    weights = 127 * (64 * 32767 + spec.inputs * (255 << 6))
    assert weights + (1 << 29) + (32767 << 10) + (1 << 9) < 1 << 31


def ideal_bits(spec, symbols):
    """What the distributions of all latents say."""
    net, t, parent, found = ContextNet.of(spec, symbols), tables(), None, 0.0
    for level in reversed(spec.levels):
        own = coding.Level(spec, level, parent, symbols[f"latents.{level}"].symbols)
        above = np.zeros(1, np.int32) if parent is None else parent.flat
        for at, inputs in coding._wavefronts(own, above, net):
            places, scales = evaluate(inputs(), net)
            whole, last = (places + 8) >> 4, t.most[scales]
            offsets = own.flat[at] - whole + last + 1
            assert ((offsets > 0) & (offsets < 2 * last + 2)).all()  # no escapes here
            first = t.starts[scales] + (places - SIXTEENTHS * whole + 8) * (2 * last + 4) + offsets
            found += float((16 - np.log2(t.edges[first + 1] - t.edges[first])).sum())
        parent = own
    return found


@pytest.mark.parametrize("size", [0.02, 0.3])
def test_chunks_are_as_long_as_their_distributions_say(size):
    spec = a_spec((160, 200), (3, 3))
    symbols = symbols_of(spec, 2, size)
    zero = np.zeros_like
    # Networks that expect about the right scale, the same everywhere, so that no latent is an escape.
    for name in spec.tensors():
        symbols[name] = Quantized(zero(symbols[name].symbols), symbols[name].step)
    symbols["context.2.bias"] = Quantized(np.array([0, 8 if size > 0.1 else -4], np.int32), 2.0**-6)
    bits = ideal_bits(spec, symbols)
    length = sum(map(len, coding.encode(symbols, spec)[1:]))
    assert bits / 8 <= length + 1
    assert length <= 1.001 * bits / 8 + 4 * len(spec.levels)


def test_tables_are_distributions_and_no_latent_costs_less_than_the_limit_says():
    t = tables()
    for k, last in enumerate(t.most.tolist()):
        rows = t.edges[t.starts[k] :][: 16 * (2 * last + 4)].reshape(16, -1)
        assert (np.diff(rows) > 0).all()
        assert (rows[:, 0] == 0).all()
        assert (rows[:, -1] == 65536).all()
        widest = int(np.diff(rows).max())
        assert 8 / -log2(widest / 65536) < 1 << 15


def test_decays_are_what_they_stand_for():
    for k, decay in enumerate(DECAYS):
        assert decay == round(2**32 * np.exp(-1 / (16 * 2 ** ((k - 28) / 7))))


def test_the_page_has_the_tables_and_the_limits_of_the_code():
    page = (Path(__file__).parent.parent / "docs" / "format.md").read_text()
    assert tuple(reference_pyramid.DECAYS) == DECAYS
    assert tables().most.tolist() == reference_pyramid.LAST
    assert re.search(rf"\b{SECTION}: pyramid", page)
    assert coding.MAX_HELD == 1 << 29
    assert "takes more than 2^29 numbers" in page


def test_a_spec_says_what_it_cannot_be():
    spec = CASES[1]
    body = pack_section(spec)[1]
    for forged in (
        replace(spec, halved=(4,)),
        replace(spec, halved=(0,)),
        replace(spec, halved=(1,) * 12),
        replace(spec, first=4),
        replace(spec, synthesis=(6, 8)),
        replace(spec, context=(68, 8)),
        replace(spec, neighbours=21),
        replace(spec, neighbours=0),
        replace(spec, unit=(0.0, 1.0)),
        replace(spec, origin=(float("inf"), 1.0)),
    ):
        with pytest.raises(ContainerError, match="damaged file"):
            unpack_section(SECTION, pack_section(forged)[1], 2, spec.shape, 2, ())
    for length in range(len(body)):
        with pytest.raises(ContainerError):
            unpack_section(SECTION, body[:length], 2, spec.shape, 2, ())
