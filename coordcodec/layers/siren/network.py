"""SIREN (Sitzmann et al. 2020): sine networks, their initialisation and their forward pass.

omega_0 is folded into the weights: sin(omega_0 (W x + b)) is stored, fitted and evaluated as sin(W' x + b').
A decoder therefore need not know it, and all layers feel quantization and learning rates on one scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from coordcodec.compute.kernels import Kernels, kernels_for
from coordcodec.compute.workers import Workers
from coordcodec.data import SLICE, Coords, Field, Floats
from coordcodec.layers.siren.encoding import encode
from coordcodec.partition import Partition
from coordcodec.specs import SirenSpec
from coordcodec.torch_state import usual_torch

CPU_SLICE = 4096
"""Points that a thread evaluates at a time: at width 64 a megabyte of activations, which stays in its cache."""

Params = dict[str, Tensor]
"""Tensors by name, each (parts, ...): the networks of all parts, stacked."""


def init(spec: SirenSpec, parts: int, seed: int, omega_0: float = 30.0) -> Params:
    """Random parameters as Sitzmann et al. 2020 (section 3.2 and supplement 1.5) draw them, float32 on the CPU.

    Weights of the first layer U(-1/n, 1/n), of the others U(-sqrt(6/n)/omega_0, sqrt(6/n)/omega_0), biases
    U(-1/sqrt(n), 1/sqrt(n)) for n inputs; all but the last layer then times omega_0.
    """
    generator = torch.Generator().manual_seed(seed)
    params: Params = {}
    last = spec.depth + 1
    for name, shape in spec.shapes().items():
        layer = int(name.removeprefix("weight").removeprefix("bias"))
        fan_in = spec.shapes()[f"weight{layer}"][1]
        if name.startswith("bias"):
            bound = 1 / math.sqrt(fan_in)
        else:
            bound = 1 / fan_in if layer == 0 else math.sqrt(6 / fan_in) / omega_0
        if layer != last:
            bound *= omega_0
        params[name] = (torch.rand((parts, *shape), generator=generator) * 2 - 1) * bound
    return params


def as_params(arrays: Mapping[str, Floats], device: torch.device) -> Params:
    """One network's tensors (...) as parameters (1, ...)."""
    return {name: torch.tensor(array, device=device)[None] for name, array in arrays.items()}


def filled(spec: SirenSpec, value: float, device: torch.device) -> Params:
    """Parameters (1, ...) that are all the same."""
    return {name: torch.full((1, *shape), value, device=device) for name, shape in spec.shapes().items()}


def apply(spec: SirenSpec, params: Mapping[str, Tensor], coords: Tensor) -> Tensor:
    """Evaluate the networks: (parts, n, d) coordinates -> (parts, n, c) values, differentiably."""
    hidden = encode(coords, spec)
    for layer in range(spec.depth + 2):
        weight, bias = params[f"weight{layer}"], params[f"bias{layer}"]
        hidden = torch.baddbmm(bias[:, None, :], hidden, weight.mT)
        if layer <= spec.depth:
            hidden = torch.sin(hidden)
    return hidden


def as_field(
    spec: SirenSpec,
    arrays: Mapping[str, Floats],
    partition: Partition,
    device: torch.device,
    gains: Sequence[float] = (),
    threads: int | None = None,
) -> Field:
    """The decoded function of dequantized parameters, each (parts, ...) float32.

    gains: what each part's values are multiplied by; empty: nothing. threads: see `Workers`.

    The field takes any (n, d) coordinates and returns (n, c) float32. Its memory does not grow with n beyond
    the result: points are evaluated a slice at a time, on a CPU slices that fit its cache.
    """
    params = {name: torch.tensor(array, device=device) for name, array in arrays.items()}
    return _SirenField(spec, params, partition, device, gains, threads)


@dataclass(frozen=True, repr=False)
class _SirenField:
    """See `as_field`."""

    spec: SirenSpec
    params: Params
    partition: Partition
    device: torch.device
    gains: Sequence[float]
    threads: int | None

    def __call__(self, coords: Coords) -> Floats:
        coords = np.asarray(coords)
        # float64 is kept until the part is known: in a long sound float32 cannot tell neighbouring samples apart.
        coords = coords.astype(np.float64 if coords.dtype == np.float64 else np.float32, order="C", copy=False)
        if coords.ndim != 2 or coords.shape[1] != self.spec.dims:
            raise ValueError(f"coords must be (n, {self.spec.dims}), got shape {coords.shape}")
        values = np.empty((len(coords), self.spec.channels), np.float32)
        size = CPU_SLICE if self.device.type == "cpu" else SLICE

        def fill(start: int) -> None:
            self._fill(values[start : start + size], coords[start : start + size])

        with Workers(self.device, self.threads) as workers:
            workers.start(fill, range(0, len(coords), size))()
        return values

    def _fill(self, out: Floats, coords: Coords) -> None:
        if len(self.partition) == 1:
            out[:] = self._evaluate(0, coords.astype(np.float32, copy=False))
            return
        out[:] = 0
        for cover in self.partition.covers(coords):
            shared = np.empty((len(cover.boxes), self.spec.channels), np.float32)
            for part in np.unique(cover.boxes):
                mine = cover.boxes == part
                shared[mine] = self._evaluate(int(part), np.ascontiguousarray(cover.local[mine]))
            out[cover.points] += shared * cover.weights

    def _evaluate(self, number: int, coords: Floats) -> Floats:
        own = {name: tensor[number : number + 1] for name, tensor in self.params.items()}
        kernels, points = kernels_for(self.device), torch.from_numpy(coords).to(self.device)[None]
        with usual_torch(), torch.inference_mode():
            found: Floats = _evaluate(self.spec, own, points, kernels)[0].cpu().numpy()
        return found * np.float32(self.gains[number]) if self.gains else found


def _evaluate(spec: SirenSpec, params: Params, coords: Tensor, kernels: Kernels) -> Tensor:
    """What `apply` does, without a gradient and with the fastest sines of the device."""
    hidden = encode(coords, spec, kernels.waves)
    for layer in range(spec.depth + 2):
        phase = torch.baddbmm(params[f"bias{layer}"][:, None, :], hidden, params[f"weight{layer}"].mT)
        if layer > spec.depth:
            return phase
        hidden = torch.empty_like(phase)
        kernels.waves(phase, hidden)
    raise AssertionError("the last layer returns")
