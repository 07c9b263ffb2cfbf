"""The order of planes in a file, and what the coder may know of each from those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.layers.detail.planes import Basis
from coordcodec.specs import DetailSpec

Ints = NDArray[np.int32]


class Walk:
    """Planes in the order of a file, with what the coder may know of each."""

    def __init__(self, spec: DetailSpec, basis: Basis) -> None:
        self.spec, self.planes = spec, basis.planes
        self.done: list[Ints] = []

    def chunks(self) -> Iterator[list[int]]:
        """The numbers of the planes of each chunk."""
        numbers = range(len(self.planes))
        if not self.spec.split:
            yield list(numbers)
            return
        for _, members in groupby(numbers, key=lambda k: self.planes[k].scale):
            yield list(members)

    def skip(self, numbers: list[int]) -> None:
        """Planes that are not at hand: zeros."""
        for number in numbers:
            self.done.append(np.zeros((self.spec.channels, *self.planes[number].shape), np.int32))

    def through(
        self, number: int, code: Callable[[int, Mapping[str, Any] | None], Ints], shape: tuple[int, ...]
    ) -> None:
        """Code each channel of a plane, given its guides, and keep it for those that follow."""
        plane = self.planes[number]
        whole = np.zeros((self.spec.channels, *plane.shape), np.int32)
        inside = tuple(slice(0, n) for n in shape)
        parent = None if plane.parent is None else _widened(self.done[plane.parent], plane.shape)
        sibling = _widened(_sum(self.done[k] for k in plane.siblings), plane.shape) if plane.siblings else None
        for channel in range(self.spec.channels):
            guides: dict[str, Any] = {}
            if parent is not None:
                guides["parent"] = parent[channel]
            if sibling is not None:
                guides["sibling"] = sibling[channel]
            if channel:
                guides["channel"] = whole[channel - 1][inside]
            if prod(shape):
                whole[channel][inside] = code(channel, guides or None)
        self.done.append(whole)


def _widened(plane: Ints, shape: tuple[int, ...]) -> Ints:
    """A plane (channels, ...) of other sides, each value repeated where there are about twice as many."""
    for axis, n in enumerate(shape, 1):
        have = plane.shape[axis]
        if have == n:
            continue
        plane = np.repeat(plane, 2, axis) if have < n and have * 2 <= n + 1 else plane
        if plane.shape[axis] < n:
            width = [(0, 0)] * plane.ndim
            width[axis] = (0, n - plane.shape[axis])
            plane = np.pad(plane, width, mode="edge") if plane.shape[axis] else np.pad(plane, width)
        plane = plane[(*(slice(None),) * axis, slice(0, n))]
    return plane


def _sum(planes: Iterator[Ints]) -> Ints:
    """The magnitudes of several planes, added; of sides that differ by one the shorter are filled up."""
    first, *rest = (np.abs(plane) for plane in planes)
    for other in rest:
        first = first + _widened(other, first.shape[1:])
    return first
