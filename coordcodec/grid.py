"""Regular lattices: where their samples lie. NumPy only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError

Floats = NDArray[np.float32]
Coords = NDArray[np.floating[Any]]
"""Coordinates: float32, or float64 where an axis has so many samples that float32 could not tell them apart."""

MAX_DIMS = 8
STRIP = 1 << 21
"""Points of a window that is decoded at a time."""
SLICE = 1 << 16
"""Points that are evaluated at a time: about 16 MB of activations at width 64."""


@dataclass(frozen=True)
class Grid:
    """A regular lattice that fills [-1, 1]^d, or a window of one.

    The first and the last sample of every axis lie on the ends of [-1, 1] (Strümpler et al. 2022, eq. 2);
    an axis of a single sample lies at 0. A periodic axis is a closed circle: n samples at 2 i / n - 1, and the
    coordinates -1 and 1 are the same place. Points are ordered with the last axis running fastest, as NumPy
    orders an array. A window keeps the coordinates that its points have in the whole lattice.

    shape: samples per axis, each >= 1.
    lattice: the shape of the whole lattice; default: `shape`.
    offset: index of the window's first sample in the lattice, per axis; default: zeros.
    periodic: for each axis whether it is a closed circle, of at least two samples; default: none is.

    Raises SignalError when any of this does not hold.
    """

    shape: tuple[int, ...]
    lattice: tuple[int, ...] = ()
    offset: tuple[int, ...] = ()
    periodic: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        lattice = tuple(int(n) for n in self.lattice) or shape
        offset = tuple(int(n) for n in self.offset) or (0,) * len(shape)
        if not 1 <= len(shape) <= MAX_DIMS or min(shape) < 1:
            raise SignalError(f"a grid needs 1 to {MAX_DIMS} axes of at least one sample each, got shape {shape}")
        if not len(shape) == len(lattice) == len(offset):
            raise SignalError(f"a window needs as many axes as its lattice: {shape}, {lattice}, {offset}")
        if any(o < 0 or o + n > m for n, m, o in zip(shape, lattice, offset, strict=True)):
            raise SignalError(f"the window of shape {shape} at {offset} does not lie inside the lattice {lattice}")
        periodic = circles(self.periodic) or (False,) * len(shape)
        if len(periodic) != len(shape):
            raise SignalError(f"periodic needs one entry per axis, got {len(periodic)} for a grid of shape {shape}")
        if any(p and m < 2 for p, m in zip(periodic, lattice, strict=True)):
            raise SignalError(f"a periodic axis has at least two samples, got a lattice of {lattice}")
        object.__setattr__(self, "periodic", periodic)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "lattice", lattice)
        object.__setattr__(self, "offset", offset)

    def __len__(self) -> int:
        return math.prod(self.shape)

    @property
    def dims(self) -> int:
        """The number of axes, d."""
        return len(self.shape)

    @property
    def place(self) -> tuple[slice, ...]:
        """Where this window lies in an array of the lattice's shape."""
        return tuple(slice(o, o + n) for o, n in zip(self.offset, self.shape, strict=True))

    def window(self, bounds: Sequence[tuple[int, int]]) -> Grid:
        """The part of this grid with indices lower <= i < upper along each axis."""
        shape = tuple(upper - lower for lower, upper in bounds)
        offset = tuple(o + lower for o, (lower, _) in zip(self.offset, bounds, strict=True))
        return Grid(shape, self.lattice, offset, self.periodic)

    def axis(self, k: int) -> NDArray[np.float64]:
        """The coordinates along axis k: (shape[k],) float64, ascending in [-1, 1]."""
        return self._along(k, np.arange(self.shape[k]))

    def _along(self, k: int, index: NDArray[np.intp]) -> NDArray[np.float64]:
        if self.lattice[k] == 1:
            return np.zeros(len(index))
        steps = self.lattice[k] if self.periodic[k] else self.lattice[k] - 1
        return (self.offset[k] + index.astype(np.float64)) * (2 / steps) - 1

    def coords(self, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
        """The coordinates of points start <= i < stop: (stop - start, d) float64."""
        index = np.unravel_index(np.arange(start, len(self) if stop is None else stop), self.shape)
        return np.stack([self._along(k, i) for k, i in enumerate(index)], axis=1)

    def slices(self, size: int = SLICE) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """All coordinates, `size` points at a time, so that a large grid is never held at once."""
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            yield slice(start, stop), self.coords(start, stop)

    def strips(self, size: int = STRIP) -> Iterator[tuple[slice, Grid]]:
        """Windows of about `size` points that follow one another, and where each one's points stand among all."""
        axis = next((k for k, n in enumerate(self.shape) if n > 1), 0)
        width = math.prod(self.shape[axis + 1 :])
        lines = max(1, size // width)
        for start in range(0, self.shape[axis], lines):
            stop = min(start + lines, self.shape[axis])
            bounds = [(start, stop) if k == axis else (0, n) for k, n in enumerate(self.shape)]
            yield slice(start * width, stop * width), self.window(bounds)

    def nearest(self, coords: Coords) -> tuple[NDArray[np.int64], ...]:
        """The indices along each axis of the sample of the lattice nearest to each of n coordinates (n, d)."""
        along = np.asarray(coords, np.float64).T
        places = (self.places(k, along[k]) for k in range(self.dims))
        return tuple(np.floor(p + 0.5).astype(np.int64) % n for p, n in zip(places, self.lattice, strict=True))

    def places(self, k: int, along: NDArray[Any]) -> NDArray[np.float64]:
        """Where coordinates (n,) along axis k lie between samples of the lattice: 0 to its last sample; on a circle to
        the first again. What lies beyond an end is there, what is no number in the middle."""
        n = self.lattice[k]
        share = (np.nan_to_num(np.asarray(along, np.float64), posinf=1, neginf=-1) + 1) / 2
        # On a circle wrapped first: a far coordinate times n has no exact integer.
        return np.asarray(np.mod(share, 1) * n if self.periodic[k] else np.clip(share, 0, 1) * (n - 1))


def circles(given: object) -> tuple[bool, ...]:
    """Which axes are closed circles, as a tuple of bool. Raises SignalError for what says nothing of the kind."""
    if not isinstance(given, tuple | list | np.ndarray) or not all(isinstance(p, bool | np.bool_) for p in given):
        raise SignalError(f"periodic needs a bool per axis, got {given!r:.80}")
    return tuple(bool(p) for p in given)


def checked_coords(coords: Any, points: int, periodic: tuple[bool, ...]) -> Grid | Floats:
    """The grid of a signal with the circles that it names, or (points, d) places as float32. Raises SignalError."""
    if isinstance(coords, Grid):
        if coords.shape != coords.lattice:
            raise SignalError("a signal is sampled on a whole lattice, not on a window of one")
        if len(coords) != points:
            raise SignalError(f"a grid of shape {coords.shape} has {len(coords)} points, but there are {points} values")
        if any(periodic) and any(coords.periodic) and periodic != coords.periodic:
            raise SignalError(f"the signal has the periodic axes {periodic}, its grid {coords.periodic}; say it once")
        silent = not any(periodic) and len(periodic) in (0, coords.dims)
        return coords if silent else replace(coords, periodic=periodic)
    if any(periodic):
        raise SignalError("scattered points have no periodic axes; give a circle as its cosine and its sine")
    array = np.asarray(coords, dtype=np.float32)
    if array.ndim != 2 or len(array) != points or not 1 <= array.shape[1] <= MAX_DIMS:
        raise SignalError(f"coords must be a Grid or ({points}, d) with 1 <= d <= {MAX_DIMS}, got shape {array.shape}")
    if not bool((np.abs(array) <= 1.0001).all()):
        raise SignalError("coords must be finite and in [-1, 1]; scale them in read() and keep the scale in meta")
    return array
