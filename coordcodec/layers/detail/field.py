"""What a detail layer decodes to, as a function of coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Coords, Floats, Grid
from coordcodec.layers.detail.tiles import Span
from coordcodec.specs import DetailSpec

Doubles = NDArray[np.float64]
_STRIP = 1 << 23
"""Values that are decoded at a time. Of a strip with few rows most of the work would be its margins."""


class Integers(Protocol):
    """Where a field has its integers from."""

    def box(self, spans: Sequence[Span]) -> NDArray[np.int64]:
        """Those of a box that is not empty, (*its shape, channels)."""
        ...


class Whole:
    """Integers that are all there, (*shape, channels)."""

    def __init__(self, integers: NDArray[np.int64]) -> None:
        self.integers = integers

    def box(self, spans: Sequence[Span]) -> NDArray[np.int64]:
        """See `Integers`."""
        return self.integers[tuple(slice(*span) for span in spans)]


class DetailField:
    """What a layer decodes to, as a function: exact at its own samples, linear between them."""

    def __init__(self, spec: DetailSpec, integers: Integers) -> None:
        self.spec, self.integers = spec, integers
        self.grid = Grid(spec.shape, periodic=spec.periodic)

    def _values(self, integers: NDArray[Any]) -> Doubles:
        values = integers * np.array(self.spec.unit)
        return np.asarray(values + np.array(self.spec.origin) if self.spec.origin else values)

    def __call__(self, coords: Coords) -> Floats:
        """The values at n coordinates (n, d): (n, c) float32."""
        return self.doubles(coords).astype(np.float32)

    def doubles(self, coords: Coords) -> Doubles:
        """The same in float64."""
        total = np.zeros((len(coords), self.spec.channels))
        if not len(coords):
            return total
        corners = [self._corners(k, coords[:, k]) for k in range(len(self.spec.shape))]
        spans = [(int(min(a.min(), b.min())), int(max(a.max(), b.max())) + 1) for a, b, _ in corners]
        integers = self.integers.box(spans)
        for corner in range(1 << len(corners)):
            weight, index = np.ones(len(coords)), []
            for k, (low, high, share) in enumerate(corners):
                up = corner >> k & 1
                weight = weight * (share if up else 1 - share)
                index.append((high if up else low) - spans[k][0])
            total += weight[:, None] * integers[tuple(index)]
        return self._values(total)

    def _corners(self, k: int, along: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64], Doubles]:
        n, circle = self.spec.shape[k], bool(self.grid.periodic[k])
        place = self.grid.places(k, along)
        low = np.minimum(np.floor(place), n - 1).astype(np.int64)
        high = (low + 1) % n if circle else np.minimum(low + 1, n - 1)
        return low, high, place - low

    def on_grid(self, grid: Grid) -> Floats:
        """The values on a grid, (n, c) float32; on the signal's own exactly what was decoded."""
        found = np.empty((len(grid), self.spec.channels), np.float32)
        if self.holds(grid):
            for part, values in self._strips(grid):
                found[part] = values
        else:
            for part, coords in grid.slices():
                found[part] = self(coords)
        return found

    def exact_on(self, grid: Grid) -> Doubles:
        """The values on the signal's own grid or a window of it, (n, c) float64, in the grid's order."""
        assert self.holds(grid)
        found = np.empty((len(grid), self.spec.channels))
        for part, values in self._strips(grid):
            found[part] = values
        return found

    def _strips(self, grid: Grid) -> Iterator[tuple[slice, Doubles]]:
        """The values on a grid that it holds, some of its points at a time."""
        for part, window in grid.strips(_STRIP // self.spec.channels):
            spans = [(place.start, place.stop) for place in window.place]
            yield part, self._values(self.integers.box(spans)).reshape(-1, self.spec.channels)

    def holds(self, grid: Grid) -> bool:
        """Whether a grid is the signal's own or a window of it."""
        return (grid.lattice, grid.periodic) == (self.grid.lattice, self.grid.periodic)
