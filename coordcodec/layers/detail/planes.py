"""The planes of a basis: which integers a layer codes, in which order, and what each knows of the ones before it.

A basis turns the integers of a signal, (*shape, channels), into planes, each (channels, *its shape), and back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from coordcodec.layers.detail.lapped import Lapped
from coordcodec.layers.detail.wavelet import Band, Wavelet
from coordcodec.layers.detail.wavelet_norms import NORM_BITS
from coordcodec.specs.detail import SEGMENT, DetailSpec

Ints = NDArray[Any]
"""int32 or int64."""
MAX_BANDS = 4096
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

    def analyse(self, array: Ints, overwrite: bool = False) -> list[Ints]:
        """The planes of (*shape, channels), each (channels, *its shape). overwrite: they may take the array's place."""
        ...

    def synthesise(self, planes: Sequence[Ints]) -> Ints:
        """The integers of these planes."""
        ...


def basis_of(spec: DetailSpec) -> Basis:
    """The basis of a Spec. Raises ValueError for what no transform takes."""
    if spec.basis == "identity":
        return _Identity(spec)
    return LappedBasis(spec) if spec.basis == "lapped" else WaveletBasis(spec)


def limit_of(spec: DetailSpec) -> int:
    """The largest magnitude of integers that a basis turns into coefficients of 32 bits without running over."""
    if spec.basis in ("9/7", "5/3"):
        return WaveletBasis(spec).wavelet.limit(np.int32)
    return 1 << (24 if spec.basis == "lapped" else 30)


class _Identity:
    def __init__(self, spec: DetailSpec) -> None:
        self.planes = [Plane(spec.shape)]

    def analyse(self, array: Ints, overwrite: bool = False) -> list[Ints]:
        return [np.ascontiguousarray(np.moveaxis(array, -1, 0))]

    def synthesise(self, planes: Sequence[Ints]) -> Ints:
        return np.moveaxis(planes[0], 0, -1)


class WaveletBasis:
    """The bands of a wavelet. order: of each plane the number of its band."""

    def __init__(self, spec: DetailSpec) -> None:
        self.wavelet = Wavelet(spec.shape, spec.levels, spec.basis, spec.periodic, spec.groups)
        if math.prod(1 + sum((1 << len(axes)) - 1 for axes in levels) for levels in self.wavelet.steps()) > MAX_BANDS:
            raise ValueError(f"a wavelet of more than {MAX_BANDS} bands")
        bands = self.wavelet.bands()
        coarseness = [_coarseness(band, self.wavelet) for band in bands]
        self.order = sorted(range(len(bands)), key=lambda k: (coarseness[k], k))
        self.planes = list(_planes_of([bands[k] for k in self.order], self.wavelet, sorted(coarseness)))

    def analyse(self, array: Ints, overwrite: bool = False) -> list[Ints]:
        """See `Basis`. The planes are parts of one array."""
        channels = np.ascontiguousarray(np.moveaxis(array, -1, 0))
        flat = channels.reshape(len(channels), -1)
        if not overwrite and np.shares_memory(flat, array):
            flat = flat.copy()
        ends = np.cumsum([0, *(math.prod(plane.shape) for plane in self.planes)])
        inside = [slice(*span) for span in pairwise(ends.tolist())]
        for channel in flat:
            bands = self.wavelet.forward(channel.reshape(self.wavelet.shape))
            for place, band in zip(inside, self.order, strict=True):
                channel[place] = bands[band].reshape(-1)
        return [flat[:, place].reshape(-1, *p.shape) for place, p in zip(inside, self.planes, strict=True)]

    def synthesise(self, planes: Sequence[Ints]) -> Ints:
        """See `Basis`."""
        place = {k: at for at, k in enumerate(self.order)}
        bands = [planes[place[k]] for k in range(len(planes))]
        return np.stack([self.wavelet.inverse([np.asarray(b[k]) for b in bands]) for k in range(len(planes[0]))], -1)


def _scale(band: Band, wavelet: Wavelet, group: int) -> tuple[int, bool]:
    """How often a band was split by a group of axes, and whether it is the low one of it."""
    own = [axis for axis, number in enumerate(wavelet.groups) if number == group]
    return max(band.levels[axis] for axis in own), not any(band.high[axis] for axis in own)


def _coarseness(band: Band, wavelet: Wavelet) -> int:
    """0 for the coarsest band; planes of one number stand together."""
    total = 0
    for group in set(wavelet.groups):
        level, low = _scale(band, wavelet, group)
        depth = max(n for n, number in zip(wavelet.levels, wavelet.groups, strict=True) if number == group)
        total += depth - level + (not low)
    return total


def _planes_of(bands: Sequence[Band], wavelet: Wavelet, scales: Sequence[int]) -> Iterator[Plane]:
    groups = sorted(set(wavelet.groups))
    where = dict[object, int]()
    alike = dict[object, list[int]]()
    for k, band in enumerate(bands):
        times = tuple(_scale(band, wavelet, group)[0] for group in groups)
        lows = tuple(_scale(band, wavelet, group)[1] for group in groups)
        coarser = [(*times[:g], times[g] + 1, *times[g + 1 :]) for g in range(len(groups))]
        parents = [where[key] for key in ((up, band.high) for up in coarser) if key in where]
        siblings = alike.setdefault((times, lows, band.levels), [])
        yield Plane(band.shape, scales[k], wavelet.integer_norm(band), max(parents, default=None), tuple(siblings))
        where[times, band.high] = k
        siblings.append(k)


class LappedBasis:
    """Neighbouring segments of one size, and of one tile, are a plane.

    places: of each segment the number of its plane, and its first block and the one behind its last in it.
    """

    def __init__(self, spec: DetailSpec) -> None:
        self.lapped = Lapped(spec.shape[0], spec.blocks, SEGMENT)
        self.places: list[tuple[int, int, int]] = []
        self.planes: list[Plane] = []
        last = (0, -1)
        for number, (blocks, size) in enumerate(self.lapped.shapes()):
            tile = number * SEGMENT >> spec.tile if spec.tile else -1
            first = 0
            if (size, tile) == last:
                first = self.planes.pop().shape[0]
            scale = tile if spec.tile else len(self.planes)
            self.planes.append(Plane((first + blocks, size), scale, zones=_zones(size)))
            self.places.append((len(self.planes) - 1, first, first + blocks))
            last = (size, tile)

    def analyse(self, array: Ints, overwrite: bool = False) -> list[Ints]:
        """See `Basis`."""
        segments = iter(self.lapped.forward(np.ascontiguousarray(array)))
        found = []
        for _, members in groupby(self.places, key=lambda place: place[0]):
            run = np.concatenate([next(segments) for _ in members])
            found.append(np.ascontiguousarray(np.rint(run).astype(array.dtype).transpose(2, 0, 1)))
        return found

    def synthesise(self, planes: Sequence[Ints]) -> Ints:
        """See `Basis`."""
        segments = [planes[k][:, start:stop].transpose(1, 2, 0) for k, start, stop in self.places]
        return np.rint(self.lapped.inverse(segments)).astype(np.int64)


def _zones(size: int) -> NDArray[np.int32]:
    return (np.arange(size) * ZONES // size).astype(np.int32)
