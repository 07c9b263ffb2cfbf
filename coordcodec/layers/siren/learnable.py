"""How initialisations of SIRENs are learned; see `coordcodec.layers.learnable`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from coordcodec.clock import Progress
from coordcodec.compute.device import choose_precision
from coordcodec.data import Signal
from coordcodec.inits import sigmas_of
from coordcodec.layers.learnable import Sizes
from coordcodec.layers.siren import adapt, batches, network, ranges
from coordcodec.layers.siren.architecture import choose_partition
from coordcodec.layers.siren.batch import groups, join
from coordcodec.layers.siren.batches import Batches
from coordcodec.layers.siren.curvature import Loss
from coordcodec.layers.siren.fit import fit, rates_of
from coordcodec.layers.siren.network import Params
from coordcodec.layers.siren.objective import GPU_POINTS, Objective
from coordcodec.layers.siren.penalty import L1Penalty, Penalty, RatePenalty
from coordcodec.partition import gain_codes, gain_of
from coordcodec.recipe import Recipe
from coordcodec.specs import SirenSpec

TOGETHER = 2048
"""Points of several tasks that a CPU computes together: few enough for its cache."""
LAST_LAYER, FIRST_LAYER = 0.02, 0.3
"""Inner rates of the last and the first layer at the beginning, as shares of the others'."""
BUDGET = 4.5
"""Bits per parameter of the files that the fits stand for."""


def network_for(signal: Signal, recipe: Recipe, width: int) -> SirenSpec:
    """See `LearnableLayer`."""
    choices = recipe.siren
    sizes = (signal.dims, signal.channels, width, choices.depth, choices.num_frequencies)
    return SirenSpec(*sizes, round(choices.sigma * 1000))


def tasks_of(
    signal: Signal,
    spec: SirenSpec,
    recipe: Recipe,
    target: int | None,
    points: int,
    seed: int,
    place: torch.device,
) -> Sequence[Batches]:
    """See `LearnableLayer`; each part is scaled by its gain where the recipe says so."""
    partition = choose_partition(signal, recipe.siren, target)
    gains = [gain_of(code) for code in gain_codes(signal, partition)] if recipe.siren.gains else ()
    return batches.batches_of(signal, partition, spec, points, seed, place, gains)


class LearnableSiren:
    """See `Learnable`."""

    def __init__(self, spec: SirenSpec) -> None:
        self.spec = spec

    def draw(self, seed: int, recipe: Recipe, place: torch.device) -> Params:
        """See `Learnable`."""
        drawn = network.init(self.spec, 1, seed, recipe.siren.omega_0)
        return {name: tensor.to(place) for name, tensor in drawn.items()}

    def inner_shares(self) -> dict[str, float]:
        """See `Learnable`."""
        shares = {f"{self.spec.depth + 1}": LAST_LAYER, "0": FIRST_LAYER}
        return {name: shares.get(name.removeprefix("weight").removeprefix("bias"), 1.0) for name in self.spec.shapes()}

    def most_points(self, recipe: Recipe) -> int:
        """See `Learnable`."""
        return int(recipe.siren.batch)

    def outer_rates(self, lr: float) -> list[float]:
        """See `Learnable`."""
        return rates_of(self.spec, lr)

    def groups(self, tasks: Sequence[Batches], place: torch.device, pieces: int) -> list[list[int]]:
        """See `Learnable`."""
        return groups([task.shape for task in tasks], TOGETHER if place.type == "cpu" else GPU_POINTS, pieces)

    def loss(self, params: Mapping[str, Tensor], tasks: Sequence[Batches]) -> Loss:
        """See `Learnable`."""
        return Loss(self.spec, params, join([task.next() for task in tasks]))

    def errors(self, candidates: Sequence[Mapping[str, Tensor]], tasks: Sequence[Batches]) -> list[Tensor]:
        """See `Learnable`."""
        batch = join([task.next() for task in tasks])
        return [adapt.errors(self.spec, params, batch) for params in candidates]

    def adapt(
        self, theta: Mapping[str, Tensor], rates: Sequence[Mapping[str, Tensor]], tasks: Sequence[Batches]
    ) -> Params:
        """See `Learnable`."""
        return adapt.adapt(self.spec, theta, rates, tasks)

    def fitted(
        self,
        theta: Mapping[str, Tensor],
        rates: Sequence[Mapping[str, Tensor]],
        tasks: Sequence[Batches],
        recipe: Recipe,
        steps: int,
        known: Sizes | None = None,
        progress: Progress | None = None,
    ) -> Params:
        """See `Learnable`."""
        place, choices = theta["weight0"].device, recipe.siren
        precision = choose_precision(recipe.precision, place, self.spec.width)
        penalty: Penalty = L1Penalty(choices.l1)
        if known:
            origin = {name: tensor.detach() for name, tensor in theta.items()}
            sigmas = network.as_params(sigmas_of(known[0]), place)
            penalty = RatePenalty(
                origin, sigmas, known[1], BUDGET * len(tasks) * self.spec.parameters, choices.rate_penalty
            )
        with Objective(self.spec, list(tasks), precision, place, penalty) as objective:
            params = adapt.adapt(self.spec, theta, rates, objective)
            return fit(
                objective,
                params,
                steps=steps,
                lr=choices.planned_lr(self.spec.width, self.spec.depth),
                optimizer=choices.optimizer,
                progress=progress,
            )[0]

    def range_sums(self, params: Mapping[str, Tensor], tasks: Sequence[Batches], seed: int) -> dict[str, float]:
        """See `Learnable`."""
        return ranges.logarithms(self.spec, dict(params), tasks, seed)

    def ranges(self, sums: Mapping[str, float], tasks: int) -> dict[str, float]:
        """See `Learnable`."""
        return ranges.ranges_for(self.spec, sums, tasks)
