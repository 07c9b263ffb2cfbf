"""What a pyramid takes: multiply-adds of a decode, seconds and memory of an encode."""

from __future__ import annotations

import math

from coordcodec.data import Signal
from coordcodec.layers.costs import Cost, Estimate
from coordcodec.layers.protocol import Goal, Proposal
from coordcodec.layers.threads import usable
from coordcodec.recipe import Recipe
from coordcodec.specs.pyramid import PyramidSpec

LATENT, INTERPOLATED = 4000, 60
"""A latent besides its network, and one corner of an interpolation, in multiply-adds."""
_TRAINED = 1.6e-10
"""Seconds of a core per multiply-add of a step: forward, and back twice."""
_SHARED = 0.85
"""How much of each further core arrives."""
_HELD = 150
"""Bytes per sample and level at the peak."""


def cost(spec: PyramidSpec, own: int) -> Cost:
    """See `coordcodec.layers.protocol.Layer`."""
    samples = math.prod(spec.shape)
    latents = sum(math.prod(spec.level_shape(level)) for level in spec.levels)
    once = samples * (10 * spec.multiply_adds() + 200 * len(spec.levels)) + LATENT * latents
    return Cost(float(once), float(INTERPOLATED * 4 ** len(spec.shape) * spec.channels))


def estimate(signal: Signal, proposal: Proposal, goal: Goal, recipe: Recipe) -> Estimate:
    """See `coordcodec.layers.protocol.Layer`."""
    spec = proposal.spec
    assert isinstance(spec, PyramidSpec)
    samples, steps = math.prod(spec.shape), recipe.pyramid.planned_steps(recipe.effort)
    cores = 1 + _SHARED * (min(usable(recipe.threads), 8) - 1)
    step = samples * (spec.multiply_adds() + 80 * len(spec.levels)) * _TRAINED / cores
    seconds = step * (steps + 100) + 2e-6 * samples
    decoding = cost(spec, 0).once / 2e10
    return Estimate(seconds, decoding, _HELD * samples * len(spec.levels), {"steps": steps}, compiling=False)
