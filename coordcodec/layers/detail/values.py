"""Values of a signal to a layer's integers, and symbols back to integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Floats, Signal
from coordcodec.errors import RecipeError
from coordcodec.layers.detail.fill import fill
from coordcodec.layers.detail.planes import basis_of, limit_of
from coordcodec.layers.detail.quantize import restored, step_of
from coordcodec.layers.detail.rotation import Rotation
from coordcodec.layers.detail.symbols import Detailed
from coordcodec.layers.detail.tiles import Part, tiles_of
from coordcodec.layers.threads import each
from coordcodec.specs import DetailSpec

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]
_SLICE = 1 << 18
"""Values that are computed with at a time, in float64."""
_GROWTH = 4
"""By how much a rotation of 16 channels makes the largest larger, at most."""


def values_of(signal: Signal, below: Floats | None = None, part: slice = slice(None)) -> Doubles:
    """A signal's values, (n, channels) float64, from its samples where it has them, less what lies below; 0 where
    nothing is known. part: of the n samples."""
    kind = signal.sample_type
    if kind is None or signal.samples is None:
        values = signal.values[part].astype(np.float64)
    else:
        values = (signal.samples[part].astype(np.float64) - np.array(kind.offset)) / np.array(kind.scale)
    if below is not None:
        values = values - below[part]
    if signal.mask is not None:
        values[~signal.mask[part]] = 0
    return values


def integers_of(signal: Signal, spec: DetailSpec, below: Floats | None = None) -> NDArray[Any]:
    """The integers nearest to a signal's values, (*shape, channels), smooth where nothing is known.

    int32, unless a transform of them could run over in that. In memory channel after channel.
    """
    unit, origin = np.array(spec.unit), np.array(spec.origin or (0.0,) * spec.channels)
    count, size = signal.points, max(1, _SLICE // spec.channels)
    parts = [slice(start, min(start + size, count)) for start in range(0, count, size)]
    whole: Doubles | None = None
    if signal.mask is not None:
        known = signal.mask.reshape(spec.shape)
        whole = fill(values_of(signal, below).reshape(*spec.shape, -1), known, spec.periodic).reshape(count, -1)

    def quotients(part: slice) -> Doubles:
        values = values_of(signal, below, part) if whole is None else whole[part]
        return np.asarray(np.rint((values - origin) / unit))

    reach = max(float(np.abs(quotients(part)).max()) for part in parts)
    small = reach * (1 << spec.fraction) * _GROWTH <= limit_of(spec)
    found = np.empty((spec.channels, count), np.int32 if small else np.int64)
    for part in parts:
        found[:, part] = quotients(part).T
    return np.moveaxis(found.reshape(spec.channels, *spec.shape), 0, -1)


def rotate(spec: DetailSpec, integers: NDArray[Any]) -> None:
    """Give integers (*shape, channels) their bits below one, and rotate their channels, in place."""
    rotation, flat = Rotation(spec.rotation, spec.turns), integers.view()
    flat.shape = (-1, spec.channels)  # never a copy
    for start in range(0, len(flat), _SLICE):
        part = slice(start, start + _SLICE)
        flat[part] = rotation.forward(flat[part] << spec.fraction)


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


def predicted(spec: DetailSpec, integers: NDArray[Any]) -> NDArray[np.int32]:
    """The prediction errors, (channels, *shape), of integers (*shape, channels), those of each tile on their own.

    Raises RecipeError where one is -2^31, which the coder does not have: it takes samples at both ends of 32 bits.
    """
    found = integers.astype(np.int32)
    if spec.predictor != "none":
        from coordcodec.layers.detail import predict  # loads Numba

        def work(tile: Part) -> None:
            values = np.ascontiguousarray(found[tile.inside])
            found[tile.inside] = predict.residual(values, spec.predictor, *spec.limits)

        each(work, tiles_of(spec))
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
    each(lambda tile: unpredict(spec, found, tile), tiles_of(spec))
    return found.astype(np.int64)


def unpredict(spec: DetailSpec, plane: Ints, tile: Part) -> None:
    """Put the integers of a tile of a plane (channels, *shape) in the place of its prediction errors."""
    from coordcodec.layers.detail import predict  # loads Numba

    inside = (slice(None), *tile.inside)
    errors = np.ascontiguousarray(np.moveaxis(plane[inside], 0, -1))
    plane[inside] = np.moveaxis(predict.restore(errors, spec.predictor, *spec.limits), -1, 0)
