"""Biases into one period, which must come before quantization; the rest of what equal networks share is in `order`."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from coordcodec.layers.siren.network import Params
from coordcodec.specs import SirenSpec


@torch.no_grad()
def folded(spec: SirenSpec, params: Mapping[str, Tensor]) -> Params:
    """Parameters, each (parts, ...), of the same function, with all biases but the last in [-pi/2, pi/2]."""
    found = {name: tensor.clone() for name, tensor in params.items()}
    for layer in range(spec.depth + 1):
        turns = torch.round(found[f"bias{layer}"] / math.pi)
        found[f"bias{layer}"] -= turns * math.pi
        found[f"weight{layer + 1}"] *= (1 - 2 * turns.remainder(2))[:, None]
    return found
