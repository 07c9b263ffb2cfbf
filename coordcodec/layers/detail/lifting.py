"""One level of a wavelet along one axis, by integer lifting: even samples become low, odd samples high.

Each step adds to one half a rounded sum of the neighbours in the other half, so its inverse subtracts the same integer:
the round trip is exact whatever the rounding, even when int32 or int64 runs over, since both wrap the same way.

Sources: Daubechies and Sweldens, "Factoring wavelet transforms into lifting steps" (1998), section 7.7 (CDF 9/7) and
7.5 (5/3); Calderbank, Daubechies, Sweldens and Yeo, "Wavelet transforms that map integers to integers" (1998).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]
"""int32 or int64."""

KINDS = ("5/3", "9/7")

_Step = tuple[int, int, int, int]
# Steps in forward order: odd samples take from even ones, even from odd, and so on in turn. A step adds
# sign * ((factor * (left + right) + half) >> shift).
_STEPS: dict[str, tuple[_Step, ...]] = {
    "5/3": ((-1, 1, 0, 1), (1, 1, 2, 2)),
    "9/7": ((1, -103949, 32768, 16), (1, -3472, 32768, 16), (1, 57862, 32768, 16), (1, 29066, 32768, 16)),
}
MARGIN = {"5/3": 1, "9/7": 2}
"""As many pairs of low and high beyond a range spoil no sample inside it, when the axis is cut there."""
_CHUNK = 1 << 16  # elements of a temporary: it stays in the cache


def split(array: Ints, axis: int, kind: str, circle: bool) -> tuple[Ints, Ints]:
    """The low and the high half, ceil(n/2) and floor(n/2) long, of an array along an axis of n samples.

    circle: the axis is periodic. It wraps if n is even; if n is odd its ends are mirrored as on an open axis. An axis
    of one sample is its own low half.
    """
    low = array[_along(axis, array.ndim, slice(0, None, 2))].copy()
    high = array[_along(axis, array.ndim, slice(1, None, 2))].copy()
    if high.size:
        for number, step in enumerate(_STEPS[kind]):
            _lift(low, high, axis, number, step, circle, 1)
    return low, high


def merge(low: Ints, high: Ints, axis: int, kind: str, circle: bool) -> Ints:
    """The inverse of `split`. `low` and `high` are overwritten."""
    shape = list(low.shape)
    shape[axis] += high.shape[axis]
    if high.size:
        for number, step in reversed(list(enumerate(_STEPS[kind]))):
            _lift(low, high, axis, number, step, circle, -1)
    array = np.empty(shape, low.dtype)
    array[_along(axis, array.ndim, slice(0, None, 2))] = low
    array[_along(axis, array.ndim, slice(1, None, 2))] = high
    return array


def _along(axis: int, ndim: int, cut: slice) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, cut, *(slice(None),) * (ndim - axis - 1))


def _lift(low: Ints, high: Ints, axis: int, number: int, step: _Step, circle: bool, way: int) -> None:
    """One step: high takes from low if its number is even, low from high if it is odd."""
    lows, highs = np.moveaxis(low, axis, 0), np.moveaxis(high, axis, 0)
    wraps = circle and len(lows) == len(highs)
    if number % 2 == 0:
        inner = len(lows) - 1  # so many of high have a neighbour on both sides
        _add(highs[:inner], lows[:-1], lows[1:], step, way)
        if inner < len(highs):
            _add(highs[-1:], lows[-1:], lows[:1] if wraps else lows[-1:], step, way)
        return
    inner = len(highs)
    _add(lows[1:inner], highs[:-1], highs[1:], step, way)
    _add(lows[:1], highs[-1:] if wraps else highs[:1], highs[:1], step, way)
    if inner < len(lows):
        _add(lows[-1:], highs[-1:], highs[-1:], step, way)


def _add(target: Ints, left: Ints, right: Ints, step: _Step, way: int) -> None:
    """One step (way 1) or its inverse (way -1); sums and products in 64 bits, a chunk at a time."""
    if not target.size:
        return
    # Cut along the axis that is outermost in memory, so that chunks are contiguous.
    outer = int(np.argmax([abs(stride) for stride in target.strides]))
    cut = max(1, _CHUNK * target.shape[outer] // target.size)
    for start in range(0, target.shape[outer], cut):
        part = _along(outer, target.ndim, slice(start, start + cut))
        sign, factor, half, shift = step
        total = np.add(left[part], right[part], dtype=np.int64)
        if factor != 1:
            total *= factor
        if half:
            total += half
        total >>= shift
        if sign * way > 0:
            np.add(target[part], total, out=target[part], casting="unsafe")
        else:
            np.subtract(target[part], total, out=target[part], casting="unsafe")
