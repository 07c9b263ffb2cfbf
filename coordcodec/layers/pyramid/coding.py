"""Symbols of a pyramid to chunks and back: first the networks, then a chunk for each level, from coarse to fine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Floats, Quantized, Symbols
from coordcodec.errors import ContainerError
from coordcodec.inits import Initialisation
from coordcodec.layers.protocol import Chunks
from coordcodec.layers.pyramid import layout
from coordcodec.layers.pyramid.context import ContextNet, evaluate
from coordcodec.layers.pyramid.geometry import LEAN, Padded, four, neighbours
from coordcodec.layers.pyramid.tables import prices, tables
from coordcodec.specs.pyramid import MAX_VALUES, PyramidSpec
from coordcodec.stream import weights

Ints = NDArray[np.int32]
MAX_HELD = 1 << 29
"""Numbers of a level, with what lies between its rows: only narrow arrays of very many latents have more."""
_PER_BYTE, _FREE = 15, 1 << 16
"""A chunk holds at most 2^15 latents per byte and 2^16 more."""


def latents_name(level: int) -> str:
    """What a level's latents are called among the symbols."""
    return f"latents.{level}"


def encode(
    symbols: Symbols, spec: PyramidSpec, init: Initialisation | None = None, below: Mapping[str, Any] | None = None
) -> Chunks:
    """See `coordcodec.layers.protocol.Layer`."""
    networks = {name: symbols[name] for name in spec.tensors()}
    latents = {level: symbols[latents_name(level)].symbols for level in spec.levels}
    return (weights.encode(networks), *encode_latents(spec, ContextNet.of(spec, networks), latents))


def encode_latents(spec: PyramidSpec, net: ContextNet, latents: Mapping[int, Ints]) -> list[bytes]:
    """The chunks of latents by level, from coarse to fine."""
    found, parent = list[bytes](), None
    for level in reversed(spec.levels):
        own = Level(spec, level, parent, latents[level])
        found.append(own.write(net))
        parent = own
    return found


def decode(
    chunks: Chunks, spec: PyramidSpec, init: Initialisation | None = None, below: Mapping[str, Any] | None = None
) -> Symbols:
    """See `coordcodec.layers.protocol.Layer`. Levels whose chunks are missing at the end are zero."""
    networks = weights.decode(chunks[0], spec.tensors())
    net, parent, found = ContextNet.of(spec, networks), None, dict(networks)
    for level, chunk in zip(reversed(spec.levels), (*chunks[1:], *[None] * len(spec.levels)), strict=False):
        own = Level(spec, level, parent)
        if chunk is not None:
            own.read(net, chunk)
        latents = own.padded.take(own.flat).reshape(spec.level_shape(level))
        found[latents_name(level)] = Quantized(latents, 1.0)
        parent = own
    return found


def check(spec: PyramidSpec, init: bytes, chunks: Chunks, cut: bool = False) -> None:
    """See `coordcodec.layers.protocol.Layer`."""
    if init:
        raise ContainerError("damaged file: a pyramid with a learned initialisation")
    if (count := prod(spec.shape) * max(spec.channels, len(spec.levels))) > MAX_VALUES:
        raise ContainerError(
            f"damaged file: a pyramid of shape {spec.shape} holds {count} values, at most {MAX_VALUES}"
        )
    if (held := max(Padded.of(spec, level).size for level in spec.levels)) > MAX_HELD:
        raise ContainerError(f"damaged file: a pyramid of shape {spec.shape} takes {held} numbers, at most {MAX_HELD}")
    weights.check(weights.parse(chunks[0]), spec.tensors(), False)
    if len(chunks) != len(spec.levels) + 1 and not (cut and len(chunks) <= len(spec.levels)):
        raise ContainerError(f"damaged file: {len(chunks)} chunks of a pyramid, expected {len(spec.levels) + 1}")
    for level, chunk in zip(reversed(spec.levels), chunks[1:], strict=False):
        if prod(spec.level_shape(level)) > (len(chunk) << _PER_BYTE) + _FREE:
            raise ContainerError(f"damaged file: too few bytes for {prod(spec.level_shape(level))} latents")


@dataclass
class _Shapes:
    """What the loops need to know of a level, as numbers."""

    sizes: NDArray[np.int64]
    strides: NDArray[np.int64]
    above: NDArray[np.int64]
    shifts: NDArray[np.int64]


class Level:
    """A level's latents as the coder walks them.

    parent: the next coarser level, None for the coarsest. latents: (*level's shape), None: to be read.
    """

    def __init__(self, spec: PyramidSpec, level: int, parent: Level | None, latents: Ints | None = None) -> None:
        self.spec, self.level, self.parent = spec, level, parent
        self.padded = padded = Padded.of(spec, level)
        if latents is not None and not -layout.LARGEST <= latents.min() <= latents.max() <= layout.LARGEST:
            raise ValueError(
                f"latents are {-layout.LARGEST} to {layout.LARGEST}, got {latents.min()} to {latents.max()}"
            )
        self.flat = padded.empty() if latents is None else padded.fill(latents)
        above = [0, 0, 0, 0, 0, 0, 0, 0, len(spec.shape), 0]
        if parent is not None:
            halved = spec.halved[level]
            bits = four(tuple(halved >> k & 1 for k in range(len(spec.shape))))
            axes = [b if k >= 4 - len(spec.shape) else 0 for k, b in enumerate(bits)]
            above = [*parent.padded.strides(), *axes, len(spec.shape), parent.padded.front]
        self.shapes = _Shapes(
            np.array([*padded.shape, padded.front], np.int64),
            np.array(padded.strides(), np.int64),
            np.array(above, np.int64),
            padded.shifts(neighbours(len(spec.shape), spec.neighbours)),
        )

    @property
    def size(self) -> int:
        """How many latents there are."""
        return prod(self.padded.shape)

    def write(self, net: ContextNet, wishes: Floats | None = None, weight: float = 0.0) -> bytes:
        """The chunk of the latents.

        wishes: latents that are not rounded yet: they are rounded here, each to what costs least, a squared error
        being worth `weight` bits; it needs Numba.
        """
        flat = np.zeros(0, np.float32) if wishes is None else self.padded.fill(wishes)
        capacity = self.size + 4096
        while True:
            registers, data = [0, layout.FULL - 1, 0, 0, 0, layout.ENCODE], np.zeros(capacity, np.uint8)
            done, registers, data = self._run(net, registers, data, flat, weight)
            if done:
                return _finished(registers, data)
            capacity *= 4

    def read(self, net: ContextNet, chunk: bytes) -> None:
        """Read the latents from their chunk. Raises ContainerError where it does not end as it should."""
        if chunk.endswith(b"\0"):
            raise ContainerError("damaged file: a chunk of latents ends in zeros")
        code = int.from_bytes((chunk + bytes(layout.BYTES))[: layout.BYTES], "big")
        registers = [0, layout.FULL - 1, code, 0, len(chunk), layout.DECODE]
        _, registers, _ = self._run(
            net, registers, np.frombuffer(chunk or b"\0", np.uint8).copy(), np.zeros(0, np.float32)
        )
        if len(chunk) > registers[layout.POSITION] + layout.BYTES:
            raise ContainerError("damaged file: a chunk of latents goes on behind the last one")

    def _run(
        self, net: ContextNet, registers: Any, data: Any, wishes: Floats, weight: float = 0.0
    ) -> tuple[bool, Any, Any]:
        from coordcodec.layers.pyramid import walk  # Numba, which not every start needs
        from coordcodec.stream.grid.jit import COMPILED

        parent = np.zeros(1, np.int32) if self.parent is None else self.parent.flat
        if COMPILED:
            registers, t = np.array(registers, np.int64), tables()
            rows = self.padded.widest
            inputs = np.zeros((self.spec.inputs + self.spec.inputs % 2, rows), np.int32)
            layers = [np.empty((len(net.arrays[2 * k]), rows), np.int32) for k in range(3)]
            s = self.shapes
            walk.level_compiled(
                *(self.flat, parent, s.sizes, s.strides, s.above, s.shifts, self.level, net.arrays, net.shifts),
                *(registers, data, t.most, t.starts, t.edges, (inputs, *layers), wishes, weight, prices()),
            )
        else:
            registers, data = _interpreted(self, parent, net, registers, data)
        room = registers[layout.MODE] != layout.ENCODE or registers[layout.POSITION] + 16 <= len(data)
        return room, registers, data


def _finished(registers: Any, data: NDArray[np.uint8]) -> bytes:
    """What was written, with the fewest bytes that say which interval is meant."""
    low, width, position = (int(registers[k]) for k in (layout.LOW, layout.RANGE, layout.POSITION))
    written = int.from_bytes(bytes(data[:position].tolist()), "big") << 8 * layout.BYTES
    for free in range(8 * layout.BYTES, -8, -8):
        value = (low + (1 << free) - 1) >> free << free
        if value < low + width:
            break
    whole = written + value
    return whole.to_bytes(position + layout.BYTES, "big").rstrip(b"\0")


def _interpreted(level: Level, parent: Ints, net: ContextNet, registers: list[int], data: Any) -> Any:
    """What the compiled loop does, by NumPy and plain Python."""
    from coordcodec.layers.pyramid.bits import latent

    t = tables()
    data = data.tolist() if registers[layout.MODE] == layout.DECODE else [0] * (6 * level.size + 64)
    most, starts, edges = t.most.tolist(), t.starts.tolist(), t.edges.tolist()
    for at, inputs in _wavefronts(level, parent, net):
        places, scales = evaluate(inputs(), net)
        values = level.flat[at].tolist()
        coded = [
            latent(v, p, k, registers, data, most, starts, edges)
            for v, p, k in zip(values, places.tolist(), scales.tolist(), strict=True)
        ]
        level.flat[at] = coded
    return registers, np.array(data, np.uint8) if registers[layout.MODE] == layout.ENCODE else data


def _wavefronts(level: Level, parent: Ints, net: ContextNet) -> Any:
    """The flat places of each wavefront, and a function that gives the inputs there."""
    shapes, spec = level.shapes, level.spec
    outer, inner, rows, columns = level.padded.shape
    count = spec.inputs
    for a, b in np.ndindex(outer, inner):
        corner = shapes.sizes[4] + a * shapes.strides[0] + b * shapes.strides[1]
        for turn in range(columns + LEAN * (rows - 1)):
            y = np.arange(max(0, (turn - columns + LEAN) // LEAN), min(turn // LEAN, rows - 1) + 1)
            x = turn - LEAN * y
            at = corner + y * shapes.strides[2] + x * shapes.strides[3]

            def inputs(at: Any = at, index: Any = (a, b, y, x)) -> Ints:
                given = np.zeros((count + count % 2, len(at)), np.int32)
                given[: spec.neighbours] = _scaled(level.flat[at + shapes.shifts[:, None]])
                if level.parent is not None:
                    given[spec.neighbours : count - 1] = _scaled(parent[_above(shapes.above, index)])
                given[count - 1] = level.level << layout.FRACTION
                return given

            yield at, inputs


def _scaled(latents: Ints) -> Ints:
    return np.clip(latents, -layout.INPUT, layout.INPUT) << layout.FRACTION


def _above(above: NDArray[np.int64], index: Any) -> NDArray[np.int64]:
    """The flat places of the parents of latents: (1 + axes, n)."""
    here = above[9] + sum((i >> above[4 + k]) * above[k] for k, i in enumerate(index))
    found = [here]
    for k in range(4 - int(above[8]), 4):
        side = np.where((above[4 + k] == 0) | (np.asarray(index[k]) & 1 == 1), 1, -1)
        found.append(here + side * above[k])
    return np.stack([np.broadcast_to(f, np.shape(index[3])) for f in found])
