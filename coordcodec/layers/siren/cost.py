"""What a fit of networks takes, from their sizes alone.

Seconds are those of one core; `python -m coordcodec_bench.forecasts` compares what they say with encodes.
"""

from __future__ import annotations

from math import prod

import torch

from coordcodec.compute.device import choose_precision, find_device
from coordcodec.compute.workers import PIECES
from coordcodec.data import Grid, Signal
from coordcodec.layers.costs import Estimate
from coordcodec.layers.protocol import Goal, Proposal
from coordcodec.layers.siren.training import QUANTIZE_SHARE
from coordcodec.recipe import Recipe
from coordcodec.specs import SirenSpec

PRODUCT = {torch.float32: 1.0e-11, torch.bfloat16: 0.3e-11}
"""Seconds per multiply-add of the matrix products, by their type."""
NEURON = {torch.float32: 6.0e-9, torch.bfloat16: 6.0e-9}
"""Seconds per hidden neuron of its sine and all that goes once over its output, forward and back."""
POINT = 1.5e-7
"""Seconds per point of drawing it, of its first layer's inputs and of its error."""
STEP, PART = 1.0e-3, 1.0e-4
"""Seconds of a step, and of each network in it, whatever their sizes."""
SHARED = 0.75
"""How much of each further thread arrives."""
DECODED_POINTS = 1 << 21
"""Where there is no grid: about how often a modality asks a decoded field."""
FITTING = 180 << 20
"""Bytes that every fit takes, whatever its size: optimiser, buffers, and what of PyTorch is loaded for it."""
GPU = 30.0
"""How much faster a GPU is than one core, at least."""


def estimate(signal: Signal, proposal: Proposal, goal: Goal, recipe: Recipe) -> Estimate:
    """See `coordcodec.layers.protocol.Layer`."""
    spec, choices, place = proposal.spec, recipe.siren, find_device(recipe.device)
    assert isinstance(spec, SirenSpec)
    precision = choose_precision(recipe.precision, place, spec.width)
    threads = min(recipe.threads or torch.get_num_threads(), PIECES)
    parts, steps = len(spec.partition), choices.planned_steps(spec.parameters, recipe.effort)
    points = min(choices.batch, -(-signal.points // parts))
    pace = _step(spec, parts, points, precision)
    pace /= 1 + SHARED * (threads - 1) if place.type == "cpu" else GPU
    seconds = pace * steps * (1 + QUANTIZE_SHARE)
    if recipe.time_budget is not None:
        seconds = min(seconds, recipe.time_budget)
    asked = signal.points if isinstance(signal.coords, Grid) else DECODED_POINTS
    products = spec.depth * spec.width**2 + spec.width * spec.features
    decoding = asked * (products * PRODUCT[torch.float32] + (spec.depth + 1) * spec.width * NEURON[torch.float32])
    held = points * parts if parts == 1 else PIECES * 8192
    buffers = held * (2 * spec.depth + 4) * spec.width * precision.itemsize
    memory = FITTING + buffers + 24 * parts * spec.parameters + 24 * signal.size
    work = {"steps": steps, "points": points * parts, "parameters": parts * spec.parameters}
    return Estimate(seconds, decoding, int(memory), work)


def _step(spec: SirenSpec, parts: int, points: int, precision: torch.dtype) -> float:
    """Seconds of a minibatch step on one core: three products for each weight and point, and the optimiser's."""
    last = spec.width * spec.channels
    products = 3 * (spec.depth * spec.width**2 + last)
    drawn = products * PRODUCT[precision] + (spec.depth + 1) * spec.width * NEURON[precision] + POINT
    matrices = [shape for shape in spec.shapes().values() if len(shape) == 2]
    rotated = sum(prod(shape) * sum(shape) for shape in matrices) * 5 * PRODUCT[torch.float32]
    return STEP + parts * (points * drawn + PART + rotated)
