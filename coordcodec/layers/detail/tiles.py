"""Which parts of which planes stand in each chunk.

Without tiles a chunk holds the planes of one scale, or of all where the Spec does not split; a residual has a chunk of
its own, the last. With tiles of 2^e the planes of a scale are cut alike, so that a part holds about 2^e coefficients
of a channel at most, and each tile is a chunk.

The coder's state goes on from chunk to chunk until the first scale that is cut; of that one the first tile alone may
go on. What the state is then, every later chunk begins with, so that none depends on another one's tiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from math import prod

from coordcodec.layers.detail.planes import Plane
from coordcodec.specs import DetailSpec

Span = tuple[int, int]
RESIDUAL = -1
"""The number that a residual has in place of a plane's."""
PARTS = 64
"""Of a spectrum, the shares that are coded are counted in."""


@dataclass(frozen=True)
class Part:
    """A box of a plane: per axis, start and stop."""

    plane: int
    box: tuple[Span, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the box."""
        return tuple(stop - start for start, stop in self.box)

    @property
    def inside(self) -> tuple[slice, ...]:
        """The box as an index of a channel of the plane."""
        return tuple(slice(*span) for span in self.box)

    def touches(self, spans: Sequence[Span]) -> bool:
        """Whether it has coefficients in another box."""
        return all(a < d and c < b for (a, b), (c, d) in zip(self.box, spans, strict=True))


@dataclass(frozen=True)
class Chunk:
    """Parts that are coded one after another. scale: chunks of one scale do not depend on each other if they are
    apart. apart: it begins with a copy of the state that the last chunk that is not apart leaves."""

    parts: tuple[Part, ...]
    scale: int
    apart: bool


def chunks_of(spec: DetailSpec, planes: Sequence[Plane], shares: bytes = b"") -> list[Chunk]:
    """All chunks of a section, in order. shares: of each plane's last axis, in 64ths, as far as it is coded."""
    in_time = spec.basis == "lapped" and bool(spec.tile)
    found, cut = list[Chunk](), in_time
    for scale, members in enumerate(_scales(spec, planes)):
        shapes = [planes[k].shape for k in members]
        counts = counts_of(max(shapes, key=prod), spec)
        cut = cut or prod(counts) > 1
        for place in product(*(range(n) for n in counts)):
            boxes = [_box(shape, counts, place) for shape in shapes]
            if shares:
                boxes = [
                    ((*box[:-1], (0, _coded(box[-1][1], shares[k])))) for k, box in zip(members, boxes, strict=True)
                ]
            parts = tuple(Part(k, box) for k, box in zip(members, boxes, strict=True))
            found.append(Chunk(parts, 0 if in_time else scale, cut and bool(found)))
    if spec.spacing:
        tiles, scale = tiles_of(spec), found[-1].scale + 1
        cut = cut or len(tiles) > 1
        found += [Chunk((Part(RESIDUAL, tile.box),), scale, cut) for tile in tiles]
    return found


def _scales(spec: DetailSpec, planes: Sequence[Plane]) -> Iterator[list[int]]:
    """The numbers of the planes of each scale."""
    numbers = range(len(planes))
    if not spec.split:
        yield list(numbers)
        return
    for _, members in groupby(numbers, key=lambda k: planes[k].scale):
        yield list(members)


def tiles_of(spec: DetailSpec) -> list[Part]:
    """The tiles of the grid itself: of a plane of the identity, and of a residual."""
    counts = counts_of(spec.shape, spec)
    return [Part(0, _box(spec.shape, counts, place)) for place in product(*(range(n) for n in counts))]


def counts_of(shape: Sequence[int], spec: DetailSpec) -> tuple[int, ...]:
    """How many tiles there are along each axis: the longest part is made shorter until a tile is small enough."""
    counts = [1] * len(shape)
    if not spec.tile or spec.basis == "lapped":
        return tuple(counts)
    while prod(lengths := [-(-n // c) for n, c in zip(shape, counts, strict=True)]) > 1 << spec.tile:
        counts[lengths.index(max(lengths))] += 1
    return tuple(counts)


def _box(shape: Sequence[int], counts: Sequence[int], place: Sequence[int]) -> tuple[Span, ...]:
    return tuple((n * k // c, n * (k + 1) // c) for n, c, k in zip(shape, counts, place, strict=True))


def _coded(columns: int, share: int) -> int:
    """Of a spectrum, the columns that are coded."""
    return -(-columns * share // PARTS)
