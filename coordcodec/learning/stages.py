"""What a run does with its tasks, stage after stage: learn, settle, collect."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coordcodec.errors import InitialisationError
from coordcodec.inr.batches import Batches
from coordcodec.inr.fit import Progress
from coordcodec.inr.siren import Params
from coordcodec.inr.workers import Workers
from coordcodec.learning import codes, spans
from coordcodec.learning.state import State
from coordcodec.learning.watchdog import Watchdog

VALIDATIONS = 40
"""How often the held-back tasks are measured while learning, but not more often than every FEWEST steps."""
FEWEST = 25
SAVE_SECONDS = 60.0
SETTLE_TASKS = 16
"""Tasks of a round of settling."""
SETTLE_RATE = 0.5
"""How far theta goes towards the mean of the fitted parameters in the first round; then ever less, linearly."""
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


def settle(state: State) -> None:
    """Move theta to where long fits end on average (Reptile, Nichol et al. 2018), some tasks a round.

    From the second round on updates are held down by how large they were in the round before.
    """
    rounds, theta = state.plan.settle_rounds, state.learner.theta
    while state.rounds < rounds:
        done = state.rounds
        chosen = state.pool.some(SETTLE_TASKS, 1 + done)

        def report(stage: str, step: int, steps: int, done: int = done) -> None:
            state.watch("settle", done * steps + step, rounds * steps)

        sums = {name: torch.zeros_like(tensor[0]) for name, tensor in theta.items()}
        sizes = {name: torch.zeros_like(tensor[0]) for name, tensor in theta.items()}
        mine = state.ranks.share(len(chosen))
        if mine:
            own = [chosen[i].resized(min(FIT_BATCH, state.recipe.batch), done) for i in mine]
            steps, rates = state.plan.settle_steps, state.learner.rates()
            params = codes.fitted(state.spec, theta, rates, own, state.recipe, steps, state.sigmas or None, report)
            sums = {name: tensor.sum(0) for name, tensor in params.items()}
            sizes = {name: (tensor - theta[name].detach()).abs().sum(0) for name, tensor in params.items()}
        state.ranks.sum([*sums.values(), *sizes.values()])
        state.sigmas = codes.sigmas_for(codes.codes_for(codes.as_arrays(sizes), len(chosen)), state.device)
        state.learner.move(
            {name: tensor / len(chosen) for name, tensor in sums.items()}, SETTLE_RATE * (1 - done / rounds)
        )
        state.rounds += 1
        state.validate(math.nan, "round")
        state.save()


def collect(state: State, theta: Params, rates: list[Params]) -> tuple[dict[str, NDArray[np.int8]], dict[str, float]]:
    """Codes and spans of the updates that long fits of some tasks make, from the initialisation as the file holds it.

    theta, rates: each (1, ...). How large updates are depends on how strongly they are held down, and that on how large
    they are: fits of a few tasks come first.
    """
    chosen = state.pool.some(state.plan.fits, 0)
    few = chosen[: max(1, len(chosen) // 4)]
    first, _ = _collected(state, theta, rates, few, None)
    return _collected(state, theta, rates, chosen, codes.sigmas_for(first, state.device))


def _collected(
    state: State, theta: Params, rates: list[Params], chosen: list[Batches], sigmas: Params | None
) -> tuple[dict[str, NDArray[np.int8]], dict[str, float]]:
    plan = state.plan
    own = [chosen[i].resized(min(FIT_BATCH, state.recipe.batch), 0) for i in state.ranks.share(len(chosen))]
    sizes = {name: torch.zeros(tensor.shape[1:], device=state.device) for name, tensor in theta.items()}
    costs = {name: torch.zeros((), device=state.device) for name in (*theta, spans.ERROR)}
    for start in range(0, len(own), FITTED_TOGETHER):
        tasks = own[start : start + FITTED_TOGETHER]
        report = _share_of(state, start, len(tasks), len(own))
        params = codes.fitted(state.spec, theta, rates, tasks, state.recipe, plan.fit_steps, sigmas, report)
        for name, tensor in params.items():
            sizes[name] += (tensor - theta[name]).abs().sum(0)
        with Workers(state.device):  # many small operations, at each of which PyTorch's threads would meet
            found = spans.logarithms(state.spec, params, tasks, plan.seed)
        for name, cost in found.items():
            costs[name] += cost
    state.ranks.sum([*sizes.values(), *costs.values()])
    totals = {name: float(cost) for name, cost in costs.items()}
    return codes.codes_for(codes.as_arrays(sizes), len(chosen)), spans.spans_for(state.spec, totals, len(chosen))


def _share_of(state: State, start: int, count: int, total: int) -> Progress:
    def report(stage: str, done: int, steps: int) -> None:
        state.watch("fits", start * steps + done * count, total * steps)

    return report


def rounded(params: dict[str, Tensor]) -> Params:
    """What the file will hold: 16-bit floats."""
    return {name: tensor.detach().to(torch.float16).to(torch.float32) for name, tensor in params.items()}
