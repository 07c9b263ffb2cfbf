"""What a bit should weigh for a rate, guessed from the signal before there is anything to measure. Encoder only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LEVELS = 7
_SHARE = 0.28
"""Of the distortion that reverse water-filling leaves to a coefficient, what a bit weighs: .2 to .33 on photographs."""
_EXCERPT = 1024
"""Samples along an axis that are looked at, at most; of larger signals those in the middle."""


def first_tradeoff(values: NDArray[np.float32], bits_per_sample: float) -> float:
    """The weight of a bit per sample, in units of the variance of values (*shape, c), for a rate, roughly.

    The distortion to which Haar coefficients are rounded at that rate, by reverse water-filling (Cover and Thomas,
    "Elements of Information Theory", section 10.3.3), each a Gaussian of its own square.
    """
    part = values[tuple(slice((n - min(n, _EXCERPT)) // 2, (n + min(n, _EXCERPT)) // 2) for n in values.shape[:-1])]
    samples = part.size / part.shape[-1]
    squares = _haar(part.astype(np.float64)) ** 2
    low, high = 1e-12, float(max(squares.max(initial=0.0), 1e-9))
    for _ in range(40):
        middle = (low * high) ** 0.5
        if 0.5 * np.log2(np.maximum(squares / middle, 1)).sum() > bits_per_sample * samples:
            low = middle
        else:
            high = middle
    return float(min(max(_SHARE * high, 1e-8), 10.0))


def _haar(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The coefficients of all levels, one after the other."""
    found = list[NDArray[np.float64]]()
    for _ in range(_LEVELS):
        for axis in range(values.ndim - 1):
            half = values.shape[axis] // 2
            if half:
                pairs = np.moveaxis(values, axis, 0)[: 2 * half]
                one, other = pairs[0::2], pairs[1::2]
                found.append(((one - other) / np.sqrt(2)).ravel())
                values = np.moveaxis((one + other) / np.sqrt(2), 0, axis)
    return np.concatenate([*found, values.ravel()])
