"""Chunks of a detail layer to its symbols: all of them, or those of the tiles that are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import ContainerError
from coordcodec.inits import Initialisation
from coordcodec.layers.detail.coding import Head
from coordcodec.layers.detail.ends import of_rows
from coordcodec.layers.detail.ends import read as read_ends
from coordcodec.layers.detail.planes import Basis, basis_of
from coordcodec.layers.detail.rotation import Rotation
from coordcodec.layers.detail.symbols import Detailed
from coordcodec.layers.detail.tiles import Part, Span, chunks_of
from coordcodec.layers.detail.walk import Walk, parent_places
from coordcodec.layers.protocol import Chunks
from coordcodec.layers.threads import each
from coordcodec.numbers import Reader
from coordcodec.specs import DetailSpec
from coordcodec.specs.detail import MAX_TILED, MAX_VALUES, MODELS
from coordcodec.stream.grid import GridDecoder, GridState

Ints = NDArray[np.int32]
Boxes = dict[int, list[tuple[Span, ...]]]
"""Per plane, boxes."""
_SILENCE = 20
"""Of the coefficients that a chunk with ends has without a bit, if there are no tiles, the logarithm to base 2."""


def check(spec: DetailSpec, init: bytes, chunks: Chunks, cut: bool = False) -> None:
    """See `coordcodec.layers.protocol.Layer`."""
    if init:
        raise ContainerError("damaged file: a detail layer with a learned initialisation")
    if (count := prod(spec.shape) * spec.channels) > (most := MAX_TILED if spec.tile else MAX_VALUES):
        raise ContainerError(f"damaged file: a detail layer of shape {spec.shape} holds {count} values, at most {most}")
    try:
        basis = basis_of(spec)
        Rotation(spec.rotation, spec.turns).check(spec.channels)
    except ValueError as error:
        raise ContainerError(f"damaged file: {error}") from None
    _, coded = _parse(spec, basis, chunks)
    expected = len(chunks_of(spec, basis.planes))
    if len(coded) != expected and not (cut and len(coded) < expected):
        raise ContainerError(f"damaged file: {len(coded)} chunks of a detail layer, expected {expected}")
    free = spec.channels << (spec.tile or _SILENCE) if spec.ends else 1 << 16
    if not cut and prod(spec.shape) * spec.channels > sum((len(c) << 15) + free for c in coded):
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
    coded = Coded(spec, chunks)
    coded.need()
    return Detailed.of(coded.head.step, coded.head.points, coded.walk.coefficients, coded.walk.residual)


class Coded:
    """The planes of a section, whose tiles are decoded when they are first needed.

    walk: the planes; zero where nothing has been decoded, or where chunks are missing at the end.
    """

    def __init__(self, spec: DetailSpec, chunks: Chunks, threads: int | None = None) -> None:
        basis = basis_of(spec)
        self.head, self._coded = _parse(spec, basis, chunks)
        self.walk, self.threads = Walk(spec, basis), threads
        self.chunks = chunks_of(spec, basis.planes, self.head.shares)
        self._state = GridState(MODELS.index(spec.model))
        self._left = set(range(min(len(self.chunks), len(self._coded))))
        self._lock = Lock()

    def need(self, boxes: Boxes | None = None) -> None:
        """Decode what is not yet of the tiles that touch any of these boxes; None: of all.

        Raises ContainerError for damaged chunks.
        """
        with self._lock:
            wanted = self._left if boxes is None else self._touched(boxes)
            for _, alike in groupby(sorted(wanted), key=lambda k: (self.chunks[k].scale, self.chunks[k].apart)):
                numbers = [*alike]
                each(self._decode, numbers, self.threads)
                self._left = self._left.difference(numbers)

    def _touched(self, boxes: Boxes) -> set[int]:
        """The chunks that touch boxes, and those that they depend on. Changes the boxes."""
        found = set[int]()
        for number in sorted(self._left, reverse=True):  # what depends on others stands behind them
            chunk = self.chunks[number]
            if chunk.apart and not any(part.touches(box) for part in chunk.parts for box in boxes.get(part.plane, ())):
                continue
            found.add(number)
            for part in chunk.parts if chunk.apart else ():
                parent = self.walk.planes[part.plane].parent
                if parent is not None and 0 not in part.shape:
                    boxes.setdefault(parent, []).append(self._parent_box(parent, part))
        return found

    def _parent_box(self, parent: int, part: Part) -> tuple[Span, ...]:
        planes = self.walk.planes
        places = parent_places(planes[parent].shape, planes[part.plane].shape, part.box)
        return tuple((int(p[0]), int(p[-1]) + 1) for p in places)

    def _decode(self, number: int) -> None:
        chunk, coded = self.chunks[number], self._coded[number]
        ends: Sequence[Ints | None] = [None] * len(chunk.parts)
        if self.walk.spec.ends:
            ends, coded = read_ends(chunk, self.walk.spec.channels, coded)
        coder = GridDecoder(self._state.copy() if chunk.apart else self._state, coded)
        for part, own in zip(chunk.parts, ends, strict=True):
            self.walk.through(part, chunk.parts, _Reading(coder, own))
        coder.finish()


@dataclass(frozen=True)
class _Reading:
    coder: GridDecoder
    ends: Ints | None

    def __call__(self, part: Part, channel: int, guides: Mapping[str, Any] | None, zones: Any) -> Ints:
        ends = None if self.ends is None else of_rows(self.ends[channel], part)
        return self.coder.plane(part.shape, guides, zones, ends)
