"""The elementwise half of a fit's step, for which PyTorch has no fused operations.

Two implementations of one interface: `TorchKernels` runs anywhere, `CompiledKernels` on a CPU for which Numba can
compile. The latter takes sine and cosine together in one pass, nine times faster than PyTorch's two; without it
they would cost as much as the matrix products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Kernels(Protocol):
    """What a step needs between its matrix products."""

    def waves(self, phase: Tensor, sine: Tensor) -> None:
        """Put sin(phase) into `sine` and cos(phase) in the place of `phase`."""
        ...

    def combine(self, one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor], sine: Tensor, cosine: Tensor) -> None:
        """Sine and cosine of all sums of two sets of phases, given theirs.

        one: sines and cosines (k, p, width) float32; other: (k, q, width) float32. sine, cosine: (k, p, q, width).
        """
        ...

    def chain(self, delta: Tensor, slope: Tensor) -> Tensor:
        """Multiply `delta` by `slope`, both (parts, n, width), in place; returns the sums over n, (parts, width)."""
        ...

    def collect(self, delta: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        """The sums of delta * slope, both (k, p, q, width), over q and over p: (k, p, width), (k, q, width) float32."""
        ...


class TorchKernels:
    """PyTorch's own operations, on any device."""

    def waves(self, phase: Tensor, sine: Tensor) -> None:
        """See `Kernels`."""
        torch.sin(phase, out=sine)
        torch.cos(phase, out=phase)

    def combine(self, one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor], sine: Tensor, cosine: Tensor) -> None:
        """See `Kernels`."""
        s, c = (t.to(sine.dtype)[:, :, None] for t in one)
        t, d = (t.to(sine.dtype)[:, None] for t in other)
        torch.mul(s, d, out=sine).addcmul_(c, t)
        torch.mul(c, d, out=cosine).addcmul_(s, t, value=-1)

    def chain(self, delta: Tensor, slope: Tensor) -> Tensor:
        """See `Kernels`."""
        return delta.mul_(slope).sum(1)

    def collect(self, delta: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        """See `Kernels`."""
        product = delta.mul(slope)
        return product.sum(2).to(torch.float32), product.sum(1).to(torch.float32)


class CompiledKernels:
    """Numba's loops over the memory of CPU tensors in float32 or bfloat16."""

    def __init__(self, functions: dict[str, Callable[..., None]]) -> None:
        self.functions = functions

    def _run(self, name: str, *tensors: Tensor) -> None:
        self.functions[name](*(_memory(tensor) for tensor in tensors))

    def waves(self, phase: Tensor, sine: Tensor) -> None:
        """See `Kernels`."""
        self._run("waves", phase.view(-1), sine.view(-1))

    def combine(self, one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor], sine: Tensor, cosine: Tensor) -> None:
        """See `Kernels`."""
        self._run("combine", *one, *other, sine, cosine)

    def chain(self, delta: Tensor, slope: Tensor) -> Tensor:
        """See `Kernels`."""
        sums = torch.zeros(len(delta), delta.shape[2])
        self._run("chain", delta, slope, sums)
        return sums

    def collect(self, delta: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        """See `Kernels`."""
        k, p, q, width = delta.shape
        rows, columns = torch.empty(k, p, width), torch.empty(k, q, width)
        self._run("collect", delta, slope, rows, columns)
        return rows, columns


def _memory(tensor: Tensor) -> NDArray[Any]:
    """The tensor's memory as an array: float32, or the bits of bfloat16 as uint16."""
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16)
    return tensor.numpy()


def kernels_for(device: torch.device) -> Kernels:
    """The fastest kernels for a device."""
    if device.type != "cpu":
        return TorchKernels()
    try:
        from coordcodec.compute.compiled import FUNCTIONS
    except ImportError:  # Numba lags behind new releases of Python and NumPy, or NUMBA_DISABLE_JIT is set
        return TorchKernels()
    return CompiledKernels(FUNCTIONS)
