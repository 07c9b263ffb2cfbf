"""Pyramid: what a decoder must know of integers at several scales and the two networks that go with them."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import ClassVar

from coordcodec.errors import ContainerError
from coordcodec.numbers import Reader

KIND = "pyramid"
SECTION = 5
"""What files of version 5 call this kind of layer."""
MAX_LEVELS, MAX_AXES, MAX_WIDTH, MAX_NEIGHBOURS = 12, 4, 64, 20
MAX_VALUES = 1 << 28
_ALIKE = 1


@dataclass(frozen=True)
class PyramidSpec:
    """Latents, integers on the levels of a pyramid; a synthesis and a context network.

    shape, channels, periodic: the signal's grid, 1 to 4 axes, and values.
    halved: from each level to the next coarser one a bit for every axis that has half as many latents there; as many
        levels as it has entries, and one.
    first: the finest level that has latents, 0 for one latent per sample.
    synthesis, context: the widths of the two hidden layers of each network, multiples of 4 up to 64.
    neighbours: latents of the same level that the context network sees, 1 to 20.
    unit, origin: per channel, value = origin + unit * output of the synthesis.
    """

    kind: ClassVar[str] = KIND
    exact: ClassVar[bool] = False
    """Whether it decodes to the same numbers on every machine."""
    early: ClassVar[bool] = False
    """Whether files of versions 1 to 4 hold it."""
    chunked: ClassVar[bool] = True
    """Whether its section consists of chunks."""

    shape: tuple[int, ...]
    channels: int
    halved: tuple[int, ...]
    first: int
    synthesis: tuple[int, int]
    context: tuple[int, int]
    neighbours: int
    unit: tuple[float, ...]
    origin: tuple[float, ...]
    periodic: tuple[bool, ...] = ()

    @property
    def network(self) -> None:
        """There is none whose initialisation could be learned."""
        return

    @property
    def levels(self) -> range:
        """The levels that have latents, from fine to coarse."""
        return range(self.first, len(self.halved) + 1)

    def level_shape(self, level: int) -> tuple[int, ...]:
        """The latents of a level along each axis."""
        times = [sum(mask >> k & 1 for mask in self.halved[:level]) for k in range(len(self.shape))]
        return tuple((n + (1 << t) - 1) >> t for n, t in zip(self.shape, times, strict=True))

    @property
    def inputs(self) -> int:
        """What the context network sees: neighbours, one parent and one more along each axis, the level."""
        return self.neighbours + 1 + len(self.shape) + 1

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the networks' parameters, in the order in which files hold them."""
        found = dict[str, tuple[int, ...]]()
        for name, inputs, (first, second), outputs in (
            ("context", self.inputs, self.context, 2),
            ("synthesis", len(self.levels), self.synthesis, self.channels),
        ):
            found[f"{name}.0.weight"], found[f"{name}.0.bias"] = (first, inputs), (first,)
            found[f"{name}.1.weight"], found[f"{name}.1.bias"] = (second, first), (second,)
            found[f"{name}.2.weight"], found[f"{name}.2.bias"] = (outputs, second), (outputs,)
            found[f"{name}.skip"] = (outputs, inputs)
        return found

    def multiply_adds(self) -> float:
        """Of both networks, for each sample of the grid."""
        context, synthesis = self.inputs * (self.context[0] + 2), len(self.levels) * (self.synthesis[0] + self.channels)
        context += self.context[1] * (self.context[0] + 2)
        synthesis += self.synthesis[1] * (self.synthesis[0] + self.channels)
        latents = sum(math.prod(self.level_shape(level)) for level in self.levels)
        return synthesis + context * latents / math.prod(self.shape)

    def describe(self) -> dict[str, int | float | str | list[int]]:
        """The facts that `info` shows."""
        return {
            "kind": self.kind,
            "levels": [math.prod(self.level_shape(level)) for level in self.levels],
            "finest": self.first,
            "synthesis": list(self.synthesis),
            "context": list(self.context),
            "neighbours": self.neighbours,
            "multiply_adds": round(self.multiply_adds()),
        }


def pack_section(spec: PyramidSpec) -> bytes:
    """The beginning of a layer's section."""
    alike = len({*zip(spec.unit, spec.origin, strict=True)}) == 1
    out = bytes([_ALIKE if alike else 0, len(spec.halved), *spec.halved, spec.first])
    out += bytes([*spec.synthesis, *spec.context, spec.neighbours])
    numbers = spec.unit[:1] + spec.origin[:1] if alike else spec.unit + spec.origin
    return out + struct.pack(f"<{len(numbers)}f", *numbers)


def unpack_section(
    body: bytes, shape: tuple[int, ...], channels: int, periodic: tuple[bool, ...]
) -> tuple[PyramidSpec, bytes]:
    """The Spec at the beginning of a layer's section, and what follows it. Raises ContainerError."""
    if not 1 <= len(shape) <= MAX_AXES:
        raise ContainerError(f"damaged file: a pyramid on {len(shape)} axes, expected a grid of 1 to {MAX_AXES}")
    reader = Reader(body)
    flags, steps = reader.byte(), reader.byte()
    if flags & ~_ALIKE or steps >= MAX_LEVELS:
        raise ContainerError(f"damaged file: a pyramid with flags {flags:#x} and {steps + 1} levels")
    halved, first = tuple(reader.take(steps)), reader.byte()
    if any(not 0 < mask < 1 << len(shape) for mask in halved) or first > steps:
        raise ContainerError(f"damaged file: a pyramid whose levels {halved} begin at {first}")
    widths, neighbours = tuple(reader.take(4)), reader.byte()
    if any(not 4 <= width <= MAX_WIDTH or width % 4 for width in widths) or not 1 <= neighbours <= MAX_NEIGHBOURS:
        raise ContainerError(f"damaged file: a pyramid with widths {widths} and {neighbours} neighbours")
    count = 1 if flags & _ALIKE else channels
    numbers = struct.unpack(f"<{2 * count}f", reader.take(8 * count))
    unit, origin = numbers[:count], numbers[count:]
    if not all(0 < u < math.inf for u in unit) or not all(map(math.isfinite, origin)):
        raise ContainerError("damaged file: units of a pyramid that are no finite numbers above 0")
    times = channels if flags & _ALIKE else 1
    spec = PyramidSpec(
        *(shape, channels, halved, first, (widths[0], widths[1]), (widths[2], widths[3]), neighbours),
        *(unit * times, origin * times, periodic),
    )
    return spec, body[reader.at :]
