"""Where on a fine grid the surface of a field can be: coarse to fine, so that most of the grid is never evaluated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Field, Floats
from coordcodec_sdf.meshes import Points

Mask = NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)
Evaluate = Callable[[NDArray[np.int64] | Points], Floats]

_MARGIN, _SLACK = 1.25, 0.05
"""How much steeper than a true distance a field may be, and how far off, without losing a surface."""
_SATURATED = 0.85
"""Values beyond this tell nothing: they may be cut off."""
_EVERY_SPECK = 256
"""Points per axis up to which even specks within a brick are found; bricks of finer grids are smaller than cells of
this one, and only what is crossed, or just beside the surface, is looked at."""
_CORNERS = [(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]


@dataclass(frozen=True)
class Lattice:
    """The points low + spacing * index with 0 <= index < counts, per axis.

    low, spacing: (3,) float64, in coords. counts: points per axis, each >= 2.
    """

    low: Points
    spacing: Points
    counts: tuple[int, int, int]

    @classmethod
    def of(cls, low: Points, high: Points, resolution: int) -> Lattice:
        """`resolution` points along the longest side of a box, about as far apart along the others."""
        size = high - low
        counts = [max(2, round(float(s) / float(size.max()) * (resolution - 1)) + 1) for s in size]
        return cls(low, size / (np.array(counts) - 1), (counts[0], counts[1], counts[2]))

    def coords(self, index: NDArray[np.int64] | Points) -> Points:
        """Indices (n, 3), fractions too -> coords (n, 3); indices past the end give the end."""
        return np.asarray(self.low + self.spacing * np.minimum(index, np.array(self.counts) - 1))

    def evaluated_by(self, field: Field, size: int = 1 << 17) -> Evaluate:
        """A function of indices (n, 3) -> values (n,), which asks the field for at most `size` points at a time.

        Indices may have fractions. What is not a number counts as outside.
        """

        def evaluate(index: NDArray[np.int64] | Points) -> Floats:
            values = np.empty(len(index), np.float32)
            for start in range(0, len(index), size):
                part = slice(start, start + size)
                values[part] = field(self.coords(index[part]).astype(np.float32)).reshape(-1)
            return np.nan_to_num(values, copy=False, nan=1.0, posinf=1.0, neginf=-1.0)

        return evaluate


@dataclass(frozen=True)
class Bricks:
    """The cubes of `step` cells that the surface may cross.

    active: (a, b, c), which do. below: (a, b, c), whether one that does not is inside.
    values: (a + 1, b + 1, c + 1) float32 at their corners, NaN where they were not evaluated.
    """

    step: int
    active: Mask
    below: Mask
    values: Floats


def find_bricks(evaluate: Evaluate, lattice: Lattice, truncation: float) -> Bricks:
    """Refine from the coarsest grid on which a distance cut off at `truncation` still tells something."""
    cell = float(np.linalg.norm(lattice.spacing)) / 2 * _MARGIN / truncation
    finest = 2 if max(lattice.counts) <= 512 else 4  # finer bricks would need too large arrays
    step = 1
    while 2 * step * cell + _SLACK <= _SATURATED and 8 * step < max(lattice.counts):
        step *= 2
    finest = min(step, finest)
    shape = [-(-(n - 1) // step) for n in lattice.counts]
    values = np.full([n + 1 for n in shape], np.nan, np.float32)
    _fill(values, np.ones(shape, bool), step, evaluate)
    near, below = _tested(values, step * cell + _SLACK)
    while step > finest:
        step //= 2
        parents, inherited = _doubled(near), _doubled(below)
        finer = np.full([n + 1 for n in parents.shape], np.nan, np.float32)
        finer[::2, ::2, ::2] = values
        values = finer
        _fill(values, parents, step, evaluate)
        lean = step == finest and max(lattice.counts) > _EVERY_SPECK
        near, below = _tested(values, step * cell / 2 if lean else step * cell + _SLACK)
        near &= parents
        below = np.where(parents, below, inherited)
    return Bricks(step, _followed(near, values, step, evaluate), below, values)


def _doubled(cells: Mask) -> Mask:
    return cells.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)


def _corner_views(lattice: NDArray[Scalar]) -> list[NDArray[Scalar]]:
    """The values at the eight corners of every cell."""
    a, b, c = (n - 1 for n in lattice.shape)
    return [lattice[i : i + a, j : j + b, k : k + c] for i, j, k in _CORNERS]


def _fill(values: Floats, cells: Mask, step: int, evaluate: Evaluate) -> None:
    """Evaluate the corners of some cells, those that are not known yet, into `values`."""
    needed = points_of(cells) & np.isnan(values)
    index = np.argwhere(needed)
    values[needed] = evaluate(index * step)


def points_of(cells: Mask) -> Mask:
    """The corners of some cells (a, b, c): (a + 1, b + 1, c + 1)."""
    points = np.zeros([n + 1 for n in cells.shape], bool)
    for view in _corner_views(points):
        np.logical_or(view, cells, out=view)
    return points


def _tested(values: Floats, reach: float) -> tuple[Mask, Mask]:
    """Whether the surface may cross each cell, and whether its corners are inside; unknown corners are ignored."""
    corners = _corner_views(values)
    nearest = np.full(corners[0].shape, np.inf, np.float32)
    some, every = np.zeros(nearest.shape, bool), np.ones(nearest.shape, bool)
    with np.errstate(invalid="ignore"):
        for corner in corners:
            np.fmin(nearest, np.abs(corner), out=nearest)
            some |= corner < 0
            every &= corner < 0
    return (nearest <= reach) | (some & ~every), every


def _followed(active: Mask, values: Floats, step: int, evaluate: Evaluate) -> Mask:
    """The active bricks and all into which the surface goes on from them, however steep the field is there."""
    while True:
        known, inside = ~np.isnan(values), values < 0
        wanted = active.copy()
        for axis in range(3):
            crossed = _crossed_faces(known, inside, axis)
            first, last = [slice(None)] * 3, [slice(None)] * 3
            first[axis], last[axis] = slice(0, -1), slice(1, None)
            wanted |= crossed[tuple(first)] | crossed[tuple(last)]
        if not (wanted & ~active).any():
            return active
        active = wanted
        _fill(values, active, step, evaluate)


def _crossed_faces(known: Mask, inside: Mask, axis: int) -> Mask:
    """Between the cells along one axis, and before and after them: the faces whose four corners differ in sign."""
    some, every, told = inside, inside, known
    for k in range(3):
        if k != axis:
            some = _pairs(np.logical_or, some, k)
            every = _pairs(np.logical_and, every, k)
            told = _pairs(np.logical_and, told, k)
    return np.asarray(some & ~every & told)


def _pairs(join: np.ufunc, lattice: Mask, axis: int) -> Mask:
    n = lattice.shape[axis]
    return np.asarray(join(lattice.take(range(n - 1), axis), lattice.take(range(1, n), axis)))
