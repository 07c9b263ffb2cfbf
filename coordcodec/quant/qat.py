"""Quantization-aware training: fit on while every forward pass sees rounded parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from coordcodec.data import Symbols
from coordcodec.hookspecs import Loss
from coordcodec.quant.adaround import AdaRound
from coordcodec.quant.uniform import as_symbols, grid_limit, grid_steps

ADAROUND_SHARE = 0.3
ADAROUND_CALLS = 240
"""Share of the budget that AdaRound gets, and the number of calls that it gets at least."""
LOOKS = 8
"""Calls that compare the result with AdaRound's, on each side."""
PULL = 0.03
"""Share of their way to the nearest grid point that parameters are pulled per step, at the end."""


class QuantizationAware:
    """AdaRound, then training with a straight-through estimator (Strümpler et al. 2022, section 3.3).

    The forward pass rounds, the backward pass does not (Bengio et al. 2013). Training starts on the grid points
    that AdaRound chose. Adam's rate is a share of each tensor's step and falls by a cosine to nothing, while a
    growing pull towards the grid keeps parameters from swinging between two points, in the manner of the
    dampening of Nagel et al. 2022 (arXiv 2203.11086). Where this does not pay, AdaRound's choice stays.
    """

    name = "qat"
    lr = 0.02

    def __call__(
        self, params: Mapping[str, Tensor], loss: Loss, ranges: Mapping[str, float], bits: float, budget: int
    ) -> Symbols:
        """Quantize; see `coordcodec.hookspecs.Quantizer`."""
        first = max(int(budget * ADAROUND_SHARE), min(budget, ADAROUND_CALLS))
        rounded = AdaRound()(params, loss, ranges, bits, first)
        training = budget - first - 2 * LOOKS
        if training < 1:
            return rounded
        steps = grid_steps(ranges, bits)
        # A parameter may lie beyond its reach; training takes none further than the furthest.
        limit = max(math.ceil(grid_limit(bits)), *(int(abs(q.symbols).max()) for q in rounded.values()))
        # In units of each tensor's step.
        start = {name: torch.from_numpy(rounded[name].symbols).to(tensor) for name, tensor in params.items()}
        latent = {name: tensor.clone().requires_grad_() for name, tensor in start.items()}
        optimizer = torch.optim.Adam(list(latent.values()), lr=self.lr, betas=(0.9, 0.99))
        for k in range(training):
            done = k / training
            optimizer.param_groups[0]["lr"] = self.lr * 0.5 * (1 + math.cos(math.pi * done))
            hard = {name: v + (_on_grid(v, limit) - v).detach() for name, v in latent.items()}
            optimizer.zero_grad()
            loss({name: value * steps[name] for name, value in hard.items()}).backward()
            optimizer.step()
            for v in latent.values():
                v.data.lerp_(_on_grid(v.data, limit), PULL * done)
        trained = {name: _on_grid(v.detach(), limit) for name, v in latent.items()}
        before, after = (
            sum(float(loss({name: v * steps[name] for name, v in candidate.items()})) for _ in range(LOOKS))
            for candidate in (start, trained)
        )
        if before <= after:
            return rounded
        return {name: as_symbols(v, steps[name]) for name, v in trained.items()}


def _on_grid(latent: Tensor, limit: int) -> Tensor:
    return latent.round().clamp(-limit, limit)
