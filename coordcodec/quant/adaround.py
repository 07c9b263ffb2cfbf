"""AdaRound (Nagel et al. 2020): learn for every parameter whether to round it up or down."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from coordcodec.data import Symbols
from coordcodec.hookspecs import Loss
from coordcodec.quant.uniform import Uniform, as_symbols, grid_steps

_LOW, _HIGH = -0.1, 1.1
"""The stretched sigmoid's ends (their zeta and gamma, eq. 23)."""
_WARM = 0.2
"""Share of the iterations without the regulariser."""
_WEIGHT = 1e-2
"""Weight of the regulariser, in units of the loss of nearest rounding."""


class AdaRound:
    """Soft rounding, annealed to hard rounding, on the loss of the whole network.

    Nagel et al. reconstruct each layer's outputs because the whole network's loss is dear; a SIREN's is not, so
    this optimises eq. 21 with the task loss in place of the layer's.
    """

    name = "adaround"
    lr = 0.3

    def __call__(
        self, params: Mapping[str, Tensor], loss: Loss, ranges: Mapping[str, float], bits: float, budget: int
    ) -> Symbols:
        """Quantize; see `coordcodec.hookspecs.Quantizer`."""
        if budget < 20:
            return Uniform()(params, loss, ranges, bits, budget)
        steps = grid_steps(ranges, bits)
        floors = {name: torch.floor(tensor.detach() / steps[name]) for name, tensor in params.items()}
        logits = {}
        for name, tensor in params.items():
            rest = tensor.detach() / steps[name] - floors[name]
            logits[name] = torch.logit((rest - _LOW) / (_HIGH - _LOW)).requires_grad_()
        optimizer = torch.optim.Adam(list(logits.values()), lr=self.lr)
        with torch.no_grad():
            scale = float(loss({name: (tensor / steps[name]).round() * steps[name] for name, tensor in params.items()}))
        for k in range(1, budget):
            soft = {name: self._rounding(logit) for name, logit in logits.items()}
            value = loss({name: (floors[name] + soft[name]) * steps[name] for name in params})
            annealed = (k / budget - _WARM) / (1 - _WARM)
            if annealed > 0:
                beta = 20 - 18 * annealed
                value = value + scale * _WEIGHT * sum((1 - (2 * h - 1).abs() ** beta).sum() for h in soft.values())
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        symbols = {}
        for name, logit in logits.items():
            up = (self._rounding(logit.detach()) >= 0.5).to(torch.float32)
            symbols[name] = as_symbols(floors[name] + up, steps[name])
        return symbols

    @staticmethod
    def _rounding(logit: Tensor) -> Tensor:
        return torch.clamp(torch.sigmoid(logit) * (_HIGH - _LOW) + _LOW, 0, 1)
