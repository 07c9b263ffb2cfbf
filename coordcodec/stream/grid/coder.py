"""Planes of whole numbers to bytes and back.

    state = GridState(model)
    encoder = GridEncoder(state)          decoder = GridDecoder(same start, chunk)
    encoder.plane(values, guides, zones)  values = decoder.plane(values.shape, guides, zones)
    chunk = encoder.finish()              decoder.finish()

A chunk holds one or more planes: arrays of int32 of one to four axes. The state goes on from chunk to chunk, so that
those of a tile are decoded in the order in which they were encoded. Guides are arrays that the decoder has already,
of the plane's shape or broadcast to it; only their magnitudes count, but for the sign of `channel`:

    parent   the coarser band, brought to this one's size
    sibling  the sum of magnitudes of other bands of the same scale
    channel  the channel before
    energy   anything else that says how large values will be, in their unit

`zones` are integers from 0 to 15, one per place on the last axis: parts of a spectrum. `ends` are integers, one per row
along the last axis: how many of its coefficients are coded; those behind are zero.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from coordcodec.errors import ContainerError
from coordcodec.stream.grid import layout as at
from coordcodec.stream.grid.prepare import Frame, Guides, IntArray, Planes, four
from coordcodec.stream.grid.state import GridState

_BLOCK = 1 << 15
"""Coefficients between two looks at the buffer and at damage."""
_WORST = 96
"""Bytes that a coefficient takes at most: 12 bits for each of 44 decisions, and its plain bits."""


class _Coder:
    """What both directions share: registers, and running the kernels over a plane."""

    def __init__(self, state: GridState, mode: int, data: npt.NDArray[np.uint8]) -> None:
        from coordcodec.stream.grid.jit import native

        registers = np.zeros(at.REGISTERS, np.int64)
        registers[at.RANGE] = at.FULL
        registers[at.MODE] = mode
        self._state = state
        self._registers = native(registers)
        self._data = native(data)

    def _make_room(self, coefficients: int) -> None:
        """Called before every block of coefficients."""

    def _run(
        self,
        frame: Frame,
        values: IntArray | None,
        planes: Planes,
        scaled: IntArray | None = None,
        rate: int = -1,
        points: tuple[int, int, int] = (0, 0, 0),
    ) -> IntArray:
        from coordcodec.stream.grid.jit import native
        from coordcodec.stream.grid.kernel import rows

        width = frame.shape[3]
        lines = math.prod(frame.shape[:3])
        if width * lines == 0:
            return np.zeros(frame.shape, np.int32)
        found = native(frame.padded(values))
        fixed = np.zeros(1, np.int32) if scaled is None else frame.padded(scaled)
        rest = (*planes.smoothed, planes.raw, planes.zones, fixed, planes.ends)
        plane = (found, native(frame.padded()), *(native(p) for p in rest))
        slow, work = native(np.zeros(width + 2, np.int64)), native(np.zeros(at.WORK, np.int64))
        geometry = native(frame.geometry(planes.flags, rate, points))
        step = max(1, _BLOCK // width)
        state = self._state
        for first in range(0, lines, step):
            last = min(first + step, lines)
            self._make_room((last - first) * width)
            rows(first, last, plane, slow, geometry, work, self._registers, self._data, state.model, state.tables)
        return frame.inside(found)

    def _ending(self) -> tuple[int, int]:
        """The number inside the last interval that needs the fewest bytes, and how many of four it needs."""
        low, size = int(self._registers[at.LOW]), int(self._registers[at.RANGE])
        count = 0
        while (value := -(-low >> (32 - 8 * count) << (32 - 8 * count))) >= low + size:
            count += 1
        return value, count


class GridEncoder(_Coder):
    """Writes one chunk.

    With `count` it writes nothing and only counts: `bits` are then those of the chunk that it would write, and
    `finish` returns b"". Either way the state learns; give a copy of it to trials.
    """

    def __init__(self, state: GridState, count: bool = False) -> None:
        super().__init__(state, at.COUNT if count else at.ENCODE, np.zeros(8, np.uint8))
        self._counts = count

    def plane(
        self, values: npt.NDArray[np.int32], guides: Guides | None = None, zones: Any = None, ends: Any = None
    ) -> None:
        """Code an array of integers of 1 to 4 axes, each between -(2^31 - 1) and 2^31 - 1.

        Raises ValueError for other shapes and values, for values behind the ends that are not 0, for guides, zones and
        ends that are not integers, and for those that do not broadcast to the shape.
        """
        values = np.asarray(values)
        frame = Frame(four(values.shape))
        if values.dtype.kind not in "iu" or (values.size and _reach(values) > at.LARGEST):
            raise ValueError("a plane holds integers whose magnitude is below 2^31")
        planes = Planes(frame, values.shape, guides, zones, ends)
        if ends is not None and values[_behind(planes, frame).reshape(values.shape)].any():
            raise ValueError("values behind the ends of their rows must be 0")
        self._run(frame, values.reshape(frame.shape).astype(np.int32), planes)

    def plane_rdo(
        self,
        scaled: npt.NDArray[np.int32],
        rate: int,
        guides: Guides | None = None,
        zones: Any = None,
        points: tuple[int, int, int] = (0, 0, 0),
        ends: Any = None,
    ) -> IntArray:
        """Round coefficients for the least D + lambda R and code what comes out, in one pass; returns it, int32.

        `scaled`: coefficients in 1/64 of a step, at most 2^30 in magnitude. Each becomes its nearest integer, the one
        below or zero, by its squared error and what the coder would ask for it now. `rate`: lambda, the squared error
        that a bit is worth, in (1/64 step)^2: 4096 times the one in squared steps; 0 only rounds, and about 400 is
        best for the squared error. `points`: where magnitudes 1, 2 and above will be reconstructed, relative to
        themselves, in 1/64. Behind the ends all becomes 0. Raises ValueError as `plane`.
        """
        scaled = np.asarray(scaled)
        frame = Frame(four(scaled.shape))
        if scaled.dtype.kind not in "iu" or (scaled.size and _reach(scaled) > 1 << 30):
            raise ValueError("scaled coefficients are integers of magnitude 2^30 at most")
        if not 0 <= rate < 1 << 24 or max(map(abs, points)) > 64:
            raise ValueError("rate is 0 to 2^24 - 1, points are -64 to 64")
        planes = Planes(frame, scaled.shape, guides, zones, ends)
        fixed = scaled.reshape(frame.shape).astype(np.int32)
        return self._run(frame, None, planes, fixed, rate, points).reshape(scaled.shape)

    @property
    def bits(self) -> float:
        """Length of what has been coded so far, in bits, without the rounding to bytes at the end."""
        return 8 * int(self._registers[at.POSITION]) + 32 - math.log2(int(self._registers[at.RANGE]))

    def finish(self) -> bytes:
        """The chunk; empty where the encoder only counts, or where nothing was coded."""
        if self._counts:
            return b""
        value, count = self._ending()
        start = int(self._registers[at.POSITION])
        whole = bytearray(bytes(self._data[:start]))
        if value >> 32:  # a carry
            total = int.from_bytes(whole, "big") + 1
            whole = bytearray(total.to_bytes(start, "big"))
        return bytes(whole + (value & 0xFFFFFFFF).to_bytes(4, "big")[:count])

    def _make_room(self, coefficients: int) -> None:
        needed = int(self._registers[at.POSITION]) + coefficients * _WORST + 16
        if self._counts:
            return
        if isinstance(self._data, list):
            self._data.extend([0] * (needed - len(self._data)))
        elif len(self._data) < needed:
            grown = np.empty(needed + needed // 2, np.uint8)
            grown[: len(self._data)] = self._data
            self._data = grown


class GridDecoder(_Coder):
    """Reads one chunk, by the state that the encoder had when it began it."""

    def __init__(self, state: GridState, chunk: bytes) -> None:
        super().__init__(state, at.DECODE, np.frombuffer(bytes(chunk) + bytes(8), np.uint8).copy())
        self._registers[at.END] = self._length = len(chunk)
        self._registers[at.CODE] = int.from_bytes((bytes(chunk[:4]) + bytes(4))[:4], "big")
        self._left = (len(chunk) << 15) + (1 << 16)

    def plane(
        self, shape: tuple[int, ...], guides: Guides | None = None, zones: Any = None, ends: Any = None
    ) -> IntArray:
        """The next plane, int32 of that shape, given the guides, zones and ends that the encoder had.

        Raises ContainerError where the chunk is too short to hold that many coefficients (nothing is allocated then),
        ends early or says what no encoder writes; ValueError as the encoder does.
        """
        whole = four(tuple(shape))
        self._left -= math.prod(whole) if ends is None else int(np.broadcast_to(ends, shape[:-1]).sum())
        if self._left < 0:
            raise ContainerError(f"damaged file: {self._length} bytes cannot hold the coefficients of {tuple(shape)}")
        frame = Frame(whole)
        planes = Planes(frame, tuple(shape), guides, zones, ends)
        found = self._run(frame, None, planes)
        self._check()
        return found.reshape(shape)

    def finish(self) -> None:
        """Raises ContainerError where the chunk is not what an encoder writes for the planes that were read."""
        value, count = self._ending()
        registers = self._registers
        left = (int(registers[at.LOW]) + int(registers[at.CODE]) - value) & 0xFFFFFFFF
        if left or registers[at.POSITION] + count != self._length:
            raise ContainerError("damaged file: coefficients do not end where their chunk ends")

    def _make_room(self, coefficients: int) -> None:
        self._check()

    def _check(self) -> None:
        if self._registers[at.POSITION] > self._length or self._registers[at.BROKEN]:
            raise ContainerError("damaged file: coefficients go on behind the end of their chunk, or are too large")


def _reach(values: npt.NDArray[Any]) -> int:
    """The largest magnitude."""
    return max(int(values.max()), -int(values.min()))


def _behind(planes: Planes, frame: Frame) -> npt.NDArray[np.bool_]:
    """Which coefficients of (rows, columns) lie behind the end of their row."""
    return np.arange(frame.shape[3]) >= planes.ends[:, None]
