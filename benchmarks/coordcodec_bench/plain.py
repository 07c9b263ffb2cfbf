"""The yardstick of our speed: a SIREN as the papers' code writes it."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from coordcodec.layers.siren.encoding import encode
from coordcodec.specs import SirenSpec

OMEGA_0 = 30


class PlainSiren(torch.nn.Module):
    """Encoding, linear layers and sin(omega_0 x), one module each, nothing kept from step to step."""

    def __init__(self, spec: SirenSpec) -> None:
        super().__init__()
        sizes = [spec.features, *[spec.width] * (spec.depth + 1)]
        self.spec = spec
        self.hidden = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in pairwise(sizes))
        self.last = torch.nn.Linear(spec.width, spec.channels)

    def forward(self, coords: Tensor) -> Tensor:
        """(n, d) coordinates -> (n, c) values."""
        x = encode(coords, self.spec)
        for layer in self.hidden:
            x = torch.sin(OMEGA_0 * layer(x))
        y: Tensor = self.last(x)
        return y
