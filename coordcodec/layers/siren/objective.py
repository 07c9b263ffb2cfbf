"""What a fit minimises, and its gradient: the mean squared error and a penalty on what will be coded.

On a CPU a few threads share each minibatch and meet once per step (see `workers`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from math import prod
from typing import Any

import torch
from torch import Tensor

from coordcodec.compute.workers import Workers
from coordcodec.layers.siren.batch import Batch, groups, join, split
from coordcodec.layers.siren.batches import Batches
from coordcodec.layers.siren.network import Params
from coordcodec.layers.siren.passes import Passes
from coordcodec.layers.siren.penalty import L1Penalty, Penalty
from coordcodec.specs import SirenSpec

FEWEST_POINTS = 512
"""Points per piece of a minibatch that make it worth having another."""
CACHED_POINTS = 8192
"""Points of several parts that a CPU computes together: few enough for its cache, enough to outweigh the calls."""
GPU_POINTS = 1 << 20
"""Points of several parts that a GPU computes together."""
PROBED_POINTS = 4096
"""Points per part at which parameters are compared, at most."""


class Objective:
    """The loss on minibatches of a signal, and its gradient.

    spec: the network. batches: one source of minibatches per part. dtype: of the matrix products; parameters and
    gradients stay float32. penalty: the other term of the loss; None: the error alone. threads: see `Workers`; they
    decide how long it takes, not what comes out.

    As a context manager it takes a CPU's cores for itself: inside, PyTorch's own threads are reduced.
    """

    def __init__(
        self,
        spec: SirenSpec,
        batches: list[Batches],
        dtype: torch.dtype,
        device: torch.device,
        penalty: Penalty | None = None,
        threads: int | None = None,
    ) -> None:
        self.spec, self.batches, self.device = spec, batches, device
        self.passes = Passes(spec, dtype, device)
        self.penalty = penalty or L1Penalty(0.0)
        self.workers = Workers(device, threads)
        self.groups: list[Tensor] = []
        self.probes: list[Batches] = []
        self.ahead: Future[Batch] | None = None
        self.error = torch.zeros((), device=device)
        """The mean squared error of the last minibatch, averaged over the parts."""

    def __enter__(self) -> Objective:
        self.workers.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.workers.__exit__()

    @property
    def dtype(self) -> torch.dtype:
        """The type of the matrix products."""
        return self.passes.dtype

    def use(self, dtype: torch.dtype) -> None:
        """Change the type of the matrix products."""
        self.passes.use(dtype)

    def gradient(self, params: Mapping[str, Tensor]) -> tuple[Tensor, Params]:
        """The loss on the next minibatch of every part, summed over parts, and its gradient by tensor."""
        cast = self.passes.cast(params)
        results = self._shares(cast) if len(self.batches) == 1 else self._parts(cast)
        errors = self._errors([errors for errors, _ in results])
        gradients = self._gathered([grads for _, grads in results], params)
        self.error = errors.mean()
        total = errors.sum()
        return total + self.penalty.add(params, gradients), gradients

    def errors(self, candidates: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Each part's mean squared error for several candidates, on the same points: (parts,) each."""
        found = [torch.empty(len(self.batches), device=self.device) for _ in candidates]
        for i, probe in enumerate(self.probed()):
            batch = probe.next()
            for errors, params in zip(found, candidates, strict=True):
                own = {name: tensor[i : i + 1] for name, tensor in params.items()}
                errors[i] = self.passes(self.passes.cast(own), batch, batch.targets.shape[1])[0].sum()
        return found

    def probed(self) -> list[Batches]:
        """Other, smaller minibatches of the parts, to look at parameters without taking a step."""
        if not self.probes:
            self.probes = [b.resized(min(PROBED_POINTS, prod(b.shape)), i) for i, b in enumerate(self.batches)]
        return self.probes

    def _errors(self, found: list[Tensor]) -> Tensor:
        """Each part's mean squared error, (parts,), from those of the groups or of the shares of the only part."""
        if len(self.batches) == 1:
            return torch.stack(found).sum(0)
        errors = torch.empty(len(self.batches), device=self.device)
        for group, own in zip(self.groups, found, strict=True):
            errors.index_copy_(0, group, own)
        return errors

    def __call__(self, params: Mapping[str, Tensor]) -> Tensor:
        """The loss on the next minibatch as a tensor that autograd can differentiate with respect to `params`."""
        apply: Callable[..., Tensor] = _Loss.apply
        return apply(self, tuple(params), *params.values())

    def _shares(self, params: Params) -> list[tuple[Tensor, Params]]:
        """The only part: the workers share its minibatch."""
        batch = self.ahead.result() if self.ahead else self.batches[0].next()
        points = batch.targets.shape[1]
        shares = split(batch, min(self.workers.pieces, max(1, points // FEWEST_POINTS)))
        finish = self.workers.start(lambda share: self.passes(params, share, points), shares)
        # The first thread without work draws the next minibatch while the caller takes its step.
        self.ahead = self.workers.later(self.batches[0].next)
        return finish()

    def _parts(self, params: Params) -> list[tuple[Tensor, Params]]:
        """Many parts: a few at a time, drawn where they are used, so that not all minibatches are held together."""
        if not self.groups:
            points = CACHED_POINTS if self.device.type == "cpu" else GPU_POINTS
            found = groups([source.shape for source in self.batches], points, self.workers.pieces)
            self.groups = [torch.tensor(group, device=self.device) for group in found]

        def work(group: Tensor) -> tuple[Tensor, Params]:
            batch = join([self.batches[i].next() for i in group.tolist()])
            own = {name: tensor.index_select(0, group) for name, tensor in params.items()}
            return self.passes(own, batch, batch.targets.shape[1])

        return self.workers.start(work, self.groups)()

    def _gathered(self, results: list[Params], params: Mapping[str, Tensor]) -> Params:
        """The gradient of all parts, in the order of `params`."""
        if len(self.batches) == 1:
            summed = {name: results[0][name].to(torch.float32) for name in params}
            for other in results[1:]:
                torch._foreach_add_(list(summed.values()), [other[name] for name in params])
            return summed
        gathered = {name: torch.empty_like(tensor) for name, tensor in params.items()}
        for group, grads in zip(self.groups, results, strict=True):
            for name, whole in gathered.items():
                whole.index_copy_(0, group, grads[name].to(torch.float32))
        return gathered


class _Loss(torch.autograd.Function):
    """Lets autograd differentiate through `Objective.gradient`."""

    @staticmethod
    def forward(ctx: Any, objective: Objective, names: tuple[str, ...], *tensors: Tensor) -> Tensor:
        loss, gradients = objective.gradient(dict(zip(names, tensors, strict=True)))
        ctx.gradients = [gradients[name] for name in names]
        return loss

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        return (None, None, *(outer[0] * gradient for gradient in ctx.gradients))
