"""Sections that are no layers: the mask, and byte strings by name that a modality needs."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from coordcodec.errors import ContainerError
from coordcodec.grid import Grid
from coordcodec.mask import MAX_BITS, Bools, Mask, bits_of, reduced
from coordcodec.numbers import Reader, varint

MAX_SIDE = 1 << 26
"""Bytes of all side data together, as they are used."""
MAX_NAME = 255
_STORED, _DEFLATED = 0, 1
_BITS, _GRID = 0, 1
"""How a mask is coded: as bits that are deflated, or as a plane by the grid coder, which halves coastlines."""
_FEW, _CODED = 64, 1 << 24
"""Bytes of a deflated mask that are not worth the coder, and samples beyond which it takes too long."""
_RAW = -15
"""A deflate stream without header or checksum, RFC 1951."""


def _deflated(data: bytes) -> bytes:
    coder = zlib.compressobj(9, zlib.DEFLATED, _RAW)
    return coder.compress(data) + coder.flush()


def _inflated(data: bytes, size: int, what: str) -> bytes:
    """The bytes of a deflate stream, which must be so many and no more."""
    coder = zlib.decompressobj(_RAW)
    try:
        found = coder.decompress(data, size + 1) if size else coder.decompress(data, 1)
    except zlib.error:
        raise ContainerError(f"damaged file: {what} cannot be inflated") from None
    if len(found) != size or coder.unused_data or coder.unconsumed_tail or not coder.eof:
        raise ContainerError(f"damaged file: {what} inflates to other than {size} bytes")
    return found


def pack_mask(mask: Mask) -> bytes:
    """The body of a mask's section."""
    body = bytes([_BITS, mask.axes]) + _deflated(np.packbits(mask.known).tobytes())
    if len(body) <= _FEW or mask.known.size > _CODED:
        return body
    from coordcodec.stream.grid import GridEncoder, GridState  # loads Numba

    coder = GridEncoder(GridState())
    coder.plane(mask.known.reshape(_plane(mask.known.shape)).astype(np.int32))
    coded = bytes([_GRID, mask.axes]) + coder.finish()
    return min(coded, body, key=len)


def _plane(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape as one that the grid coder takes: without axes of one sample, the first ones merged to leave four."""
    sides = [n for n in shape if n > 1] or [1]
    return (math.prod(sides[:-3]), *sides[-3:]) if len(sides) > 4 else tuple(sides)


def read_mask(body: bytes, grid: Grid | None) -> Mask:
    """The mask of a grid. Raises ContainerError."""
    reader = Reader(body)
    coding, axes = reader.byte(), reader.byte()
    if grid is None or coding not in (_BITS, _GRID) or axes >> grid.dims:
        raise ContainerError(f"damaged file: a mask of coding {coding} along axes {axes:#x}")
    count, shape = bits_of(grid.shape, axes), reduced(grid.shape, axes)
    if count > MAX_BITS:
        raise ContainerError(f"damaged file: a mask of {count} samples, at most {MAX_BITS} are stored")
    if coding == _GRID:
        return Mask(grid, _read_plane(body[reader.at :], _plane(shape)).reshape(shape))
    raw = _inflated(body[reader.at :], -(-count // 8), "the mask")
    bits = np.unpackbits(np.frombuffer(raw, np.uint8))
    if not bits[:count].any() or bits[count:].any():
        raise ContainerError("damaged file: a mask without a known sample, or with bits behind its end")
    return Mask(grid, bits[:count].view(bool).reshape(shape))


def _read_plane(coded: bytes, shape: tuple[int, ...]) -> Bools:
    from coordcodec.stream.grid import GridDecoder, GridState  # loads Numba

    coder = GridDecoder(GridState(), coded)
    plane = coder.plane(shape)
    coder.finish()
    if plane.min() < 0 or plane.max() != 1:
        raise ContainerError("damaged file: a mask without a known sample, or of other numbers than 0 and 1")
    return plane.astype(bool)


def pack(blobs: Mapping[str, bytes]) -> bytes:
    """The body of a section of side data. Raises ContainerError for more than a file holds."""
    total = sum(len(data) for data in blobs.values())
    if total > MAX_SIDE:
        raise ContainerError(f"side data take {total} bytes, a file holds {MAX_SIDE}; keep only what write() needs")
    out = bytearray()
    for name, data in sorted(blobs.items()):
        raw, small = name.encode("utf-8"), _deflated(data)
        if not 1 <= len(raw) <= MAX_NAME:
            raise ContainerError(f"a name of side data takes 1 to {MAX_NAME} bytes, got {name[:80]!r}")
        method, body = (_DEFLATED, small) if len(small) < len(data) else (_STORED, data)
        out += varint(len(raw)) + raw + bytes([method]) + varint(len(data)) + varint(len(body)) + body
    return bytes(out)


def read(body: bytes) -> dict[str, bytes]:
    """Byte strings by name. Raises ContainerError."""
    reader, found, left, before = Reader(body), dict[str, bytes](), MAX_SIDE, ""
    while reader.at < len(body):
        name = reader.text("a name of side data", MAX_NAME)
        method, size = reader.byte(), reader.varint("the length of side data", 0, left)
        data = reader.take(reader.varint("the bytes of side data", 0, len(body)))
        if name <= before or method not in (_STORED, _DEFLATED) or (method == _STORED and len(data) != size):
            raise ContainerError(f"damaged file: side data {name[:80]!r} out of order or of method {method}")
        found[name] = data if method == _STORED else _inflated(data, size, "side data")
        left, before = left - size, name
    if not found:
        raise ContainerError("damaged file: a section of side data without any")
    return found
