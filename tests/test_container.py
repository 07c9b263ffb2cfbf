"""The container: what is packed unpacks, and nothing hostile gets through."""

import contextlib
import dataclasses
import math
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import coordcodec
from coordcodec.errors import ContainerError
from coordcodec.partition import Partition
from coordcodec.specs import SirenSpec
from coordcodec.stream.container import Container, Frame, Section, pack, unpack

PLAIN = (
    st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
META = st.dictionaries(
    st.text(min_size=1, max_size=10).filter(lambda k: k not in ("shape", "channels")),
    PLAIN | st.lists(PLAIN, max_size=4),
    max_size=4,
)


@st.composite
def specs(draw, dims, channels):
    counts = tuple(draw(st.lists(st.integers(1, 8), min_size=dims, max_size=dims)))
    boxes = math.prod(counts)
    gains = draw(st.sampled_from([b"", bytes(range(256)) * (boxes // 256) + bytes(boxes % 256)]))
    numbers = [draw(st.integers(1, 1024)), draw(st.integers(0, 16)), draw(st.integers(0, 32))]
    sigma = draw(st.integers(1000, 8000))
    return SirenSpec(dims, channels, *numbers, sigma, Partition(counts, draw(st.integers(0, 127))), gains)


@st.composite
def containers(draw):
    dims, channels = draw(st.integers(1, 4)), draw(st.integers(1, 255))
    shape = draw(st.just([]) | st.lists(st.integers(1, 1000), min_size=dims, max_size=dims))
    chunk = bytes([draw(st.integers(0, 2))]) + draw(st.binary(max_size=80))
    section = Section(draw(specs(dims, channels)), (chunk,), draw(st.just(b"") | st.binary(min_size=8, max_size=8)))
    return Container(
        modality=draw(st.from_regex(r"[a-z][a-z0-9_-]{0,31}", fullmatch=True)),
        dims=dims,
        meta={**draw(META), "shape": shape, "channels": channels},
        sections=(section,),
    )


@settings(deadline=None)
@given(containers())
def test_what_is_packed_unpacks(container):
    back = unpack(pack(container))
    assert dict(back.meta) == dict(container.meta)
    assert {**vars(back), "meta": 0} == {**vars(container), "meta": 0}


@settings(deadline=None)
@given(containers())
def test_a_file_says_the_lowest_version_that_describes_it(container):
    (section,) = container.sections
    cut = section.spec.partition.margin or section.spec.gains
    version = 4 if section.chunks[0][0] == 2 else 3 if container.init else 2 if cut else 1
    assert pack(container)[4] == version


@settings(deadline=None)
@given(containers(), st.booleans())
def test_the_size_of_a_header_is_known_before_the_file_is_made(container, learned):
    (section,) = container.sections
    half = section.chunks[0][0] == 0
    table = b"" if half else bytes(1 + 1 + 4 * 2 * (section.spec.depth + 2))
    chunk = section.chunks[0][:1] + table
    whole = dataclasses.replace(section, chunks=(chunk,), init=bytes(8) if learned else b"")
    data = pack(dataclasses.replace(container, sections=(whole,)))
    frame = Frame(dataclasses.replace(container, sections=())).bytes
    assert len(data) == frame + section.spec.header_bytes(learned, half)


@settings(deadline=None)
@given(containers(), st.data())
def test_any_changed_or_missing_byte_is_noticed(container, data):
    whole = pack(container)
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(changed), whole[:at], whole[at + 1 :], whole + b"x"):
        with pytest.raises(ContainerError):
            unpack(damaged)


@settings(max_examples=300, deadline=None)
@given(containers(), st.data())
def test_forged_files_with_a_right_checksum_parse_or_are_refused(container, data):
    body = bytearray(pack(container)[:-4])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(5, len(body) - 1))
        body[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(5, len(body)))
    body = body[:cut]
    with contextlib.suppress(ContainerError):
        unpack(bytes(body) + struct.pack("<I", zlib.crc32(body)))


def signed(body):
    return body + struct.pack("<I", zlib.crc32(body))


HEAD = b"CCDC\x01"
NET = b"\x01\x06\x00\x08\x01\x03\x07\xd0"
"""The bytes of a small network."""


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a coordcodec file"),
        (b"CCDC", "not a coordcodec file"),
        (b"\x89PNG\r\n\x1a\n0000", "not a coordcodec file: expected it to begin with b'CCDC', got b'\\x89PNG'"),
        (b"CCDC\x06" + bytes(20), "newer coordcodec (format 6, this one reads up to 5); upgrade"),
        (b"CCDC\x00" + bytes(20), "no format 0"),
        (HEAD + bytes(20), "checksum"),
        (signed(HEAD + b"\x80"), "unknown flags 0x80"),
        (signed(HEAD + b"\x08\x01i\x01\x03\x05"), "unknown flags 0x8"),
        (signed(b"CCDC\x02\x20\x01i\x01\x03" + bytes(9)), "unknown flags 0x20"),
        (signed(b"CCDC\x03\x40\x01i\x01\x03" + bytes(9)), "unknown flags 0x40"),
        (signed(b"CCDC\x03\x20\x01i\x01\x03" + bytes(7)), "truncated"),
        (signed(HEAD + b"\x00\x01i"), "truncated"),
        (signed(HEAD + b"\x00\x21" + b"i" * 40), "the modality is 33, expected 0 to 32"),
        (signed(HEAD + b"\x00\x01i\x09\x03"), "dimensions is 9, expected 1 to 8"),
        (signed(HEAD + b"\x01\x01i\x01" + b"\xff" * 12), "does not end"),
        (signed(HEAD + b"\x01\x01i\x02" + (b"\xff\xff\xff\xff\x7f") * 2 + b"\x03"), "exceeds"),
        (signed(HEAD + b"\x01\x01i\x01\x00\x03"), "grid's size is 0"),
        (signed(HEAD + b"\x00\x01i\x01\x00"), "0 channels"),
        (signed(HEAD + b"\x02\x01i\x02\x03\x80\x80\x04\x80\x80\x04"), "parts"),
        (signed(HEAD + b"\x04\x01i\x01\x03\xff\x7f"), "length of meta is 16383"),
        (signed(HEAD + b"\x04\x01i\x01\x03\x03\x01a\x09"), "unknown type 9"),
        (signed(HEAD + b"\x04\x01i\x01\x03\x06\x01a\x01\x01a\x01"), "'a' twice"),
        (signed(HEAD + b"\x04\x01i\x01\x03\x07\x01a\x03\x00\x00\x80\x7f"), "finite"),
        (signed(HEAD + b"\x00\x01i\x01\x03\x09\x00"), "unknown kind of network 9"),
        (signed(HEAD + b"\x00\x01i\x01\x03\x01\x01\x07"), "specification takes 6 bytes, got 1"),
        (signed(HEAD + b"\x00\x01i\x01\x03" + NET + b"\x07"), "unknown coding 7"),
        (signed(HEAD + b"\x00\x01i\x01\x03" + NET + b"\x02"), "unknown coding 2"),
        (signed(b"CCDC\x04\x00\x01i\x01\x03" + NET + b"\x02\x08\x01\x3f\x80\x40\x20"), "shape in 1..255"),
        (signed(b"CCDC\x04\x00\x01i\x01\x03" + NET + b"\x02\x08\x01\x3f\x80\xc0\x20"), "shape in 1..255"),
        (signed(HEAD + b"\x00\x01i\x01\x03" + NET + b"\x01\x0d\x01"), "symbol width is 13"),
        (signed(HEAD + b"\x00\x01i\x01\x03" + NET + b"\x01\x08\x01\x00\x00\x20\x20"), "quantization step"),
        (signed(HEAD + b"\x00\x01i\x01\x03" + NET + b"\x01\x08\x01\x7f\x80\x20\x20"), "quantization step"),
        (signed(HEAD + b"\x00\x01i\x01\x03" + NET + b"\x01\x08\x01\x3f\x80\x00\x20"), "shape in 1..255"),
    ],
)
def test_hostile_files_are_refused_and_told_why(data, says):
    with pytest.raises(ContainerError) as caught:
        coordcodec.open(data)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_meta_that_no_file_can_hold_is_refused():
    meta = {"note": "x" * 5000, "shape": [], "channels": 1}
    with pytest.raises(ContainerError, match="4096"):
        pack(Container("x", 1, meta, (Section(SirenSpec(1, 1, 4, 1, 0, 1400), (b"\0",)),)))
