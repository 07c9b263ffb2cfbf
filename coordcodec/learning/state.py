"""The state of a run on one of its processes: what it learns from, how far it is, and its checkpoint."""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor

from coordcodec import codec
from coordcodec.clock import Progress
from coordcodec.compute.workers import Workers
from coordcodec.errors import InitialisationError
from coordcodec.hookspecs import Modality
from coordcodec.layers import learnable
from coordcodec.layers.learnable import Learnable, Task
from coordcodec.learning import checkpoint, maml
from coordcodec.learning.curve import Point, decibels
from coordcodec.learning.plan import Plan
from coordcodec.learning.pool import Pool, Told
from coordcodec.learning.ranks import Ranks
from coordcodec.learning.tasks import Reader
from coordcodec.recipe import Recipe

VALIDATION_POINTS = 8192
"""Points of each held-back task, for an inner step and for its error."""


class State:
    """A run.

    plan, ranks, device: what to do, among which processes, where. modality, recipe: of the signals. pool: the tasks.
    net: the networks. learner: theta and the inner rates. curve: the validations so far. saved: the outer step whose
    state the checkpoint holds.
    """

    def __init__(self, plan: Plan, ranks: Ranks, device: torch.device, told: Told, watch: Progress) -> None:
        """Read the folders. Raises FileError, SignalError, RecipeError or UnknownName."""
        self.start = time.monotonic()
        self.plan, self.ranks, self.device, self.told, self.watch = plan, ranks, device, told, watch
        self.modality: Modality = codec.find_modality(plan.folders[0], plan.modality)
        choices = {"rate": plan.rate, "num_bytes": plan.num_bytes, "seed": plan.seed, "device": plan.device}
        self.recipe: Recipe = codec.make_recipe(self.modality, None, **choices)
        self.pool = Pool(Reader(plan, self.modality, self.recipe, device), watch)
        self.net: Learnable = learnable().learnable(self.pool.reader.spec)
        self.held_back = [task.resized(VALIDATION_POINTS, i) for i, task in enumerate(self.pool.held_back)]
        settings = maml.Settings(plan.outer_steps, plan.inner_steps, plan.inner_lr, plan.outer_lr, plan.first_order)
        self.learner = maml.Learner(self.net, settings, self.net.draw(plan.seed, self.recipe, device), ranks)
        self.curve: list[Point] = []
        self.earlier = 0.0
        self.saved = 0

    @property
    def seconds(self) -> float:
        """How long this has taken, earlier runs that it goes on from included."""
        return self.earlier + time.monotonic() - self.start

    def validate(self, train: float) -> None:
        """Measure the held-back tasks and tell the result. train: the mean outer loss since the last time, or NaN."""
        if not self.ranks.leads:
            return
        before, after = validated(self.net, self.learner.theta, self.learner.rates(), self.held_back)
        done = self.learner.step
        self.curve.append(Point(done, train, before, after))
        learned = "" if math.isnan(train) else f"learned from {decibels(train):.2f} dB, "
        self.told(f"step {done:,}: {learned}held back {before:.2f} -> {after:.2f} dB, {self.seconds:.0f} s")

    def save(self) -> None:
        """Write the checkpoint."""
        self.saved = self.learner.step
        if self.ranks.leads:
            rows = [[p.step, p.train, p.before, p.after] for p in self.curve]
            own = {
                "curve": torch.tensor(rows, dtype=torch.float64).view(-1, 4),
                "seconds": torch.tensor(self.seconds, dtype=torch.float64),
            }
            checkpoint.save(self.plan.checkpoint, self.learner.state() | own, self.plan.lasting())

    def restore(self) -> None:
        """Go on from the checkpoint. Raises FileError when there is none, InitialisationError when it does not fit."""
        path = self.plan.checkpoint
        state = checkpoint.load(path, self.plan.lasting())
        try:
            self.learner.restore(state)
            self.curve = [Point(int(step), *rest) for step, *rest in state["curve"].tolist()]
            self.earlier = float(state["seconds"])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise InitialisationError(f"damaged checkpoint {path}: {error}") from None
        self.saved = self.learner.step

    def slow_down(self) -> None:
        """Have the checkpoint go on at half the outer rates."""
        if self.ranks.leads:
            state = checkpoint.load(self.plan.checkpoint, self.plan.lasting())
            checkpoint.save(self.plan.checkpoint, maml.slowed(state), self.plan.lasting())


@torch.no_grad()
def validated(net: Learnable, theta: maml.Params, rates: list[maml.Params], tasks: list[Task]) -> tuple[float, float]:
    """The mean PSNR in dB of tasks without and with the inner steps, on points that these did not see."""
    theta = {name: tensor.expand(len(tasks), *tensor.shape[1:]) for name, tensor in theta.items()}
    adapted = net.adapt(theta, rates, tasks)
    device = next(iter(theta.values())).device

    def errors(group: list[int]) -> Tensor:
        candidates = [{name: tensor[group] for name, tensor in params.items()} for params in (theta, adapted)]
        return torch.stack(net.errors(candidates, [tasks[i] for i in group]))

    with Workers(device) as workers:
        found = torch.cat(workers.start(errors, net.groups(tasks, device, workers.pieces))(), dim=1)
    before, after = (-10 * torch.log10(found.clamp_min(1e-10) / 4)).mean(1).tolist()
    return before, after
