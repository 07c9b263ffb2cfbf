"""The kind "siren", as `coordcodec.layers.protocol` asks for it. Importing it loads no torch; fitting and fields do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from coordcodec.clock import Clock, Progress
from coordcodec.data import Field, Floats, Signal, Symbols
from coordcodec.inits import Initialisation
from coordcodec.layers.costs import Estimate
from coordcodec.layers.learnable import Learnable
from coordcodec.layers.protocol import Chunks, Fitted, Goal, Proposal, Quantizable
from coordcodec.layers.siren import architecture, coding, decode_cost
from coordcodec.partition import gain_of
from coordcodec.recipe import Recipe
from coordcodec.specs import SirenSpec

if TYPE_CHECKING:
    import torch


class Siren:
    """Small sine networks (Sitzmann et al. 2020), one for each box of the domain."""

    kind, early = SirenSpec.kind, SirenSpec.early
    quick: Mapping[str, Any] = {"width": 8, "steps": 40}
    check = staticmethod(coding.check)
    encode = staticmethod(coding.encode)
    decode = staticmethod(coding.decode)
    describe = staticmethod(coding.describe)
    cost = staticmethod(decode_cost.cost)

    def propose(self, signal: Signal, goal: Goal, recipe: Recipe, below: Floats | None = None) -> Proposal:
        """See `coordcodec.layers.protocol.Layer`."""
        return architecture.propose(signal, goal, recipe)

    def refine(
        self, signal: Signal, spec: SirenSpec, goal: Goal, recipe: Recipe, progress: Progress | None = None
    ) -> SirenSpec:
        """See `coordcodec.layers.protocol.Layer`. Sizes and types tell all."""
        return spec

    def estimate(self, signal: Signal, proposal: Proposal, goal: Goal, recipe: Recipe) -> Estimate:
        """See `coordcodec.layers.protocol.Layer`."""
        from coordcodec.layers.siren.cost import estimate

        return estimate(signal, proposal, goal, recipe)

    def fit(
        self,
        signals: Sequence[Signal],
        spec: SirenSpec,
        goals: Sequence[Goal],
        init: Initialisation | None,
        recipe: Recipe,
        clock: Clock,
        progress: Progress | None = None,
        below: Floats | None = None,
    ) -> list[Fitted]:
        """See `coordcodec.layers.protocol.Layer`. Networks come first: nothing lies below them."""
        from coordcodec.layers.siren.training import fit_signals

        return fit_signals(signals, spec, goals, init, recipe, clock, progress)

    def field(
        self,
        spec: SirenSpec,
        symbols: Symbols,
        init: Initialisation | None,
        device: str,
        threads: int | None = None,
    ) -> Field:
        """See `coordcodec.layers.protocol.Layer`."""
        from coordcodec.compute.device import find_device
        from coordcodec.layers.siren.network import as_field

        arrays = {name: tensor.dequantize() for name, tensor in symbols.items()}
        if init:
            arrays = {name: init.theta[name] + update for name, update in arrays.items()}
        gains = [gain_of(code) for code in spec.gains]
        return as_field(spec, arrays, spec.partition, find_device(device), gains, threads)

    def open(
        self, chunks: Chunks, spec: SirenSpec, init: Initialisation | None, device: str, threads: int | None = None
    ) -> Field:
        """See `coordcodec.layers.protocol.Layer`."""
        return self.field(spec, self.decode(chunks, spec, init), init, device, threads)

    def fitted_example(self, signal: Signal) -> Quantizable:
        """See `coordcodec.layers.fitted_example`."""
        from coordcodec.layers.siren.training import fitted_example

        return fitted_example(signal)

    def network_for(self, signal: Signal, recipe: Recipe, width: int) -> SirenSpec:
        """See `coordcodec.layers.learnable.LearnableLayer`."""
        from coordcodec.layers.siren.learnable import network_for

        return network_for(signal, recipe, width)

    def learnable(self, spec: SirenSpec) -> Learnable:
        """See `coordcodec.layers.learnable.LearnableLayer`."""
        from coordcodec.layers.siren.learnable import LearnableSiren

        return LearnableSiren(spec)

    def tasks(
        self,
        signal: Signal,
        spec: SirenSpec,
        recipe: Recipe,
        target: int | None,
        points: int,
        seed: int,
        place: torch.device,
    ) -> Sequence[Any]:
        """See `coordcodec.layers.learnable.LearnableLayer`."""
        from coordcodec.layers.siren.learnable import tasks_of

        return tasks_of(signal, spec, recipe, target, points, seed, place)
