"""What only a trial tells: whether channels are worth rotating, and which of two ways keeps a bound. Encoder only.

Measured on fields: with few bits a sample a wavelet under the residual is smaller, by a factor of six where nearly all
is zero; with many the predicted samples alone are, by up to a tenth. Where both are alike, at two to four bits, a trial
decides.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from coordcodec.clock import Progress
from coordcodec.data import Grid, Signal
from coordcodec.layers.detail import predict
from coordcodec.layers.detail.fit import DetailFitted
from coordcodec.layers.detail.propose import exact, predictor_of, tiled
from coordcodec.layers.detail.rotation import Rotation
from coordcodec.layers.detail.values import values_of
from coordcodec.layers.protocol import Goal
from coordcodec.recipe import Recipe
from coordcodec.specs import DetailSpec

FEW, MANY = 2.2, 4.0
"""Bits a known sample that predicted samples take: below and above, no further trial is needed."""
MOST = 1 << 16
"""Samples of the excerpt."""
_RUNS = 64
"""Into which prediction errors are cut, so that quiet parts weigh as they do in the coder."""


def refine(
    signal: Signal, spec: DetailSpec, goal: Goal, recipe: Recipe, progress: Progress | None = None
) -> DetailSpec:
    """See `coordcodec.layers.protocol.Layer`."""
    if not goal.promised:
        return spec
    if progress:
        progress("try", 0, 0)
    if spec.basis != "identity" and recipe.detail.basis == "auto" and _prefers_samples(signal, goal, recipe):
        return tiled(exact(signal, goal, "identity"), recipe)
    if spec.rotation != "identity" and not _prefers_rotation(signal, spec):
        return tiled(exact(signal, goal, spec.basis, turned=False), recipe)
    return spec


def _prefers_samples(signal: Signal, goal: Goal, recipe: Recipe) -> bool:
    """Whether predicted samples keep the goal's bound in fewer bytes than a wavelet and a residual."""
    part = excerpt(signal)
    if part is None:
        return False
    known = part.size if part.mask is None else int(part.mask.sum()) * part.channels

    def size(basis: str) -> int:
        fitted = DetailFitted(part, exact(part, goal, basis), goal, recipe)
        return sum(map(len, fitted.symbols(fitted.fineness).chunks or ()))

    samples = size("identity")
    bits = 8 * samples / known
    return bits > MANY or (bits > FEW and samples < size("9/7"))


def _prefers_rotation(signal: Signal, spec: DetailSpec) -> bool:
    """Whether prediction leaves less over of a picture's or a sound's rotated channels, in an excerpt."""
    if signal.dims > 2 or signal.mask is not None:
        return True
    across = prod(spec.shape[1:])
    lines = max(1, MOST // across)
    first = max(0, (spec.shape[0] - lines) // 2)
    values = values_of(signal, part=slice(first * across, (first + lines) * across))
    integers = np.rint((values - np.array(spec.origin)) / np.array(spec.unit)).astype(np.int64)
    part = integers.reshape(-1, *spec.shape[1:], spec.channels)

    def cost(kind: str) -> float:
        found = Rotation(kind).forward(part)
        limits = int(found.min()), int(found.max())
        errors = predict.residual(found.astype(np.int32), predictor_of(signal, limits), *limits)
        flat = np.abs(errors.astype(np.float64)).reshape(-1, spec.channels)
        return float(sum(np.log2(run.mean(0) + 0.3).sum() for run in np.array_split(flat, _RUNS) if len(run)))

    return cost(spec.rotation) < cost("identity")


def excerpt(signal: Signal) -> Signal | None:
    """The middle of a signal on a grid, about `MOST` samples of it; None where nothing in it is known."""
    assert isinstance(signal.coords, Grid)
    shape = list(signal.coords.shape)
    while np.prod(shape) > MOST:
        longest = shape.index(max(shape))
        shape[longest] = -(-shape[longest] // 2)
    whole = signal.coords.shape
    if tuple(shape) == whole:
        return signal
    inside = tuple(slice((m - n) // 2, (m - n) // 2 + n) for m, n in zip(whole, shape, strict=True))
    index = np.arange(signal.points).reshape(whole)[inside].reshape(-1)
    mask = None if signal.mask is None else signal.mask[index]
    if mask is not None and not mask.any():
        return None
    values: Any = None if signal.samples is not None else signal.values[index]
    return replace(
        signal,
        coords=Grid(tuple(shape)),
        values=values,
        samples=None if signal.samples is None else signal.samples[index],
        mask=mask,
        periodic=(),
        meta={},
        extras={},
        original=None,
    )
