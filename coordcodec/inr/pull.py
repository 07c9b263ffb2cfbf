"""Hold what will be coded down by what its bits are worth: updates to a learned initialisation, or the parameters of a
network that stands alone, which are then updates to nothing.

A file has room for so many bits. With larger updates all quantization steps must grow, and with them the error D that
rounding adds. Steps of k times a unit, updates distributed as the coder expects them (Laplacian, of a mean magnitude
sigma per weight, times a ratio per tensor), n weights in all: the code length is a sum of log2(2 e sigma / (k unit)),
so at a given length ln k is the mean of ln sigma, and since D goes with k^2

    dD = 2 D dln k = 2 D / n * sum of d|update| / sigma.

That is the gradient of an L1 norm whose weight 2 D / n is no constant but measured: D is what noise as large as
rounding adds to the error now, at the k that makes updates as they are now fit into the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from coordcodec.inr.siren import Params
from coordcodec.inr.spans import ERROR, UNIT, logarithms, spans_for

if TYPE_CHECKING:
    from coordcodec.inr.objective import Objective

MEMORY = 0.7
"""Share of the earlier measurements in the error by rounding; a single one is noisy."""
SMALLEST = 1e-3
"""The least ratio of a tensor's updates to what is usual that counts: at the start all updates are zero."""
FURTHEST = 12.0
"""Octaves that k may lie from a unit."""
LOOK = 2
"""Measurements between looks at how finely each tensor must be quantized, where no initialisation says it."""
LOOKED_AT = 8
"""Parts that are looked at, at most; every time others."""


class Pull:
    """The L1 norm that takes part in the loss of a fit.

    origin: the initialisation, tensors (1, ...), or zeros. sigmas: how large a parameter's update usually is, of the
    same shapes, > 0. spans: how far the grid of each tensor reaches at 8 bits, > 0; None: it is measured now and then.
    room: the bits that the updates of all parts may take together; None: steps are a unit. strength: what the theory's
    weight is multiplied by, >= 0.

    cost: the error that rounding would add, the mean over parts, as last measured; 0 before.
    """

    def __init__(
        self, origin: Params, sigmas: Params, spans: Mapping[str, float] | None, room: float | None, strength: float
    ) -> None:
        self.origin, self.sigmas, self.room, self.strength = origin, sigmas, room, strength
        self.spans = dict(spans) if spans else dict.fromkeys(origin, 1.0)
        self.measured = spans is None
        self.logarithms: dict[str, float] = {}
        self.looks = self.count = 0
        self.octave = 0.0
        self.cost = 0.0
        self.ratios = dict.fromkeys(origin, 1.0)
        self.generator = torch.Generator().manual_seed(0)

    def add(self, params: Mapping[str, Tensor], gradients: Params) -> Tensor:
        """Add the norm's gradient at params, each (parts, ...), to `gradients`; returns the norm, summed over parts."""
        parameters = sum(tensor[0].numel() for tensor in params.values())
        weight = self.strength * 2 * self.cost / parameters
        total = torch.zeros((), device=next(iter(params.values())).device)
        for name, tensor in params.items():
            updates = tensor.detach() - self.origin[name]
            weights = weight / self.ratios[name] / self.sigmas[name]
            total = total + (weights * updates.abs()).sum()
            gradients[name].add_(weights * updates.sign_())
        return total

    @torch.no_grad()
    def measure(self, objective: Objective, params: Mapping[str, Tensor]) -> None:
        """Find out what rounding would cost now."""
        if self.measured and self.count % LOOK == 0:
            self._look(objective, params)
        self.count += 1
        updates = {name: tensor - self.origin[name] for name, tensor in params.items()}
        self.ratios = {
            name: max(SMALLEST, float((update.abs() / self.sigmas[name]).mean())) for name, update in updates.items()
        }
        if self.room is not None:
            count = sum(update.numel() for update in updates.values())
            for _ in range(3):  # an octave of k is a bit per parameter
                self.octave += (self.length(updates, self.octave) - self.room) / count
                self.octave = min(max(self.octave, -FURTHEST), FURTHEST)
        noisy = {}
        for name, tensor in params.items():
            noise = torch.rand(tensor.shape, generator=self.generator).sub_(0.5).to(tensor)
            noisy[name] = tensor + noise * (self.spans[name] / UNIT * 2**self.octave)
        plain, rounded = objective.errors([params, noisy])
        added = max(0.0, float((rounded - plain).mean()))
        self.cost = MEMORY * self.cost + (1 - MEMORY) * added if self.cost else added

    def _look(self, objective: Objective, params: Mapping[str, Tensor]) -> None:
        """Measure the spans, and remember earlier measurements."""
        probes = objective.probed()
        chosen = [(self.looks * LOOKED_AT + i) % len(probes) for i in range(min(LOOKED_AT, len(probes)))]
        own = {name: tensor[chosen] for name, tensor in params.items()}
        with torch.enable_grad():
            found = logarithms(objective.spec, own, [probes[i] for i in chosen], self.looks)
        known = self.logarithms or {name: value / len(chosen) for name, value in found.items()}
        self.logarithms = {n: MEMORY * known[n] + (1 - MEMORY) * found[n] / len(chosen) for n in found}
        self.logarithms[ERROR] = found[ERROR] / len(chosen)  # falls too fast to be remembered
        self.spans = spans_for(objective.spec, self.logarithms, 1)
        self.looks += 1

    def grids(self, objective: Objective, params: Mapping[str, Tensor]) -> dict[str, float]:
        """The spans for the quantizer behind a fit; where they are measured, such that 8 bits meet the room."""
        if not self.measured:
            return self.spans
        self.count = 0
        self.measure(objective, params)
        return {name: span * 2**self.octave for name, span in self.spans.items()}

    def length(self, updates: Mapping[str, Tensor], octave: float) -> float:
        """The bits that updates, each (parts, ...), take with steps of 2^octave units."""
        bits = 0.0
        for name, update in updates.items():
            step = self.spans[name] / UNIT * 2**octave
            steps = step / (self.sigmas[name] * self.ratios[name])  # in units of the expected magnitude
            whole = (update.abs() / step).round()
            zero = -torch.log(-torch.expm1(-steps / 2))
            other = whole * steps - (steps / 2 + torch.log1p(-torch.exp(-steps)) - math.log(2))
            bits += float(torch.where(whole == 0, zero, other).sum()) / math.log(2)
        return bits
