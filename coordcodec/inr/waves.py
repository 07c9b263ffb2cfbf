"""The sine as autograd should see it where it differentiates twice.

PyTorch takes a sine going forward, a cosine going back and both once more for the second derivative, each in a pass
of its own. Here one pass of the compiled kernel gives both, and both derivatives use them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from coordcodec.inr.kernels import TorchKernels, kernels_for


def sine(phase: Tensor) -> Tensor:
    """sin(phase), differentiable twice."""
    apply: Callable[..., Tensor] = _Sine.apply
    return apply(phase)


class _Sine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, phase: Tensor) -> Tensor:
        kernels = kernels_for(phase.device) if phase.dtype == torch.float32 else TorchKernels()
        cosine, found = phase.clone(memory_format=torch.contiguous_format), torch.empty_like(phase)
        kernels.waves(cosine, found)
        ctx.save_for_backward(phase, found, cosine)
        return found

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Tensor:
        apply: Callable[..., Tensor] = _Slope.apply
        return apply(outer[0], *ctx.saved_tensors)


class _Slope(torch.autograd.Function):
    """outer * cos(phase), given the sine and the cosine."""

    @staticmethod
    def forward(ctx: Any, outer: Tensor, phase: Tensor, sine: Tensor, cosine: Tensor) -> Tensor:
        ctx.save_for_backward(outer, sine, cosine)
        return outer * cosine

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *second: Tensor) -> Any:
        outer, sine, cosine = ctx.saved_tensors
        return second[0] * cosine, (second[0] * outer).mul_(sine).neg_(), None, None
