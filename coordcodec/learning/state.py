"""The state of a run on one of its processes: what it learns from, how far it is, and its checkpoint."""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor

from coordcodec import codec
from coordcodec.clock import Progress
from coordcodec.errors import InitialisationError
from coordcodec.hookspecs import Modality
from coordcodec.inr import maml, siren
from coordcodec.inr.batches import Batches, groups, join
from coordcodec.inr.objective import GPU_POINTS
from coordcodec.inr.ranks import Ranks
from coordcodec.inr.spec import SirenSpec
from coordcodec.inr.workers import Workers
from coordcodec.learning import checkpoint
from coordcodec.learning.curve import Point, decibels
from coordcodec.learning.plan import Plan
from coordcodec.learning.pool import Pool, Told
from coordcodec.learning.tasks import Reader
from coordcodec.recipe import Recipe

VALIDATION_POINTS = 8192
"""Points of each held-back task, for an inner step and for its error."""


class State:
    """A run.

    plan, ranks, device: what to do, among which processes, where. modality, recipe: of the signals. pool: the tasks.
    spec: the network. learner: theta and the inner rates. curve: the validations so far. saved: the outer step whose
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
        self.spec: SirenSpec = self.pool.reader.spec
        self.held_back = [task.resized(VALIDATION_POINTS, i) for i, task in enumerate(self.pool.held_back)]
        settings = maml.Settings(plan.outer_steps, plan.inner_steps, plan.inner_lr, plan.outer_lr, plan.first_order)
        drawn = siren.init(self.spec, 1, plan.seed, self.recipe.omega_0)
        self.learner = maml.Learner(self.spec, settings, {n: t.to(device) for n, t in drawn.items()}, ranks)
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
        before, after = validated(self.spec, self.learner.theta, self.learner.rates(), self.held_back)
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
def validated(
    spec: SirenSpec, theta: siren.Params, rates: list[siren.Params], tasks: list[Batches]
) -> tuple[float, float]:
    """The mean PSNR in dB of tasks without and with the inner steps, on points that these did not see."""
    theta = {name: tensor.expand(len(tasks), *tensor.shape[1:]) for name, tensor in theta.items()}
    adapted = maml.adapt(spec, theta, rates, tasks)
    device = theta["weight0"].device

    def errors(group: list[int]) -> Tensor:
        batch = join([tasks[i].next() for i in group])
        found = [maml.errors(spec, {n: t[group] for n, t in params.items()}, batch) for params in (theta, adapted)]
        return torch.stack(found)

    most = maml.TOGETHER if device.type == "cpu" else GPU_POINTS
    with Workers(device) as workers:
        found = torch.cat(workers.start(errors, groups(tasks, most, workers.pieces))(), dim=1)
    before, after = (-10 * torch.log10(found.clamp_min(1e-10) / 4)).mean(1).tolist()
    return before, after
