"""Overfit one signal."""

from __future__ import annotations

import math

import torch

from coordcodec.clock import Clock, Progress
from coordcodec.compute.optim import OPTIMIZERS, Adam, Soap
from coordcodec.layers.siren.network import Params
from coordcodec.layers.siren.objective import Objective
from coordcodec.specs import SirenSpec

TIME_SHARE = 0.8
"""The share of a limited time that is for the fit; the rest is for quantization."""
CHECK = 50
"""Steps between looks at the loss."""
WARM_UP = 0.03
LAST_RATE = 0.01
"""The learning rate rises linearly over the first share of steps, then falls linearly to this share. (A cosine keeps it
high for longer: 0.06 dB less in Kodak's kodim05, 08, 15 and 23 at 0.3 bpp and effort 3.)"""
FIRST_LAYER_RATE = 0.3
"""After an encoding the first layer sees up to 2 L d nearly collinear inputs; slower, it needs no huge weights that
cancel out."""
ENOUGH = 1e-7
"""Stop at this mean squared error (76 dB): less than 16-bit samples can show."""
FINE = 1e-4
"""Below this mean squared error (46 dB) the rounding of bfloat16 would show: from there on, float32."""


def schedule(step: float, steps: int) -> float:
    """The learning rate at a step, not necessarily whole, as a share of its peak."""
    warm = min(max(20, int(WARM_UP * steps)), steps)
    if step < warm:
        return (step + 1) / warm
    return 1 - (1 - LAST_RATE) * (step - warm) / max(1, steps - warm)


def rates_of(spec: SirenSpec, lr: float) -> list[float]:
    """The learning rate of every tensor, in their order."""
    slow = {"weight0"} if spec.num_frequencies else set()
    return [lr * (FIRST_LAYER_RATE if name in slow else 1.0) for name in spec.shapes()]


class _Guard:
    """Keeps the best parameters of a run and notices when the loss has left them for good."""

    def __init__(self, params: Params) -> None:
        self.best = math.inf
        self.params = {name: tensor.clone() for name, tensor in params.items()}

    def diverged(self, loss: float, params: Params) -> bool:
        """Take note of a loss; True when it is not finite or far above the best."""
        if not math.isfinite(loss) or loss > 1.5 * self.best + 1e-5:
            return True
        if loss < self.best:
            self.best = loss
            self.params = {name: tensor.clone() for name, tensor in params.items()}
        return False


class _Run:
    """A fit under way.

    params: where it is, changed in place. factor: what the learning rate is multiplied by, halved when it diverged.
    """

    def __init__(self, objective: Objective, params: Params, lr: float, optimizer: str) -> None:
        self.objective, self.optimizer = objective, optimizer
        self.params = {name: tensor.clone() for name, tensor in params.items()}
        self.guard, self.factor = _Guard(self.params), 1.0
        self.rates = rates_of(objective.spec, lr)
        self.stepper = self._stepper()
        self.losses = torch.zeros((), device=objective.device)

    def _stepper(self) -> Adam | Soap:
        return OPTIMIZERS[self.optimizer](list(self.params.values()))

    def step(self, share: float) -> None:
        """One step at a share of the learning rate."""
        _, gradients = self.objective.gradient(self.params)
        self.losses += self.objective.error
        self.stepper.step(list(gradients.values()), [rate * self.factor * share for rate in self.rates])

    def look(self) -> float:
        """The mean error of the last CHECK steps; goes back where they have left the best for good."""
        recent = float(self.losses) / CHECK
        self.losses.zero_()
        if self.guard.diverged(recent + self.objective.penalty.cost, self.params):
            self.factor /= 2
            for name, tensor in self.guard.params.items():
                self.params[name].copy_(tensor)
            self.stepper = self._stepper()
        if recent < FINE:
            self.objective.use(torch.float32)
        return recent

    def stopped(self, rest: int) -> Params:
        """The parameters to end with, so many steps after the last look."""
        diverged = rest and self.guard.diverged(float(self.losses) / rest, self.params)
        return self.guard.params if diverged else self.params


def fit(
    objective: Objective,
    params: Params,
    *,
    steps: int,
    lr: float,
    optimizer: str,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> tuple[Params, int]:
    """Minimise an objective from given parameters; returns the fitted ones and the number of steps taken.

    A run that diverges goes back to its best parameters and continues at half the learning rate. Where the clock's
    time is too short for all steps, the learning rate falls as if those that are left out had been taken.
    """
    clock, run = clock or Clock(), _Run(objective, params, lr, optimizer)
    for step in range(steps):
        spent = clock.spent(TIME_SHARE)
        if spent >= 1:
            return run.stopped(step % CHECK), step
        if step % CHECK == 0:
            objective.penalty.measure(objective, run.params)
        run.step(schedule(max(step, spent * steps), steps))
        if (step + 1) % CHECK:
            continue
        recent = run.look()
        if progress:
            progress("fit", max(step + 1, int(spent * steps)), steps)
        if recent < ENOUGH:
            return run.params, step + 1
    if progress:
        progress("fit", steps, steps)
    return run.params, steps
