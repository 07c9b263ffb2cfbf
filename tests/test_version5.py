"""Files of version 5: what is packed unpacks, a version is the lowest that will do, nothing hostile gets through."""

import contextlib
import dataclasses
import math
import resource
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import coordcodec
from coordcodec.data import Grid, Mask, SampleType
from coordcodec.errors import ContainerError
from coordcodec.numbers import varint
from coordcodec.samples import DTYPES
from coordcodec.specs import SirenSpec
from coordcodec.stream import side, version5
from coordcodec.stream.container import Container, Frame, Promise, Section, pack, unpack
from coordcodec.stream.grid import GridEncoder, GridState
from tests.test_container import META, specs

GOLDEN = Path(__file__).parent / "golden"
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def sample_types(draw, channels):
    count = draw(st.sampled_from([1, channels]))
    scale = draw(st.lists(FINITE.filter(bool), min_size=count, max_size=count))
    offset = draw(st.lists(FINITE, min_size=count, max_size=count))
    times = channels // count
    unit = draw(st.text("Km/s °C", max_size=20))
    return SampleType(draw(st.sampled_from(DTYPES)), (*scale * times,), (*offset * times,), unit)


@st.composite
def masks(draw, grid):
    shape = [n if draw(st.booleans()) else 1 for n in grid.shape]
    known = np.array(draw(st.lists(st.booleans(), min_size=math.prod(shape), max_size=math.prod(shape))))
    return Mask.of(grid, np.broadcast_to(known.reshape(shape), grid.shape).ravel()) if known.any() else None


@st.composite
def containers(draw):
    dims, channels = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    shape = draw(st.just([]) | st.lists(st.integers(1, 6), min_size=dims, max_size=dims))
    circles = [draw(st.booleans()) and n > 1 for n in shape]
    periodic = tuple(circles) if any(circles) else ()
    spec = dataclasses.replace(draw(specs(dims, channels)), periodic=periodic)
    section = Section(spec, (draw(st.binary(max_size=40)),), draw(st.just(b"") | st.binary(min_size=8, max_size=8)))
    blobs = draw(st.dictionaries(st.text("blob", min_size=1, max_size=9), st.binary(max_size=300), max_size=3))
    meta = {**draw(META), **blobs, "shape": shape, "channels": channels}
    meta |= {"periodic": list(periodic)} if periodic else {}
    return Container(
        modality=draw(st.from_regex(r"[a-z][a-z0-9_-]{0,31}", fullmatch=True)),
        dims=dims,
        meta=meta,
        sections=(section,),
        periodic=periodic,
        mask=draw(masks(Grid(tuple(shape)))) if shape else None,
        samples=draw(st.none() | sample_types(channels)),
    )


def same(a, b):
    return (a is None) == (b is None) and (a is None or np.array_equal(a.full(), b.full()))


@settings(deadline=None)
@given(containers())
def test_what_is_packed_unpacks_and_says_the_lowest_version(container):
    data = pack(container)
    back = unpack(data)
    assert (data[4] == 5) == (not container.simple)
    assert dict(back.meta) == dict(container.meta)
    assert same(back.mask, container.mask)
    plain = {"meta": {}, "mask": None, "sections": (), "sizes": {}}
    assert dataclasses.replace(back, **plain) == dataclasses.replace(container, **plain)
    (section,), (expected,) = back.sections, container.sections
    assert (section.spec, section.init) == (expected.spec, expected.init)
    assert b"".join(section.chunks) == expected.chunks[0]


@settings(deadline=None)
@given(containers())
def test_the_size_of_a_file_without_its_section_is_known(container):
    frame = Frame(dataclasses.replace(container, sections=())).bytes
    (section,) = container.sections
    # Version 5 counts the longest length of a section: a few bytes too many, never too few.
    slack = 0 if container.simple else 4
    chunk = len(section.chunks[0])
    body = len(pack(container)) - frame - chunk
    assert 0 <= section.spec.header_bytes(bool(section.init), True) - body <= slack + 4


@settings(deadline=None)
@given(containers().filter(lambda c: not c.simple), st.data())
def test_any_changed_or_missing_byte_is_noticed(container, data):
    whole = pack(container)
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(changed), whole[:at], whole[at + 1 :], whole + b"x"):
        with pytest.raises(ContainerError):
            unpack(damaged)


def sections_of(data):
    """The header, and the sections without their checksums: (kind, what stands before the body, body)."""
    reader = version5.Reader(data)
    reader.take(5)
    version5._read_header(reader)
    header, found = data[: reader.at], []
    while reader.at < len(data):
        start = reader.at
        kind = reader.varint("", 0, 99)
        init = reader.take(8) if reader.byte() else b""
        body = reader.take(reader.varint("", 0, len(data)))
        found.append((kind, init, body))
        assert zlib.crc32(data[: reader.at]).to_bytes(4, "little") == reader.take(4)
        assert start < reader.at
    return header, found


def signed(header, sections):
    out = bytearray(header)
    for kind, init, body in sections:
        out += varint(kind) + bytes([bool(init)]) + init + varint(len(body)) + body
        out += zlib.crc32(out).to_bytes(4, "little")
    return bytes(out)


def coded(plane):
    """What the grid coder makes of a plane."""
    coder = GridEncoder(GridState())
    coder.plane(plane.astype(np.int32))
    return coder.finish()


HEADER, (MASK, LAYER) = sections_of((GOLDEN / "v5-mask.ccdc").read_bytes())
SIDE = sections_of((GOLDEN / "v5-side.ccdc").read_bytes())[1][0]


def test_sections_are_read_as_they_are_written():
    assert signed(HEADER, [MASK, LAYER]) == (GOLDEN / "v5-mask.ccdc").read_bytes()
    unpack(signed(HEADER, [MASK, SIDE, LAYER]))


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ([], "it has no layer"),
        ([MASK], "it has no layer"),
        ([LAYER, MASK], "a section of kind 1 twice or out of order"),
        ([SIDE, MASK, LAYER], "a section of kind 1 twice or out of order"),
        ([MASK, MASK, LAYER], "a section of kind 1 twice or out of order"),
        ([MASK, LAYER, LAYER], "a section of kind 3 twice or out of order"),
        ([MASK, LAYER, SIDE], "a section of kind 2 twice or out of order"),
        ([MASK, LAYER, (77, b"", b"")], "made by a newer version: a section of kind 77 is unknown here; upgrade"),
        ([(0, b"", b""), LAYER], "a section of kind 0"),
        ([(1, bytes(8), MASK[2]), LAYER], "a section of kind 1 with flags 0x1"),
        ([(1, b"", b""), LAYER], "truncated"),
        ([(1, b"", b"\2" + MASK[2][1:]), LAYER], "a mask of coding 2"),
        ([(1, b"", b"\1\0" + coded(np.zeros((9, 16)))), LAYER], "a mask without a known sample"),
        (
            [(1, b"", b"\1\0" + coded(np.full((9, 16), 2))), LAYER],
            "a mask without a known sample, or of other numbers",
        ),
        ([(1, b"", b"\1\0" + coded(np.ones((9, 16))) + b"x"), LAYER], "do not end where their chunk ends"),
        ([(1, b"", b"\0\4" + MASK[2][2:]), LAYER], "along axes 0x4"),
        ([(1, b"", b"\0\1" + MASK[2][2:]), LAYER], "the mask inflates to other than 2 bytes"),
        ([(1, b"", MASK[2][:-2]), LAYER], "the mask inflates to other than 18 bytes"),
        ([(1, b"", MASK[2] + b"x"), LAYER], "the mask inflates to other than 18 bytes"),
        ([(1, b"", b"\0\0\xff\xff"), LAYER], "the mask cannot be inflated"),
        ([(1, b"", b"\0\0" + zlib.compress(bytes(18), wbits=-15)), LAYER], "a mask without a known sample"),
        ([(1, b"", b"\0\0" + zlib.compress(bytes(9), wbits=-15)), LAYER], "the mask inflates to other than 18 bytes"),
        ([(1, b"", b"\0\0" + zlib.compress(b"\xff" * 10**6, wbits=-15)), LAYER], "inflates to other than 18 bytes"),
        ([(2, b"", b""), LAYER], "a section of side data without any"),
        ([(2, b"", b"\1a\2\0\0"), LAYER], "out of order or of method 2"),
        ([(2, b"", b"\1a\0\2\1x"), LAYER], "out of order or of method 0"),
        ([(2, b"", b"\1a\0\0\0" * 2), LAYER], "out of order"),
        ([(2, b"", b"\1b\0\0\0\1a\0\0\0"), LAYER], "out of order"),
        ([(2, b"", b"\1a\1\1\2\xff\xff"), LAYER], "side data cannot be inflated"),
        ([(2, b"", b"\1a\1\1\2\3\0"), LAYER], "side data inflates to other than 1 bytes"),
        ([(2, b"", b"\1a\0" + varint(1 << 30) + b"\0"), LAYER], "length of side data is 1073741824"),
        ([(2, b"", b"\x05shape\0\0\0"), LAYER], "meta and side data hold 'shape'"),
        ([(3, b"", b"")], "truncated"),
        ([(3, b"", b"\x08" + LAYER[2][1:])], "unknown flags 0x8 of a SIREN"),
        ([(3, b"", b"\1\xff\xff\7\1" + LAYER[2][1:])], "number of parts"),
        ([(3, b"", LAYER[2][:1] + b"\xff\xff" + LAYER[2][3:])], "a SIREN of width 65535"),
    ],
)
def test_hostile_sections_are_refused_and_told_why(sections, says):
    with pytest.raises(ContainerError) as refused:
        unpack(signed(HEADER, sections))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def header(flags=1, shape=(9, 16), rest=b"\1", dims=2):
    return b"CCDC\x05" + bytes([flags, 1]) + b"i" + bytes([dims]) + b"".join(map(varint, shape)) + rest


def doubles(*numbers):
    return struct.pack(f"<{len(numbers)}d", *numbers)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (header(flags=0x20), "unknown flags 0x20"),
        (header(flags=5, rest=b"\0\1"), "periodic axes 0x0"),
        (header(flags=5, rest=b"\4\1"), "periodic axes 0x4"),
        (header(flags=5, rest=b"\2\1", shape=(9, 1)), "periodic axes 0x2 of a grid of shape [9, 1]"),
        (header(flags=4, rest=b"\1\1", shape=()), "periodic axes 0x1 of a grid of shape []"),
        (header(flags=9, rest=b"\1\x88" + doubles(1, 0) + b"\0"), "samples of an unknown type 8"),
        (header(flags=9, rest=b"\1\x81" + doubles(0, 0) + b"\0"), "scales must be finite and not 0, got 0"),
        (header(flags=9, rest=b"\1\x81" + doubles(math.nan, 0) + b"\0"), "scales must be finite and not 0, got nan"),
        (header(flags=9, rest=b"\1\x01" + doubles(math.inf, 0) + b"\0"), "scales must be finite and not 0, got inf"),
        (header(flags=9, rest=b"\1\x81" + doubles(1, math.inf) + b"\0"), "offsets must be finite, got inf"),
        (header(flags=9, rest=b"\1\x81" + doubles(1, 0) + b"\x41" + b"x" * 65), "the unit is 65, expected 0 to 64"),
        (header(flags=9, rest=b"\1\x81" + doubles(1, 0) + b"\1\n"), "printable"),
        (header(flags=0x11, rest=b"\1\0"), "a promise without the type of the samples"),
        (header(flags=0x19, rest=b"\1\x81" + doubles(1, 0) + b"\0\2"), "an unknown promise 2"),
        (header(flags=0x19, rest=b"\1\x81" + doubles(1, 0) + b"\0\1" + doubles(0)), "a largest error of 0"),
        (header(flags=0x19, rest=b"\1\x81" + doubles(1, 0) + b"\0\1" + doubles(math.nan)), "a largest error of nan"),
        (header(flags=7, rest=b"\2\1\x0c\x08periodic\6\1\1"), "meta holds 'periodic' twice"),
    ],
)
def test_hostile_headers_are_refused_and_told_why(data, says):
    with pytest.raises(ContainerError) as refused:
        unpack(signed(data, [LAYER]))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("shape", [(300, 200), (1, 90, 1, 70), (5, 6, 7, 8, 9), (40_000,)])
def test_masks_take_what_is_shorter(shape):
    rng = np.random.default_rng(0)
    coast = np.cumsum(rng.normal(size=shape), axis=-1) > 0
    mask = Mask.of(Grid(shape), coast.ravel())
    body = side.pack_mask(mask)
    deflated = len(zlib.compress(np.packbits(mask.known).tobytes(), 9, wbits=-15)) + 2
    assert body[0] == 1
    assert len(body) < deflated
    assert np.array_equal(side.read_mask(body, Grid(shape)).known, mask.known)
    few = np.ones(shape, bool)
    few[..., 0] = False
    plain = side.pack_mask(Mask.of(Grid(shape), few.ravel()))
    assert np.array_equal(side.read_mask(plain, Grid(shape)).full(), few.ravel())
    assert (plain[0], len(plain) < 66) == (0, True)


def test_a_wrong_running_checksum_is_noticed():
    data = (GOLDEN / "v5-mask.ccdc").read_bytes()
    body = data[len(HEADER) :]
    whole = zlib.crc32(body[:-4]).to_bytes(4, "little")  # of the section alone
    with pytest.raises(ContainerError, match="a section's checksum does not match"):
        unpack(data[:-4] + whole)


def test_a_promise_needs_a_layer_that_can_keep_it():
    spec = SirenSpec(1, 1, 4, 0, 0, 2000)
    kind = SampleType("uint8", (1.0,), (0.0,))
    meta = {"shape": [4], "channels": 1}
    with pytest.raises(ContainerError, match="rests on a layer that cannot keep any"):
        pack(Container("x", 1, meta, (Section(spec, (b"\0" * 20,)),), samples=kind, promise=Promise(0.5)))


def test_many_small_sections_cost_no_time():
    data = signed(HEADER, [MASK, LAYER] + [(3, b"", b"\0" * 7)] * 100)
    with pytest.raises(ContainerError):
        unpack(data)


def test_a_large_grid_is_refused_before_it_is_allocated():
    large = header(shape=(1 << 20, 1 << 20))
    tracemalloc.start()
    with pytest.raises(ContainerError, match="at most 268435456 are stored"):
        unpack(signed(large, [(1, b"", b"\0\0" + zlib.compress(bytes(10**6), wbits=-15)), LAYER]))
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def forged(rng, header, sections):
    """One of many ways to damage a file, all its checksums right."""
    sections = [[kind, init, bytearray(body)] for kind, init, body in sections]
    for _ in range(rng.integers(1, 4)):
        target = bytearray(header) if rng.random() < 0.4 else sections[rng.integers(len(sections))][2]
        at = rng.integers(5 if target[:4] == b"CCDC" else 0, len(target) + 1)
        way = rng.integers(4)
        if way == 0:
            target[at : at + 1] = rng.bytes(1)
        elif way == 1:
            del target[at : at + rng.integers(1, 9)]
        elif way == 2:
            target[at:at] = rng.bytes(rng.integers(1, 12))
        else:
            target[at : at + 1] = bytes([[0, 1, 127, 128, 255][rng.integers(5)]])
        header = bytes(target) if target[:4] == b"CCDC" else header
    way = rng.random()
    if way < 0.1:
        sections.append(sections[rng.integers(len(sections))])
    elif way < 0.2:
        rng.shuffle(sections)
    elif way < 0.3:
        sections[0][0] = int(rng.integers(0, 6))
    return signed(header, sections)


@contextlib.contextmanager
def little_memory():
    """At most 1 GiB beyond what is used, so that a large allocation fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize("name", ["mask", "periodic", "periodic-parts", "side"])
def test_forged_files_with_right_checksums_parse_or_are_refused(name):
    """25,000 of each golden file: 100,000 in all."""
    rng = np.random.default_rng(len(name))
    header, sections = sections_of((GOLDEN / f"v5-{name}.ccdc").read_bytes())
    parsed = 0
    with little_memory():
        for _ in range(25_000):
            data = forged(rng, header, sections)
            with contextlib.suppress(ContainerError):
                opened = coordcodec.open(data)
                parsed += 1
                if opened.section.spec.parameters < 20_000 and parsed % 50 == 0:
                    _ = opened.symbols, opened.info
    assert parsed > 100


def test_info_tells_what_is_new(command):
    says = command("info", GOLDEN / "v5-periodic.ccdc").stdout
    assert "periodic False, True" in says
    assert "samples   int16, 250 + 50 * value °C\nunknown   20 samples\n" in says
    assert "profile 3,200 bytes" in command("info", GOLDEN / "v5-side.ccdc").stdout
