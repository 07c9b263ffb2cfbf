"""The field of a file: the sum of its layers' fields, NaN where no sample is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from coordcodec.clock import Progress
from coordcodec.data import Coords, Field, Floats, Grid, SampleType, on_grid, sample
from coordcodec.errors import ContainerError
from coordcodec.mask import Mask


def _check_finite(values: NDArray[Any], coords: Coords | None = None) -> None:
    """Raise ContainerError unless values are finite, at least at those coordinates that lie in the domain."""
    if np.isfinite(values).all():
        return
    inside = slice(None) if coords is None else (np.abs(coords) <= 1).all(axis=1)
    if not np.isfinite(values[inside]).all():
        raise ContainerError("damaged file: its field is not a finite number everywhere")


@runtime_checkable
class ExactField(Protocol):
    """A layer's field that decodes to the same numbers everywhere at the samples of some grids."""

    def holds(self, grid: Grid) -> bool:
        """Whether it has all samples of a grid."""
        ...

    def exact_on(self, grid: Grid) -> NDArray[np.float64]:
        """Its values there, (n, c) float64."""
        ...


@dataclass
class SumField:
    """A decoded function: (n, d) coordinates in [-1, 1] -> (n, c) float32 values.

    layers: their fields. mask: which samples are known; None: all. progress: called with ("decode", points so far, 0).
    spend: called with how many points are evaluated next; refuses what takes too long.
    """

    layers: Sequence[Field]
    mask: Mask | None = None
    progress: Progress | None = None
    done: int = 0
    spend: Callable[[int], None] | None = None

    def __call__(self, coords: Coords) -> Floats:
        """The values at coordinates.

        Raises ValueError for coordinates of another shape, ContainerError for a damaged file whose field is not finite.
        """
        self._report(len(coords))
        with np.errstate(over="ignore", invalid="ignore"):
            values = self.layers[0](coords)
            for layer in self.layers[1:]:
                values = values + layer(coords)
        _check_finite(values, coords)
        if self.mask:
            values[~self.mask.at(coords)] = np.nan
        return values

    def on_grid(self, grid: Grid) -> Floats:
        """The values on a grid, (n, c) float32, in the grid's order.

        On the signal's own grid, or a window of it, exactly what was decoded, without interpolation.
        """
        if len(self.layers) == 1 and not hasattr(self.layers[0], "on_grid"):  # slices keep memory small
            return np.concatenate([values for _, values in sample(self, grid)])
        self._report(len(grid))
        with np.errstate(over="ignore", invalid="ignore"):
            values = on_grid(self.layers[0], grid)
            for layer in self.layers[1:]:
                values = values + on_grid(layer, grid)
        _check_finite(values)
        self._hide(values, grid)
        return values

    def samples_on(self, grid: Grid, kind: SampleType, fill: float | None = None) -> NDArray[Any]:
        """The samples on a grid, (n, c); where all layers are exact on it, without a detour over float32."""
        layers: list[Any] = list(self.layers)
        if not all(isinstance(layer, ExactField) and layer.holds(grid) for layer in layers):
            return kind.samples(self.on_grid(grid), fill)
        self._report(len(grid))
        found: NDArray[Any] | None = None
        for part, window in grid.strips():
            exact = [layer.exact_on(window) for layer in layers]
            with np.errstate(over="ignore", invalid="ignore"):
                values = sum(exact[1:], exact[0])
            _check_finite(values)
            self._hide(values, window)
            samples = kind.samples(values, fill)
            found = np.empty((len(grid), samples.shape[1]), samples.dtype) if found is None else found
            found[part] = samples
        assert found is not None
        return found

    def _hide(self, values: NDArray[Any], grid: Grid) -> None:
        """Make those on a grid NaN that are not known."""
        if self.mask:
            for part, coords in grid.slices():
                values[part][~self.mask.at(coords)] = np.nan

    def _report(self, points: int) -> None:
        if self.spend:
            self.spend(points)
        if self.progress:
            self.done += points
            self.progress("decode", self.done, 0)
