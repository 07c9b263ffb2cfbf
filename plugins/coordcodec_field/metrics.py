"""How close decoded samples come to the original."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Bools

MOST_DB = 200.0
_SLICE = 1 << 20
Doubles = NDArray[np.float64]


def scores(original: NDArray[Any], decoded: NDArray[Any], known: Bools | None) -> dict[str, float | None]:
    """Of n samples that are known: "psnr_db", the range against the mean squared error, at most MOST_DB, None where
    the range is nothing; "rmse" and "max_error" in the samples' unit."""
    most, count, low, high = 0.0, 0, math.inf, -math.inf
    for theirs, ours in _slices(original, decoded, known):
        low, high = min(low, float(theirs.min())), max(high, float(theirs.max()))
        most, count = max(most, float(np.abs(ours - theirs).max())), count + len(theirs)
    # In units of the largest error: numbers such as 1e200 or 1e-200 have no squares.
    squares = 0.0
    for theirs, ours in _slices(original, decoded, known) if most > 0 else ():
        squares += float((((ours - theirs) / most) ** 2).sum())
    rmse, span = most * math.sqrt(squares / max(count, 1)), high - low
    psnr = None
    if span > 0:
        psnr = min(MOST_DB, 20 * (math.log10(span) - math.log10(rmse))) if rmse > 0 else MOST_DB
    return {"psnr_db": psnr, "rmse": rmse, "max_error": most}


def _slices(original: NDArray[Any], decoded: NDArray[Any], known: Bools | None) -> Iterator[tuple[Doubles, Doubles]]:
    """What is known of both, a slice at a time."""
    for start in range(0, len(original), _SLICE):
        part = slice(start, start + _SLICE)
        here = slice(None) if known is None else known[part]
        theirs, ours = original[part][here].astype(np.float64), decoded[part][here].astype(np.float64)
        if len(theirs):
            yield theirs, ours
