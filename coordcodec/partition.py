"""Cut a domain into boxes, and find the box of a coordinate.

A signal too large for one network is cut by the core, never by a plugin: into equal boxes along the axes, each
with a network of its own. One box is the common case and costs no byte.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Floats, Grid

POINTS_PER_PART = 1 << 20
"""A grid with more points than this is cut: one network this side of it is the better file, beyond it too slow."""


@dataclass(frozen=True)
class Partition:
    """Equal boxes that tile [-1, 1]^d.

    counts: boxes per axis, (d,), each >= 1. Boxes are numbered with the last axis running fastest.
    """

    counts: tuple[int, ...]

    @staticmethod
    def of(grid: Grid, most: int = POINTS_PER_PART) -> Partition:
        """As few boxes, as close to cubes, as hold at most `most` points of `grid` each."""
        counts = [1] * grid.dims
        while math.prod(math.ceil(n / c) for n, c in zip(grid.shape, counts, strict=True)) > most:
            longest = max(range(grid.dims), key=lambda k: grid.shape[k] / counts[k])
            counts[longest] += 1
        return Partition(tuple(counts))

    def __len__(self) -> int:
        return math.prod(self.counts)

    def locate_axis(self, k: int, coords: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Along axis k: the box index of each coordinate (n,), and the coordinate within its box, in [-1, 1]."""
        count = self.counts[k]
        if count == 1:
            return np.zeros(len(coords), np.int64), coords
        position = (coords.astype(np.float64) + 1) * (count / 2)
        index = np.clip(np.floor(position), 0, count - 1).astype(np.int64)
        return index, ((position - index) * 2 - 1).astype(np.float32)

    def locate(self, coords: Floats) -> tuple[NDArray[np.int64], Floats]:
        """The box of each of n coordinates (n, d): its number (n,), and the coordinates within it (n, d)."""
        number = np.zeros(len(coords), np.int64)
        local = np.empty_like(coords)
        for k in range(coords.shape[1]):
            index, local[:, k] = self.locate_axis(k, coords[:, k])
            number = number * self.counts[k] + index
        return number, local

    def windows(self, grid: Grid) -> Iterator[Grid]:
        """The windows of `grid` that fall into each box, in the order of their numbers."""
        bounds = []
        for k in range(grid.dims):
            index, _ = self.locate_axis(k, grid.axis(k))
            edges = np.searchsorted(index, np.arange(self.counts[k] + 1))
            bounds.append([(int(a), int(b)) for a, b in pairwise(edges)])
        for number in range(len(self)):
            place = np.unravel_index(number, self.counts)
            yield grid.window([bounds[k][i] for k, i in enumerate(place)])
