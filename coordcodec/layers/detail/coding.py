"""Symbols of a detail layer to chunks and back.

A chunk holds the planes of one scale, or of all where the Spec does not split; a residual has a chunk of its own, the
last. The first begins with a head: the step's code (varint); where it is not 0 the three points, signed bytes; for
lapped cosines a byte per plane, how many 64ths of the spectrum are coded.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.clock import Progress
from coordcodec.data import Symbols
from coordcodec.errors import ContainerError
from coordcodec.inits import Initialisation
from coordcodec.layers.detail.planes import Basis, Plane, basis_of
from coordcodec.layers.detail.quantize import COARSEST, FINEST
from coordcodec.layers.detail.rotation import Rotation
from coordcodec.layers.detail.symbols import Detailed
from coordcodec.layers.detail.walk import Walk
from coordcodec.layers.protocol import Chunks
from coordcodec.numbers import Reader, varint
from coordcodec.specs import DetailSpec
from coordcodec.specs.detail import MODELS
from coordcodec.stream.grid import GridDecoder, GridEncoder, GridState

Ints = NDArray[np.int32]
PARTS = 64
"""Of a spectrum, the shares that are coded are counted in."""
MAX_SAMPLES = 1 << 28
"""Values, channels counted, that a layer holds at most."""


@dataclass(frozen=True)
class Head:
    """What stands before the chunks: the code of the step, the points, and the shares of lapped planes."""

    step: int
    points: tuple[int, int, int] = (0, 0, 0)
    shares: bytes = b""

    def pack(self) -> bytes:
        """Its bytes."""
        return varint(self.step) + (struct.pack("3b", *self.points) if self.step else b"") + self.shares

    @staticmethod
    def read(reader: Reader, spec: DetailSpec, planes: int) -> Head:
        """From the beginning of a payload. Raises ContainerError."""
        step = reader.varint("the step of a detail layer", FINEST, COARSEST)
        points = struct.unpack("3b", reader.take(3)) if step else (0, 0, 0)
        shares = reader.take(planes) if spec.basis == "lapped" else b""
        if any(share > PARTS for share in shares):
            raise ContainerError(f"damaged file: {max(shares)} of {PARTS} parts of a spectrum")
        return Head(step, points, shares)


def coded_shape(plane: Plane, share: int | None) -> tuple[int, ...]:
    """The shape of the part of a plane that is coded."""
    return plane.shape if share is None else (*plane.shape[:-1], -(-plane.shape[-1] * share // PARTS))


def shares_of(planes: Sequence[Ints]) -> bytes:
    """The share of each spectrum beyond which all is zero, in 64ths."""
    found = []
    for plane in planes:
        used = np.flatnonzero(plane.any(axis=(0, 1)))
        found.append(-(-(int(used[-1]) + 1) * PARTS // plane.shape[-1]) if len(used) else 0)
    return bytes(found)


def encode(
    symbols: Symbols, spec: DetailSpec, init: Initialisation | None = None, below: Mapping[str, Any] | None = None
) -> Chunks:
    """See `coordcodec.layers.protocol.Layer`."""
    detailed = symbols if isinstance(symbols, Detailed) else Detailed(symbols)
    if detailed.chunks is not None:
        return detailed.chunks
    writer = Writer(spec, detailed.step)
    shares = shares_of(detailed.planes) if spec.basis == "lapped" else b""
    writer.planes(detailed.planes, shares)
    return writer.finish(detailed.points, shares, detailed.residual)


class Writer:
    """Codes planes as they are, or rounds what it is given as its own lengths suggest."""

    def __init__(
        self, spec: DetailSpec, step: int, basis: Basis | None = None, progress: Progress | None = None
    ) -> None:
        self.spec, self.step = spec, step
        self.walk = Walk(spec, basis or basis_of(spec))
        self.state = GridState(MODELS.index(spec.model))
        self.coded: list[bytes] = []
        self.progress = progress

    def planes(self, planes: Sequence[Ints], shares: bytes, rate: int | None = None) -> list[Ints]:
        """Code all planes; with a rate they are given in 64ths of a step and come back rounded."""
        for members in self.walk.chunks():
            coder = GridEncoder(self.state)
            for number in members:
                self._plane(coder, number, planes[number], shares[number] if shares else None, rate)
            self.coded.append(coder.finish())
        return self.walk.done

    def _plane(self, coder: GridEncoder, number: int, values: Ints, share: int | None, rate: int | None) -> None:
        plane = self.walk.planes[number]
        shape = coded_shape(plane, share)
        inside = tuple(slice(0, n) for n in shape)
        zones = None if plane.zones is None else plane.zones[: shape[-1]]

        def code(channel: int, guides: Mapping[str, Any] | None) -> Ints:
            part = np.ascontiguousarray(values[channel][inside])
            if rate is not None:
                return coder.plane_rdo(part, rate, guides, zones)
            coder.plane(part, guides, zones)
            return part

        self.walk.through(number, code, shape)
        if self.progress:
            sizes = [prod(plane.shape) for plane in self.walk.planes]
            self.progress("code", sum(sizes[: number + 1]), sum(sizes))

    def finish(self, points: tuple[int, int, int], shares: bytes, residual: Ints | None = None) -> Chunks:
        """The chunks of the section."""
        if residual is not None:
            self.coded.append(_encode_residual(residual, self.state))
        first, *others = self.coded
        return (Head(self.step, points, shares).pack() + first, *others)


def _encode_residual(residual: Ints, state: GridState) -> bytes:
    coder = GridEncoder(state)
    for channel, plane in enumerate(residual):
        coder.plane(np.ascontiguousarray(plane), {"channel": residual[channel - 1]} if channel else None)
    return coder.finish()


def check(spec: DetailSpec, init: bytes, chunks: Chunks, cut: bool = False) -> None:
    """See `coordcodec.layers.protocol.Layer`."""
    if init:
        raise ContainerError("damaged file: a detail layer with a learned initialisation")
    if prod(spec.shape) * spec.channels > MAX_SAMPLES:
        raise ContainerError(f"a detail layer of shape {spec.shape} holds more than {MAX_SAMPLES} values")
    try:
        basis = basis_of(spec)
        Rotation(spec.rotation, spec.turns).check(spec.channels)
    except ValueError as error:
        raise ContainerError(f"damaged file: {error}") from None
    _, coded = _parse(spec, basis, chunks)
    expected = len([*Walk(spec, basis).chunks()]) + bool(spec.spacing)
    if len(coded) != expected and not (cut and len(coded) < expected):
        raise ContainerError(f"damaged file: {len(coded)} chunks of a detail layer, expected {expected}")
    if not cut and prod(spec.shape) * spec.channels > sum((len(c) << 15) + (1 << 16) for c in coded):
        raise ContainerError(f"damaged file: too few bytes for a detail layer of shape {spec.shape}")


def _parse(spec: DetailSpec, basis: Basis, chunks: Chunks) -> tuple[Head, list[bytes]]:
    """The head and what the coder wrote of each chunk. Raises ContainerError."""
    reader = Reader(chunks[0])
    head = Head.read(reader, spec, len(basis.planes))
    coded = [chunks[0][reader.at :], *chunks[1:]]
    return head, coded


def decode(
    chunks: Chunks, spec: DetailSpec, init: Initialisation | None = None, below: Mapping[str, Any] | None = None
) -> Detailed:
    """See `coordcodec.layers.protocol.Layer`. Where chunks are missing at the end all is zero."""
    basis = basis_of(spec)
    head, coded = _parse(spec, basis, chunks)
    walk, state, rest = Walk(spec, basis), GridState(MODELS.index(spec.model)), iter(coded)
    for members in walk.chunks():
        chunk = next(rest, None)
        if chunk is None:
            walk.skip(members)
            continue
        coder = GridDecoder(state, chunk)
        for number in members:
            plane = walk.planes[number]
            shape = coded_shape(plane, head.shares[number] if head.shares else None)
            zones = None if plane.zones is None else plane.zones[: shape[-1]]
            walk.through(number, _Reading(coder, shape, zones), shape)
        coder.finish()
    last = next(rest, None)
    residual = _decode_residual(spec, state, last) if last is not None else None
    return Detailed.of(head.step, head.points, walk.done, residual)


@dataclass(frozen=True)
class _Reading:
    coder: GridDecoder
    shape: tuple[int, ...]
    zones: Any

    def __call__(self, channel: int, guides: Mapping[str, Any] | None) -> Ints:
        return self.coder.plane(self.shape, guides, self.zones)


def _decode_residual(spec: DetailSpec, state: GridState, chunk: bytes) -> Ints:
    coder, found = GridDecoder(state, chunk), list[Ints]()
    for channel in range(spec.channels):
        found.append(coder.plane(spec.shape, {"channel": found[-1]} if channel else None))
    coder.finish()
    return np.stack(found)
