"""Which pyramid, for which signal and goal. Encoder only."""

from __future__ import annotations

import math

import numpy as np

from coordcodec.data import Floats, Grid, Signal
from coordcodec.errors import RecipeError
from coordcodec.layers.protocol import Goal, Proposal, TooFewBytes
from coordcodec.recipe import Recipe
from coordcodec.specs.pyramid import MAX_AXES, MAX_LEVELS, MAX_VALUES, PyramidSpec

_LEVELS = 7
_COARSE = 8
"""An axis of fewer latents is not halved any more."""
_SIZES = ((0, 8, 8), (3000, 16, 16), (6000, 32, 24))
"""From how many bytes on, the widths of the synthesis and of the context network."""
_NEIGHBOURS = 12


def propose(signal: Signal, goal: Goal, recipe: Recipe, below: Floats | None = None) -> Proposal:
    """See `coordcodec.layers.protocol.Layer`."""
    if not isinstance(signal.coords, Grid) or signal.dims > MAX_AXES:
        raise RecipeError(f"pyramid layers take grids of 1 to {MAX_AXES} axes; use --layers siren")
    if goal.promised:
        raise RecipeError("pyramid layers can promise nothing of an error; use --layers detail")
    from coordcodec.stream.grid.jit import COMPILED  # Numba, which not every start needs

    if not COMPILED:
        raise RecipeError("fitting a pyramid needs Numba, which is missing or turned off: pip install numba")
    spec = _spec(signal, goal, recipe, below)
    if (count := math.prod(spec.shape) * max(spec.channels, len(spec.levels))) > MAX_VALUES:
        raise RecipeError(
            f"a pyramid of this signal would hold {count} values, at most {MAX_VALUES}; use --layers detail"
        )
    smallest = smallest_bytes(spec)
    if goal.bytes is not None and goal.bytes < smallest:
        raise TooFewBytes(Proposal(spec), smallest)
    return Proposal(spec)


def smallest_bytes(spec: PyramidSpec) -> int:
    """Bytes that are always enough for a section without latents: parameters of a byte, and what stands around them."""
    parameters = sum(math.prod(shape) for shape in spec.tensors().values())
    return parameters + 4 * len(spec.tensors()) + 100 + 9 * len(spec.levels) + 8 * spec.channels


def _spec(signal: Signal, goal: Goal, recipe: Recipe, below: Floats | None) -> PyramidSpec:
    assert isinstance(signal.coords, Grid)
    choices, shape = recipe.pyramid, signal.coords.shape
    halved = _halved(shape, choices.levels)
    size = math.inf if goal.bytes is None else goal.bytes
    synthesis, context = next((s, c) for least, s, c in reversed(_SIZES) if size >= least)
    finest = choices.finest
    if finest > len(halved):
        raise RecipeError(
            f"the finest level is {finest}, but levels of this signal end at {len(halved)}; choose 0 to {len(halved)}"
        )
    unit, origin = _scale(signal, below)
    return PyramidSpec(
        *(shape, signal.channels, halved, finest),
        *(choices.synthesis or (synthesis, synthesis), choices.context or (context, context)),
        choices.neighbours or _NEIGHBOURS,
        (unit,) * signal.channels,
        (origin,) * signal.channels,
        signal.coords.periodic,
    )


def _halved(shape: tuple[int, ...], levels: int | None) -> tuple[int, ...]:
    """From each level to the next coarser one, the axes along which there are half as many latents."""
    found = list[int]()
    while len(found) < (levels or _LEVELS) - 1:
        mask = sum(1 << k for k, n in enumerate(shape) if n >> len(found) >= (_COARSE if levels is None else 2))
        if not mask:
            break
        found.append(mask)
    return tuple(found[: MAX_LEVELS - 1])


def _scale(signal: Signal, below: Floats | None) -> tuple[float, float]:
    """The standard deviation and the mean of all values, as float32 can hold them."""
    values = signal.values if below is None else signal.values - below
    known = values[~np.isnan(values)]
    if not known.size:
        return 1.0, 0.0
    mean, deviation = float(known.mean(dtype=np.float64)), float(known.std(dtype=np.float64))
    return float(np.float32(max(deviation, 1e-6))), float(np.float32(mean))
