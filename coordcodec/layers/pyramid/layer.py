"""The kind "pyramid", as `coordcodec.layers.protocol` asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coordcodec.clock import Clock, Progress
from coordcodec.data import Floats, Signal, Symbols
from coordcodec.inits import Initialisation
from coordcodec.layers.protocol import Chunks, Fitted, Goal
from coordcodec.layers.pyramid import coding, cost, propose
from coordcodec.layers.pyramid.field import PyramidField
from coordcodec.recipe import Recipe
from coordcodec.specs import PyramidSpec


class Pyramid:
    """Integers at several scales, interpolated, of which a small network makes values."""

    kind, early = PyramidSpec.kind, PyramidSpec.early
    quick: Mapping[str, Any] = {"steps": 20, "synthesis": (8, 8), "context": (8, 8)}
    propose = staticmethod(propose.propose)
    check = staticmethod(coding.check)
    encode = staticmethod(coding.encode)
    decode = staticmethod(coding.decode)
    estimate = staticmethod(cost.estimate)
    cost = staticmethod(cost.cost)

    def refine(
        self, signal: Signal, spec: PyramidSpec, goal: Goal, recipe: Recipe, progress: Progress | None = None
    ) -> PyramidSpec:
        """See `coordcodec.layers.protocol.Layer`. Sizes and types tell all."""
        return spec

    def fit(
        self,
        signals: Sequence[Signal],
        spec: PyramidSpec,
        goals: Sequence[Goal],
        init: Initialisation | None,
        recipe: Recipe,
        clock: Clock,
        progress: Progress | None = None,
        below: Floats | None = None,
    ) -> list[Fitted]:
        """See `coordcodec.layers.protocol.Layer`."""
        from coordcodec.layers.pyramid.fit import PyramidFitted

        return [
            PyramidFitted(signal, spec, goal, recipe, clock, progress, below)
            for signal, goal in zip(signals, goals, strict=True)
        ]

    def field(
        self, spec: PyramidSpec, symbols: Symbols, init: Initialisation | None, device: str, threads: int | None = None
    ) -> PyramidField:
        """See `coordcodec.layers.protocol.Layer`."""
        return PyramidField(spec, symbols)

    def open(
        self, chunks: Chunks, spec: PyramidSpec, init: Initialisation | None, device: str, threads: int | None = None
    ) -> PyramidField:
        """See `coordcodec.layers.protocol.Layer`."""
        return self.field(spec, self.decode(chunks, spec, init), init, device, threads)

    def describe(self, spec: PyramidSpec, init: bytes, chunks: Chunks) -> dict[str, Any]:
        """See `coordcodec.layers.protocol.Layer`."""
        sizes = {"networks": len(chunks[0])}
        for level, chunk in zip(reversed(spec.levels), chunks[1:], strict=False):
            sizes[f"level {level}"] = len(chunk)
        return {**spec.describe(), "sections": sizes}
