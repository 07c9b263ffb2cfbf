"""How close decoded samples come to the original."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Bools

MOST_DB = 200.0
_SLICE = 1 << 20


def scores(original: NDArray[Any], decoded: NDArray[Any], known: Bools | None) -> dict[str, float | None]:
    """Of n samples that are known: "psnr_db", the range against the mean squared error, at most MOST_DB, None where
    the range is nothing; "rmse" and "max_error" in the samples' unit."""
    squares, most, count = 0.0, 0.0, 0
    low, high = math.inf, -math.inf
    for start in range(0, len(original), _SLICE):
        part = slice(start, start + _SLICE)
        here = slice(None) if known is None else known[part]
        theirs, ours = original[part][here].astype(np.float64), decoded[part][here].astype(np.float64)
        if not len(theirs):
            continue
        low, high = min(low, float(theirs.min())), max(high, float(theirs.max()))
        error = np.abs(ours - theirs)
        most, count = max(most, float(error.max())), count + len(error)
        squares += float((error**2).sum())
    rmse, span = math.sqrt(squares / max(count, 1)), high - low
    psnr = None
    if span > 0:
        psnr = min(MOST_DB, 20 * math.log10(span / rmse)) if rmse > 0 else MOST_DB
    return {"psnr_db": psnr, "rmse": rmse, "max_error": most}
