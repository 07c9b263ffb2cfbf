"""What the coder has learned so far of a tile."""

from __future__ import annotations

from functools import cache
from typing import Any

from coordcodec.stream.grid import start, tables


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

        self.model: tuple[Any, ...] = tuple(native(part.copy()) for part in start.parts(model))
        self.tables = _fixed()

    @classmethod
    def blank(cls) -> GridState:
        """A state that knows nothing, to learn a start with."""
        from coordcodec.stream.grid.jit import native

        state = object.__new__(cls)
        state.model = tuple(native(part) for part in start.blank())
        state.tables = _fixed()
        return state

    def copy(self) -> GridState:
        """A state that goes on from here on its own: for trials."""
        other = object.__new__(GridState)
        other.model = tuple(part.copy() for part in self.model)
        other.tables = self.tables
        return other
