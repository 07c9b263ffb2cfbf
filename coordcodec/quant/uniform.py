"""Rounding to the nearest point of a per-tensor symmetric grid."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from torch import Tensor

from coordcodec.data import Quantized, Symbols, round_step
from coordcodec.errors import RecipeError
from coordcodec.hookspecs import Loss

MOST = 2047
"""The largest magnitude of a symbol in a file: that of 12 bits."""


def grid_limit(bits: float) -> float:
    """The largest magnitude on a symmetric grid of `bits` bits: 2^(bits - 1) - 1, at least 1; need not be whole."""
    return max(math.pow(2, bits - 1) - 1, 1.0)


def largest(params: Mapping[str, Tensor]) -> dict[str, float]:
    """Every tensor's largest magnitude: the reach of its grid for Strümpler et al. 2022 (section 3.3)."""
    return {name: float(tensor.detach().abs().max()) for name, tensor in params.items()}


def grid_steps(ranges: Mapping[str, float], bits: float) -> dict[str, float]:
    """The step of every tensor: its reach lies at the end of the grid."""
    return {name: round_step(reach / grid_limit(bits)) for name, reach in ranges.items()}


def as_symbols(scaled: Tensor, step: float) -> Quantized:
    """A tensor in units of its step, rounded to the nearest integers that a file can hold.

    Raises RecipeError for numbers that are not finite.
    """
    if not bool(scaled.isfinite().all()):
        raise RecipeError("the fit diverged: its weights are no finite numbers; choose a lower learning rate")
    nearest = np.clip(np.rint(scaled.detach().cpu().numpy()), -MOST, MOST)
    return Quantized(nearest.astype(np.int32), step)


class Uniform:
    """Nearest rounding; needs no data."""

    name = "uniform"

    def __call__(
        self, params: Mapping[str, Tensor], loss: Loss, ranges: Mapping[str, float], bits: float, budget: int
    ) -> Symbols:
        """Quantize; see `coordcodec.hookspecs.Quantizer`."""
        steps = grid_steps(ranges, bits)
        return {name: as_symbols(tensor / steps[name], steps[name]) for name, tensor in params.items()}


class Half:
    """IEEE binary16 numbers as they are, the format of COIN (Dupont et al. 2021); `bits` is ignored."""

    name = "half"

    def __call__(
        self, params: Mapping[str, Tensor], loss: Loss, ranges: Mapping[str, float], bits: float, budget: int
    ) -> Symbols:
        """Convert; see `coordcodec.hookspecs.Quantizer`."""
        most = float(np.finfo(np.float16).max)
        halves = {name: np.clip(t.detach().cpu().numpy(), -most, most).astype(np.float16) for name, t in params.items()}
        return {name: Quantized(half.view(np.uint16).astype(np.int32), 0.0) for name, half in halves.items()}
