"""The neighbours and the simple predictors of "blend", for 1 to 4 axes: tables that are part of the format.

Offsets are written without leading zeros; W = (-1), N = (-1, 0), P = (-1, 0, 0), Q = (-1, 0, 0, 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]
Offset = tuple[int, ...]

_W, _N, _P, _Q = (-1,), (-1, 0), (-1, 0, 0), (-1, 0, 0, 0)
_LINE = tuple((-i,) for i in range(1, 17))
_PLANE = (
    *((_W), (_N), (-1, -1), (-1, 1), (-2,), (-2, 0), (-2, 1)),
    *((-1, -2), (-1, 2), (-2, -1)),
)
_SOLID = (_P, (-1, 0, -1), (-1, -1, 0), (-1, -1, -1), (-1, 0, 1), (-1, 1, 0), (-2, 0, 0), (-1, 1, 1))
_FOURTH = (
    *(_Q, (-1, -1, 0, 0), (-1, 0, -1, 0), (-1, 0, 0, -1)),
    *((-1, 1, 0, 0), (-1, 0, 1, 0), (-1, 0, 0, 1), (-2, 0, 0, 0)),
)
_ACROSS_LINE = ((0,), _W, (1,), (-2,))
_ACROSS_PLANE = ((0,), _W, _N, (-1, -1), (1,), (1, 0), (-1, 1))

REACH = {1: 16, 2: 2, 3: 2, 4: 2}


def own(axes: int) -> tuple[Offset, ...]:
    """Neighbours in the same channel, all of them earlier."""
    return _LINE if axes == 1 else (*_PLANE, *_SOLID[: 8 * (axes > 2)], *_FOURTH[: 8 * (axes > 3)])


def across(axes: int) -> tuple[Offset, ...]:
    """Neighbours in a channel that is complete."""
    return _ACROSS_LINE if axes == 1 else (*_ACROSS_PLANE, *((_P,) if axes > 2 else ()))


def offsets(found: Sequence[Offset], shape: Sequence[int]) -> Ints:
    """Offsets along four axes and in the memory of an array of four axes, (m, 5) int64."""
    strides = [int(np.prod(shape[axis + 1 :])) for axis in range(4)]
    whole = [(0,) * (4 - len(offset)) + offset for offset in found]
    return np.array([(*o, sum(a * b for a, b in zip(o, strides, strict=True))) for o in whole], np.int64)


# Simple predictors as (neighbours of this channel with half weights, those of the channel before).
_Simple = tuple[dict[Offset, int], dict[Offset, int]]
_NW, _NE, _WW, _NN, _NNE = (-1, -1), (-1, 1), (-2,), (-2, 0), (-2, 1)
_PW, _PN, _PNW, _PP = (-1, 0, -1), (-1, -1, 0), (-1, -1, -1), (-2, 0, 0)
_SIMPLE_LINE: tuple[_Simple, ...] = (
    ({_W: 2}, {}),
    ({_W: 4, _WW: -2}, {}),
    ({_W: 6, _WW: -6, (-3,): 2}, {}),
)
_SIMPLE_PLANE: tuple[_Simple, ...] = (
    ({_W: 2}, {}),
    ({_N: 2}, {}),
    ({_W: 2, _N: 2, _NW: -2}, {}),
    ({_W: 2, _NE: 2, _N: -2}, {}),
    ({_N: 4, _NN: -2}, {}),
    ({_W: 4, _WW: -2}, {}),
    ({_W: 1, _NE: 1}, {}),
    ({_N: 2, _NE: 2, _NNE: -2}, {}),
)
_SIMPLE_SOLID: tuple[_Simple, ...] = (
    ({_P: 2}, {}),
    ({_P: 2, _W: 2, _PW: -2}, {}),
    ({_P: 2, _N: 2, _PN: -2}, {}),
    ({_W: 2, _N: 2, _NW: -2, _P: 2, _PW: -2, _PN: -2, _PNW: 2}, {}),
    ({_P: 4, _PP: -2}, {}),
)
_SIMPLE_FOURTH: tuple[_Simple, ...] = (
    ({_Q: 2}, {}),
    ({_Q: 2, _P: 2, (-1, -1, 0, 0): -2}, {}),
    ({_Q: 2, _W: 2, (-1, 0, 0, -1): -2}, {}),
    ({_Q: 4, (-2, 0, 0, 0): -2}, {}),
)
_SIMPLE_ACROSS: tuple[_Simple, ...] = (
    ({_W: 2}, {(0,): 2, _W: -2}),
    ({_N: 2}, {(0,): 2, _N: -2}),
    ({_W: 2, _N: 2, _NW: -2}, {(0,): 2, _W: -2, _N: -2, _NW: 2}),
)


@lru_cache(maxsize=16)
def simple(axes: int, channels: int) -> Ints:
    """Half weights, (predictors, taps) int64, of a channel that sees 0 to 2 channels before it."""
    parts = (
        [*_SIMPLE_LINE, *_SIMPLE_ACROSS[: min(channels, 1)]]
        if axes == 1
        else [
            *_SIMPLE_PLANE,
            *(_SIMPLE_ACROSS if channels else ()),
            *(_SIMPLE_SOLID if axes > 2 else ()),
            *(_SIMPLE_FOURTH if axes > 3 else ()),
        ]
    )
    here, there = own(axes), across(axes)
    found = np.zeros((len(parts), len(here) + channels * len(there)), np.int64)
    for row, (mine, others) in enumerate(parts):
        for offset, weight in mine.items():
            found[row, here.index(offset)] = weight
        for offset, weight in others.items():
            found[row, len(here) + there.index(offset)] = weight
    return found


def start(axes: int, channels: int, one: int) -> Ints:
    """The filters' first weights, where `one` is 1: W for one axis, three quarters W and N less half NW for more."""
    found = np.zeros(len(own(axes)) + channels * len(across(axes)), np.int64)
    found[:3] = (one, 0, 0) if axes == 1 else (3 * one // 4, 3 * one // 4, -one // 2)
    return found
