"""Learn where fits begin, from many signals: MAML (Finn et al. 2017) with a learned rate per parameter and inner step.

A task is one part of one signal. From the initialisation theta a few inner steps, each on a minibatch of its own,

    params <- params - rates[s] * gradient of the task's loss at params

should bring the loss on further samples of that task as low as possible. Theta and the rates (as their logarithms, so
that they stay positive) follow the gradient of that outer loss. Rates per parameter are Meta-SGD's (Li et al. 2017),
rates per step MAML++'s (Antoniou et al. 2019). By default the gradient is of second order, through the inner steps;
that of first order takes the inner gradients as constants.

omega_0 is folded into the weights here, hence inner rates near 1 where the papers have 1e-2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from coordcodec.compute.optim import Adam, Soap, copy_state
from coordcodec.compute.workers import Workers
from coordcodec.layers.learnable import Learnable, Loss
from coordcodec.learning.ranks import ALONE, Ranks

Params = dict[str, Tensor]

RATES_LR = 0.02
"""Adam's learning rate for the logarithms of the inner rates."""
WARM_UP = 100
"""Outer steps until the outer rates are full, at most a tenth of all."""
LOWEST = 0.02
"""The share of the outer rates that is left at the end of their cosine."""


@dataclass(frozen=True)
class Settings:
    """How to learn.

    outer_steps: >= 1. inner_steps: 0 to 16. inner_lr: the inner rates at the beginning, > 0. outer_lr: SOAP's peak
    learning rate for theta, > 0. first_order: whether inner gradients are taken as constants.
    """

    outer_steps: int = 2000
    inner_steps: int = 3
    inner_lr: float = 1.0
    outer_lr: float = 0.004
    first_order: bool = False

    def share(self, step: int) -> float:
        """The outer rates at a step, as a share of their peak."""
        warm = min(1.0, (step + 1) / max(1, min(WARM_UP, self.outer_steps // 10)))
        return warm * (LOWEST + (1 - LOWEST) * 0.5 * (1 + math.cos(math.pi * step / self.outer_steps)))


class Learner:
    """Theta, the inner rates and their optimisers.

    skipped: outer steps whose loss or gradient was not finite; they change nothing.
    factor: what the outer rates are multiplied by, halved when a run that diverged goes on.
    whole: whether no step is half taken, which an interruption may leave behind.

    As a context manager it takes a CPU's cores for itself, as `Objective` does.
    """

    def __init__(self, net: Learnable, settings: Settings, theta: Params, ranks: Ranks = ALONE) -> None:
        """net: what to learn. theta: where to begin, each (1, ...) on the device where to learn."""
        self.net, self.settings, self.ranks = net, settings, ranks
        self.theta = {name: tensor.clone() for name, tensor in theta.items()}
        self.logs = [self._first_rates() for _ in range(settings.inner_steps)]
        self.soap = Soap(list(self.theta.values()))
        self.adam = Adam([tensor for logs in self.logs for tensor in logs.values()])
        self.workers = Workers(next(iter(theta.values())).device)
        self.step = self.skipped = 0
        self.factor = 1.0
        self.whole = True

    def _first_rates(self) -> Params:
        shares = self.net.inner_shares()
        return {
            name: torch.full_like(tensor, math.log(self.settings.inner_lr * shares[name]))
            for name, tensor in self.theta.items()
        }

    def rates(self) -> list[Params]:
        """The inner rates by step, each (1, ...), without a graph."""
        return [{name: tensor.exp() for name, tensor in logs.items()} for logs in self.logs]

    def __enter__(self) -> Learner:
        self.workers.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.workers.__exit__()

    def gradient(self, sources: Sequence[Any]) -> tuple[Tensor, list[Tensor]]:
        """The outer loss summed over tasks, and its gradient with respect to theta and the logarithms of the rates."""
        free = [*self.theta.values(), *self.adam.params]
        total, gradients = torch.zeros_like(free[0].sum()), [torch.zeros_like(tensor) for tensor in free]
        groups = self.net.groups(sources, free[0].device, self.workers.pieces)
        shares = [[sources[i] for i in group] for group in groups]
        for loss, own in self.workers.start(self._share, shares)():
            total += loss
            torch._foreach_add_(gradients, own)
        return total, gradients

    @torch.no_grad()
    def _share(self, sources: Sequence[Any]) -> tuple[Tensor, list[Tensor]]:
        """The same of tasks whose minibatches can be joined.

        Going back through an inner step takes a product with its Hessian: if v is the gradient with respect to the
        parameters after it, that with respect to those before it is v - H (rates * v).
        """
        rates = self.rates()
        params = {name: tensor.expand(len(sources), *tensor.shape[1:]) for name, tensor in self.theta.items()}
        inner: list[Loss] = []
        for rate in rates:
            inner.append(self.net.loss(params, sources))
            params = {name: tensor - rate[name] * inner[-1].gradients[name] for name, tensor in params.items()}
        outer = self.net.loss(params, sources)
        back, by_log = outer.gradients, list[Tensor]()
        for rate, loss in zip(reversed(rates), reversed(inner), strict=True):
            scaled = {name: rate[name] * tensor for name, tensor in back.items()}
            by_log = [-(scaled[name] * loss.gradients[name]).sum(0, keepdim=True) for name in self.theta] + by_log
            if not self.settings.first_order:
                curved = loss.curved(scaled)
                back = {name: tensor - curved[name] for name, tensor in back.items()}
        return outer.losses.sum(), [*(back[name].sum(0, keepdim=True) for name in self.theta), *by_log]

    def learn(self, sources: Sequence[Any], tasks: int) -> float:
        """One outer step; returns the mean outer loss of its tasks over all ranks, NaN if it was skipped.

        sources: this rank's. tasks: of all ranks.
        """
        total, gradients = self.gradient(sources)
        self.ranks.sum([total, *gradients])
        # One look for all of them: on a GPU each takes a halt.
        finite = bool(torch.isfinite(torch.stack(torch._foreach_norm([total, *gradients]))).all())
        self.whole = False
        if finite:
            self._move([gradient / tasks for gradient in gradients])
        else:
            self.skipped += 1
        self.step += 1
        self.whole = True
        return float(total) / tasks if finite else math.nan

    def _move(self, gradients: list[Tensor]) -> None:
        share = self.factor * self.settings.share(self.step)
        lrs = [rate * share for rate in self.net.outer_rates(self.settings.outer_lr)]
        self.soap.step(gradients[: len(lrs)], lrs)
        self.adam.step(gradients[len(lrs) :], [RATES_LR * share] * len(self.adam.params))

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on besides the tasks, by name."""
        found = {f"theta.{name}": tensor for name, tensor in self.theta.items()}
        for s, logs in enumerate(self.logs):
            found |= {f"log_rate{s}.{name}": tensor for name, tensor in logs.items()}
        found |= {f"soap.{name}": tensor for name, tensor in self.soap.state().items()}
        found |= {f"adam.{name}": tensor for name, tensor in self.adam.state().items()}
        numbers = torch.tensor([self.step, self.skipped, self.factor], dtype=torch.float64)
        return found | {"numbers": numbers}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` returned. Raises KeyError or ValueError for another network's state."""
        copy_state({f"theta.{name}": tensor for name, tensor in self.theta.items()}, state)
        for s, logs in enumerate(self.logs):
            copy_state({f"log_rate{s}.{name}": tensor for name, tensor in logs.items()}, state)
        self.soap.restore({name[5:]: tensor for name, tensor in state.items() if name.startswith("soap.")})
        self.adam.restore({name[5:]: tensor for name, tensor in state.items() if name.startswith("adam.")})
        step, skipped, self.factor = state["numbers"].tolist()
        self.step, self.skipped = int(step), int(skipped)


def slowed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A learner's state, which will go on at half the outer rates."""
    step, skipped, factor = state["numbers"].tolist()
    return {**state, "numbers": torch.tensor([step, skipped, factor / 2], dtype=torch.float64)}
