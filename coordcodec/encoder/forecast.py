"""What an encode would do and take, without doing it: which layers and why, how large, how long, how much memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordcodec.data import Signal
from coordcodec.encoder.plan import SHARE, Plan, choose_kinds, make_plan
from coordcodec.encoder.promise import promise_of
from coordcodec.encoder.score import QUICK_EFFORT, check_score, has_quick, start_bytes
from coordcodec.hookspecs import Modality
from coordcodec.layers.costs import COMPILING, Estimate
from coordcodec.layers.protocol import Proposal
from coordcodec.recipe import Recipe
from coordcodec.stream.container import Promise

STARTING = 1.5
"""Seconds to start Python and load PyTorch."""
LOADED = 370 << 20
"""Bytes of a process that has them."""
SCORING = 0.3e-6
"""Seconds to score one value, about: what a modality does there is its own."""
FULL_FITS, QUICK_FITS = 2, 2
"""Fits that a score takes on average, with all the effort and with little; see `coordcodec.encoder.search`."""


@dataclass(frozen=True)
class Expected:
    """One layer of a forecast.

    bytes: of its section at most, None: open. spec: as `info` shows it. init: the name of the learned initialisation
    that its fit starts from.
    """

    bytes: int | None
    spec: Mapping[str, Any]
    init: str | None
    estimate: Estimate


@dataclass(frozen=True)
class Forecast:
    """What an encode would do and take, as far as sizes tell.

    layers: from the first on. why: these kinds. target: most bytes of the file; None: open. score: what is to be
    reached by a search, which begins at `target`. promise: of every sample. seconds: from the command to its result,
    on usual cores, as many as may be used. compiling: further ones, once, where kernels are not compiled yet. memory:
    bytes at the peak, the process included.
    """

    layers: tuple[Expected, ...]
    why: str
    target: int | None
    score: float | None
    promise: Promise | None
    seconds: float
    compiling: float
    memory: int

    def describe(self) -> dict[str, Any]:
        """The same as numbers, texts, lists and dicts, for JSON."""
        return {
            "layers": [
                {**layer.spec, "bytes": layer.bytes, "init": layer.init, "work": dict(layer.estimate.work)}
                for layer in self.layers
            ],
            "why": self.why,
            "target_bytes": self.target,
            "target_score": self.score,
            "max_error": self.promise and (self.promise.max_error or 0.0),
            "estimated_seconds": round(self.seconds, 1),
            "estimated_compiling_seconds": self.compiling,
            "estimated_memory_bytes": self.memory,
        }


def forecast(signal: Signal, modality: Modality, asked: Recipe, reading: float = 0.0) -> Forecast:
    """What the encode of a signal would do and take. reading: seconds of the processor that it took to read it.

    Warns and raises as the encode does before its fit.
    """
    recipe, searched = asked, asked.target_score is not None
    if searched:
        check_score(modality, asked)
        recipe = asked.replace(num_bytes=start_bytes(signal, modality), lenient=True)
    chosen = choose_kinds(signal, modality, recipe)
    plans = _plans(signal, modality, recipe, chosen.names)
    layers = tuple(_expected(plan, recipe) for plan in plans)
    seconds = _seconds(layers, signal)
    if searched:
        quick = recipe.replace(effort=QUICK_EFFORT)
        seconds *= FULL_FITS
        seconds += QUICK_FITS * has_quick(asked) * _seconds([_expected(plan, quick) for plan in plans], signal)
    held = 4 * signal.size + (0 if signal.samples is None else signal.samples.nbytes)
    return Forecast(
        layers,
        chosen.why,
        None if plans[-1].target is None else plans[-1].target + _taken(plans[:-1]),
        asked.target_score,
        promise_of(signal, recipe),
        STARTING + reading + seconds,
        COMPILING if any(layer.estimate.compiling for layer in layers) else 0.0,
        LOADED + held + max(layer.estimate.memory for layer in layers),
    )


def _plans(signal: Signal, modality: Modality, recipe: Recipe, kinds: tuple[str, ...]) -> list[Plan]:
    """A plan per layer. A later one is not made for what the ones before leave over, which only their fits would tell,
    but for the signal itself."""
    *earlier, last = kinds
    plans = [make_plan(signal, modality, recipe, kind, SHARE) for kind in earlier]
    return [*plans, make_plan(signal, modality, recipe, last, reserved=_taken(plans))]


def _taken(plans: Sequence[Plan]) -> int:
    """The bytes of sections that will stand before the last one."""
    return sum(plan.goal.bytes or 0 for plan in plans)


def _expected(plan: Plan, recipe: Recipe) -> Expected:
    proposal = Proposal(plan.spec, plan.init)
    estimate = plan.layer.estimate(plan.signal, proposal, plan.goal, recipe)
    return Expected(plan.goal.bytes, plan.spec.describe(), plan.init.name if plan.init else None, estimate)


def _seconds(layers: Sequence[Expected], signal: Signal) -> float:
    """Of one encode and of its score."""
    taken = sum(layer.estimate.seconds + layer.estimate.decoding for layer in layers)
    return taken + SCORING * signal.size
