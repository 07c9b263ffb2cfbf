"""Where the latents of a level lie in memory, and which of them are the context of which.

Arrays have four axes here: those of a grid with fewer stand behind axes of one. The last two are a plane, which is
walked in wavefronts: latent (y, x) has its turn at t = x + LEAN * y, those of one turn depend only on earlier turns.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from math import prod
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
    """The offsets of the nearest latents that come before one, in the order of an array, on a grid of `axes` axes.

    By squared distance; of those equally far the one that comes later in that order is the first.
    """
    reach = range(-(MAX_NEIGHBOURS if axes == 1 else REACH), 1 + REACH)
    offsets = itertools.product(*[(0,)] * (4 - axes), *[reach] * axes)
    earlier = [offset for offset in offsets if offset < (0, 0, 0, 0)]
    nearest = sorted(earlier, key=lambda o: (sum(k * k for k in o), [-k for k in o]))
    return tuple((a, b, y, x) for a, b, y, x in nearest[:count])


@dataclass(frozen=True)
class Padded:
    """A level's array as the coder holds it: flat, with zeros between rows, where neighbours beyond an edge are.

    shape: of the level, four axes. margin: the zeros behind each axis; what lies before a row is behind the one before
    it. A level of any shape takes its latents and margins, no more.
    """

    shape: Shape4
    margin: Shape4

    @staticmethod
    def of(spec: PyramidSpec, level: int) -> Padded:
        """That of a level."""
        axes = len(spec.shape)
        reach = np.abs(np.array(neighbours(axes, spec.neighbours))).max(0)
        margin = [max(int(m), 1) if k >= 4 - axes else 0 for k, m in enumerate(reach)]  # parents need 1
        return Padded(four(spec.level_shape(level)), (margin[0], margin[1], margin[2], margin[3]))

    @property
    def sides(self) -> Shape4:
        """The sides of the array with its margins."""
        a, b, y, x = (n + m for n, m in zip(self.shape, self.margin, strict=True))
        return a, b, y, x

    @property
    def front(self) -> int:
        """The zeros before the first latent."""
        return sum(m * s for m, s in zip(self.margin, self.strides(), strict=True))

    @property
    def size(self) -> int:
        """The length of the flat array."""
        return self.front + prod(self.sides)

    def strides(self) -> tuple[int, int, int, int]:
        """By how much the flat index grows along each axis of the level."""
        _, b, y, x = self.sides
        return b * y * x, y * x, x, 1

    @property
    def widest(self) -> int:
        """The most latents of a wavefront."""
        return min(self.shape[2], (self.shape[3] - 1) // LEAN + 1)

    def shifts(self, offsets: tuple[tuple[int, int, int, int], ...]) -> NDArray[np.int64]:
        """What offsets are in flat indices."""
        return np.array([sum(k * s for k, s in zip(o, self.strides(), strict=True)) for o in offsets], np.int64)

    def fill(self, latents: NDArray[Any]) -> NDArray[Any]:
        """The flat array of a level, zero in the margins."""
        flat = np.zeros(self.size, latents.dtype)
        self._inside(flat)[...] = latents.reshape(self.shape)
        return flat

    def empty(self) -> NDArray[np.int32]:
        """A flat array of zeros."""
        return np.zeros(self.size, np.int32)

    def take(self, flat: NDArray[np.int32]) -> NDArray[np.int32]:
        """A level from its flat array, a copy."""
        return self._inside(flat).copy()

    def _inside(self, flat: NDArray[Any]) -> NDArray[Any]:
        return flat[self.front :].reshape(self.sides)[tuple(slice(n) for n in self.shape)]
