"""One pass forward through networks and one back, on buffers that are allocated once.

Compared with autograd on the same machine this saves the page faults of fresh activations at every step, which on a
CPU cost more than the matrix products, and it exploits sin(a + b) = sin a cos b + cos a sin b: the sines of the first
layer are taken of each axis' table, never of the points.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import get_ident

import torch
from torch import Tensor

from coordcodec.compute.kernels import kernels_for
from coordcodec.layers.siren.batch import Batch
from coordcodec.layers.siren.network import Params
from coordcodec.specs import SirenSpec


class Workspace:
    """Buffers for the activations of one group of parts."""

    def __init__(self, spec: SirenSpec, parts: int, points: int, dtype: torch.dtype, device: torch.device) -> None:
        def empty(columns: int) -> Tensor:
            return torch.empty(parts, points, columns, dtype=dtype, device=device)

        self.hidden = [empty(spec.width) for _ in range(spec.depth + 1)]
        self.slopes = [empty(spec.width) for _ in range(spec.depth + 1)]
        self.back = [empty(spec.width) for _ in range(2)]
        self.out = empty(spec.channels)


class Passes:
    """Errors and gradients of networks of one Spec on minibatches.

    dtype: of the matrix products; parameters and gradients stay float32. Every thread has buffers of its own.
    """

    def __init__(self, spec: SirenSpec, dtype: torch.dtype, device: torch.device) -> None:
        self.spec, self.dtype, self.device = spec, dtype, device
        self.spaces: dict[tuple[int, ...], Workspace] = {}
        self.kernels = kernels_for(device)

    def use(self, dtype: torch.dtype) -> None:
        """Change the type of the matrix products."""
        if dtype != self.dtype:
            self.dtype = dtype
            self.spaces.clear()

    def cast(self, params: Mapping[str, Tensor]) -> Params:
        """Parameters in the type of the products, but for the first layer: its phases reach tens of radians."""
        first = {name: params[name] for name in ("weight0", "bias0")}
        return {name: tensor.to(self.dtype) for name, tensor in params.items()} | first

    @torch.no_grad()
    def __call__(self, params: Params, batch: Batch, points: int) -> tuple[Tensor, Params]:
        """Each part's error and gradient on a share of a group's minibatches, as parts of the means over all points.

        params: as `cast` returns them, each (parts, ...). points: per part, of the whole minibatch.
        """
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
        weighted = error if batch.weights is None else error * batch.weights
        loss = (error.square() if batch.weights is None else error * weighted).sum((1, 2)) / samples
        back = weighted.mul_(2 / samples).to(dtype)
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

    def _space(self, parts: int, points: int) -> Workspace:
        key = (get_ident(), parts, points)
        if key not in self.spaces:
            self.spaces[key] = Workspace(self.spec, parts, points, self.dtype, self.device)
        return self.spaces[key]

    def _first_layer(self, params: Mapping[str, Tensor], features: list[Tensor], space: Workspace) -> None:
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
