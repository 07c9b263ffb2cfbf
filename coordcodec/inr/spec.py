"""What a decoder must know of a network: its kind and size. Needs no torch, so that `info` is quick."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from coordcodec.errors import ContainerError

SIREN = 1
"""The kinds of network, as the header numbers them."""


@dataclass(frozen=True)
class SirenSpec:
    """A SIREN with positional encoding.

    dims, channels: the dimensions of coordinates (d) and values (c).
    width: neurons per hidden layer, 1 to 1024.
    depth: hidden-to-hidden layers, 0 to 16.
    num_frequencies: frequencies per axis of the encoding, 0 to 32; 0 feeds the coordinates alone.
    sigma: ratio of successive frequencies in thousandths, 1000 to 8000.
    """

    dims: int
    channels: int
    width: int
    depth: int
    num_frequencies: int
    sigma: int

    @property
    def features(self) -> int:
        """The number of inputs of the first layer."""
        return self.dims * (1 + 2 * self.num_frequencies)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The tensors of one network by name: weights (out, in) and biases (out,), first layer first."""
        sizes = [self.features, *[self.width] * (self.depth + 1), self.channels]
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
            shapes[f"weight{layer}"] = (fan_out, fan_in)
            shapes[f"bias{layer}"] = (fan_out,)
        return shapes

    @property
    def parameters(self) -> int:
        """How many numbers one network has."""
        return sum(prod(shape) for shape in self.shapes().values())

    def pack(self) -> tuple[int, bytes]:
        """The kind and the bytes that the header holds; dims and channels stand elsewhere in it."""
        return SIREN, struct.pack(">HBBH", self.width, self.depth, self.num_frequencies, self.sigma)

    def describe(self) -> dict[str, int | float | str]:
        """The facts that `info` shows."""
        return {
            "kind": "siren",
            "width": self.width,
            "depth": self.depth,
            "num_frequencies": self.num_frequencies,
            "sigma": self.sigma / 1000,
            "parameters": self.parameters,
        }


def unpack_spec(kind: int, spec: bytes, dims: int, channels: int) -> SirenSpec:
    """The network of a header. Raises ContainerError for an unknown kind and for sizes out of range."""
    if kind != SIREN:
        raise ContainerError(f"unknown kind of network {kind}; a newer coordcodec may know it")
    if len(spec) != 6:
        raise ContainerError(f"damaged file: a SIREN's specification takes 6 bytes, got {len(spec)}")
    width, depth, num_frequencies, sigma = struct.unpack(">HBBH", spec)
    if not (1 <= width <= 1024 and depth <= 16 and num_frequencies <= 32 and 1000 <= sigma <= 8000):
        raise ContainerError(f"damaged file: a SIREN of width {width}, depth {depth}, {num_frequencies} frequencies")
    return SirenSpec(dims, channels, width, depth, num_frequencies, sigma)
