"""Which basis, for which signal and goal, as far as sizes and types tell; `trial` tells the rest. Encoder only."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Floats, Grid, SampleType, Signal
from coordcodec.errors import RecipeError
from coordcodec.layers.detail.blocks import choose_blocks
from coordcodec.layers.detail.coding import encode
from coordcodec.layers.detail.planes import basis_of
from coordcodec.layers.detail.quantize import COARSEST
from coordcodec.layers.detail.rotation import Rotation, fit_rotation
from coordcodec.layers.detail.symbols import Detailed
from coordcodec.layers.detail.values import values_of
from coordcodec.layers.detail.wavelet import default_levels
from coordcodec.layers.protocol import Goal, Proposal, TooFewBytes
from coordcodec.recipe import Recipe
from coordcodec.specs import DetailSpec, pack_section
from coordcodec.specs.detail import CASCADE_CHANNELS, CASCADE_SPAN, MAX_AXES, MAX_LEVELS, MAX_TILED, SEGMENT

FINE = 16
"""A lossy layer's integers are in 2^-16 of values."""
TILE, SOUND_TILE = 20, 18
"""Of the coefficients of a tile, the logarithm to base 2: larger pictures and fields are cut, and sounds of more than
two tiles. Six seconds cost 0.03 dB of a sound, and a second of it needs no more than them."""
_MANY = 1 << 20
SPACING = 15
"""Of a residual on fractions: the basis is so much finer than the bound."""
FRACTION = 4
_SMALL = 4096
"""Bytes below which a layer is one chunk."""
_REVERSIBLE = {2: "midside", 3: "ycocg", 4: "ycocg"}
"""Rotations of whole numbers, by the number of channels."""


def propose(signal: Signal, goal: Goal, recipe: Recipe, below: Floats | None = None) -> Proposal:
    """See `coordcodec.layers.protocol.Layer`."""
    if not isinstance(signal.coords, Grid) or signal.dims > MAX_AXES:
        raise RecipeError(f"detail layers take grids of 1 to {MAX_AXES} axes; use --layers siren")
    if signal.size > MAX_TILED:
        raise RecipeError(f"detail layers hold at most {MAX_TILED} values, got {signal.size}; use --layers siren")
    basis = _basis(signal, goal, recipe)
    if basis == "lapped" and (signal.dims > 1 or any(signal.coords.periodic)):
        raise RecipeError("lapped cosines take one axis that is no circle; choose another basis")
    if basis == "lapped" and goal.promised:
        raise RecipeError("lapped cosines can promise nothing of an error; choose another basis")
    if goal.promised:
        return Proposal(tiled(exact(signal, goal, basis), recipe))
    spec = tiled(_lossy(signal, goal, below, basis), recipe)
    if goal.bytes is not None and goal.bytes < _SMALL:
        smallest = smallest_bytes(spec)
        if goal.bytes < smallest:
            raise TooFewBytes(Proposal(spec), smallest)
    return Proposal(spec)


def tiled(spec: DetailSpec, recipe: Recipe) -> DetailSpec:
    """The same, cut into tiles where it is large."""
    tile = recipe.detail.tile
    if tile is None:
        sound, count = len(spec.shape) == 1, prod(spec.shape)
        tile = SOUND_TILE if sound and count > 2 << SOUND_TILE else TILE if count > 1 << TILE else 0
    lapped = spec.basis == "lapped"  # ends halve its time, but cost short sounds a little
    least = SEGMENT.bit_length() - 1 if lapped else 0
    return replace(spec, tile=max(tile, least), split=True, ends=lapped) if tile else spec


def smallest_bytes(spec: DetailSpec) -> int:
    """The bytes of a section whose coefficients are all zero, and a few more."""
    planes = [np.zeros((spec.channels, *plane.shape), np.int32) for plane in basis_of(spec).planes]
    chunks = encode(Detailed.of(COARSEST, (0, 0, 0), planes), spec)
    return len(pack_section(spec)[1]) + sum(len(chunk) + 8 for chunk in chunks)


def _basis(signal: Signal, goal: Goal, recipe: Recipe) -> str:
    if recipe.detail.basis != "auto":
        return str(recipe.detail.basis)
    if goal.lossless or (goal.max_error is not None and goal.max_error < 2 and _whole(signal)):
        return "identity"  # with bounds of two steps and more a basis under the residual is smaller
    return "lapped" if signal.dims == 1 and not goal.promised and not any(signal.periodic) else "9/7"


def _whole(signal: Signal) -> bool:
    return signal.sample_type is not None and signal.sample_type.whole


def _frame(signal: Signal) -> tuple[tuple[int, ...], int, tuple[bool, ...]]:
    assert isinstance(signal.coords, Grid)
    return signal.coords.shape, signal.channels, signal.coords.periodic


def _model(signal: Signal) -> str:
    return {1: "sound", 2: "picture"}.get(signal.dims, "field")


def _lossy(signal: Signal, goal: Goal, below: Floats | None, basis: str) -> DetailSpec:
    shape, channels, periodic = _frame(signal)
    some = slice(None, None, 1 + signal.points // _MANY)  # enough to see how channels hang together
    rotation = fit_rotation(values_of(signal, below, some)) if 2 <= channels <= 8 else Rotation()
    levels = _levels(shape) if basis != "lapped" else ()
    split = goal.bytes is None or goal.bytes >= _SMALL
    return DetailSpec(
        shape,
        channels,
        basis,
        unit=(2.0**-FINE,) * channels,
        periodic=periodic,
        levels=levels,
        groups=_groups(shape) if levels else (),
        blocks=_blocks(values_of(signal, below), goal) if basis == "lapped" else (),
        rotation=rotation.kind,
        turns=rotation.turns,
        model=_model(signal),
        split=split,
    )


def _blocks(values: NDArray[np.float64], goal: Goal) -> tuple[int, ...]:
    """The block sizes that a step of about the right size asks for."""
    bits = 8 * goal.bytes / values.size if goal.bytes is not None else 4.0
    power = float(np.sqrt((values**2).mean())) or 1.0
    # Six decibels a bit, and what a transform gains: enough to tell blocks from each other.
    step = max(power * 2.0 ** (-1.5 * bits - 2), 2.0**-FINE)
    return choose_blocks(values, step, SEGMENT)


def exact(signal: Signal, goal: Goal, basis: str, turned: bool = True) -> DetailSpec:
    """Integers of which nothing is lost, or a basis and a residual that keeps the bound.

    turned: where nothing is lost, channels are rotated if a reversible rotation takes their number.
    """
    shape, channels, periodic = _frame(signal)
    kind = signal.sample_type
    assert kind is not None
    assert signal.samples is not None
    known = signal.samples if signal.mask is None else signal.samples[signal.mask]
    middle = (known.min(0).astype(np.float64) + known.max(0)) / 2
    scale, offset = np.abs(np.array(kind.scale)), np.array(kind.offset)
    middle = np.rint(middle) if kind.whole else middle
    step, spacing = _steps(goal, kind, basis, _safe_bound(goal, kind, float(np.abs(known).max())))
    span = float((known.max(0).astype(np.float64) - known.min(0)).max()) / step
    _check_span(span, step, goal)
    turned = turned and goal.lossless and basis == "identity" and span < 1 << 30
    rotation = _REVERSIBLE.get(signal.channels, "identity") if turned else "identity"
    limits = _limits(known, middle, step, rotation) if basis == "identity" else (0, 0)
    levels = _levels(shape) if basis in ("9/7", "5/3") else ()
    return DetailSpec(
        *(shape, channels, basis, tuple(step / scale), tuple((middle - offset) / np.array(kind.scale)), periodic),
        fraction=FRACTION if basis == "9/7" else 0,
        levels=levels,
        groups=_groups(shape) if levels else (),
        rotation=rotation,
        predictor=predictor_of(signal, limits) if basis == "identity" else "none",
        limits=limits,
        model=_model(signal),
        spacing=spacing,
        split=True,
    )


def _steps(goal: Goal, kind: SampleType, basis: str, bound: float) -> tuple[float, int]:
    """Of the integers, in samples, and of the residual, in those integers; 0: there is none."""
    if not kind.whole:
        return (2 * bound, 0) if basis == "identity" else (2 * bound / SPACING, SPACING)
    spacing = 0 if goal.lossless else 2 * int(bound) + 1
    if spacing and basis == "identity":
        return float(spacing), 0
    if spacing > 4 * SPACING:  # what is decoded is rounded to whole numbers at last
        return 2 * (int(bound) + 0.49) / SPACING, SPACING
    return 1.0, spacing


def _levels(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Levels per axis: of the last two, places, to 8 samples; of those before them, such as times, to 2."""
    return (*default_levels(shape[:-2], 2, MAX_LEVELS), *default_levels(shape[-2:]))


def _groups(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Which axes are split together: the last two, and of more the others together before them."""
    return tuple(int(k >= len(shape) - 2) for k in range(len(shape))) if len(shape) > 2 else (0,) * len(shape)


def _limits(samples: NDArray[Any], middle: NDArray[np.float64], step: float, rotation: str) -> tuple[int, int]:
    """The least and the largest integer; differences of channels go further."""
    low, high = (np.rint((end.astype(np.float64) - middle) / step) for end in (samples.min(0), samples.max(0)))
    spare = 0 if step == 1 else 1  # what lies halfway may be rounded either way
    lowest, highest = int(low.min()) - spare, int(high.max()) + spare
    return (lowest, highest) if rotation == "identity" else (lowest - highest, highest - lowest)


def predictor_of(signal: Signal, limits: tuple[int, int]) -> str:
    """The best that takes so many axes and channels, and integers between such limits."""
    able = signal.channels <= CASCADE_CHANNELS and limits[1] - limits[0] < CASCADE_SPAN
    return "cascade" if signal.dims == 1 and able else "blend"


def _check_span(span: float, step: float, goal: Goal) -> None:
    if goal.max_error is not None and span > 1 << 30:
        least = span * step / 2**24
        raise RecipeError(
            f"a largest error of {goal.max_error:g} is too small for samples that span {span * step:g}; "
            f"use {least:.2g} or more"
        )


def _safe_bound(goal: Goal, kind: SampleType, largest: float) -> float:
    """The bound, less two units in the last place of what is written."""
    if goal.max_error is None:
        return 0.0
    if kind.whole:
        return goal.max_error
    return goal.max_error - 2 * float(np.spacing(np.array(largest, kind.dtype)))
