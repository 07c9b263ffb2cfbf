"""What the coder has learned so far of a tile."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from coordcodec.stream.grid import layout as at
from coordcodec.stream.grid import tables

IntArray = npt.NDArray[np.int32]


def blank() -> tuple[IntArray, IntArray, IntArray]:
    """A state that knows nothing: probabilities of one half, equal weights, maps that change nothing."""
    probabilities = np.full(at.PROBABILITIES, 1 << 29, np.int32)
    weights = np.zeros(at.WEIGHTS, np.int32)
    sets = weights[: at.SETS * at.INPUTS].reshape(at.SETS, at.INPUTS)
    sets[:, : at.MODELS] = at.UNIT * 18 // 100
    sets[at.SIGN_SET] = at.UNIT * 2 // 5
    squash = tables.squash()
    steps = [int(squash[min(128 * j - 2048, 2047) + at.REACH]) << 6 for j in range(at.STEPS)]
    maps = np.tile(np.array(steps, np.int32), at.MAPS // at.STEPS)
    return probabilities, weights, maps


@cache
def _fixed() -> tuple[Any, ...]:
    from coordcodec.stream.grid.jit import native

    made = (tables.squash(), tables.stretch(), tables.logs(), tables.rates(), tables.costs())
    return tuple(native(table) for table in made)


class GridState:
    """The adaptive state of one tile: probabilities, weights and maps. It goes on from chunk to chunk.

    `model` is the number of a built-in start: 0 for anything, 1 sound, 2 pictures, 3 fields. Raises ContainerError for
    a number that is not known, since it comes out of a file.
    """

    def __init__(self, model: int = 0) -> None:
        from coordcodec.stream.grid.jit import native  # Numba, which not every start needs

        self.model: tuple[Any, ...] = tuple(native(part.copy()) for part in blank())
        self.tables = _fixed()

    def copy(self) -> GridState:
        """A state that goes on from here on its own: for trials."""
        other = object.__new__(GridState)
        other.model = tuple(part.copy() for part in self.model)
        other.tables = self.tables
        return other
