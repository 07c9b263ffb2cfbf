"""About how many bits planes take, without coding them. Encoder only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROUND = 0.2
"""Magnitudes are rounded down but from 1 - 0.2 on, as the coder's own rounding does about."""
_FLOOR = 0.01
"""A mean is at least so large."""
_LARGE = 1 << 22
"""Coefficients of a plane that are estimated at once."""


def bits_of(plane: NDArray[Any], step: int) -> float:
    """The bits of (channels, ...) coefficients in steps: what a geometric distribution of each one's neighbours' mean
    would spend on it, for the two before it along the last axis and the one before it along the axis above.

    Of a large plane a band of rows at a time, each with the row above it.
    """
    if plane.size <= _LARGE or plane.ndim != 3:
        return _bits(plane, step)
    band, total = max(1, _LARGE // (len(plane) * plane.shape[2])), 0.0
    for top in range(0, plane.shape[1], band):
        total += _bits(plane[:, max(0, top - 1) : top + band], step, skipped=min(top, 1))
    return total


def _bits(plane: NDArray[Any], step: int, skipped: int = 0) -> float:
    """The same at once, without the first rows, which are only looked at."""
    found = np.floor(np.abs(plane) * np.float32(1 / step) + np.float32(_ROUND)).astype(np.float32)
    mean = np.zeros_like(found)
    mean[..., 1:] += 2 * found[..., :-1]
    mean[..., 2:] += found[..., :-2]
    if found.ndim > 2:
        mean[..., 1:, :] += 2 * found[..., :-1, :]
        mean[..., 1:, :-1] += found[..., :-1, 1:]
    mean *= np.float32(1 / (6 if found.ndim > 2 else 3))
    mean += np.float32(_FLOOR)
    if skipped:
        found, mean = found[:, skipped:], mean[:, skipped:]
    zero = np.log2(1 + mean)
    bits = zero.sum(dtype=np.float64) + (found * (zero - np.log2(mean))).sum(dtype=np.float64)
    return float(bits + np.count_nonzero(found))


def coded(bits: float, count: int) -> float:
    """The bits that a coder with adaptive contexts makes of an estimate for `count` coefficients.

    Measured on pictures and speech: the fewer bits a coefficient takes, r, the more contexts gain; the estimate is
    close to r + 0.1 r^0.45.
    """
    estimate, found = bits / count, bits / count
    for _ in range(20):
        found = estimate / (1 + 0.1 * max(found, 1e-6) ** -0.55)
    return found * count
