"""Rounding to the nearest point of a per-tensor symmetric grid."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from torch import Tensor

from coordcodec.data import Quantized, Symbols, round_step
from coordcodec.hookspecs import Loss


def grid_limit(bits: float) -> float:
    """The largest magnitude on a symmetric grid of `bits` bits: 2^(bits - 1) - 1, at least 1; need not be whole."""
    return max(math.pow(2, bits - 1) - 1, 1.0)


def grid_steps(params: Mapping[str, Tensor], bits: float) -> dict[str, float]:
    """The step of every tensor: its largest magnitude lies at the end of the grid (Strümpler et al. 2022, 3.3)."""
    largest = {name: float(tensor.detach().abs().max()) for name, tensor in params.items()}
    return {name: round_step(value / grid_limit(bits)) for name, value in largest.items()}


class Uniform:
    """Nearest rounding; needs no data."""

    name = "uniform"

    def __call__(self, params: Mapping[str, Tensor], loss: Loss, bits: float, budget: int) -> Symbols:
        """Quantize; see `coordcodec.hookspecs.Quantizer`."""
        steps = grid_steps(params, bits)
        return {
            name: Quantized(np.rint(tensor.detach().cpu().numpy() / steps[name]).astype(np.int32), steps[name])
            for name, tensor in params.items()
        }


class Half:
    """IEEE binary16 numbers as they are, the format of COIN (Dupont et al. 2021); `bits` is ignored."""

    name = "half"

    def __call__(self, params: Mapping[str, Tensor], loss: Loss, bits: float, budget: int) -> Symbols:
        """Convert; see `coordcodec.hookspecs.Quantizer`."""
        most = float(np.finfo(np.float16).max)
        halves = {name: np.clip(t.detach().cpu().numpy(), -most, most).astype(np.float16) for name, t in params.items()}
        return {name: Quantized(half.view(np.uint16).astype(np.int32), 0.0) for name, half in halves.items()}
