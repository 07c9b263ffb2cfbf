"""SIREN: what a decoder must know of its networks."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import prod
from typing import ClassVar

from coordcodec.data import MAX_CHANNELS, MAX_DIMS
from coordcodec.errors import ContainerError
from coordcodec.numbers import Reader, varint
from coordcodec.partition import Partition
from coordcodec.specs.cut import pack_partition, read_partition

SIREN = 1
"""What files of versions 1 to 4 call this kind of network."""
KIND = "siren"
SECTION = 3
"""What files of version 5 call this kind of layer."""
_PARTS, _MARGIN, _GAINS = 1, 2, 4
INIT_BYTES = 8
"""What a file calls a learned initialisation: so many bytes of its SHA-256."""


@dataclass(frozen=True)
class SirenSpec:
    """SIRENs with positional encoding, all of one shape, one for each box of a partition.

    dims, channels: the dimensions of coordinates (d) and values (c).
    width: neurons per hidden layer, 1 to 1024.
    depth: hidden-to-hidden layers, 0 to 16.
    num_frequencies: frequencies per axis of the encoding, 0 to 32; 0 feeds the coordinates alone.
    sigma: ratio of successive frequencies in thousandths, 1000 to 8000.
    partition: how the domain is cut; default: one box.
    gains: a byte per box, see `coordcodec.partition`; empty: none.
    periodic: for each axis whether it is a closed circle; empty: none is.
    """

    kind: ClassVar[str] = KIND
    exact: ClassVar[bool] = False
    """Whether it decodes to the same numbers on every machine."""
    early: ClassVar[bool] = True
    """Whether files of versions 1 to 4 hold it."""
    chunked: ClassVar[bool] = False
    """Whether its section consists of chunks."""

    dims: int
    channels: int
    width: int
    depth: int
    num_frequencies: int
    sigma: int
    partition: Partition = field(default_factory=lambda: Partition(()))
    gains: bytes = b""
    periodic: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        if not self.partition.counts:
            object.__setattr__(self, "partition", Partition((1,) * self.dims))

    @property
    def network(self) -> SirenSpec:
        """The same for one box without a gain: what a learned initialisation is for."""
        return replace(self, partition=Partition((1,) * self.dims), gains=b"")

    def wraps(self, k: int) -> bool:
        """Whether networks see axis k as cosine and sine: a circle that is not cut."""
        return bool(self.periodic) and self.periodic[k] and self.partition.counts[k] == 1

    @property
    def features(self) -> int:
        """The number of inputs of the first layer."""
        inputs = self.dims + sum(self.wraps(k) for k in range(self.dims))
        return inputs * (1 + 2 * self.num_frequencies)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The tensors of one network by name: weights (out, in) and biases (out,), first layer first."""
        sizes = [self.features, *[self.width] * (self.depth + 1), self.channels]
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
            shapes[f"weight{layer}"] = (fan_out, fan_in)
            shapes[f"bias{layer}"] = (fan_out,)
        return shapes

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """The tensors of all networks, each (parts, ...)."""
        return {name: (len(self.partition), *shape) for name, shape in self.shapes().items()}

    @property
    def parameters(self) -> int:
        """How many numbers one network has."""
        return sum(prod(shape) for shape in self.shapes().values())

    def pack(self) -> tuple[int, bytes]:
        """The number of the kind, and the bytes that a file holds; dims, channels, partition and gains stand apart."""
        return SIREN, struct.pack(">HBBH", self.width, self.depth, self.num_frequencies, self.sigma)

    def header_bytes(self, init: bool, half: bool) -> int:
        """The bytes of its section without the numbers. init: whether they are updates. half: whether 16-bit floats."""
        counts = self.partition.counts
        parts = sum(len(varint(count)) for count in counts) if prod(counts) > 1 else 0
        cut = parts + (1 if self.partition.margin else 0) + len(self.gains)
        table = 0 if half else 2 + 4 * 2 * (self.depth + 2)
        return cut + (INIT_BYTES if init else 0) + 2 + len(self.pack()[1]) + 1 + table

    def describe(self) -> dict[str, int | float | str]:
        """The facts that `info` shows."""
        return {
            "kind": self.kind,
            "width": self.width,
            "depth": self.depth,
            "num_frequencies": self.num_frequencies,
            "sigma": self.sigma / 1000,
            "parameters": self.parameters,
        }


def unpack_spec(
    kind: int,
    spec: bytes,
    dims: int,
    channels: int,
    partition: Partition | None = None,
    gains: bytes = b"",
    periodic: tuple[bool, ...] = (),
) -> SirenSpec:
    """The Spec of a file. Raises ContainerError for an unknown kind and for sizes out of range."""
    if kind != SIREN:
        raise ContainerError(f"unknown kind of network {kind}; a newer coordcodec may know it")
    if len(spec) != 6:
        raise ContainerError(f"damaged file: a SIREN's specification takes 6 bytes, got {len(spec)}")
    width, depth, num_frequencies, sigma = struct.unpack(">HBBH", spec)
    if not (1 <= width <= 1024 and depth <= 16 and num_frequencies <= 32 and 1000 <= sigma <= 8000):
        raise ContainerError(f"damaged file: a SIREN of width {width}, depth {depth}, {num_frequencies} frequencies")
    cut = partition or Partition((1,) * dims)
    return SirenSpec(dims, channels, width, depth, num_frequencies, sigma, cut, gains, periodic)


def pack_section(spec: SirenSpec) -> bytes:
    """The beginning of a layer's section in version 5."""
    flags = (_PARTS if len(spec.partition) > 1 else 0) | (_MARGIN if spec.partition.margin else 0)
    flags |= _GAINS if spec.gains else 0
    return bytes([flags]) + pack_partition(spec.partition, spec.gains) + spec.pack()[1]


def unpack_section(body: bytes, dims: int, channels: int, periodic: tuple[bool, ...]) -> tuple[SirenSpec, bytes]:
    """The Spec at the beginning of a layer's section, and what follows it. Raises ContainerError."""
    reader = Reader(body)
    flags = reader.byte()
    if flags & ~(_PARTS | _MARGIN | _GAINS):
        raise ContainerError(f"damaged file: unknown flags {flags:#x} of a SIREN")
    cut, gains = read_partition(reader, dims, bool(flags & _PARTS), bool(flags & _MARGIN), bool(flags & _GAINS))
    spec = unpack_spec(SIREN, reader.take(6), dims, channels, cut, gains, periodic)
    return spec, body[reader.at :]


NETWORK = ("dims", "channels", "width", "depth", "num_frequencies", "sigma")
"""The numbers that say which network a learned initialisation is for."""


def network_numbers(spec: SirenSpec) -> dict[str, int]:
    """What the file of a learned initialisation says of its network."""
    return {name: getattr(spec, name) for name in NETWORK}


def unpack_network(numbers: Mapping[str, object]) -> SirenSpec:
    """The network of these numbers. Raises ContainerError when any is missing, odd or out of range."""
    if set(numbers) != set(NETWORK) or not all(type(v) is int and 0 <= v < 1 << 16 for v in numbers.values()):
        raise ContainerError(f"expected whole numbers {', '.join(NETWORK)}")
    dims, channels, width, depth, num_frequencies, sigma = (int(str(numbers[name])) for name in NETWORK)
    if not (1 <= dims <= MAX_DIMS and 1 <= channels <= MAX_CHANNELS and max(depth, num_frequencies) < 256):
        raise ContainerError(f"a network of {dims} dimensions and {channels} channels")
    spec = SirenSpec(dims, channels, width, depth, num_frequencies, sigma)
    return unpack_spec(*spec.pack(), dims, channels)
