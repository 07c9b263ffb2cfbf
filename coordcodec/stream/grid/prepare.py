"""A plane and its guides, laid out with margins of zeros so that the kernels need no branches at borders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from coordcodec.stream.grid import layout as at

IntArray = npt.NDArray[np.int32]
Shape = tuple[int, int, int, int]
GUIDES = {"parent": at.PARENT, "sibling": at.SIBLING, "channel": at.CHANNEL, "energy": at.ENERGY}
"""What guides can be called, in the order of their places in the kernels' tuple of planes."""


def four(shape: tuple[int, ...]) -> Shape:
    """A shape of one to four axes as one of four; axes of length one but the last go to the front.

    Raises ValueError for other numbers of axes and for negative lengths.
    """
    if not 1 <= len(shape) <= 4 or min(shape) < 0:
        raise ValueError(f"a plane has 1 to 4 axes of no negative length, got the shape {tuple(shape)}")
    kept = [int(n) for n in shape[:-1] if n != 1]
    a, b, c, d = [1] * (3 - len(kept)) + kept + [int(shape[-1])]
    return a, b, c, d


class Frame:
    """Where the numbers of a plane of some shape stand in an array with margins.

    Margins: three columns on both sides, two rows above and one below, one slice and one volume before.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        a, b, c, d = shape
        before = (int(a > 1), int(a * b > 1), 2, 3)
        self.sizes: Shape = (a + before[0], b + before[1], c + 3, d + 6)
        self._inside = tuple(slice(m, m + n) for m, n in zip(before, shape, strict=True))
        self._pitch = self.sizes[3]
        self._slice = self.sizes[2] * self._pitch
        self._volume = self.sizes[1] * self._slice
        self._origin = before[0] * self._volume + before[1] * self._slice + 2 * self._pitch + 3

    def padded(self, values: npt.NDArray[Any] | None = None) -> IntArray:
        """An int32 array of shape `sizes`: values of shape `shape` inside, or zeros."""
        array = np.zeros(self.sizes, np.int32)
        if values is not None:
            array[self._inside] = values
        return array

    def inside(self, array: npt.NDArray[Any]) -> IntArray:
        """What is left without margins, a copy."""
        return np.array(array, np.int32).reshape(self.sizes)[self._inside].copy()

    def smoothed(self, guide: npt.NDArray[np.int64]) -> IntArray:
        """Magnitudes, each with its eight neighbours in the slice at weights 4, 2 and 1: 16 times a mean."""
        wide = np.pad(np.abs(guide), ((0, 0), (0, 0), (1, 1), (1, 1)))
        lines = wide[..., :-2, :] + 2 * wide[..., 1:-1, :] + wide[..., 2:, :]
        return self.padded(np.minimum(lines[..., :-2] + 2 * lines[..., 1:-1] + lines[..., 2:], at.LARGEST))

    def geometry(self, flags: int, rate: int, points: tuple[int, int, int]) -> npt.NDArray[np.int64]:
        """The numbers that the kernels need of a plane, int64, at the places that `layout` names."""
        geometry = np.zeros(at.GEOMETRY, np.int64)
        _, slices, lines, width = self.shape
        # Normed, so that a mean in 1/16 means the same whatever the number of axes.
        weight = (7 if lines == 1 else 22) + (16 if flags & at.DEEP else 0)
        geometry[at.SCALE] = 65536 // weight
        geometry[at.DEEP_SCALE] = 65536 // weight if flags & at.DEEP else 0
        counts = [
            at.MEAN_COUNTS,
            at.PARENT_COUNTS if flags & at.PARENT else 0,
            at.SIBLING_COUNTS if flags & at.SIBLING else 0,
            at.CHANNEL_COUNTS if flags & at.CHANNEL else 0,
        ]
        shares = [4096 * n // sum(counts) for n in counts]
        shares[1] >>= 1  # coefficients of a coarser band are twice as large
        geometry[at.JOINT : at.JOINT + 4] = shares
        geometry[at.PITCH], geometry[at.SLICE], geometry[at.VOLUME] = self._pitch, self._slice, self._volume
        geometry[at.ROWS], geometry[at.SLICES], geometry[at.WIDTH] = lines, slices, width
        geometry[at.ORIGIN], geometry[at.FLAGS], geometry[at.LAMBDA] = self._origin, flags, rate
        geometry[at.POINTS : at.POINTS + 3] = points
        return geometry


def whole(array: npt.NDArray[Any], name: str) -> npt.NDArray[np.int64]:
    """Integers of 64 bits, limited to what kernels can take; ValueError for floats, which must not steer a decoder."""
    if array.dtype.kind not in "iub":
        raise ValueError(f"{name} must be integers, got {array.dtype}")
    if array.dtype.itemsize < 4:
        return array.astype(np.int64)
    limited: npt.NDArray[np.int64] = np.clip(array, -at.LARGEST, at.LARGEST).astype(np.int64)
    return limited


class Planes:
    """The guides, zones and ends of a plane of some shape, as kernels want them; ValueError where they do not fit."""

    def __init__(
        self,
        frame: Frame,
        shape: tuple[int, ...],
        guides: Guides | None,
        zones: npt.ArrayLike | None,
        ends: npt.ArrayLike | None = None,
    ) -> None:
        a, b, _, width = frame.shape
        self.flags = (at.DEEP if a * b > 1 else 0) | (at.DEEPER if a > 1 else 0)
        found = dict(guides or {})
        if unknown := found.keys() - GUIDES.keys():
            raise ValueError(f"unknown guides {sorted(unknown)}; choose from: {', '.join(GUIDES)}")
        nothing = np.zeros(1, np.int32)
        self.smoothed = [nothing] * len(GUIDES)
        self.raw = nothing
        for n, (name, flag) in enumerate(GUIDES.items()):
            if found.get(name) is None:
                continue
            guide = whole(np.broadcast_to(found[name], shape), name).reshape(frame.shape)
            self.flags |= flag
            self.smoothed[n] = frame.smoothed(guide)
            if name == "channel":
                self.raw = frame.padded(guide)
        self.zones = nothing
        if zones is not None:
            self.flags |= at.ZONES
            self.zones = whole(np.broadcast_to(np.asarray(zones), (width,)), "zones").astype(np.int32)
            if width and not 0 <= self.zones.min() <= self.zones.max() < 16:
                raise ValueError("zones are 0 to 15")
        self.ends = nothing
        if ends is not None:
            self.flags |= at.ENDS
            self.ends = whole(np.broadcast_to(np.asarray(ends), shape[:-1]), "ends").reshape(-1).astype(np.int32)
            if self.ends.size and not 0 <= self.ends.min() <= self.ends.max() <= width:
                raise ValueError(f"ends are 0 to {width}, the columns of a row")


Guides = Mapping[str, npt.NDArray[Any]]
