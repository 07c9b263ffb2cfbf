"""Quantization-aware training: fit on while every forward pass sees rounded parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from coordcodec.data import Quantized, Symbols
from coordcodec.hookspecs import Loss
from coordcodec.quant.adaround import AdaRound
from coordcodec.quant.uniform import grid_limit, grid_steps

ADAROUND_SHARE = 0.3
MIX = 0.0


class QuantizationAware:
    """AdaRound, then training with a straight-through estimator (Strümpler et al. 2022, section 3.3).

    The forward pass rounds, the backward pass does not (Bengio et al. 2013). Adam's rate is a share of each
    tensor's step, falling by a cosine to nothing, so that late in the run few parameters still cross over.
    """

    name = "qat"
    lr = 0.1

    def __call__(self, params: Mapping[str, Tensor], loss: Loss, bits: float, budget: int) -> Symbols:
        """Quantize; see `coordcodec.hookspecs.Quantizer`."""
        first = int(budget * ADAROUND_SHARE)
        rounded = AdaRound()(params, loss, bits, first)
        steps, limit = grid_steps(params, bits), math.ceil(grid_limit(bits))
        # In units of each tensor's step; AdaRound's choice where it differs from the nearest, else the parameter.
        latent = {}
        for name, tensor in params.items():
            value = tensor.detach() / steps[name]
            chosen = torch.from_numpy(rounded[name].symbols).to(value)
            latent[name] = (chosen + MIX * (value - chosen).clamp(-1, 1)).requires_grad_()
        optimizer = torch.optim.Adam(list(latent.values()), lr=self.lr, betas=(0.9, 0.99))
        for k in range(budget - first):
            optimizer.param_groups[0]["lr"] = self.lr * 0.5 * (1 + math.cos(math.pi * k / (budget - first)))
            hard = {name: v + (v.round().clamp(-limit, limit) - v).detach() for name, v in latent.items()}
            optimizer.zero_grad()
            loss({name: value * steps[name] for name, value in hard.items()}).backward()
            optimizer.step()
        return {
            name: Quantized(v.detach().round().clamp(-limit, limit).cpu().numpy().astype(np.int32), steps[name])
            for name, v in latent.items()
        }
