"""Fill unknown samples smoothly, so that a transform spends little on them. Encoder only: a decoder drops those
samples.

Averages of known samples go down a pyramid of halved arrays until one is known; on the way up unknown samples take the
coarser array's values and are relaxed towards the mean of their neighbours.

Sources: Gortler, Grzeszczuk, Szeliski and Cohen, "The lumigraph" (1996), section 4 (push and pull); relaxation is
Jacobi's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def fill(values: Floats, known: Bools, periodic: Sequence[bool] = (), rounds: int = 8) -> Floats:
    """A copy of `values`, float64 of (n0, .., nk, channels), with smooth values where `known`, (n0, .., nk), is False.

    Unknown values may be anything, NaN too. periodic: per axis; none if left out. rounds: of relaxation on each
    level. With no known sample all become zero. Raises ValueError if the shapes do not fit.
    """
    if values.shape[:-1] != known.shape:
        raise ValueError(f"the mask of {known.shape} does not fit values of {values.shape}")
    circles = tuple(periodic) or (False,) * known.ndim
    found = np.where(known[..., None], values, 0.0)
    if known.all():
        return found
    if known.any():
        _fill(found, known, circles, rounds)
    return found


def _fill(found: Floats, known: Bools, circles: tuple[bool, ...], rounds: int) -> None:
    """Fill in place; unknown samples are zero."""
    totals, counts = found, known.astype(np.float64)
    for axis, n in enumerate(known.shape):
        if n > 1:
            totals, counts = _pairs(totals, axis), _pairs(counts, axis)
    coarse_known = counts > 0
    coarse = totals / np.maximum(counts, 1)[..., None]
    if not coarse_known.all():
        # An odd circle's halves do not close as evenly; only smoothness depends on it.
        _fill(coarse, coarse_known, circles, rounds)
    for axis, n in enumerate(known.shape):
        if n > 1:
            coarse = np.repeat(coarse, 2, axis)[(*(slice(None),) * axis, slice(n))]
    unknown = ~known
    found[unknown] = coarse[unknown]
    for _ in range(rounds):
        found[unknown] = _neighbours(found, circles)[unknown]


def _pairs(array: Floats, axis: int) -> Floats:
    """Sums of two along an axis; the last one may stand alone."""
    first = array[(*(slice(None),) * axis, slice(0, None, 2))].copy()
    second = array[(*(slice(None),) * axis, slice(1, None, 2))]
    first[(*(slice(None),) * axis, slice(second.shape[axis]))] += second
    return first


def _neighbours(array: Floats, circles: tuple[bool, ...]) -> Floats:
    """The mean of the two neighbours along every axis; at an open end a sample is its own neighbour."""
    total = np.zeros_like(array)
    count = 0
    for axis, circle in enumerate(circles):
        n = array.shape[axis]
        if n == 1:
            continue
        count += 2
        for step in (-1, 1):
            place = np.arange(n) + step
            total += np.take(array, place % n if circle else np.clip(place, 0, n - 1), axis)
    return total / max(count, 1)
