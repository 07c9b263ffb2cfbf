"""The fixed tables of the grid coder, all of them computed in whole numbers.

Logistic mixing works on stretch(p) = ln(p / (1 - p)), here in units of 1/256, and on its inverse, squash (M. Mahoney,
"Adaptive weighing of context models for lossless data compression", 2005). Both are tables of integers, so that every
machine has the same ones.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from coordcodec.stream.grid import layout as at

IntArray = npt.NDArray[np.int32]
_ONE = 1 << 96
"""Fixed point for what follows, wide enough that no rounding shows."""


def _exponentials(last: int) -> list[int]:
    """e^(i / 256) for i = 0..last, in fixed point."""
    step, term = _ONE, _ONE
    for n in range(1, 40):
        term = term // (256 * n)
        step += term
    powers = [_ONE]
    for _ in range(last):
        powers.append(powers[-1] * step // _ONE)
    return powers


@cache
def squash() -> IntArray:
    """Probability in 1/65536 of stretch x at index x + at.REACH; (2 * at.REACH,) int32 in 16..65520."""
    powers = _exponentials(at.REACH)
    above = [(p * 65536 + (_ONE + p) // 2) // (_ONE + p) for p in powers]
    below = [65536 - p for p in above[:0:-1]]
    return np.clip(np.array(below + above[:-1], np.int32), at.LEAST, 65536 - at.LEAST)


@cache
def stretch() -> IntArray:
    """Stretch of the probability (i + 1/2) / 4096, at index i; (4096,) int32."""
    powers = _exponentials(at.REACH)
    found, x = [], 0
    for i in range(2048, 4096):
        odds = _ONE * (2 * i + 1) // (8191 - 2 * i)
        while x + 1 < at.REACH and powers[x + 1] <= odds:
            x += 1
        found.append(x)
    return np.array([-x for x in found[::-1]] + found, np.int32)


def _classes(per_octave: int, size: int) -> list[int]:
    """Dense classes of 0..size-1: a new one starts wherever floor(per_octave * log2(x)) changes."""
    classes, last, known = [0], -1, 0
    for x in range(1, size):
        level = (x**per_octave).bit_length() - 1
        known += level != last
        last = level
        classes.append(known)
    return classes


@cache
def logs() -> IntArray:
    """Classes of 0..4095 by size: first two to the octave, then from index 4096 four; (8192,) int32."""
    return np.array(_classes(2, 4096) + _classes(4, 4096), np.int32)


@cache
def rates() -> IntArray:
    """By a probability's age: how far it moves, in 1/65536; then how much it is trusted, in 1/256; (512,) int32."""
    moves = [65536 * 2 // (2 * n + 3) for n in range(256)]
    trust = [256 * (2 * n + 2) // (2 * n + 3) for n in range(256)]
    return np.array(moves + trust, np.int32)


@cache
def costs() -> IntArray:
    """Length in 1/256 bit of a decision of probability (i + 1/2) / 4096, at index i; (4096,) int32."""
    found = []
    for i in range(4096):
        # log2 by squaring: bit_length of p^256 is floor(256 log2 p) + 1
        found.append(256 * 13 - ((2 * i + 1) ** 256).bit_length() + 1)
    return np.array(found, np.int32)
