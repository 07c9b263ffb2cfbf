"""Cut a domain into boxes, and find the boxes of a coordinate.

A signal too large for one network is cut by the core, never by a plugin: into equal boxes along the axes, each
with a network of its own. One box is the common case and costs no byte. Boxes may reach a little into their
neighbours, where the field fades from one network to the other; and each may have a gain, so that a quiet part is
fitted as well as a loud one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Coords, Floats, Grid, Signal

POINTS_PER_PART = 1 << 20
"""A grid with more points than this is cut: one network this side of it is the better file, beyond it too slow."""

MARGINS = 256
"""A margin is stored as a whole number of 256ths of a box's side; less than half a side."""

GAINS = 8
"""Gains per factor of two: gain g stands for 2^(-g / 8), 0.75 dB apart, down to -191 dB."""


@dataclass(frozen=True)
class Cover:
    """Some boxes' share of coordinates.

    points: which of the coordinates, indices (m,) or all. boxes: their number (m,). local: the coordinates within
    their box (m, d). weights: the share of that box in the value (m, 1), in all 1 for each coordinate.
    """

    points: NDArray[np.int64] | slice
    boxes: NDArray[np.int64]
    local: Floats
    weights: Floats


@dataclass(frozen=True)
class Partition:
    """Equal boxes that tile [-1, 1]^d.

    counts: boxes per axis, (d,), each >= 1. Boxes are numbered with the last axis running fastest.
    margin: how far a box reaches beyond its sides into its neighbours, in 256ths of its side, 0 to 127.
    """

    counts: tuple[int, ...]
    margin: int = 0

    @staticmethod
    def of(grid: Grid, most: int = POINTS_PER_PART, margin: int = 0) -> Partition:
        """As few boxes, as close to cubes, as hold at most `most` points of `grid` each; no margin for one box."""
        counts = [1] * grid.dims
        while math.prod(math.ceil(n / c) for n, c in zip(grid.shape, counts, strict=True)) > most:
            longest = max(range(grid.dims), key=lambda k: grid.shape[k] / counts[k])
            # In one step where there is one axis: a sound of hours has thousands of boxes.
            counts[longest] = math.ceil(grid.shape[longest] / most) if grid.dims == 1 else counts[longest] + 1
        return Partition(tuple(counts), margin if math.prod(counts) > 1 else 0)

    def __len__(self) -> int:
        return math.prod(self.counts)

    def _position(self, k: int, coords: Coords) -> NDArray[np.float64]:
        """Coordinates along axis k in sides of a box, from 0."""
        return (coords.astype(np.float64) + 1) * (self.counts[k] / 2)

    def locate_axis(self, k: int, coords: Coords) -> tuple[NDArray[np.int64], Floats]:
        """Along axis k: the box index of each coordinate (n,), and the coordinate within its box, in [-1, 1]."""
        count = self.counts[k]
        if count == 1:
            return np.zeros(len(coords), np.int64), coords.astype(np.float32)
        position = self._position(k, coords)
        index = np.clip(np.floor(position), 0, count - 1).astype(np.int64)
        return index, ((position - index) * 2 - 1).astype(np.float32)

    def locate(self, coords: Coords) -> tuple[NDArray[np.int64], Floats]:
        """The box of each of n coordinates (n, d): its number (n,), and the coordinates within it (n, d)."""
        axes = [self.locate_axis(k, coords[:, k]) for k in range(coords.shape[1])]
        return self._number([index for index, _ in axes]), np.stack([local for _, local in axes], axis=1)

    def _number(self, index: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        number = np.zeros(len(index[0]), np.int64)
        for count, i in zip(self.counts, index, strict=True):
            number = number * count + i
        return number

    def covers(self, coords: Coords) -> Iterator[Cover]:
        """All boxes that have a share in n coordinates (n, d): first each one's own box, then its neighbours."""
        own = [self.locate_axis(k, coords[:, k]) for k in range(coords.shape[1])]
        sides = [[(*place, np.ones(len(coords), np.float32))] for place in own]
        if self.margin:
            sides = [self._sides(k, *place) for k, place in enumerate(own)]
        for choice in itertools.product(*sides):
            weights = math.prod(weight for _, _, weight in choice)
            assert isinstance(weights, np.ndarray)
            points = np.flatnonzero(weights) if self.margin else slice(None)
            local = np.stack([local[points] for _, local, _ in choice], axis=1)
            yield Cover(points, self._number([i[points] for i, _, _ in choice]), local, weights[points, None])

    def _sides(self, k: int, index: NDArray[np.int64], local: Floats) -> list[tuple[NDArray[np.int64], Floats, Floats]]:
        """Along axis k: index, coordinate within, and weight, of each coordinate's own box and of its neighbour."""
        if self.counts[k] == 1:
            return [(index, local, np.ones(len(local), np.float32))]
        toward = np.where(local < 0, -1, 1)
        other = index + toward
        # From 0 at the edge that is shared to 1 where the neighbour's reach ends.
        depth = (1 - np.abs(local)) * (MARGINS / 2 / self.margin)
        shared = (other >= 0) & (other < self.counts[k]) & (depth < 1)
        weight = np.where(shared, (1 + depth) / 2, 1).astype(np.float32)
        neighbour = np.clip(other, 0, self.counts[k] - 1)
        return [(index, local, weight), (neighbour, (local - 2 * toward).astype(np.float32), 1 - weight)]

    def windows(self, grid: Grid) -> Iterator[Grid]:
        """The windows of `grid` that each box covers, margins included, in the order of their numbers."""
        reach = self.margin / MARGINS
        bounds = []
        for k in range(grid.dims):
            position = self._position(k, grid.axis(k))
            lower = np.arange(self.counts[k]) - reach
            starts = np.searchsorted(position, lower, side="left")
            stops = np.searchsorted(position, lower + 1 + 2 * reach, side="left")
            stops[-1] = grid.shape[k]
            bounds.append([(int(a), int(b)) for a, b in zip(starts, stops, strict=True)])
        for number in range(len(self)):
            place = np.unravel_index(number, self.counts)
            yield grid.window([bounds[k][i] for k, i in enumerate(place)])

    def within(self, number: int, window: Grid, k: int) -> Floats:
        """The coordinates along axis k of a box's window, within that box."""
        if self.counts[k] == 1:
            return window.axis(k).astype(np.float32)
        index = np.unravel_index(number, self.counts)[k]
        return ((self._position(k, window.axis(k)) - index) * 2 - 1).astype(np.float32)


def gain_of(code: int) -> float:
    """The factor that a gain's code, 0 to 255, stands for."""
    return float(2.0 ** (-code / GAINS))


def gain_codes(signal: Signal, partition: Partition) -> bytes:
    """The code of the smallest gain that each part's largest value fits into, a byte per part."""
    if isinstance(signal.coords, Grid):
        lattice = signal.values.reshape(*signal.coords.shape, signal.channels)
        peaks = [float(np.abs(lattice[window.place]).max()) for window in partition.windows(signal.coords)]
    else:
        peaks = [0.0] * len(partition)
        for cover in partition.covers(signal.coords):
            own = np.zeros(len(partition), np.float32)
            np.maximum.at(own, cover.boxes, np.abs(signal.values[cover.points]).max(1))
            peaks = [max(a, float(b)) for a, b in zip(peaks, own, strict=True)]
    return bytes(min(255, max(0, math.floor(-GAINS * math.log2(max(peak, 1e-60))))) for peak in peaks)
