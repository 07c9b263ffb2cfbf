"""What a fit minimises, and its gradient: mean squared error plus lambda times the parameters' L1 norm.

Forward and backward pass are written out on buffers that are allocated once. Compared with autograd on the same
machine this saves the page faults of fresh activations at every step, which on a CPU cost more than the matrix
products, and it exploits sin(a + b) = sin a cos b + cos a sin b: the sines of the first layer are taken of each
axis' table, never of the points.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from coordcodec.inr.batches import Batch, Batches
from coordcodec.inr.siren import Params
from coordcodec.inr.spec import SirenSpec


def choose_precision(wanted: str, device: torch.device, width: int) -> torch.dtype:
    """The type of the fit's matrix products: for "auto" bfloat16 where this device multiplies it clearly faster."""
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32
    if device.type != "cpu":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(4096, width, dtype=dtype), torch.ones(width, width, dtype=dtype)
        runs = []
        for _ in range(12):
            start = time.perf_counter()
            torch.mm(a, b)
            runs.append(time.perf_counter() - start)
        seconds[dtype] = min(runs)
    return torch.bfloat16 if seconds[torch.bfloat16] < 0.8 * seconds[torch.float32] else torch.float32


class _Workspace:
    """Buffers for the activations of one group of parts."""

    def __init__(self, spec: SirenSpec, parts: int, points: int, dtype: torch.dtype, device: torch.device) -> None:
        def empty(columns: int) -> Tensor:
            return torch.empty(parts, points, columns, dtype=dtype, device=device)

        self.hidden = [empty(spec.width) for _ in range(spec.depth + 1)]
        self.slopes = [empty(spec.width) for _ in range(spec.depth + 1)]
        self.back = [empty(spec.width) for _ in range(2)]
        self.out = empty(spec.channels)


class Objective:
    """The loss on minibatches of a signal, and its gradient.

    spec: the network. batches: one source of minibatches per part. l1: weight of the L1 norm of all parameters.
    dtype: of the matrix products; parameters and gradients stay float32.
    """

    def __init__(
        self, spec: SirenSpec, batches: list[Batches], l1: float, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.spec, self.batches, self.l1, self.dtype, self.device = spec, batches, l1, dtype, device
        # One part at a time stays in a CPU's cache; a GPU wants them all at once.
        self.group = 1 if device.type == "cpu" else 64
        self.spaces: dict[tuple[int, int], _Workspace] = {}
        self.error = torch.zeros((), device=device)
        """The mean squared error of the last minibatch, averaged over the parts."""

    def gradient(self, params: Mapping[str, Tensor]) -> tuple[Tensor, Params]:
        """The loss on the next minibatch of every part, summed over parts, and its gradient by tensor."""
        gradients = {name: torch.empty_like(tensor) for name, tensor in params.items()}
        total = torch.zeros((), device=self.device)
        for start in range(0, len(self.batches), self.group):
            part = slice(start, start + self.group)
            drawn = [source.next() for source in self.batches[part]]
            for same in _alike(drawn):
                index = [start + i for i in same]
                rows: Any = part if len(index) == len(drawn) else index
                own = {name: tensor[rows] for name, tensor in params.items()}
                loss, grads = self._backpropagate(own, [drawn[i] for i in same])
                total = total + loss
                for name, grad in grads.items():
                    gradients[name][rows] = grad
        self.error = total / len(self.batches)
        if self.l1:
            for name, tensor in params.items():
                gradients[name].add_(tensor.sign(), alpha=self.l1)
                total = total + self.l1 * tensor.abs().sum()
        return total, gradients

    def __call__(self, params: Mapping[str, Tensor]) -> Tensor:
        """The loss on the next minibatch as a tensor that autograd can differentiate with respect to `params`."""
        loss: Tensor = _Loss.apply(self, tuple(params), *params.values())
        return loss

    @torch.no_grad()
    def _backpropagate(self, params: Mapping[str, Tensor], batch: list[Batch]) -> tuple[Tensor, Params]:
        """Loss and gradient of a group of parts whose batches have one shape."""
        spec, dtype = self.spec, self.dtype
        targets = torch.stack([b.targets for b in batch]) if len(batch) > 1 else batch[0].targets[None]
        shape = (len(batch), targets.shape[1])
        if shape not in self.spaces:
            self.spaces[shape] = _Workspace(spec, *shape, dtype, self.device)
        space, grads = self.spaces[shape], {}
        features = [torch.stack([b.features[k] for b in batch]) for k in range(len(batch[0].features))]
        self._first_layer(params, features, space)
        last = spec.depth + 1
        weights = {layer: params[f"weight{layer}"].to(dtype) for layer in range(1, last + 1)}
        biases = {layer: params[f"bias{layer}"].to(dtype)[:, None, :] for layer in range(1, last + 1)}
        for layer in range(1, last):
            slope, hidden = space.slopes[layer], space.hidden[layer]
            torch.baddbmm(biases[layer], space.hidden[layer - 1], weights[layer].mT, out=slope)
            torch.sin(slope, out=hidden)
            torch.cos(slope, out=slope)
        torch.baddbmm(biases[last], space.hidden[last - 1], weights[last].mT, out=space.out)

        error = space.out.to(torch.float32) - targets
        loss = error.square().mean(dim=(1, 2)).sum()
        back = error.mul_(2 / error[0].numel()).to(dtype)
        delta, spare = space.back
        grads[f"weight{last}"] = torch.bmm(back.mT, space.hidden[last - 1])
        grads[f"bias{last}"] = back.sum(1)
        torch.bmm(back, weights[last], out=delta)
        for layer in range(last - 1, 0, -1):
            delta.mul_(space.slopes[layer])
            grads[f"weight{layer}"] = torch.bmm(delta.mT, space.hidden[layer - 1])
            grads[f"bias{layer}"] = delta.sum(1)
            torch.bmm(delta, weights[layer], out=spare)
            delta, spare = spare, delta
        delta.mul_(space.slopes[0])
        grads["weight0"], grads["bias0"] = self._first_gradient(delta, features)
        return loss, {name: grad.to(torch.float32) for name, grad in grads.items()}

    def _first_layer(self, params: Mapping[str, Tensor], features: list[Tensor], space: _Workspace) -> None:
        """Fill space.hidden[0] and space.slopes[0] with sine and cosine of the first layer's sums over axes."""
        parts, dims, width = len(features[0]), len(features), self.spec.width
        weights = params["weight0"].split([f.shape[-1] for f in features], dim=2)
        sine = cosine = torch.empty(0)
        for k, (feature, weight) in enumerate(zip(features, weights, strict=True)):
            blocks, samples = feature.shape[1:3]
            phase = torch.bmm(feature.flatten(1, 2), weight.mT)
            if k == 0:
                phase = phase + params["bias0"][:, None, :]
            axis = [1] * k + [samples] + [1] * (dims - 1 - k)
            s = torch.sin(phase).to(self.dtype).view(parts, blocks, *axis, width)
            c = torch.cos(phase).to(self.dtype).view(parts, blocks, *axis, width)
            if k == 0:
                sine, cosine = s, c
            elif k < dims - 1:
                sine, cosine = sine * c + cosine * s, cosine * c - sine * s
            else:
                sides = [f.shape[2] for f in features]
                hidden = space.hidden[0].view(parts, blocks, *sides, width)
                slope = space.slopes[0].view(parts, blocks, *sides, width)
                torch.mul(sine, c, out=hidden).addcmul_(cosine, s)
                torch.mul(cosine, c, out=slope).addcmul_(sine, s, value=-1)
                return
        space.hidden[0].copy_(sine.reshape(space.hidden[0].shape))
        space.slopes[0].copy_(cosine.reshape(space.slopes[0].shape))

    def _first_gradient(self, delta: Tensor, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The first layer's gradients from those of its phases, (parts, n, width)."""
        parts, blocks = features[0].shape[:2]
        blocked = delta.view(parts, blocks, *(f.shape[2] for f in features), -1)
        weights = []
        bias = None
        for k, feature in enumerate(features):
            others = [2 + j for j in range(len(features)) if j != k]
            summed = (blocked.sum(others) if others else blocked).flatten(1, 2).to(torch.float32)
            weights.append(torch.bmm(summed.mT, feature.flatten(1, 2)))
            bias = summed.sum(1) if bias is None else bias
        assert bias is not None
        return torch.cat(weights, dim=2), bias


def _alike(drawn: list[Batch]) -> list[list[int]]:
    """Indices of batches grouped by shape, so that each group can be stacked."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, batch in enumerate(drawn):
        groups.setdefault(tuple(tuple(f.shape) for f in batch.features), []).append(i)
    return list(groups.values())


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
