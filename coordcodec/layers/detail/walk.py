"""Planes as they become known, and what the coder may know of each part from those before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.layers.detail.planes import Basis, Plane
from coordcodec.layers.detail.tiles import RESIDUAL, Part, Span
from coordcodec.specs import DetailSpec

Ints = NDArray[Any]
"""int8, int16 or int32."""
Code = Callable[[Part, int, Mapping[str, Any] | None, Any], Ints]
"""Codes, or decodes, a channel of a part, given its guides and zones."""


class Walk:
    """The planes of a layer, (channels, *shape), and its residual; zero where nothing is known yet.

    most: the largest magnitude in each plane: those of small numbers are int8 or int16, others int32, as are all of
    which it is not known.
    """

    def __init__(self, spec: DetailSpec, basis: Basis, most: Sequence[int] = ()) -> None:
        self.spec, self.planes = spec, [*basis.planes]
        if spec.spacing:
            self.planes.append(Plane(spec.shape))  # so that it stands at RESIDUAL
        kinds = [*map(smallest, most), *(np.int32 for _ in self.planes[len(most) :])]
        self.done: list[Ints] = [
            np.zeros((spec.channels, *plane.shape), kind) for plane, kind in zip(self.planes, kinds, strict=True)
        ]

    @property
    def residual(self) -> Ints | None:
        """The residual, if there is one."""
        return self.done[RESIDUAL] if self.spec.spacing else None

    @property
    def coefficients(self) -> list[Ints]:
        """The planes without the residual."""
        return self.done[: len(self.done) - bool(self.spec.spacing)]

    def through(self, part: Part, chunk: Sequence[Part], code: Code) -> None:
        """Code each channel of a part of a chunk, given its guides, and keep it for those that follow."""
        if not prod(part.shape):
            return
        plane, whole = self.planes[part.plane], self.done[part.plane]
        parent = None if plane.parent is None else self._parent(plane, part)
        sibling = self._sibling(plane, part, chunk) if plane.siblings else None
        zones = None if plane.zones is None else plane.zones[part.inside[-1]]
        for channel in range(self.spec.channels):
            guides: dict[str, Any] = {}
            if parent is not None:
                guides["parent"] = parent[channel]
            if sibling is not None:
                guides["sibling"] = sibling[channel]
            if channel:
                guides["channel"] = whole[channel - 1][part.inside]
            whole[channel][part.inside] = code(part, channel, guides or None, zones)

    def _parent(self, plane: Plane, part: Part) -> Ints:
        """The coarser plane, brought to the size of the part."""
        assert plane.parent is not None
        places = parent_places(self.planes[plane.parent].shape, plane.shape, part.box)
        return _taken(self.done[plane.parent], places)

    def _sibling(self, plane: Plane, part: Part, chunk: Sequence[Part]) -> Ints:
        """The magnitudes of the planes before it of the same chunk, added; of those of another size the last repeat."""
        boxes = {other.plane: other.box for other in chunk}
        first = self.planes[plane.siblings[0]].shape
        wanted = parent_places(first, plane.shape, part.box)
        total = np.zeros((self.spec.channels, *part.shape), np.int32)
        for k in plane.siblings:
            if not prod(first) or any(start == stop for start, stop in boxes[k]):
                continue
            places = [_places(m, n) for m, n in zip(self.planes[k].shape, first, strict=True)]
            # What lies in other tiles may not be known yet.
            inside = [np.clip(p[w], a, b - 1) for p, w, (a, b) in zip(places, wanted, boxes[k], strict=True)]
            total += np.abs(_taken(self.done[k], inside), dtype=np.int32)
        return total


def smallest(most: int) -> type[np.int8 | np.int16 | np.int32]:
    """The smallest type that holds numbers of such a magnitude, of either sign."""
    return np.int8 if most <= 127 else np.int16 if most <= 32767 else np.int32


def parent_places(shape: Sequence[int], finer: Sequence[int], box: Sequence[Span]) -> list[NDArray[np.intp]]:
    """Per axis, which places of a plane of some shape stand for those in a box of a finer one."""
    return [_places(m, n)[slice(*span)] for m, n, span in zip(shape, finer, box, strict=True)]


def _places(have: int, want: int) -> NDArray[np.intp]:
    """Which of `have` values stands at each of `want` places: itself, or each twice where about twice as many are
    wanted; the last one beyond them. -1 where there are none."""
    places = np.arange(want)
    if have < want and have * 2 <= want + 1:
        places >>= 1
    return np.minimum(places, have - 1)


def _taken(plane: Ints, places: Sequence[NDArray[np.intp]]) -> Ints:
    """A plane (channels, ...) at the product of places along its axes; zeros where it is empty."""
    if not plane.size:
        return np.zeros((len(plane), *map(len, places)), np.int32)
    for axis, found in enumerate(places, 1):
        if found[-1] - found[0] == len(found) - 1:  # they rise by one at most
            plane = plane[(*(slice(None),) * axis, slice(found[0], found[-1] + 1))]
        else:
            plane = np.take(plane, found, axis)
    return plane
