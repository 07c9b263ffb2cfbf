"""Values of a signal to a layer's integers, and symbols back to integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Floats, Grid, Signal
from coordcodec.errors import RecipeError
from coordcodec.layers.detail.planes import basis_of
from coordcodec.layers.detail.quantize import restored, step_of
from coordcodec.layers.detail.rotation import Rotation
from coordcodec.layers.detail.symbols import Detailed
from coordcodec.layers.detail.threads import each
from coordcodec.layers.detail.tiles import Part, tiles_of
from coordcodec.specs import DetailSpec

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]


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
    return finished(spec, basis.synthesise(planes), symbols.residual)


def finished(spec: DetailSpec, found: NDArray[Any], residual: Ints | None) -> NDArray[np.int64]:
    """Integers (*shape, channels) out of those that a basis gives, and a residual (channels, *shape)."""
    rotation = Rotation(spec.rotation, spec.turns)
    found = rotation.inverse(np.ascontiguousarray(found.astype(np.int64)))
    if spec.fraction:
        found = (found + (1 << (spec.fraction - 1))) >> spec.fraction
    if residual is not None:
        found = found + spec.spacing * np.moveaxis(residual.astype(np.int64), 0, -1)
    return np.asarray(found, np.int64)


def predicted(spec: DetailSpec, integers: NDArray[np.int64]) -> NDArray[np.int32]:
    """The prediction errors, (channels, *shape), of integers (*shape, channels), those of each tile on their own.

    Raises RecipeError where one is -2^31, which the coder does not have: it takes samples at both ends of 32 bits.
    """
    found = integers.astype(np.int32)
    if spec.predictor != "none":
        from coordcodec.layers.detail import predict  # loads Numba

        def work(tile: Part) -> None:
            values = np.ascontiguousarray(found[tile.inside])
            found[tile.inside] = predict.residual(values, spec.predictor, *spec.limits)

        for _ in each(work, tiles_of(spec)):
            pass
    if int(found.min()) == -(1 << 31):
        raise RecipeError(
            "samples that jump over half the range of 32 bits cannot be kept exactly; use --max-error 0.001%"
        )
    return np.ascontiguousarray(np.moveaxis(found, -1, 0))


def unpredicted(spec: DetailSpec, plane: Ints) -> NDArray[np.int64]:
    """The integers, (channels, *shape), that prediction errors stand for."""
    if spec.predictor == "none":
        return plane.astype(np.int64)

    found = plane.copy()
    for _ in each(lambda tile: unpredict(spec, found, tile), tiles_of(spec)):
        pass
    return found.astype(np.int64)


def unpredict(spec: DetailSpec, plane: Ints, tile: Part) -> None:
    """Put the integers of a tile of a plane (channels, *shape) in the place of its prediction errors."""
    from coordcodec.layers.detail import predict  # loads Numba

    inside = (slice(None), *tile.inside)
    errors = np.ascontiguousarray(np.moveaxis(plane[inside], 0, -1))
    plane[inside] = np.moveaxis(predict.restore(errors, spec.predictor, *spec.limits), -1, 0)
