"""Values of a signal to a layer's integers, and what a layer decodes to back to values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Coords, Floats, Grid, Signal
from coordcodec.errors import RecipeError
from coordcodec.layers.detail.coding import Ints
from coordcodec.layers.detail.planes import basis_of
from coordcodec.layers.detail.quantize import restored, step_of
from coordcodec.layers.detail.rotation import Rotation
from coordcodec.layers.detail.symbols import Detailed
from coordcodec.specs import DetailSpec

Doubles = NDArray[np.float64]


def values_of(signal: Signal, below: Floats | None = None) -> Doubles:
    """A signal's values, (*shape, channels) float64, from its samples where it has them, less what lies below."""
    assert isinstance(signal.coords, Grid)
    kind = signal.sample_type
    if kind is None or signal.samples is None:
        values = signal.values.astype(np.float64)
    else:
        values = (signal.samples.astype(np.float64) - np.array(kind.offset)) / np.array(kind.scale)
    if below is not None:
        values = values - below
    if signal.mask is not None:
        values[~signal.mask] = 0
    return values.reshape(*signal.coords.shape, signal.channels)


def integers_of(values: Doubles, spec: DetailSpec) -> NDArray[np.int64]:
    """The integers nearest to (*shape, channels) values."""
    origin = np.array(spec.origin or (0.0,) * spec.channels)
    return np.asarray(np.rint((values - origin) / np.array(spec.unit)), np.int64)


def decoded(spec: DetailSpec, symbols: Detailed) -> NDArray[np.int64]:
    """What symbols decode to: integers (*shape, channels), equal on every machine unless the basis is lapped."""
    basis = basis_of(spec)
    planes: list[NDArray[Any]] = list(symbols.planes)
    if spec.basis != "identity":
        steps = [step_of(symbols.step, plane.norm) for plane in basis.planes]
        planes = [restored(p, step, symbols.points) for p, step in zip(planes, steps, strict=True)]
    else:
        planes = [unpredicted(spec, plane) for plane in planes]
    rotation = Rotation(spec.rotation, spec.turns)
    found = rotation.inverse(np.ascontiguousarray(basis.synthesise(planes).astype(np.int64)))
    if spec.fraction:
        found = (found + (1 << (spec.fraction - 1))) >> spec.fraction
    if symbols.residual is not None:
        found = found + spec.spacing * np.moveaxis(symbols.residual.astype(np.int64), 0, -1)
    return np.asarray(found, np.int64)


def predicted(spec: DetailSpec, integers: NDArray[np.int64]) -> NDArray[np.int32]:
    """The prediction errors, (channels, *shape), of integers (*shape, channels).

    Raises RecipeError where one is -2^31, which the coder does not have: it takes samples at both ends of 32 bits.
    """
    found = integers.astype(np.int32)
    if spec.predictor != "none":
        from coordcodec.layers.detail import predict  # loads Numba

        found = predict.residual(found, spec.predictor, *spec.limits)
    if int(found.min()) == -(1 << 31):
        raise RecipeError(
            "samples that jump over half the range of 32 bits cannot be kept exactly; use --max-error 0.001%"
        )
    return np.ascontiguousarray(np.moveaxis(found, -1, 0))


def unpredicted(spec: DetailSpec, plane: Ints) -> NDArray[np.int64]:
    """The integers, (channels, *shape), that prediction errors stand for."""
    if spec.predictor == "none":
        return plane.astype(np.int64)
    from coordcodec.layers.detail import predict  # loads Numba

    errors = np.ascontiguousarray(np.moveaxis(plane, 0, -1))
    return np.moveaxis(predict.restore(errors, spec.predictor, *spec.limits), -1, 0).astype(np.int64)


class DetailField:
    """What a layer decodes to, as a function: exact at its own samples, linear between them.

    integers: (*shape, channels).
    """

    def __init__(self, spec: DetailSpec, integers: NDArray[np.int64]) -> None:
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
        corners = [self._corners(k, coords[:, k]) for k in range(len(self.spec.shape))]
        for corner in range(1 << len(corners)):
            weight, index = np.ones(len(coords)), []
            for k, (low, high, share) in enumerate(corners):
                up = corner >> k & 1
                weight = weight * (share if up else 1 - share)
                index.append(high if up else low)
            total += weight[:, None] * self.integers[tuple(index)]
        return self._values(total)

    def _corners(self, k: int, along: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64], Doubles]:
        n, circle = self.spec.shape[k], bool(self.grid.periodic[k])
        place = (np.nan_to_num(np.asarray(along, np.float64), posinf=1, neginf=-1) + 1) / 2
        place = np.mod(place, 1) * n if circle else np.clip(place, 0, 1) * (n - 1)
        low = np.minimum(np.floor(place), n - 1).astype(np.int64)
        high = (low + 1) % n if circle else np.minimum(low + 1, n - 1)
        return low, high, place - low

    def on_grid(self, grid: Grid) -> Floats:
        """The values on a grid, (n, c) float32; on the signal's own exactly what was decoded."""
        found = np.empty((len(grid), self.spec.channels), np.float32)
        if self.holds(grid):
            found[:] = self.exact_on(grid)
        else:
            for part, coords in grid.slices():
                found[part] = self(coords)
        return found

    def exact_on(self, grid: Grid) -> Doubles:
        """The values on the signal's own grid or a window of it, (n, c) float64, in the grid's order."""
        assert self.holds(grid)
        return self._values(self.integers[grid.place].reshape(-1, self.spec.channels))

    def holds(self, grid: Grid) -> bool:
        """Whether a grid is the signal's own or a window of it."""
        return (grid.lattice, grid.periodic) == (self.grid.lattice, self.grid.periodic)
