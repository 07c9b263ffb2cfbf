"""The file: magic, version, header, sections, checksum. `docs/format.md` is its law.

Everything that is read here is hostile: each number is checked against its limit before anything is
allocated, and whatever is wrong raises ContainerError. What the chunks of a section hold is checked by its layer.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordcodec.data import MAX_CHANNELS, MAX_DIMS, check_meta
from coordcodec.errors import ContainerError, SignalError
from coordcodec.partition import Partition
from coordcodec.specs import INIT_BYTES, Spec, unpack_spec
from coordcodec.stream.meta import MAX_META, pack_meta, read_meta
from coordcodec.stream.numbers import Reader, varint
from coordcodec.stream.weights import CONTEXTUAL

MAGIC = b"CCDC"
VERSION = 4
"""The newest version; a file says the lowest one that describes it."""
SUFFIX = ".ccdc"
CHECKSUM = 4
"""Bytes of the checksum."""

MAX_POINTS = 1 << 40
MAX_SPEC = 255
MAX_PARTS = 1 << 16
MAX_MARGIN = 127

_GRID, _PARTS, _META, _MARGIN, _GAINS, _INIT = 1, 2, 4, 8, 16, 32
_SINCE = {1: _GRID | _PARTS | _META, 2: _MARGIN | _GAINS, 3: _INIT}
"""The flags that versions added."""


@dataclass(frozen=True)
class Section:
    """One layer.

    spec: what it is. chunks: what its layer coded. init: the first 8 bytes of the SHA-256 of the initialisation that it
    holds updates to, or none.
    """

    spec: Spec
    chunks: tuple[bytes, ...]
    init: bytes = b""


@dataclass(frozen=True)
class Container:
    """A file, parsed.

    modality: name of the plugin that reads and writes this kind of data.
    dims: dimension d of the coordinates.
    meta: the plugin's facts, with "shape" (list of int, empty for scattered points) and "channels".
    sections: the layers, whose fields sum up to the file's.
    """

    modality: str
    dims: int
    meta: Mapping[str, Any]
    sections: tuple[Section, ...]

    @property
    def init(self) -> bytes:
        """What the file calls the learned initialisation that it needs, or nothing."""
        return next((section.init for section in self.sections if section.init), b"")


def frame_bytes(modality: str, dims: int, meta: Mapping[str, Any]) -> int:
    """The bytes of a file of one section outside that section."""
    packed = pack_meta(meta)
    head = len(MAGIC) + 2 + 1 + len(modality) + 1 + sum(len(varint(n)) for n in meta["shape"]) + 1
    return head + (len(varint(len(packed))) + len(packed) if packed else 0) + CHECKSUM


def pack(container: Container) -> bytes:
    """The bytes of a file. Raises ContainerError for what a file cannot hold (meta or network too large)."""
    meta = pack_meta(container.meta)
    shape: Sequence[int] = container.meta["shape"]
    (section,) = container.sections
    spec, chunk = section.spec, b"".join(section.chunks)
    counts, margin, gains = spec.partition.counts, spec.partition.margin, spec.gains
    kind, network = spec.pack()
    whole = all(n == 1 for n in counts)
    flags = (_GRID if shape else 0) | (0 if whole else _PARTS) | (_META if meta else 0)
    flags |= (_MARGIN if margin else 0) | (_GAINS if gains else 0) | (_INIT if section.init else 0)
    version = max(version for version, added in _SINCE.items() if version == 1 or flags & added)
    version = 4 if chunk[:1] == bytes([CONTEXTUAL]) else version
    name = container.modality.encode("ascii")
    out = bytearray(MAGIC)
    out += bytes([version, flags, len(name)]) + name + bytes([container.dims])
    out += b"".join(varint(n) for n in shape)
    out += bytes([container.meta["channels"]])
    out += b"" if whole else b"".join(varint(n) for n in counts)
    out += bytes([margin] if margin else []) + gains + section.init
    out += varint(len(meta)) + meta if meta else b""
    out += bytes([kind, len(network)]) + network + chunk
    data = bytes(out) + zlib.crc32(out).to_bytes(CHECKSUM, "little")
    unpack(data)  # what cannot be read back must never be written
    return data


def unpack(data: bytes) -> Container:
    """Parse a file.

    Raises ContainerError when `data` is not one: other magic, newer version, damage, truncation, numbers
    beyond their limits.
    """
    if len(data) < len(MAGIC) + 5 or data[: len(MAGIC)] != MAGIC:
        raise ContainerError(f"not a coordcodec file: expected it to begin with {MAGIC!r}, got {bytes(data[:4])!r}")
    if data[4] > VERSION:
        raise ContainerError(
            f"written by a newer coordcodec (format {data[4]}, this one reads up to {VERSION}); "
            "upgrade: pip install -U coordcodec"
        )
    if data[4] < 1:
        raise ContainerError(f"damaged file: there is no format {data[4]}")
    if zlib.crc32(data[:-CHECKSUM]) != int.from_bytes(data[-CHECKSUM:], "little"):
        raise ContainerError("damaged or truncated file: the checksum does not match")
    reader = Reader(data[:-CHECKSUM])
    version = reader.take(len(MAGIC) + 1)[-1]
    return _read_body(reader, version)


def _read_body(reader: Reader, version: int) -> Container:
    flags = reader.byte()
    if flags & ~sum(added for since, added in _SINCE.items() if since <= version):
        raise ContainerError(f"damaged file: unknown flags {flags:#x}")
    modality = reader.text("the modality", 32)
    dims = reader.varint("the number of dimensions", 1, MAX_DIMS)
    shape = [reader.varint("the grid's size", 1, MAX_POINTS) for _ in range(dims)] if flags & _GRID else []
    if math.prod(shape) > MAX_POINTS:
        raise ContainerError(f"damaged file: a grid of shape {shape} exceeds {MAX_POINTS} points")
    channels = reader.byte()
    if not 1 <= channels <= MAX_CHANNELS:
        raise ContainerError(f"damaged file: {channels} channels, expected 1 to {MAX_CHANNELS}")
    parts = [reader.varint("the number of parts", 1, MAX_PARTS) if flags & _PARTS else 1 for _ in range(dims)]
    if math.prod(parts) > MAX_PARTS:
        raise ContainerError(f"damaged file: {parts} parts exceed {MAX_PARTS}")
    margin = reader.varint("the margin", 1, MAX_MARGIN) if flags & _MARGIN else 0
    gains = reader.take(math.prod(parts)) if flags & _GAINS else b""
    init = reader.take(INIT_BYTES) if flags & _INIT else b""
    extra = read_meta(reader.take(reader.varint("the length of meta", 1, MAX_META))) if flags & _META else {}
    try:
        meta = check_meta({**extra, "shape": shape, "channels": channels})
    except SignalError as error:
        raise ContainerError(f"damaged file: {error}") from None
    kind, network = reader.byte(), reader.take(reader.byte())
    spec = unpack_spec(kind, network, dims, channels, Partition(tuple(parts), margin), gains)
    chunk = reader.take(len(reader.data) - reader.at)
    if chunk[:1] == bytes([CONTEXTUAL]) and version < 4:
        raise ContainerError(f"damaged file: unknown coding {CONTEXTUAL}")
    return Container(modality, dims, meta, (Section(spec, (chunk,), init),))
