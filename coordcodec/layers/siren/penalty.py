"""What takes part in the loss of a fit besides the error: the L1 norm, or what the bits of the file are worth.

The rate penalty holds down what will be coded: updates to a learned initialisation, or the parameters of a network that
stands alone, which are then updates to nothing.

A file has a budget of so many bits. With larger updates all quantization steps must grow, and with them the error D
that rounding adds. Steps of k times a unit, updates distributed as the coder expects them (Laplacian, of a mean
magnitude sigma per weight, times a ratio per tensor), n weights in all: the code length is a sum of
log2(2 e sigma / (k unit)), so at a given length ln k is the mean of ln sigma, and since D goes with k^2

    dD = 2 D dln k = 2 D / n * sum of d|update| / sigma.

That is the gradient of an L1 norm whose weight 2 D / n is no constant but measured: D is what noise as large as
rounding adds to the error now, at the k that makes updates as they are now fit into the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from coordcodec.layers.siren.batches import Batches
from coordcodec.layers.siren.network import Params
from coordcodec.layers.siren.ranges import ERROR, UNIT, logarithms, ranges_for
from coordcodec.specs import SirenSpec

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


class Probe(Protocol):
    """What a penalty may ask of the loss without taking a step."""

    spec: SirenSpec

    def errors(self, candidates: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Each part's mean squared error for several candidates, on the same points: (parts,) each."""
        ...

    def probed(self) -> list[Batches]:
        """Smaller minibatches of the parts."""
        ...


class Penalty(Protocol):
    """A term of the loss that depends on the parameters alone.

    origin: what parameters are updates to, tensors (1, ...); empty: nothing. cost: the error that rounding would add,
    the mean over parts, as last measured; 0 where it is not measured.
    """

    origin: Params
    cost: float

    def add(self, params: Mapping[str, Tensor], gradients: Params) -> Tensor:
        """Add the term's gradient at params, each (parts, ...), to `gradients`; returns the term, summed over parts."""
        ...

    def measure(self, probe: Probe, params: Mapping[str, Tensor]) -> None:
        """Find out anew how strong it must be; called now and then."""
        ...

    def quantization_ranges(self, probe: Probe, params: Mapping[str, Tensor]) -> dict[str, float] | None:
        """How far the quantizer's grid of each tensor reaches at 8 bits; None: as far as its largest parameter."""
        ...


class L1Penalty:
    """The L1 norm of all parameters, times a weight (Strümpler et al. 2022, eq. 3)."""

    def __init__(self, weight: float) -> None:
        self.weight, self.cost = weight, 0.0
        self.origin: Params = {}

    def add(self, params: Mapping[str, Tensor], gradients: Params) -> Tensor:
        """See `Penalty`."""
        tensors = [tensor.detach() for tensor in params.values()]
        if not self.weight:
            return torch.zeros((), device=tensors[0].device)
        torch._foreach_add_(list(gradients.values()), torch._foreach_sign(tensors), alpha=self.weight)
        return self.weight * torch.stack(torch._foreach_norm(tensors, 1)).sum()

    def measure(self, probe: Probe, params: Mapping[str, Tensor]) -> None:
        """Nothing: its weight is given."""

    def quantization_ranges(self, probe: Probe, params: Mapping[str, Tensor]) -> None:
        """None: grids reach as far as the largest parameters."""


class RatePenalty:
    """An L1 norm of updates whose weight is what their bits are worth.

    origin: the initialisation, tensors (1, ...), or zeros. sigmas: how large a parameter's update usually is, of the
    same shapes, > 0. ranges: how far the grid of each tensor reaches at 8 bits, > 0; None: it is measured now and then.
    budget: the bits that the updates of all parts may take together; None: steps are a unit. strength: what the
    theory's weight is multiplied by, >= 0.
    """

    def __init__(
        self, origin: Params, sigmas: Params, ranges: Mapping[str, float] | None, budget: float | None, strength: float
    ) -> None:
        self.origin, self.sigmas, self.budget, self.strength = origin, sigmas, budget, strength
        self.ranges = dict(ranges) if ranges else dict.fromkeys(origin, 1.0)
        self.measured = ranges is None
        self.logarithms: dict[str, float] = {}
        self.looks = self.count = 0
        self.octave = 0.0
        self.cost = 0.0
        self.ratios = dict.fromkeys(origin, 1.0)
        self.generator = torch.Generator().manual_seed(0)

    def add(self, params: Mapping[str, Tensor], gradients: Params) -> Tensor:
        """See `Penalty`."""
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
    def measure(self, probe: Probe, params: Mapping[str, Tensor]) -> None:
        """Find out what rounding would cost now."""
        if self.measured and self.count % LOOK == 0:
            self._look(probe, params)
        self.count += 1
        updates = {name: tensor - self.origin[name] for name, tensor in params.items()}
        self.ratios = {
            name: max(SMALLEST, float((update.abs() / self.sigmas[name]).mean())) for name, update in updates.items()
        }
        if self.budget is not None:
            count = sum(update.numel() for update in updates.values())
            for _ in range(3):  # an octave of k is a bit per parameter
                self.octave += (self.length(updates, self.octave) - self.budget) / count
                self.octave = min(max(self.octave, -FURTHEST), FURTHEST)
        noisy = {}
        for name, tensor in params.items():
            noise = torch.rand(tensor.shape, generator=self.generator).sub_(0.5).to(tensor)
            noisy[name] = tensor + noise * (self.ranges[name] / UNIT * 2**self.octave)
        plain, rounded = probe.errors([params, noisy])
        added = max(0.0, float((rounded - plain).mean()))
        self.cost = MEMORY * self.cost + (1 - MEMORY) * added if self.cost else added

    def _look(self, probe: Probe, params: Mapping[str, Tensor]) -> None:
        """Measure the ranges, and remember earlier measurements."""
        probes = probe.probed()
        chosen = [(self.looks * LOOKED_AT + i) % len(probes) for i in range(min(LOOKED_AT, len(probes)))]
        own = {name: tensor[chosen] for name, tensor in params.items()}
        with torch.enable_grad():
            found = logarithms(probe.spec, own, [probes[i] for i in chosen], self.looks)
        known = self.logarithms or {name: value / len(chosen) for name, value in found.items()}
        self.logarithms = {n: MEMORY * known[n] + (1 - MEMORY) * found[n] / len(chosen) for n in found}
        self.logarithms[ERROR] = found[ERROR] / len(chosen)  # falls too fast to be remembered
        self.ranges = ranges_for(probe.spec, self.logarithms, 1)
        self.looks += 1

    def quantization_ranges(self, probe: Probe, params: Mapping[str, Tensor]) -> dict[str, float]:
        """See `Penalty`; where they are measured, such that 8 bits meet the budget."""
        if not self.measured:
            return self.ranges
        self.count = 0
        self.measure(probe, params)
        return {name: reach * 2**self.octave for name, reach in self.ranges.items()}

    def length(self, updates: Mapping[str, Tensor], octave: float) -> float:
        """The bits that updates, each (parts, ...), take with steps of 2^octave units."""
        bits = 0.0
        for name, update in updates.items():
            step = self.ranges[name] / UNIT * 2**octave
            steps = step / (self.sigmas[name] * self.ratios[name])  # in units of the expected magnitude
            whole = (update.abs() / step).round()
            zero = -torch.log(-torch.expm1(-steps / 2))
            other = whole * steps - (steps / 2 + torch.log1p(-torch.exp(-steps)) - math.log(2))
            bits += float(torch.where(whole == 0, zero, other).sum()) / math.log(2)
        return bits
