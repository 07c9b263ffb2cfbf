"""Files of versions 1 to 4: a header, one layer, a checksum."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from coordcodec.errors import ContainerError
from coordcodec.numbers import Reader, varint
from coordcodec.specs import INIT_BYTES, unpack_spec
from coordcodec.specs.cut import pack_partition, read_partition
from coordcodec.stream.header import read_channels, read_dims, read_meta_of, read_modality, read_sides, whole_meta
from coordcodec.stream.meta import pack_meta
from coordcodec.stream.parts import CHECKSUM, MAGIC, Container, Section
from coordcodec.stream.weights import CONTEXTUAL

_GRID, _PARTS, _META, _MARGIN, _GAINS, _INIT = 1, 2, 4, 8, 16, 32
_SINCE = {1: _GRID | _PARTS | _META, 2: _MARGIN | _GAINS, 3: _INIT}
"""The flags that versions added."""


def frame_bytes(container: Container) -> int:
    """The bytes of a file of one section outside that section."""
    packed = pack_meta(container.meta, container.free)
    sides = sum(len(varint(n)) for n in container.meta["shape"])
    head = len(MAGIC) + 2 + 1 + len(container.modality) + 1 + sides + 1
    return head + (len(varint(len(packed))) + len(packed) if packed else 0) + CHECKSUM


def pack(container: Container) -> bytes:
    """The bytes of a file. Raises ContainerError for what a file cannot hold (meta or network too large)."""
    meta = pack_meta(container.meta, container.free)
    shape: Sequence[int] = container.meta["shape"]
    (section,) = container.sections
    spec: Any = section.spec  # whose `early` has been asked
    chunk = b"".join(section.chunks)
    margin, gains = spec.partition.margin, spec.gains
    kind, network = spec.pack()
    flags = (_GRID if shape else 0) | (_PARTS if len(spec.partition) > 1 else 0) | (_META if meta else 0)
    flags |= (_MARGIN if margin else 0) | (_GAINS if gains else 0) | (_INIT if section.init else 0)
    version = max(version for version, added in _SINCE.items() if version == 1 or flags & added)
    version = 4 if chunk[:1] == bytes([CONTEXTUAL]) else version
    name = container.modality.encode("ascii")
    out = bytearray(MAGIC)
    out += bytes([version, flags, len(name)]) + name + bytes([container.dims])
    out += b"".join(varint(n) for n in shape)
    out += bytes([container.meta["channels"]])
    out += pack_partition(spec.partition, gains) + section.init
    out += varint(len(meta)) + meta if meta else b""
    out += bytes([kind, len(network)]) + network + chunk
    return bytes(out) + zlib.crc32(out).to_bytes(CHECKSUM, "little")


def unpack(data: bytes) -> Container:
    """Parse a file whose magic and version are right. Raises ContainerError."""
    if zlib.crc32(data[:-CHECKSUM]) != int.from_bytes(data[-CHECKSUM:], "little"):
        raise ContainerError("damaged or truncated file: the checksum does not match")
    reader = Reader(data[:-CHECKSUM])
    version = reader.take(len(MAGIC) + 1)[-1]
    return _read_body(reader, version)


def _read_body(reader: Reader, version: int) -> Container:
    flags = reader.byte()
    if flags & ~sum(added for since, added in _SINCE.items() if since <= version):
        raise ContainerError(f"damaged file: unknown flags {flags:#x}")
    modality = read_modality(reader)
    dims = read_dims(reader)
    shape = read_sides(reader, dims) if flags & _GRID else []
    channels = read_channels(reader)
    partition, gains = read_partition(reader, dims, bool(flags & _PARTS), bool(flags & _MARGIN), bool(flags & _GAINS))
    init = reader.take(INIT_BYTES) if flags & _INIT else b""
    meta = whole_meta(read_meta_of(reader) if flags & _META else {}, {"shape": shape, "channels": channels})
    kind, network = reader.byte(), reader.take(reader.byte())
    spec = unpack_spec(kind, network, dims, channels, partition, gains)
    chunk = reader.take(len(reader.data) - reader.at)
    if chunk[:1] == bytes([CONTEXTUAL]) and version < 4:
        raise ContainerError(f"damaged file: unknown coding {CONTEXTUAL}")
    return Container(modality, dims, meta, (Section(spec, (chunk,), init),))
