"""Choose the block size of each segment of a lapped transform. Encoder only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.layers.detail.lapped import BLOCKS, Lapped
from coordcodec.layers.threads import each

_SWITCH = 0.002
"""A segment leaves the size that is best overall only for a gain of this share of its cost."""


def segment_costs(
    signal: NDArray[Any], step: float, segment: int = 16384, sizes: Sequence[int] = BLOCKS, window: str = "sine"
) -> NDArray[np.float64]:
    """About how many bits each segment takes in blocks of each size: (sizes, segments).

    signal: (n, channels), real. step: of the quantizer, in the signal's unit. Each magnitude counts what a geometric
    distribution of its neighbours' mean would spend on it: two lower frequencies, three in the block before. A
    stand-in for the real coder, with which the sizes of one segment can be compared.
    """
    n, count = len(signal), -(-len(signal) // segment)

    def costs(size: int) -> list[float]:
        row, last = list[float](), np.zeros((1, size, signal.shape[1]), np.float32)
        for plane in Lapped(n, (size,) * count, segment, window).forward(signal):
            found = np.floor(np.abs(plane * (1 / step)).astype(np.float32) + np.float32(0.36))
            row.append(_bits(found, np.concatenate([last, found[:-1]])))
            last = found[-1:]
        return row

    return np.array(each(costs, sizes))


def _bits(found: NDArray[np.float32], before: NDArray[np.float32]) -> float:
    """About the bits of magnitudes (blocks, size, channels), given those of the blocks before each."""
    mean = 2 * before
    mean[:, :-1] += before[:, 1:]
    mean[:, 1:] += before[:, :-1]
    mean[:, 1:] += 2 * found[:, :-1]
    mean[:, 2:] += found[:, :-2]
    mean *= np.float32(1 / 7)
    mean += np.float32(0.04)
    zero = np.log2(1 + mean)
    bits = zero.sum(dtype=np.float64) + (found * (zero - np.log2(mean))).sum(dtype=np.float64)
    return float(bits + np.count_nonzero(found))


def choose_blocks(
    signal: NDArray[Any], step: float, segment: int = 16384, sizes: Sequence[int] = BLOCKS, window: str = "sine"
) -> tuple[int, ...]:
    """The block size of each segment, by `segment_costs`; the best single size where switching gains next to
    nothing."""
    costs = segment_costs(signal, step, segment, sizes, window)
    single = int(costs.sum(axis=1).argmin())
    best = costs.argmin(axis=0)
    worth = costs.min(axis=0) < costs[single] * (1 - _SWITCH)
    return tuple(int(sizes[row]) for row in np.where(worth, best, single))
