"""The kind "detail", as `coordcodec.layers.protocol` asks for it. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coordcodec.clock import Clock, Progress
from coordcodec.data import Floats, Signal, Symbols
from coordcodec.inits import Initialisation
from coordcodec.layers.detail import coding, cost, decode_cost, propose, reading
from coordcodec.layers.detail.field import DetailField, Whole
from coordcodec.layers.detail.parts import Parts
from coordcodec.layers.detail.symbols import Detailed
from coordcodec.layers.detail.values import decoded
from coordcodec.layers.protocol import Chunks, Fitted, Goal, Proposal
from coordcodec.recipe import Recipe
from coordcodec.specs import DetailSpec


class Detail:
    """Integers on the signal's grid, as they are or in a basis of wavelets or lapped cosines."""

    kind, early = DetailSpec.kind, DetailSpec.early
    quick: Mapping[str, Any] = {}
    check = staticmethod(reading.check)
    encode = staticmethod(coding.encode)
    decode = staticmethod(reading.decode)
    estimate = staticmethod(cost.estimate)
    cost = staticmethod(decode_cost.cost)

    def propose(self, signal: Signal, goal: Goal, recipe: Recipe, below: Floats | None = None) -> Proposal:
        """See `coordcodec.layers.protocol.Layer`."""
        return propose.propose(signal, goal, recipe, below)

    def refine(
        self, signal: Signal, spec: DetailSpec, goal: Goal, recipe: Recipe, progress: Progress | None = None
    ) -> DetailSpec:
        """See `coordcodec.layers.protocol.Layer`."""
        from coordcodec.layers.detail import trial
        from coordcodec.layers.detail.fit import get_ready

        get_ready(progress)
        return trial.refine(signal, spec, goal, recipe, progress)

    def fit(
        self,
        signals: Sequence[Signal],
        spec: DetailSpec,
        goals: Sequence[Goal],
        init: Initialisation | None,
        recipe: Recipe,
        clock: Clock,
        progress: Progress | None = None,
        below: Floats | None = None,
    ) -> list[Fitted]:
        """See `coordcodec.layers.protocol.Layer`."""
        from coordcodec.layers.detail.fit import DetailFitted, get_ready

        get_ready(progress)
        return [
            DetailFitted(signal, spec, goal, recipe, below, progress)
            for signal, goal in zip(signals, goals, strict=True)
        ]

    def field(
        self, spec: DetailSpec, symbols: Symbols, init: Initialisation | None, device: str, threads: int | None = None
    ) -> DetailField:
        """See `coordcodec.layers.protocol.Layer`."""
        detailed = symbols if isinstance(symbols, Detailed) else Detailed(symbols)
        return DetailField(spec, Whole(decoded(spec, detailed)))

    def open(
        self, chunks: Chunks, spec: DetailSpec, init: Initialisation | None, device: str, threads: int | None = None
    ) -> DetailField:
        """See `coordcodec.layers.protocol.Layer`."""
        if spec.tile:
            return DetailField(spec, Parts(spec, chunks, threads))
        return self.field(spec, self.decode(chunks, spec, init), init, device, threads)

    def describe(self, spec: DetailSpec, init: bytes, chunks: Chunks) -> dict[str, Any]:
        """See `coordcodec.layers.protocol.Layer`."""
        return {**spec.describe(), "sections": {"detail": sum(map(len, chunks))}}
