"""Which of two ways to keep a bound takes fewer bytes, tried on an excerpt. Encoder only.

Measured on fields: with few bits a sample a wavelet under the residual is smaller, by a factor of six where nearly all
is zero; with many the predicted samples alone are, by up to a tenth. Where both are alike, at two to four bits, a trial
decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from coordcodec.data import Grid, Signal
from coordcodec.layers.protocol import Goal
from coordcodec.recipe import Recipe
from coordcodec.specs import DetailSpec

FEW, MANY = 2.2, 4.0
"""Bits a known sample that predicted samples take: below and above, no further trial is needed."""
MOST = 1 << 16
"""Samples of the excerpt."""


def prefers_samples(signal: Signal, goal: Goal, recipe: Recipe, spec_of: Callable[[Signal, str], DetailSpec]) -> bool:
    """Whether predicted samples keep the goal's bound in fewer bytes than a wavelet and a residual.

    spec_of: the Spec for a signal and a basis.
    """
    part = excerpt(signal)
    if part is None:
        return False
    known = part.size if part.mask is None else int(part.mask.sum()) * part.channels

    def size(basis: str) -> int:
        from coordcodec.layers.detail.fit import DetailFitted  # loads Numba

        fitted = DetailFitted(part, spec_of(part, basis), goal, recipe)
        return sum(map(len, fitted.symbols(fitted.fineness).chunks or ()))

    samples = size("identity")
    bits = 8 * samples / known
    return bits > MANY or (bits > FEW and samples < size("9/7"))


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
