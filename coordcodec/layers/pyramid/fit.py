"""A pyramid fitted to one signal. Encoder only."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from coordcodec.clock import Clock, Progress
from coordcodec.data import Floats, Quantized, Signal, Symbols
from coordcodec.layers.protocol import Facts, Goal
from coordcodec.layers.pyramid import networks
from coordcodec.layers.pyramid.analysis import WORTH, start, steps_of
from coordcodec.layers.pyramid.coding import Level, latents_name
from coordcodec.layers.pyramid.context import ContextNet
from coordcodec.layers.pyramid.layout import FRACTION
from coordcodec.layers.pyramid.step import Stepper
from coordcodec.layers.pyramid.tradeoff import first_tradeoff
from coordcodec.layers.pyramid.training import Aim, Training
from coordcodec.recipe import Recipe
from coordcodec.specs.pyramid import PyramidSpec

_ABOVE = 1.004
"""Of the target, what latents are fitted for: what is a little too much is taken away when they are rounded."""
_BITS = 6
"""Of a parameter of the networks, before they are quantized, about."""
_OCTAVE = 8
"""The finenesses in which what errors of latents are worth doubles."""


class PyramidFitted:
    """See `coordcodec.layers.protocol.Continuous`. fineness: 8 for twice what errors of latents are worth as theory
    has it, when they are rounded; from the upper end on they are rounded to the nearest."""

    fineness = float(_OCTAVE)

    def __init__(
        self,
        signal: Signal,
        spec: PyramidSpec,
        goal: Goal,
        recipe: Recipe,
        clock: Clock,
        progress: Progress | None = None,
        below: Floats | None = None,
    ) -> None:
        self.spec, choices = spec, recipe.pyramid
        self.bounds = -12.0 * _OCTAVE, 3.0 * _OCTAVE
        self.stepper = Stepper(spec, *_targets(signal, spec, below), recipe.seed, recipe.threads)
        samples, room = self.stepper.samples, None
        if goal.bytes is not None:
            room = _ABOVE * goal.bytes - 24 - 8 * len(spec.levels)
        tensors = networks.drawn(spec, recipe.seed)
        parameters = sum(t.size for t in tensors.values())
        bits = None if room is None else max(8 * room - _BITS * parameters, 64.0)
        first = choices.tradeoff
        if first is None:
            values = self.stepper.target.T.reshape(*spec.shape, spec.channels)
            first = first_tradeoff(values, (bits or 0.3 * samples) / samples)
        start(self.stepper, steps_of(self.stepper, first), tensors)
        training = Training(self.stepper, tensors, Aim(first, bits), choices.lr)
        self.networks = training.run(choices.planned_steps(recipe.effort), clock, progress, room)
        self._facts = Facts(training.done, 0, "cpu", "float32", self.stepper.threads)
        self._latents = {
            level: own.latents.reshape(own.shape) for level, own in zip(spec.levels, self.stepper.planes, strict=True)
        }

    def symbols(self, fineness: float) -> Symbols:
        """See `Continuous`."""
        if fineness < self.bounds[0] + _OCTAVE:
            return self._empty()
        worth = WORTH * 2 ** (fineness / _OCTAVE) if fineness < self.bounds[1] else 1e6
        net, parent, found = ContextNet.of(self.spec, self.networks), None, dict[str, Quantized]()
        for level in reversed(self.spec.levels):
            shape, wishes = self.spec.level_shape(level), self._latents[level]
            parent = Level(self.spec, level, parent)
            parent.write(net, wishes, worth)
            found[latents_name(level)] = Quantized(parent.padded.take(parent.flat).reshape(shape), 1.0)
        return {**self.networks, **found}

    def _empty(self) -> Symbols:
        """No latents, and a context network that takes that for granted: the fewest bytes."""
        found = dict(self.networks)
        for name, tensor in self.networks.items():
            if name.startswith("context"):
                found[name] = Quantized(np.zeros_like(tensor.symbols), 2.0**-FRACTION)
        found["context.2.bias"] = Quantized(np.array([0, -4 << FRACTION], np.int32), 2.0**-FRACTION)
        for level in reversed(self.spec.levels):
            found[latents_name(level)] = Quantized(np.zeros(self.spec.level_shape(level), np.int32), 1.0)
        return found

    def toward(self, fineness: float, ratio: float) -> float:
        """See `Continuous`."""
        return fineness + 5 * _OCTAVE * math.log2(ratio) - (_OCTAVE if ratio < 1 else 0)  # flat at first

    def facts(self) -> Facts:
        """See `Fit`."""
        return self._facts

    def close(self) -> None:
        """See `Fit`."""
        self.stepper.close()


def _targets(signal: Signal, spec: PyramidSpec, below: Floats | None) -> tuple[Floats, NDArray[np.bool_] | None]:
    """The values in the networks' own unit, 0 where they are not known, and which are."""
    values = signal.values if below is None else signal.values - below
    target = ((values - np.array(spec.origin)) / np.array(spec.unit)).astype(np.float32)
    known: NDArray[np.bool_] = np.logical_not(np.isnan(values).any(axis=1))
    if known.all():
        return target, None
    return np.where(known[:, None], target, 0).astype(np.float32), known
