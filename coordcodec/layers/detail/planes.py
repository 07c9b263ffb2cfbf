"""The planes of a basis: which integers a layer codes, in which order, and what each knows of the ones before it.

A basis turns the integers of a signal, (*shape, channels), into planes, each (channels, *its shape), and back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from coordcodec.layers.detail.lapped import Lapped
from coordcodec.layers.detail.wavelet import Band, Wavelet
from coordcodec.layers.detail.wavelet_norms import NORM_BITS
from coordcodec.specs.detail import SEGMENT, DetailSpec

Ints = NDArray[Any]
"""int32 or int64."""
ZONES = 8
"""Parts of a spectrum that the coder tells apart."""


@dataclass(frozen=True)
class Plane:
    """shape: of one channel. scale: planes of one scale stand together, coarse ones first. norm: of the basis, times
    2^16. parent: the plane of the next coarser scale that is alike, if there is one. siblings: the planes before it of
    its own scale that have its shape or nearly so. zones: the part of the spectrum along the last axis, or None."""

    shape: tuple[int, ...]
    scale: int = 0
    norm: int = 1 << NORM_BITS
    parent: int | None = None
    siblings: tuple[int, ...] = ()
    zones: NDArray[np.int32] | None = None


class Basis(Protocol):
    """Integers of a signal to planes and back."""

    @property
    def planes(self) -> Sequence[Plane]:
        """What they are, in the order of a file."""
        ...

    def analyse(self, array: Ints) -> list[Ints]:
        """The planes of (*shape, channels), each (channels, *its shape)."""
        ...

    def synthesise(self, planes: Sequence[Ints]) -> Ints:
        """The integers of these planes."""
        ...


def basis_of(spec: DetailSpec) -> Basis:
    """The basis of a Spec. Raises ValueError for what no transform takes."""
    if spec.basis == "identity":
        return _Identity(spec)
    return _Lapped(spec) if spec.basis == "lapped" else _Wavelet(spec)


class _Identity:
    def __init__(self, spec: DetailSpec) -> None:
        self.planes = [Plane(spec.shape)]

    def analyse(self, array: Ints) -> list[Ints]:
        return [np.ascontiguousarray(np.moveaxis(array, -1, 0))]

    def synthesise(self, planes: Sequence[Ints]) -> Ints:
        return np.moveaxis(planes[0], 0, -1)


class _Wavelet:
    """Wavelets of groups of axes, one after the other: each band of a group goes through the wavelet of the next.

    Where axes behave unlike (time and space), the bands that are fine in one group and coarse in another matter.
    """

    def __init__(self, spec: DetailSpec) -> None:
        self.groups = [
            tuple(level if group == k else 0 for level, group in zip(spec.levels, spec.groups, strict=True))
            for k in sorted(set(spec.groups))
        ]
        self.kind, self.periodic = spec.basis, spec.periodic
        self.tree = self._tree(spec.shape, 0)
        leaves = list(_leaves(self.tree, ()))
        self.planes = [_plane_of(k, leaves) for k in range(len(leaves))]
        order = sorted(range(len(leaves)), key=lambda k: (self.planes[k].scale, k))
        where = {old: new for new, old in enumerate(order)}
        self.order = order
        self.planes = [_renumbered(self.planes[k], where) for k in order]

    def _tree(self, shape: tuple[int, ...], group: int) -> _Node:
        wavelet = Wavelet(shape, self.groups[group], self.kind, self.periodic)
        last = group == len(self.groups) - 1
        below = [] if last else [self._tree(band.shape, group + 1) for band in wavelet.bands()]
        return _Node(wavelet, below)

    def analyse(self, array: Ints) -> list[Ints]:
        channels = [list(self.tree.forward(np.ascontiguousarray(array[..., k]))) for k in range(array.shape[-1])]
        bands = [np.stack(bands) for bands in zip(*channels, strict=True)]
        return [bands[k] for k in self.order]

    def synthesise(self, planes: Sequence[Ints]) -> Ints:
        bands = list[Ints]([planes[0]] * len(planes))
        for place, k in enumerate(self.order):
            bands[k] = planes[place]
        return np.stack([self.tree.inverse(iter([np.asarray(b[k]) for b in bands])) for k in range(len(planes[0]))], -1)


@dataclass(frozen=True)
class _Node:
    """A wavelet, and what its bands go through then; nothing where it is the last."""

    wavelet: Wavelet
    below: Sequence[_Node]

    def forward(self, array: Ints) -> Iterator[Ints]:
        bands = self.wavelet.forward(array)
        if not self.below:
            yield from bands
        for node, band in zip(self.below, bands, strict=False):
            yield from node.forward(band)

    def inverse(self, bands: Iterator[Ints]) -> Ints:
        if self.below:
            return self.wavelet.inverse([node.inverse(bands) for node in self.below])
        return self.wavelet.inverse([next(bands) for _ in self.wavelet.bands()])


@dataclass(frozen=True)
class _Leaf:
    """A band by its path: of each group the band, how deep the group goes, and the norm."""

    bands: tuple[Band, ...]
    depths: tuple[int, ...]
    norm: int


def _leaves(node: _Node, path: tuple[tuple[Band, int, int], ...]) -> Iterator[_Leaf]:
    for k, band in enumerate(node.wavelet.bands()):
        here = (*path, (band, node.wavelet.depth, node.wavelet.integer_norm(band)))
        if node.below:
            yield from _leaves(node.below[k], here)
        else:
            norm = 1 << NORM_BITS
            for _, _, one in here:
                norm = (norm * one + (1 << (NORM_BITS - 1))) >> NORM_BITS
            yield _Leaf(tuple(b for b, _, _ in here), tuple(d for _, d, _ in here), norm)


def _plane_of(number: int, leaves: Sequence[_Leaf]) -> Plane:
    leaf = leaves[number]
    parents = [k for k, other in enumerate(leaves) if _above(other, leaf)]
    siblings = [k for k, other in enumerate(leaves[:number]) if _beside(other, leaf)]
    scale = sum(depth - band.level + any(band.high) for band, depth in zip(leaf.bands, leaf.depths, strict=True))
    return Plane(leaf.bands[-1].shape, scale, leaf.norm, parents[-1] if parents else None, tuple(siblings))


def _above(other: _Leaf, leaf: _Leaf) -> bool:
    """Whether another band is the parent: alike, and one scale coarser in one group."""
    apart = [(a, b) for a, b in zip(other.bands, leaf.bands, strict=True) if (a.level, a.high) != (b.level, b.high)]
    return len(apart) == 1 and apart[0][0].high == apart[0][1].high and apart[0][0].level == apart[0][1].level + 1


def _beside(other: _Leaf, leaf: _Leaf) -> bool:
    """Whether another band is a sibling: of the same scales, high along other axes."""
    pairs = list(zip(other.bands, leaf.bands, strict=True))
    return all(a.level == b.level and any(a.high) == any(b.high) for a, b in pairs) and any(
        any(b.high) for _, b in pairs
    )


def _renumbered(plane: Plane, where: dict[int, int]) -> Plane:
    parent = None if plane.parent is None else where[plane.parent]
    return replace(plane, parent=parent, siblings=tuple(sorted(where[k] for k in plane.siblings)))


class _Lapped:
    def __init__(self, spec: DetailSpec) -> None:
        self.lapped = Lapped(spec.shape[0], spec.blocks, SEGMENT)
        self.runs: list[int] = []
        self.planes: list[Plane] = []
        last = 0
        for blocks, size in self.lapped.shapes():
            if size == last:
                whole = self.planes[-1].shape[0] + blocks
                self.runs[-1] += 1
                self.planes[-1] = Plane((whole, size), self.planes[-1].scale, zones=_zones(size))
            else:
                self.runs.append(1)
                self.planes.append(Plane((blocks, size), len(self.planes), zones=_zones(size)))
            last = size

    def analyse(self, array: Ints) -> list[Ints]:
        segments = self.lapped.forward(array)
        found, first = [], 0
        for count in self.runs:
            run = np.concatenate(segments[first : first + count])
            found.append(np.ascontiguousarray(np.rint(run).astype(np.int64).transpose(2, 0, 1)))
            first += count
        return found

    def synthesise(self, planes: Sequence[Ints]) -> Ints:
        segments, shapes, first = [], self.lapped.shapes(), 0
        for plane, count in zip(planes, self.runs, strict=True):
            start = 0
            for blocks, _ in shapes[first : first + count]:
                segments.append(plane[:, start : start + blocks].transpose(1, 2, 0))
                start += blocks
            first += count
        return np.rint(self.lapped.inverse(segments)).astype(np.int64)


def _zones(size: int) -> NDArray[np.int32]:
    return (np.arange(size) * ZONES // size).astype(np.int32)
