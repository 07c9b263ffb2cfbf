"""What a run does with its tasks, stage after stage: learn, collect."""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor

from coordcodec.clock import Progress
from coordcodec.compute.workers import Workers
from coordcodec.errors import InitialisationError
from coordcodec.layers.learnable import Sizes, Task
from coordcodec.learning import codes
from coordcodec.learning.maml import Params
from coordcodec.learning.state import State
from coordcodec.learning.watchdog import Watchdog

VALIDATIONS = 40
"""How often the held-back tasks are measured while learning, but not more often than every FEWEST steps."""
FEWEST = 25
SAVE_SECONDS = 60.0
FIT_BATCH = 4096
"""Points per step of these fits: for sizes of updates fewer will do than for files."""
FITTED_TOGETHER = 16
"""Tasks that are fitted at a time, so that the optimisers' states fit into memory."""


def learn(state: State) -> None:
    """Outer steps, in stretches between validations. Raises InitialisationError when the loss leaves for good."""
    learner, steps = state.learner, state.plan.outer_steps
    every = min(steps, max(FEWEST, steps // VALIDATIONS))
    if not state.curve:
        state.validate(math.nan)
    dog, saved = Watchdog(), time.monotonic()
    while learner.step < steps:
        losses: list[float] = []
        with learner:
            while learner.step < steps and (not losses or learner.step % every):
                tasks = state.pool.at(learner.step)
                losses.append(learner.learn([tasks[i] for i in state.ranks.share(len(tasks))], len(tasks)))
                complaint = dog.complaint(losses[-1])
                if complaint:
                    _give_up(state, complaint)
                state.watch("learn", learner.step, steps)
                if time.monotonic() - saved > SAVE_SECONDS and not dog.worried:
                    state.save()
                    saved = time.monotonic()
        finite = [loss for loss in losses if not math.isnan(loss)]
        state.validate(sum(finite) / len(finite) if finite else math.nan)
    state.save()


def _give_up(state: State, complaint: str) -> None:
    state.slow_down()
    raise InitialisationError(
        f"learning diverged at outer step {state.learner.step}: {complaint}; --resume goes on from step {state.saved}, "
        f"kept in {state.plan.checkpoint}, at half the outer rates; or begin anew with a smaller --outer-lr"
    )


def collect(state: State, theta: Params, rates: list[Params]) -> Sizes:
    """Codes and ranges of the updates that long fits of some tasks make, from the initialisation as the file holds it.

    theta, rates: each (1, ...). How large updates are depends on how strongly they are held down, and that on how large
    they are: fits of a few tasks come first.
    """
    chosen = state.pool.some(state.plan.fits, 0)
    few = chosen[: max(1, len(chosen) // 4)]
    return _collected(state, theta, rates, chosen, _collected(state, theta, rates, few, None))


def _collected(state: State, theta: Params, rates: list[Params], chosen: list[Task], known: Sizes | None) -> Sizes:
    plan = state.plan
    points = min(FIT_BATCH, state.net.most_points(state.recipe))
    own = [chosen[i].resized(points, 0) for i in state.ranks.share(len(chosen))]
    sizes = {name: torch.zeros(tensor.shape[1:], device=state.device) for name, tensor in theta.items()}
    costs = {name: torch.zeros((), device=state.device) for name in state.net.range_sums(theta, [], plan.seed)}
    for start in range(0, len(own), FITTED_TOGETHER):
        tasks = own[start : start + FITTED_TOGETHER]
        report = _share_of(state, start, len(tasks), len(own))
        params = state.net.fitted(theta, rates, tasks, state.recipe, plan.fit_steps, known, report)
        for name, tensor in params.items():
            sizes[name] += (tensor - theta[name]).abs().sum(0)
        with Workers(state.device):  # many small operations, at each of which PyTorch's threads would meet
            found = state.net.range_sums(params, tasks, plan.seed)
        for name, cost in found.items():
            costs[name] += cost
    state.ranks.sum([*sizes.values(), *costs.values()])
    totals = {name: float(cost) for name, cost in costs.items()}
    return codes.codes_for(codes.as_arrays(sizes), len(chosen)), state.net.ranges(totals, len(chosen))


def _share_of(state: State, start: int, count: int, total: int) -> Progress:
    def report(stage: str, done: int, steps: int) -> None:
        state.watch("fits", start * steps + done * count, total * steps)

    return report


def rounded(params: dict[str, Tensor]) -> Params:
    """What the file will hold: 16-bit floats."""
    return {name: tensor.detach().to(torch.float16).to(torch.float32) for name, tensor in params.items()}
