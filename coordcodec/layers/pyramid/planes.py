"""Latents in memory as the loops of a fit need them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Floats
from coordcodec.layers.pyramid.geometry import four, neighbours
from coordcodec.specs.pyramid import PyramidSpec

_RUN = 4096
"""Latents of a run at most."""
_BAND, _BANDS = 16384, 8
"""Latents of a band at least, and bands of a level at most."""


class Planes:
    """A level's latents.

    latents: (n,) float32, in the order of the level's array. plane, back, back_above: flat, with margins: as rounded
    softly, the gradients as latents and neighbours, and as parents. slopes: (n,), of the soft rounding. runs: (runs, 3)
    where runs of latents begin in `plane`, their length, where they begin along the last axis. above: (runs, axes)
    where the parents of their rows begin. halved: along the last axis. shifts: of neighbours in `plane`. bands: (first,
    last) runs of each; every other one can be computed at a time. count: steps of Adam.
    """

    def __init__(self, spec: PyramidSpec, level: int, parent: Planes | None) -> None:
        axes, self.shape = len(spec.shape), four(spec.level_shape(level))
        offsets = neighbours(axes, spec.neighbours)
        reach = np.abs(np.array(offsets)).max(0)
        self.margin = [max(int(reach[k]), 1) if k >= 4 - axes else 0 for k in range(4)]
        sides = [n + 2 * m for n, m in zip(self.shape, self.margin, strict=True)]
        self.steps = np.array([prod(sides[k + 1 :]) for k in range(4)], np.int64)
        self.shifts = np.array([np.dot(o, self.steps) for o in offsets], np.int64)
        self.plane, self.back, self.back_above = (np.zeros(prod(sides), np.float32) for _ in range(3))
        self.latents, self.slopes, self.first, self.second = (np.zeros(prod(self.shape), np.float32) for _ in range(4))
        self.count, self.usual = 0, 0.0
        self.halved, self.runs, self.above = 0, *self._runs(spec, level, parent)
        if parent is not None:
            self.halved = spec.halved[level] >> (axes - 1) & 1
        self.bands = self._bands(0 if parent is None else int(parent.steps.max()) + 1)

    def _runs(
        self, spec: PyramidSpec, level: int, parent: Planes | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        axes, width = len(spec.shape), self.shape[3]
        rows = np.indices(self.shape[:3]).reshape(3, -1).T
        starts = np.arange(0, width, _RUN)
        begin = (rows + np.array(self.margin[:3])) @ self.steps[:3] + self.margin[3]
        runs = np.stack(
            np.broadcast_arrays(begin[:, None] + starts, np.minimum(_RUN, width - starts), starts), -1
        ).reshape(-1, 3)
        if parent is None:
            return runs.astype(np.int64), np.zeros((len(runs), axes), np.int64)
        bits = four(tuple(spec.halved[level] >> k & 1 for k in range(axes)))
        halves = [bits[k] if k >= 4 - axes else 0 for k in range(3)]
        places = rows >> np.array(halves)
        base = (places + np.array(parent.margin[:3])) @ parent.steps[:3] + parent.margin[3]
        found = [base]
        for k in range(4 - axes, 3):
            side = np.where((rows[:, k] & 1 == 1) | (halves[k] == 0), 1, -1)
            found.append(base + side * parent.steps[k])
        return runs.astype(np.int64), np.repeat(np.stack(found, 1), len(starts), 0).astype(np.int64)

    def _bands(self, parent_reach: int) -> list[tuple[int, int]]:
        """As many as can be, such that those with one between them write to different latents."""
        reach = int(np.abs(self.shifts).max())
        for count in range(min(_BANDS, max(1, self.latents.size // _BAND), len(self.runs)), 1, -1):
            cuts = [len(self.runs) * k // count for k in range(count + 1)]
            own, above = self.runs[:, 0], self.above[:, 0] + self.runs[:, 2]
            apart = all(own[cuts[k + 1]] - own[cuts[k]] > reach for k in range(1, count - 1))
            clear = all(above[cuts[k + 1]] - above[cuts[k]] > 2 * parent_reach + _RUN for k in range(1, count - 1))
            if apart and (clear or not self.above.any()):
                return [*itertools.pairwise(cuts)]
        return [(0, len(self.runs))]

    def inside(self, flat: Floats) -> Floats:
        """A flat array without its margins: (*shape)."""
        sides = [n + 2 * m for n, m in zip(self.shape, self.margin, strict=True)]
        return flat.reshape(sides)[tuple(slice(m, m + n) for n, m in zip(self.shape, self.margin, strict=True))]


def all_planes(spec: PyramidSpec) -> list[Planes]:
    """Those of all levels that have latents, from fine to coarse."""
    found, parent = list[Planes](), None
    for level in reversed(spec.levels):
        parent = Planes(spec, level, parent)
        found.append(parent)
    return found[::-1]


def filled(array: NDArray[Any], rows: int) -> Floats:
    """A matrix with zeros up to a multiple of 4 rows and an even number of columns, or of `rows` rows; or a vector."""
    rows = max(rows, -(-len(array) // 4) * 4)
    out = np.zeros((rows, *(n + n % 2 for n in array.shape[1:])), np.float32)
    out[tuple(slice(n) for n in array.shape)] = array
    return out


def total(arrays: Sequence[Sequence[Floats]]) -> list[Floats]:
    """The sums of several lists of arrays, one after the other."""
    found = [array.copy() for array in arrays[0]]
    for more in arrays[1:]:
        for own, other in zip(found, more, strict=True):
            np.add(own, other, out=own)
    return found
