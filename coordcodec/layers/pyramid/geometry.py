"""Where the latents of a level lie in memory, and which of them are the context of which.

Arrays have four axes here: those of a grid with fewer stand behind axes of one. The last two are a plane, which is
walked in wavefronts: latent (y, x) has its turn at t = x + LEAN * y, those of one turn depend only on earlier turns. A
plane is held turned, as (t, y), so that a wavefront is one run of memory, with a margin for neighbours beyond the edge.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.specs.pyramid import MAX_NEIGHBOURS, PyramidSpec

Shape4 = tuple[int, int, int, int]
REACH = 3
"""How far the furthest of MAX_NEIGHBOURS neighbours lies along an axis."""
LEAN = REACH + 1
"""A neighbour one row up lies at most REACH to the right: it has its turn before."""


def four(shape: tuple[int, ...]) -> Shape4:
    """A shape with axes of one before it, four in all."""
    padded = (1,) * (4 - len(shape)) + tuple(shape)
    return padded[0], padded[1], padded[2], padded[3]


@lru_cache
def neighbours(axes: int, count: int) -> tuple[tuple[int, int, int, int], ...]:
    """The offsets of the nearest latents that come before one, in the order of an array, on a grid of so many axes.

    By squared distance; of those equally far the one that comes later in that order is the first.
    """
    reach = range(-(MAX_NEIGHBOURS if axes == 1 else REACH), 1 + REACH)
    offsets = itertools.product(*[(0,)] * (4 - axes), *[reach] * axes)
    earlier = [offset for offset in offsets if offset < (0, 0, 0, 0)]
    nearest = sorted(earlier, key=lambda o: (sum(k * k for k in o), [-k for k in o]))
    return tuple((a, b, y, x) for a, b, y, x in nearest[:count])


@dataclass(frozen=True)
class Turned:
    """A level's array as the coder holds it: (outer, turns, rows) with margins, flat.

    shape: of the level, four axes. margin: around every axis that has neighbours.
    """

    shape: Shape4
    margin: Shape4

    @staticmethod
    def of(spec: PyramidSpec, level: int) -> Turned:
        """That of a level."""
        offsets = np.abs(np.array(neighbours(len(spec.shape), spec.neighbours)))
        axes = len(spec.shape)
        margin = [max(int(m), 1) if k >= 4 - axes else 0 for k, m in enumerate(offsets.max(0))]  # parents need 1
        return Turned(four(spec.level_shape(level)), (margin[0], margin[1], margin[2], margin[3]))

    @property
    def turns(self) -> int:
        """Wavefronts of a plane."""
        return self.shape[3] + LEAN * (self.shape[2] - 1)

    @property
    def sides(self) -> Shape4:
        """The sides of the flat array: two outer axes, turns, rows."""
        a, b, y, x = self.margin
        front = x + LEAN * y
        return (
            self.shape[0] + 2 * a,
            self.shape[1] + 2 * b,
            self.turns + 2 * front,
            self.shape[2] + 2 * y,
        )

    def strides(self) -> tuple[int, int, int, int]:
        """By how much the flat index grows along each axis of the level."""
        _, b, t, y = self.sides
        return b * t * y, t * y, LEAN * y + 1, y

    def index(self, at: tuple[int, int, int, int]) -> int:
        """The flat index of a latent."""
        steps = self.strides()
        return sum((k + m) * s for k, m, s in zip(at, self.margin, steps, strict=True))

    def shifts(self, offsets: tuple[tuple[int, int, int, int], ...]) -> NDArray[np.int64]:
        """What offsets are in flat indices."""
        return np.array([sum(k * s for k, s in zip(o, self.strides(), strict=True)) for o in offsets], np.int64)

    def fill(self, latents: NDArray[Any]) -> NDArray[Any]:
        """The flat array of a level, zero in the margins."""
        flat = np.zeros(int(np.prod(self.sides)), latents.dtype)
        flat[self._places()] = latents.reshape(self.shape)
        return flat

    def empty(self) -> NDArray[np.int32]:
        """A flat array of zeros."""
        return np.zeros(int(np.prod(self.sides)), np.int32)

    def take(self, flat: NDArray[np.int32]) -> NDArray[np.int32]:
        """A level from its flat array."""
        return flat[self._places()]

    def _places(self) -> NDArray[np.int64]:
        axes = [(np.arange(n) + m) * s for n, m, s in zip(self.shape, self.margin, self.strides(), strict=True)]
        return np.asarray(sum(np.ix_(*axes)), np.int64)
