"""What an encode of a detail layer takes, from sizes alone. Encoder only.

Seconds are those of one core; `python -m coordcodec_bench.forecasts` compares what they say with encodes.
"""

from __future__ import annotations

import os
from math import prod

import numpy as np

from coordcodec.data import Signal
from coordcodec.layers.costs import Estimate
from coordcodec.layers.protocol import Goal, Proposal
from coordcodec.recipe import Recipe
from coordcodec.specs import DetailSpec
from coordcodec.stream.grid import ready

PREPARING, BLOCKS = 0.4e-6, 0.3e-6
"""Seconds per value of rotation, transform and the first guess of a step; of the choice of lapped blocks."""
ROUNDING, ROUNDING_BIT = 1.0e-6, 0.4e-6
"""Seconds per value to round and code, and for each bit that it takes."""
CODING, CODING_BIT = 0.7e-6, 0.25e-6
"""The same to code without rounding, and to decode."""
GUESSING = 0.15e-6
"""Seconds per value of the estimate that follows each trial of a step."""
PREDICTING = {"none": 0.0, "left": 0.05e-6, "plane": 0.05e-6, "med": 0.05e-6, "blend": 0.45e-6, "cascade": 1.5e-6}
"""Seconds per value of each predictor, either way."""
TRIALS, BOUNDED_TRIALS = 2.4, 4.0
"""Steps that are tried, on average: for a size, and under a bound."""
HELD, HELD_BOUNDED = 85, 90
"""Bytes per value at the peak."""
SHARED = 0.8
"""How much of each further core arrives where tiles are coded on several."""
EXCERPT = 1 << 16


def estimate(signal: Signal, proposal: Proposal, goal: Goal, recipe: Recipe) -> Estimate:
    """See `coordcodec.layers.protocol.Layer`."""
    spec = proposal.spec
    assert isinstance(spec, DetailSpec)
    count, bits = signal.size, _bits(signal, spec, goal)
    decoding, trials = CODING + CODING_BIT * bits + PREDICTING[spec.predictor], 1.0
    if spec.spacing:
        trials, coding = BOUNDED_TRIALS, BOUNDED_TRIALS * (ROUNDING + decoding)
        decoding += CODING  # of two planes
    elif goal.promised:
        coding = decoding
    else:
        trials = TRIALS if goal.bytes is not None else 1.0
        coding = trials * (ROUNDING + ROUNDING_BIT * bits)
    tiles = prod(spec.shape) >> spec.tile if spec.tile else 1
    cores = 1 + SHARED * (max(1, min(recipe.threads or os.cpu_count() or 1, tiles)) - 1)
    coding, decoding = coding / cores, decoding / cores
    alone = PREPARING + GUESSING * trials + (BLOCKS if spec.basis == "lapped" else 0)
    seconds = alone + coding + (decoding if goal.promised else 0)
    held = HELD_BOUNDED if spec.spacing else HELD
    work = {"values": count, "codings": round(trials)}
    return Estimate(count * seconds, count * decoding, held * count, work, compiling=not ready())


def _bits(signal: Signal, spec: DetailSpec, goal: Goal) -> float:
    """About the bits that a value takes: those of the goal, or of differences along the last axis in an excerpt."""
    if goal.bytes is not None:
        return 8 * goal.bytes / signal.size
    start = max(0, (signal.points - EXCERPT) // 2)
    part = signal.part(slice(start, start + EXCERPT)).astype(np.float64)
    steps = np.abs(np.diff(part, axis=0)) / (np.array(spec.unit) * max(1, spec.spacing))
    return float(np.log2(1 + steps).mean()) if steps.size else 1.0
