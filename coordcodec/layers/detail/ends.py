"""How far the rows of lapped planes are coded: what lies behind is zero, and takes neither bits nor time.

The rows of about 2048 coefficients share an end, in 64ths of the spectrum. Ends are small planes, (groups,) per
channel, of differences in time, which a coder of their own writes before those of a chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import ContainerError
from coordcodec.layers.detail.quantize import SUB
from coordcodec.layers.detail.tiles import PARTS, Chunk, Part
from coordcodec.numbers import Reader, varint
from coordcodec.stream.grid import GridDecoder, GridEncoder, GridState

Ints = NDArray[np.int32]
_GROUP = 2048
"""Coefficients of the rows that share an end; a longer row has its own."""
_WORTH = SUB
"""From so many 64ths of a step on a coefficient keeps its row from ending: lone ones are seldom worth their bits."""


def of_rows(ends: Ints, part: Part) -> Ints:
    """Per row of a part, the columns that are coded, out of the ends of its groups."""
    rows, columns = part.shape
    return np.repeat(-(-columns * ends // PARTS), _rows(part))[:rows]


def _rows(part: Part) -> int:
    """Of a group."""
    return max(1, _GROUP // part.shape[-1])


def _groups(part: Part) -> int:
    return -(-part.shape[0] // _rows(part))


def found_in(plane: Ints, part: Part, rounded: bool) -> Ints:
    """The ends, (channels, groups), of a plane (channels, rows, columns); not rounded: in 64ths of a step."""
    magnitudes: Ints = np.abs(plane)
    used = magnitudes >= np.int32(1 if rounded else _WORTH)
    size, count = _rows(part), _groups(part)
    used = np.pad(used, ((0, 0), (0, count * size - used.shape[1]), (0, 0)))
    grouped: NDArray[Any] = used.reshape(len(plane), count, size, -1)
    used = np.asarray(grouped.any(axis=2))
    last = used.shape[-1] - np.argmax(used[..., ::-1], axis=-1)
    return np.where(used.any(-1), -(-last * PARTS // used.shape[-1]), 0).astype(np.int32)


def write(ends: Sequence[Ints]) -> bytes:
    """The beginning of a chunk: the ends of its parts."""
    coder = GridEncoder(GridState())
    for part in ends:
        for channel, along in enumerate(np.diff(part, axis=-1, prepend=0)):
            coder.plane(along.astype(np.int32), _guides(part, channel))
    coded = coder.finish()
    return varint(len(coded)) + coded


def _guides(part: Any, channel: int) -> dict[str, Any] | None:
    return {"channel": np.diff(part[channel - 1], prepend=0)} if channel else None


def read(chunk: Chunk, channels: int, coded: bytes) -> tuple[list[Ints], bytes]:
    """The ends of a chunk's parts, and what follows them. Raises ContainerError."""
    reader = Reader(coded)
    coder = GridDecoder(GridState(), reader.take(reader.varint("the length of a chunk's ends", 0, len(coded))))
    found = [np.stack([*_channels(coder, part, channels)]) for part in chunk.parts]
    coder.finish()
    return found, coded[reader.at :]


def _channels(coder: GridDecoder, part: Part, channels: int) -> Iterator[Ints]:
    ends: list[Ints] = []
    for channel in range(channels):
        along = np.cumsum(coder.plane((_groups(part),), _guides(ends, channel)), dtype=np.int64)
        if along.size and not 0 <= along.min() <= along.max() <= PARTS:
            raise ContainerError("damaged file: a row of a spectrum that ends outside of it")
        ends.append(along.astype(np.int32))
        yield ends[-1]
