"""Coefficients to integers of a step, and back, by integer arithmetic alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]

OCTAVE = 512
"""Codes of steps for twice the step."""
FINEST = 0
"""The code that stands for steps of one: nothing is rounded."""
COARSEST = 1 + 40 * OCTAVE
SUB = 64
"""A coefficient is given to the coder in so many parts of its step."""
_LARGEST = 1 << 30
_SLICE = 1 << 20


def step_of(code: int, norm: int) -> int:
    """The step of a plane whose basis has this norm, times 2^16; an integer of at least one.

    A code k > 0 is a step of (512 + (k - 1) mod 512) 2^((k - 1) div 512) / 512 for a norm of one.
    """
    if code == FINEST:
        return 1
    octave, part = divmod(code - 1, OCTAVE)
    return max(1, (((OCTAVE + part) << octave) << 7) // norm)


def scaled(coefficients: Ints, step: int) -> NDArray[np.int32]:
    """Coefficients in 64ths of a step, rounded to the nearest, and clipped to int32: encoder only."""
    parts = np.rint(coefficients * (SUB / step))
    return np.clip(parts, -_LARGEST, _LARGEST).astype(np.int32)


def restored(symbols: NDArray[np.int32], step: int, points: tuple[int, int, int]) -> NDArray[np.int64]:
    """The coefficients that symbols stand for, int64.

    points: how far those of magnitude 1, 2, and 3 and above lie from the multiple of the step, in 64ths of it; towards
    zero where they are negative.
    """
    found, offsets = np.empty(symbols.shape, np.int64), np.array([0, *points], np.int64)
    flat, out = symbols.reshape(-1), found.reshape(-1)
    for start in range(0, len(flat), _SLICE):  # the numbers between take much more than those before and after
        part = flat[start : start + _SLICE].astype(np.int64)
        magnitudes = np.abs(part)
        scaled = (magnitudes * SUB + offsets[np.minimum(magnitudes, 3)]) * step
        out[start : start + _SLICE] = np.where(part < 0, -1, 1) * ((scaled + SUB // 2) // SUB)
    return found
