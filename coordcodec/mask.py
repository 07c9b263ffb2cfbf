"""Which samples of a grid are known. NumPy only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError
from coordcodec.grid import Coords, Grid

Bools = NDArray[np.bool_]

MAX_BITS = 1 << 28
"""A mask that is stored has at most so many bits, along the axes where it changes."""


@dataclass(frozen=True, eq=False)
class Mask:
    """Which samples of a grid are known.

    grid: the whole lattice. known: bool of its shape, or with one sample along axes where nothing changes, so that a
    coastline takes no memory for each time step.
    """

    grid: Grid
    known: Bools

    @staticmethod
    def of(grid: Grid, flat: Bools) -> Mask | None:
        """The mask of a grid's samples, (n,) bool; None if all are known.

        Raises SignalError when none is, or when it changes along so many samples that no file could hold it.
        """
        if flat.all():
            return None
        if not flat.any():
            raise SignalError("no sample is known: the mask leaves out all of them")
        known = flat.reshape(grid.shape)
        for k in range(grid.dims):
            first = known.take([0], k)
            if bool((known == first).all()):
                known = first
        if known.size > MAX_BITS:
            raise SignalError(f"a mask of {known.size} samples is too large, a file holds {MAX_BITS}")
        return Mask(grid, np.ascontiguousarray(known))

    def at(self, coords: Coords) -> Bools:
        """Whether the sample nearest to each of n coordinates (n, d) is known, (n,)."""
        index = self.grid.nearest(coords)
        return np.asarray(self.known[tuple(0 if n == 1 else i for i, n in zip(index, self.known.shape, strict=True))])

    def full(self) -> Bools:
        """For all samples, (n,) bool."""
        return np.broadcast_to(self.known, self.grid.shape).reshape(-1)

    @property
    def unknown(self) -> int:
        """How many samples of the grid are not known."""
        return (self.known.size - int(np.count_nonzero(self.known))) * (len(self.grid) // self.known.size)

    @property
    def axes(self) -> int:
        """Bit k is set if nothing changes along axis k."""
        sides = zip(self.known.shape, self.grid.shape, strict=True)
        return sum(1 << k for k, (own, whole) in enumerate(sides) if own < whole)


def known_of(sources: Sequence[Any], mask: Any, points: int) -> Bools | None:
    """Which of so many samples are known, (points,); None if all are.

    sources: arrays (points, c) or None. A sample is not known where one is NaN, where a MaskedArray hides it, and where
    mask, (points,) bool or None, is False. Raises SignalError for another mask, and when no sample is known.
    """
    known = None
    for source in sources:
        array = np.asarray(source)
        if source is None or len(array) != points or not array.size:
            continue  # who asks says what is wrong
        hidden = [np.ma.getmaskarray(source)] if np.ma.is_masked(source) else []
        if array.dtype.kind == "f" and math.isnan(array.min()):  # which a single NaN makes it
            hidden.append(np.isnan(array))
        for where in hidden:
            left = ~where.reshape(points, -1).any(axis=1)
            known = left if known is None else known & left
    if mask is not None:
        given = np.asarray(mask)
        if given.dtype != np.bool_ or given.shape != (points,):
            raise SignalError(f"mask must be bool of shape ({points},), got {given.dtype} of shape {given.shape}")
        known = given if known is None else known & given
    if known is None or known.all():
        return None
    if not known.any():
        raise SignalError("no sample is known: all are NaN or left out by the mask")
    return np.asarray(known)


def reduced(shape: tuple[int, ...], axes: int) -> tuple[int, ...]:
    """A grid's shape with one sample along the axes whose bit is set."""
    return tuple(1 if axes >> k & 1 else n for k, n in enumerate(shape))


def bits_of(shape: tuple[int, ...], axes: int) -> int:
    """How many bits of a mask are stored."""
    return math.prod(reduced(shape, axes))
