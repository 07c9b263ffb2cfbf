"""From signals to fitted networks, and from those to symbols, as finely as asked."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import torch

from coordcodec.clock import Clock, OutOfTime, Progress
from coordcodec.compute.device import choose_precision, find_device
from coordcodec.data import Signal, Symbols
from coordcodec.inits import Initialisation
from coordcodec.layers.protocol import Facts, Fitted, Goal
from coordcodec.layers.siren import adapt, batches, network, symmetry
from coordcodec.layers.siren.calls import Calls
from coordcodec.layers.siren.fit import fit
from coordcodec.layers.siren.network import Params
from coordcodec.layers.siren.objective import Objective
from coordcodec.layers.siren.penalty import L1Penalty, Penalty, RatePenalty
from coordcodec.partition import gain_of
from coordcodec.plugins import in_loop, installed
from coordcodec.quant.uniform import largest
from coordcodec.recipe import Recipe
from coordcodec.specs import SirenSpec
from coordcodec.stream.weight_models import MAX_BITS, limit_of

QUANTIZE_SHARE = 0.12
"""Steps that quantization takes, as a share of the fit's."""
BITS = 2.0, 12.0
"""The narrowest and the widest symbols."""
FURTHEST = limit_of(MAX_BITS)
"""The largest magnitude of a symbol in a file."""


def fit_signals(
    signals: Sequence[Signal],
    spec: SirenSpec,
    goals: Sequence[Goal],
    init: Initialisation | None,
    recipe: Recipe,
    clock: Clock,
    progress: Progress | None = None,
) -> list[Fitted]:
    """See `coordcodec.layers.protocol.Layer`."""
    return [
        _fit_one(signal, spec, goal, init, recipe, clock, progress) for signal, goal in zip(signals, goals, strict=True)
    ]


def fitted_example(signal: Signal) -> Networks:
    """See `coordcodec.layers.fitted_example`."""
    choices = {"width": 12, "depth": 2, "num_frequencies": 4, "steps": 600, "lr": 3e-2, "l1": 0.0, "batch": 576}
    recipe = Recipe(siren=choices, device="cpu", precision="float32")
    network = SirenSpec(signal.dims, signal.channels, 12, 2, 4, 1400)
    return _fit_one(signal, network, Goal(), None, recipe, Clock(), None)


def _fit_one(
    signal: Signal,
    spec: SirenSpec,
    goal: Goal,
    init: Initialisation | None,
    recipe: Recipe,
    clock: Clock,
    progress: Progress | None,
) -> Networks:
    choices, place = recipe.siren, find_device(recipe.device)
    gains = [gain_of(code) for code in spec.gains]
    source = batches.batches_of(signal, spec.partition, spec, choices.batch, recipe.seed, place, gains)
    penalty = penalty_for(spec, goal, init, recipe, place)
    precision = choose_precision(recipe.precision, place, spec.width)
    loss = Objective(spec, source, precision, place, penalty, recipe.threads)
    loss.__enter__()
    try:
        began = time.monotonic()
        params, steps = fit(
            loss,
            _start(spec, init, recipe, loss),
            steps=choices.planned_steps(spec.parameters, recipe.effort),
            lr=choices.planned_lr(spec.width, spec.depth),
            optimizer=choices.optimizer,
            progress=progress,
            clock=clock,
        )
        pace = (time.monotonic() - began) / max(steps, 1)
        if not init:
            params = symmetry.folded(spec, params)
        calls = Calls(loss, penalty.origin, int(QUANTIZE_SHARE * steps), progress, clock, pace)
        return Networks(spec, loss, params, calls, recipe, steps, str(precision).removeprefix("torch."))
    except BaseException:
        loss.__exit__()
        raise


def _start(spec: SirenSpec, init: Initialisation | None, recipe: Recipe, loss: Objective) -> Params:
    """Where the fit begins: behind the inner steps of an initialisation, or at random."""
    place = loss.device
    if init:
        rates = [network.as_params(rate, place) for rate in init.rates]
        return adapt.adapt(spec, loss.penalty.origin, rates, loss)
    drawn = network.init(spec, len(spec.partition), recipe.seed, recipe.siren.omega_0)
    return {name: tensor.to(place) for name, tensor in drawn.items()}


def penalty_for(
    spec: SirenSpec, goal: Goal, init: Initialisation | None, recipe: Recipe, place: torch.device
) -> Penalty:
    """What holds down updates to an initialisation, or parameters where the fit sees a rate; else the L1 norm."""
    half, strength = recipe.siren.quantizer == "half", recipe.siren.rate_penalty
    budget = None
    if goal.bytes is not None:
        budget = 8.0 * max(1, goal.bytes - spec.header_bytes(init is not None, half))
    measured = in_loop(recipe.siren.quantizer) and budget is not None
    if init:
        origin, sigmas = (network.as_params(found, place) for found in (init.theta, init.sigmas()))
        return RatePenalty(origin, sigmas, None if measured else init.ranges, budget, strength)
    if measured:
        origin, sigmas = (network.filled(spec, value, place) for value in (0.0, 1.0))
        return RatePenalty(origin, sigmas, None, budget, strength)
    return L1Penalty(recipe.siren.l1)


class Networks:
    """Fitted networks; see `coordcodec.layers.protocol.Fitted`. The fineness is the width of a symbol in bits.

    updates: parameters, or their updates to an initialisation, each (parts, ...). loss: of parameters. calls: the same
    of updates, counted.
    """

    def __init__(
        self, spec: SirenSpec, loss: Objective, params: Params, calls: Calls, recipe: Recipe, steps: int, precision: str
    ) -> None:
        origin = loss.penalty.origin
        self.spec, self.loss, self.calls, self.steps, self.precision = spec, loss, calls, steps, precision
        self.updates = {name: tensor - origin[name] for name, tensor in params.items()} if origin else params
        self.fineness, self.bounds = float(recipe.siren.bits), BITS
        # Half precision has one size.
        self.slope = 0.0 if recipe.siren.quantizer == "half" else spec.parameters * len(spec.partition) / 8
        self.quantizer = installed().quantizers.get(recipe.siren.quantizer)
        self.plain = installed().quantizers.get("uniform")
        self.largest = largest(self.updates)
        self.ranges = loss.penalty.quantization_ranges(loss, params)

    def symbols(self, fineness: float) -> Symbols:
        """See `Fitted`. Plain rounding when the time is over."""
        try:
            return self.quantizer(
                self.updates, self.calls.restart(), self._reach(fineness), fineness, self.calls.budget
            )
        except OutOfTime:
            return self.draft(fineness)

    def draft(self, fineness: float) -> Symbols:
        """See `Fitted`."""
        return self.plain(self.updates, self.calls, self._reach(fineness), fineness, 0)

    def _reach(self, bits: float) -> Mapping[str, float]:
        """How far the grids reach at so many bits: as far as the largest parameters, or as the penalty says.

        In the latter case parameters may lie beyond, but no further than a file can say.
        """
        if self.ranges is None:
            return self.largest
        share = (2 ** (bits - 1) - 1) / FURTHEST
        return {name: max(reach, share * self.largest[name]) for name, reach in self.ranges.items()}

    def facts(self) -> Facts:
        """See `Fitted`."""
        threads = self.loss.workers.count
        return Facts(self.steps, self.calls.total, str(self.loss.device), self.precision, threads)

    def close(self) -> None:
        """See `Fitted`."""
        self.loss.__exit__()
