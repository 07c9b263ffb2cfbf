"""Positional encoding (Tancik et al. 2020; as Strümpler et al. 2022 use it, section 3.1).

Each coordinate p becomes (p, sin(sigma^0 pi p), ..., sin(sigma^(L-1) pi p), cos(sigma^0 pi p), ...,
cos(sigma^(L-1) pi p)). It acts on every axis by itself, so on a grid it is a small table per axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from coordcodec.specs import SirenSpec

Waves = Callable[[Tensor, Tensor], None]
"""Puts the sines of its first argument into the second, and the cosines in place of the first."""


def encode_axis(coords: Tensor, spec: SirenSpec, waves: Waves | None = None) -> Tensor:
    """Encode one axis: (..., n) float32 coordinates -> (..., n, 1 + 2 * num_frequencies) float32.

    waves: what takes sines and cosines; default: PyTorch.
    """
    powers = torch.arange(spec.num_frequencies, dtype=torch.float64)
    frequencies = (math.pi * (spec.sigma / 1000) ** powers).to(torch.float32).to(coords.device)
    p = coords[..., None]
    phase = p * frequencies
    if waves is None:
        return torch.cat([p, torch.sin(phase), torch.cos(phase)], dim=-1)
    sine = torch.empty_like(phase)
    waves(phase, sine)
    return torch.cat([p, sine, phase], dim=-1)


def encode(coords: Tensor, spec: SirenSpec, waves: Waves | None = None) -> Tensor:
    """Encode all axes: (..., n, d) float32 coordinates -> (..., n, features) float32, axis after axis."""
    return torch.cat([encode_side(coords[..., k], spec, k, waves) for k in range(spec.dims)], dim=-1)


def encode_side(coords: Tensor, spec: SirenSpec, k: int, waves: Waves | None = None) -> Tensor:
    """Encode axis k: (..., n) float32 coordinates -> (..., n, inputs); a circle as its cosine and its sine."""
    if not spec.wraps(k):
        return encode_axis(coords, spec, waves)
    angle = coords * math.pi
    return torch.cat([encode_axis(torch.cos(angle), spec, waves), encode_axis(torch.sin(angle), spec, waves)], dim=-1)
