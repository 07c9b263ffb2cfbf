"""What a fit minimises, and its gradient: mean squared error, and the L1 norm of what will be coded.

Forward and backward pass are written out on buffers that are allocated once. Compared with autograd on the same
machine this saves the page faults of fresh activations at every step, which on a CPU cost more than the matrix
products, and it exploits sin(a + b) = sin a cos b + cos a sin b: the sines of the first layer are taken of each
axis' table, never of the points.

On a CPU a few threads share each minibatch and meet once per step (see `workers`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from math import prod
from threading import get_ident
from typing import Any

import torch
from torch import Tensor

from coordcodec.inr.batches import Batch, Batches, groups, join, split
from coordcodec.inr.kernels import kernels_for
from coordcodec.inr.pull import Pull
from coordcodec.inr.siren import Params
from coordcodec.inr.spec import SirenSpec
from coordcodec.inr.workers import Workers

FEWEST_POINTS = 512
"""Points per piece of a minibatch that make it worth having another."""
CACHED_POINTS = 8192
"""Points of several parts that a CPU computes together: few enough for its cache, enough to outweigh the calls."""
GPU_POINTS = 1 << 20
"""Points of several parts that a GPU computes together."""
PROBED_POINTS = 4096
"""Points per part at which parameters are compared, at most."""


class _Workspace:
    """Buffers for the activations of one group of parts."""

    def __init__(self, spec: SirenSpec, parts: int, points: int, dtype: torch.dtype, device: torch.device) -> None:
        def empty(columns: int) -> Tensor:
            return torch.empty(parts, points, columns, dtype=dtype, device=device)

        self.hidden = [empty(spec.width) for _ in range(spec.depth + 1)]
        self.slopes = [empty(spec.width) for _ in range(spec.depth + 1)]
        self.back = [empty(spec.width) for _ in range(2)]
        self.out = empty(spec.channels)


_Task = tuple[Params, Callable[[], Batch], int]
"""Parameters of some parts in the precision of the products, what draws their batch or a share of it, and the points
per part of the whole batch, 0 if the task draws it whole."""


class Objective:
    """The loss on minibatches of a signal, and its gradient.

    spec: the network. batches: one source of minibatches per part. l1: weight of the L1 norm of all parameters.
    dtype: of the matrix products; parameters and gradients stay float32. pull: what takes the place of the L1 norm
    where the fit sees the rate. threads: see `Workers`; they decide how long it takes, not what comes out.

    As a context manager it takes a CPU's cores for itself: inside, PyTorch's own threads are reduced.
    """

    def __init__(
        self,
        spec: SirenSpec,
        batches: list[Batches],
        l1: float,
        dtype: torch.dtype,
        device: torch.device,
        pull: Pull | None = None,
        threads: int | None = None,
    ) -> None:
        self.spec, self.batches, self.l1, self.dtype, self.device = spec, batches, l1, dtype, device
        self.pull = pull
        self.spaces: dict[tuple[int, ...], _Workspace] = {}
        self.kernels = kernels_for(device)
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

    def use(self, dtype: torch.dtype) -> None:
        """Change the type of the matrix products."""
        if dtype != self.dtype:
            self.dtype = dtype
            self.spaces.clear()

    def gradient(self, params: Mapping[str, Tensor]) -> tuple[Tensor, Params]:
        """The loss on the next minibatch of every part, summed over parts, and its gradient by tensor."""
        cast = self._cast(params)
        results = self._shares(cast) if len(self.batches) == 1 else self._parts(cast)
        errors = self._errors([errors for errors, _ in results])
        gradients = self._gathered([grads for _, grads in results], params)
        self.error = errors.mean()
        total = errors.sum()
        if self.pull:
            total = total + self.pull.add(params, gradients)
        elif self.l1:
            tensors = [tensor.detach() for tensor in params.values()]
            torch._foreach_add_(list(gradients.values()), torch._foreach_sign(tensors), alpha=self.l1)
            total = total + self.l1 * torch.stack(torch._foreach_norm(tensors, 1)).sum()
        return total, gradients

    def errors(self, candidates: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Each part's mean squared error for several candidates, on the same points: (parts,) each."""
        found = [torch.empty(len(self.batches), device=self.device) for _ in candidates]
        for i, probe in enumerate(self.probed()):
            batch = probe.next()
            for errors, params in zip(found, candidates, strict=True):
                own = {name: tensor[i : i + 1] for name, tensor in params.items()}
                errors[i] = self._work((self._cast(own), partial(_same, batch), 0))[0].sum()
        return found

    def probed(self) -> list[Batches]:
        """Other, smaller minibatches of the parts, to look at parameters without taking a step."""
        if not self.probes:
            self.probes = [b.resized(min(PROBED_POINTS, prod(b.shape)), i) for i, b in enumerate(self.batches)]
        return self.probes

    def _cast(self, params: Mapping[str, Tensor]) -> Params:
        # The first layer stays in float32: its phases reach tens of radians.
        first = {name: params[name] for name in ("weight0", "bias0")}
        return {name: tensor.to(self.dtype) for name, tensor in params.items()} | first

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
        finish = self.workers.start(self._work, [(params, lambda share=share: share, points) for share in shares])
        # The first thread without work draws the next minibatch while the caller takes its step.
        self.ahead = self.workers.later(self.batches[0].next)
        return finish()

    def _parts(self, params: Params) -> list[tuple[Tensor, Params]]:
        """Many parts: a few at a time, drawn where they are used, so that not all minibatches are held together."""
        if not self.groups:
            points = CACHED_POINTS if self.device.type == "cpu" else GPU_POINTS
            found = groups(self.batches, points, self.workers.pieces)
            self.groups = [torch.tensor(group, device=self.device) for group in found]

        def draw(group: Tensor) -> Batch:
            return join([self.batches[i].next() for i in group.tolist()])

        tasks: list[_Task] = []
        for group in self.groups:
            own = {name: tensor.index_select(0, group) for name, tensor in params.items()}
            tasks.append((own, partial(draw, group), 0))
        return self.workers.start(self._work, tasks)()

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

    @torch.no_grad()
    def _work(self, task: _Task) -> tuple[Tensor, Params]:
        """Each part's error and gradient on a share of a group's minibatches, as parts of the means over all points."""
        params, draw, points = task
        batch = draw()
        points = points or batch.targets.shape[1]
        spec, dtype, last = self.spec, self.dtype, self.spec.depth + 1
        space = self._space(*batch.targets.shape[:2])
        self._first_layer(params, batch.features, space)
        weights = {layer: params[f"weight{layer}"] for layer in range(1, last + 1)}
        biases = {layer: params[f"bias{layer}"][:, None, :] for layer in range(1, last + 1)}
        for layer in range(1, last):
            slope, hidden = space.slopes[layer], space.hidden[layer]
            torch.baddbmm(biases[layer], space.hidden[layer - 1], weights[layer].mT, out=slope)
            self.kernels.waves(slope, hidden)
        torch.baddbmm(biases[last], space.hidden[last - 1], weights[last].mT, out=space.out)

        error = space.out.to(torch.float32) - batch.targets
        samples = points * spec.channels
        loss = error.square().sum((1, 2)) / samples
        back = error.mul_(2 / samples).to(dtype)
        delta, spare = space.back
        grads = {f"weight{last}": torch.bmm(back.mT, space.hidden[last - 1]), f"bias{last}": back.sum(1)}
        torch.bmm(back, weights[last], out=delta)
        for layer in range(last - 1, 0, -1):
            grads[f"bias{layer}"] = self.kernels.chain(delta, space.slopes[layer])
            grads[f"weight{layer}"] = torch.bmm(delta.mT, space.hidden[layer - 1])
            torch.bmm(delta, weights[layer], out=spare)
            delta, spare = spare, delta
        grads["weight0"], grads["bias0"] = self._first_gradient(delta, space.slopes[0], batch.features)
        return loss, grads

    def _space(self, parts: int, points: int) -> _Workspace:
        key = (get_ident(), parts, points)
        if key not in self.spaces:
            self.spaces[key] = _Workspace(self.spec, parts, points, self.dtype, self.device)
        return self.spaces[key]

    def _first_layer(self, params: Mapping[str, Tensor], features: list[Tensor], space: _Workspace) -> None:
        """Fill space.hidden[0] and space.slopes[0] with sine and cosine of the first layer's sums over axes."""
        width = self.spec.width
        weights = params["weight0"].split([f.shape[-1] for f in features], dim=2)
        phase = torch.baddbmm(params["bias0"][:, None, :], features[0].flatten(1, 2), weights[0].mT)
        one = self._waves(phase, features[0])
        if len(features) == 1:
            space.hidden[0].copy_(one[0].view(space.hidden[0].shape))
            space.slopes[0].copy_(one[1].view(space.slopes[0].shape))
        for k in range(1, len(features)):
            other = self._waves(torch.bmm(features[k].flatten(1, 2), weights[k].mT), features[k])
            shape = (one[0].shape[0], one[0].shape[1], other[0].shape[1], width)
            if k == len(features) - 1:
                self.kernels.combine(one, other, space.hidden[0].view(shape), space.slopes[0].view(shape))
            else:
                both = torch.empty(2, *shape, device=self.device)
                self.kernels.combine(one, other, both[0], both[1])
                one = both[0].flatten(1, 2), both[1].flatten(1, 2)

    def _waves(self, phase: Tensor, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Sine and cosine of one axis' phases, each (parts * blocks, samples, width)."""
        sine = torch.empty_like(phase)
        self.kernels.waves(phase, sine)
        shape = (-1, feature.shape[2], self.spec.width)
        return sine.view(shape), phase.view(shape)

    def _first_gradient(self, delta: Tensor, slope: Tensor, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The first layer's gradients from those of its activations, (parts, n, width)."""
        parts, blocks = features[0].shape[:2]
        sides = [f.shape[2] for f in features]
        if len(features) == 1:
            sums = [(delta * slope).to(torch.float32)]
        else:
            shape = (parts * blocks, -1, sides[-1], self.spec.width)
            rest, last = self.kernels.collect(delta.view(shape), slope.view(shape))
            rest = rest.view(parts * blocks, *sides[:-1], -1)
            axes = range(len(sides) - 1)
            sums = [rest.sum([1 + j for j in axes if j != k]) if len(axes) > 1 else rest for k in axes] + [last]
        flat = [s.reshape(parts, blocks * side, -1) for s, side in zip(sums, sides, strict=True)]
        weights = [torch.bmm(s.mT, f.flatten(1, 2)) for s, f in zip(flat, features, strict=True)]
        return torch.cat(weights, dim=2), flat[0].sum(1)


def _same(batch: Batch) -> Batch:
    return batch


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
