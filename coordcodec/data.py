"""What flows through the codec: grids, signals, quantized tensors, fields.

NumPy only; every type is frozen and checks itself when it is made, so that no other module has to.
A plugin author needs this page and `hookspecs.py`, nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError

Floats = NDArray[np.float32]
Coords = NDArray[np.floating[Any]]
"""Coordinates: float32, or float64 where an axis has so many samples that float32 could not tell them apart."""
Field = Callable[[Coords], Floats]
"""A decoded signal: (n, d) coords in [-1, 1] -> (n, c) float32 values, nominally in [-1, 1]."""

MAX_DIMS = 8
MAX_CHANNELS = 255
SLICE = 1 << 16
"""Points that are evaluated at a time: about 16 MB of activations at width 64."""

NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
"""The names of modalities and quantizers."""


@dataclass(frozen=True)
class Grid:
    """A regular lattice that fills [-1, 1]^d, or a window of one.

    The first and the last sample of every axis lie on the ends of [-1, 1] (Strümpler et al. 2022, eq. 2);
    an axis of a single sample lies at 0. Points are ordered with the last axis running fastest, as NumPy
    orders an array. A window keeps the coordinates that its points have in the whole lattice.

    shape: samples per axis, each >= 1.
    lattice: the shape of the whole lattice; default: `shape`.
    offset: index of the window's first sample in the lattice, per axis; default: zeros.
    """

    shape: tuple[int, ...]
    lattice: tuple[int, ...] = ()
    offset: tuple[int, ...] = ()

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
        return Grid(shape, self.lattice, offset)

    def axis(self, k: int) -> NDArray[np.float64]:
        """The coordinates along axis k: (shape[k],) float64, ascending in [-1, 1]."""
        return self._along(k, np.arange(self.shape[k]))

    def _along(self, k: int, index: NDArray[np.intp]) -> NDArray[np.float64]:
        if self.lattice[k] == 1:
            return np.zeros(len(index))
        return (self.offset[k] + index.astype(np.float64)) * (2 / (self.lattice[k] - 1)) - 1

    def coords(self, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
        """The coordinates of points start <= i < stop: (stop - start, d) float64."""
        index = np.unravel_index(np.arange(start, len(self) if stop is None else stop), self.shape)
        return np.stack([self._along(k, i) for k, i in enumerate(index)], axis=1)

    def slices(self, size: int = SLICE) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """All coordinates, `size` points at a time, so that a large grid is never held at once."""
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            yield slice(start, stop), self.coords(start, stop)


def sample(field: Field, grid: Grid, size: int = SLICE) -> Iterator[tuple[slice, Floats]]:
    """Evaluate a field on a grid in slices: yields (slice of the flattened grid, (m, c) float32 values)."""
    for part, coords in grid.slices(size):
        yield part, field(coords)


def _checked_values(values: Any) -> Floats:
    array = np.asarray(values, dtype=np.float32)
    if array.ndim != 2 or not 1 <= array.shape[1] <= MAX_CHANNELS or not len(array):
        raise SignalError(f"values must be (n, c) with n >= 1 and 1 <= c <= {MAX_CHANNELS}, got shape {array.shape}")
    lowest, highest = float(array.min()), float(array.max())
    if not (lowest >= -1.0001 and highest <= 1.0001):  # NaN fails this too
        raise SignalError(f"values must be finite and in [-1, 1], got [{lowest:g}, {highest:g}]; scale them in read()")
    return array


def _checked_coords(coords: Any, points: int) -> Grid | Floats:
    if isinstance(coords, Grid):
        if coords.shape != coords.lattice:
            raise SignalError("a signal is sampled on a whole lattice, not on a window of one")
        if len(coords) != points:
            raise SignalError(f"a grid of shape {coords.shape} has {len(coords)} points, but there are {points} values")
        return coords
    array = np.asarray(coords, dtype=np.float32)
    if array.ndim != 2 or len(array) != points or not 1 <= array.shape[1] <= MAX_DIMS:
        raise SignalError(f"coords must be a Grid or ({points}, d) with 1 <= d <= {MAX_DIMS}, got shape {array.shape}")
    if not bool((np.abs(array) <= 1.0001).all()):
        raise SignalError("coords must be finite and in [-1, 1]; scale them in read() and keep the scale in meta")
    return array


def check_meta(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """A read-only copy of `meta`, whose values must be bool, int, float, str, or lists of those.

    Raises SignalError for anything else: meta is written to the file and read back from hostile files.
    """

    def plain(value: Any) -> bool:
        if isinstance(value, list | tuple):
            return all(plain(v) and not isinstance(v, list | tuple) for v in value)
        if isinstance(value, float):
            return math.isfinite(value)
        return isinstance(value, str) or (isinstance(value, int) and abs(value) < 2**63)

    for key, value in meta.items():
        if not isinstance(key, str) or not plain(value):
            raise SignalError(f"meta[{key!r}] must be a bool, int, finite float, str or a list of those, got {value!r}")
    return MappingProxyType({k: list(v) if isinstance(v, tuple) else v for k, v in meta.items()})


@dataclass(frozen=True)
class Signal:
    """Samples of a function: what a modality's `read` returns and what the codec compresses.

    coords: a Grid, or (n, d) float32 in [-1, 1] for scattered points.
    values: (n, c) float32 in [-1, 1].
    modality: name of the modality that read it; stored in the file.
    meta: what `write` needs beyond the grid's shape and the number of channels; small, stored in the file.
        Values are bool, int, finite float, str, or lists of those. The keys "shape" (list of int, empty for
        scattered points) and "channels" (int) are added here, cost nothing, and are there again at decode time.
    original: the data in whatever form the modality's `score` and `preview` want to compare with, if the samples
        are not enough for them (a mesh, say); never stored.

    Raises SignalError when any of this does not hold.
    """

    coords: Grid | Floats
    values: Floats
    modality: str
    meta: Mapping[str, Any] = field(default_factory=dict)
    original: Any = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.modality):
            raise SignalError(f"a modality's name is 1 to 32 of a-z, 0-9, _ and -, got {self.modality!r}")
        values = _checked_values(self.values)
        coords = _checked_coords(self.coords, len(values))
        given = {k: v for k, v in self.meta.items() if k not in ("shape", "channels")}
        shape = list(coords.shape) if isinstance(coords, Grid) else []
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "coords", coords)
        object.__setattr__(self, "meta", check_meta({**given, "shape": shape, "channels": values.shape[1]}))

    @property
    def dims(self) -> int:
        """The dimension of the coordinates, d."""
        return self.coords.dims if isinstance(self.coords, Grid) else int(self.coords.shape[1])

    @property
    def channels(self) -> int:
        """The number of values per point, c."""
        return int(self.values.shape[1])


def round_step(step: float) -> float:
    """The smallest step >= `step` that a file can hold: the upper two bytes of an IEEE binary32.

    step: finite and > 0. Steps below 2^-100 become 2^-100, above 2^100 become 2^100.
    """
    bits = int(np.float32(min(max(step, 2.0**-100), 2.0**100)).view(np.uint32))
    rounded = np.uint32((bits + 0xFFFF) & 0xFFFF0000)
    return float(rounded.view(np.float32))


@dataclass(frozen=True)
class Quantized:
    """One tensor as integers: value = step * symbol.

    symbols: int32 array of the tensor's shape.
    step: the quantization step, > 0, one that a file can hold (see `round_step`). A step of 0 says that the
        symbols are the bit patterns of IEEE binary16 numbers, each in [0, 65535].

    Raises ValueError otherwise.
    """

    symbols: NDArray[np.int32]
    step: float

    def __post_init__(self) -> None:
        symbols = np.asarray(self.symbols)
        if symbols.dtype.kind not in "iu":
            raise ValueError(f"symbols must be integers, got {symbols.dtype}")
        if self.step != 0 and not (self.step > 0 and round_step(self.step) == self.step):
            raise ValueError(f"step {self.step!r} does not fit two bytes; use coordcodec.data.round_step")
        object.__setattr__(self, "symbols", symbols.astype(np.int32))
        object.__setattr__(self, "step", float(self.step))

    def dequantize(self) -> Floats:
        """The tensor's values: float32, of the symbols' shape."""
        if self.step == 0:
            return self.symbols.astype(np.uint16).view(np.float16).astype(np.float32)
        return self.symbols.astype(np.float32) * np.float32(self.step)


Symbols = Mapping[str, Quantized]
"""A network's tensors by name, in the order in which the file holds them."""
