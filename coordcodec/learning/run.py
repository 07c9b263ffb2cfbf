"""The stages of a run: read, learn, fit, write."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coordcodec import __version__, codec, inits
from coordcodec.errors import FileError, InitialisationError
from coordcodec.files import check_writable, write_bytes
from coordcodec.inr import maml, ranks, siren
from coordcodec.inr.batches import Batches, groups, join
from coordcodec.inr.device import find_device
from coordcodec.inr.objective import GPU_POINTS
from coordcodec.learning import checkpoint, codes, curve
from coordcodec.learning.curve import Point, decibels
from coordcodec.learning.plan import Plan
from coordcodec.learning.pool import Pool, Watch
from coordcodec.learning.tasks import Reader
from coordcodec.learning.watchdog import Watchdog
from coordcodec.recipe import Recipe

Told = Callable[[str], None]

VALIDATIONS = 40
"""How often the held-back tasks are measured."""
VALIDATION_POINTS = 8192
"""Points of each held-back task, for an inner step and for its error."""
SAVE_SECONDS = 60.0


def learn(plan: Plan, told: Told = lambda line: None, watch: Watch | None = None) -> dict[str, Any]:
    """Learn an initialisation and write it; returns the facts of the run.

    told: gets a line at every validation. watch: gets (stage, done, total) now and then.

    Raises CoordCodecError for folders that cannot be learned from, outputs that cannot be written, and a run that
    diverges; KeyboardInterrupt with where the run can go on. Then nothing is written but the checkpoint.
    """
    with ranks.joined(find_device(plan.device)) as (shared, device):
        if shared.leads:
            _check_outputs(plan)
            return _Run(plan, shared, device, told, watch).all()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return _Run(plan, shared, device, lambda line: None, None).all()


def _check_outputs(plan: Plan) -> None:
    for path in (Path(plan.output), plan.picture):
        check_writable(path, plan.force)
    if plan.checkpoint.exists() and not (plan.resume or plan.force):
        raise FileError(f"{plan.checkpoint} exists; go on from it with --resume, or begin anew with --force")


class _Run:
    """A run on one of its processes, which are called ranks."""

    def __init__(self, plan: Plan, shared: ranks.Ranks, device: torch.device, told: Told, watch: Watch | None) -> None:
        self.start = time.monotonic()
        self.plan, self.ranks, self.device, self.told, self.watch = plan, shared, device, told, watch
        self.modality = codec.find_modality(plan.folders[0], plan.modality)
        choices = {"rate": plan.rate, "num_bytes": plan.num_bytes, "seed": plan.seed, "device": plan.device}
        self.recipe: Recipe = codec.make_recipe(self.modality, None, **choices)
        self.pool = Pool(Reader(plan, self.modality, self.recipe, device), watch)
        self.spec = self.pool.reader.spec
        self.held_back = [task.resized(VALIDATION_POINTS, i) for i, task in enumerate(self.pool.held_back)]
        settings = maml.Settings(plan.outer_steps, plan.inner_steps, plan.inner_lr, plan.outer_lr, plan.first_order)
        drawn = siren.init(self.spec, 1, plan.seed, self.recipe.omega_0)
        theta = {name: tensor.to(device) for name, tensor in drawn.items()}
        self.learner = maml.Learner(self.spec, settings, theta, shared)
        self.curve: list[Point] = []
        self.seconds = 0.0
        """Of the runs that this one goes on from."""
        self.saved = 0
        """The step whose state the checkpoint holds."""

    def all(self) -> dict[str, Any]:
        """All stages; returns the facts of the run."""
        if self.ranks.leads:
            self.pool.left.check(len(self.pool.files))
        if self.plan.resume:
            self._restore()
        else:
            self._save()
        try:
            self._learn()
            return self._finish()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"the state after {self.saved} outer steps is in {self.plan.checkpoint}; "
                "the same command with --resume goes on"
            ) from None

    def _learn(self) -> None:
        """Outer steps, in stretches between validations."""
        learner, steps = self.learner, self.plan.outer_steps
        every = max(1, min(steps, max(25, steps // VALIDATIONS)))
        if not self.curve:
            self._validate(math.nan)
        dog, saved = Watchdog(), time.monotonic()
        while learner.step < steps:
            losses = []
            with learner:
                for step in range(learner.step, min(steps, (learner.step // every + 1) * every)):
                    tasks = self.pool.at(step)
                    loss = learner.learn([tasks[i] for i in self.ranks.share(len(tasks))], len(tasks))
                    losses.append(loss)
                    complaint = dog.complaint(loss)
                    if complaint:
                        self._give_up(complaint)
                    if self.watch:
                        self.watch("learn", learner.step, steps)
                    if time.monotonic() - saved > SAVE_SECONDS and not math.isnan(loss):
                        self._save()
                        saved = time.monotonic()
            finite = [loss for loss in losses if not math.isnan(loss)]
            self._validate(sum(finite) / len(finite) if finite else math.nan)
        self._save()

    def _give_up(self, complaint: str) -> None:
        """End a run that diverged; its checkpoint will go on at half the rate."""
        step, path = self.learner.step, self.plan.checkpoint
        if self.ranks.leads:
            state = checkpoint.load(path, self.plan.lasting())
            checkpoint.save(path, maml.slowed(state), self.plan.lasting())
        raise InitialisationError(
            f"learning diverged at outer step {step}: {complaint}; --resume goes on from step {self.saved}, "
            f"kept in {path}, at half the outer rate; or begin anew with a smaller --outer-lr"
        )

    def _validate(self, train: float) -> None:
        """Measure the held-back tasks."""
        if not self.ranks.leads:
            return
        before, after = validate(self.spec, self.learner.theta, self.learner.rates(), self.held_back)
        self.curve.append(Point(self.learner.step, train, before, after))
        learned = "" if math.isnan(train) else f"learned from {decibels(train):.2f} dB, "
        self.told(
            f"step {self.learner.step:,}: {learned}held back {before:.2f} -> {after:.2f} dB, {self._taken():.0f} s"
        )

    def _taken(self) -> float:
        return self.seconds + time.monotonic() - self.start

    def _save(self) -> None:
        self.saved = self.learner.step
        if self.ranks.leads:
            rows = [[p.step, p.train, p.before, p.after] for p in self.curve]
            own = {
                "curve": torch.tensor(rows, dtype=torch.float64).view(-1, 4),
                "seconds": torch.tensor(self._taken(), dtype=torch.float64),
            }
            checkpoint.save(self.plan.checkpoint, self.learner.state() | own, self.plan.lasting())

    def _restore(self) -> None:
        path = self.plan.checkpoint
        state = checkpoint.load(path, self.plan.lasting())
        try:
            self.learner.restore(state)
            self.curve = [Point(int(step), *rest) for step, *rest in state["curve"].tolist()]
            self.seconds = float(state["seconds"])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise InitialisationError(f"damaged checkpoint {path}: {error}") from None
        self.saved = self.learner.step

    def _finish(self) -> dict[str, Any]:
        """Fits, codes, and the files."""
        theta, rates = rounded(self.learner.theta), [rounded(rate) for rate in self.learner.rates()]
        found = self._codes(theta, rates)
        if not self.ranks.leads:
            return {}
        before, after = validate(self.spec, theta, rates, self.held_back)
        facts = self._facts(before, after)
        data = inits.pack(
            self.plan.name,
            self.modality.name,
            self.spec,
            codes.as_arrays(theta),
            [codes.as_arrays(rate) for rate in rates],
            found,
            facts,
        )
        picture = curve.draw(self.curve, self.plan.name)
        kept = inits.keep(data)
        write_bytes(self.plan.picture, picture, force=True)
        write_bytes(self.plan.output, data, self.plan.force)
        return {
            "output": self.plan.output,
            "hash": inits.parse(data).id.hex(),
            "bytes": len(data),
            "signals": self.pool.signals,
            "tasks": self.pool.tasks,
            "outer_steps": self.learner.step,
            "before_db": round(before, 3),
            "psnr_db": round(after, 3),
            "seconds": round(self._taken(), 1),
            "nan_steps": self.learner.skipped,
            "skipped_files": self.pool.left.count,
            "kept": str(kept),
            "curve": str(self.plan.picture),
            "checkpoint": str(self.plan.checkpoint),
            "device": str(self.device),
        }

    def _codes(self, theta: siren.Params, rates: list[siren.Params]) -> dict[str, np.ndarray[Any, np.dtype[np.int8]]]:
        """The codes of the updates that fits of some tasks make."""
        plan, batch = self.plan, self.recipe.batch
        chosen = self.pool.some(plan.fits, 0)
        own = [chosen[i].resized(batch, i) for i in self.ranks.share(len(chosen))]
        sums = {name: torch.zeros(tensor.shape[1:], dtype=torch.float64) for name, tensor in theta.items()}
        for start in range(0, len(own), codes.TOGETHER):
            tasks = own[start : start + codes.TOGETHER]

            def report(stage: str, done: int, total: int, start: int = start, count: int = len(tasks)) -> None:
                if self.watch:
                    self.watch("fits", start * total + done * count, len(own) * total)

            params = codes.fitted(self.spec, theta, rates, tasks, self.recipe, plan.fit_steps, report)
            for name, added in codes.update_sums(theta, params).items():
                sums[name] += added.cpu()
        # On the device: nccl sums nothing else. In float32, for those that know no other.
        totals = {name: tensor.to(self.device, torch.float32) for name, tensor in sums.items()}
        self.ranks.sum([torch.zeros((), device=self.device), *totals.values()])
        arrays = {name: tensor.cpu().numpy().astype(np.float64) for name, tensor in totals.items()}
        return codes.codes_for(arrays, len(chosen))

    def _facts(self, before: float, after: float) -> dict[str, str]:
        """What the initialisation says of itself."""
        names = ", ".join(Path(folder).resolve().name for folder in self.plan.folders)
        pool = self.pool
        return {
            "trained_on": f"{names}: {pool.signals} signals, {pool.tasks} parts, {pool.samples} samples",
            "licence": self.plan.licence or "not stated",
            "command": self.plan.command(),
            "versions": f"coordcodec {__version__}, torch {torch.__version__}, numpy {np.__version__}",
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "seed": str(self.plan.seed),
            "gain": f"{before:.2f} -> {after:.2f} dB in {self.plan.inner_steps} steps",
            "hours": f"{self._taken() / 3600:.2f}",
        }


def rounded(params: siren.Params) -> siren.Params:
    """What the file will hold: 16-bit floats."""
    return {name: tensor.detach().to(torch.float16).to(torch.float32) for name, tensor in params.items()}


@torch.no_grad()
def validate(spec: Any, theta: siren.Params, rates: list[siren.Params], tasks: list[Batches]) -> tuple[float, float]:
    """The mean PSNR in dB of tasks without and with the inner steps, on points that these did not see."""
    theta = {name: tensor.detach().expand(len(tasks), *tensor.shape[1:]) for name, tensor in theta.items()}
    adapted = maml.adapt(spec, theta, rates, tasks)
    most = maml.TOGETHER if theta["weight0"].device.type == "cpu" else GPU_POINTS
    found: tuple[list[Tensor], list[Tensor]] = ([], [])
    for group in groups(tasks, most, 1):
        batch = join([tasks[i].next() for i in group])
        for errors, params in zip(found, (theta, adapted), strict=True):
            own = {name: tensor[group] for name, tensor in params.items()}
            errors.append(maml.errors(spec, own, batch))
    before, after = (float((-10 * torch.log10(torch.cat(e).clamp_min(1e-10) / 4)).mean()) for e in found)
    return before, after
