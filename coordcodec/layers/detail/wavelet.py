"""Separable wavelets of integers: CDF 9/7 for lossy layers, 5/3 for reversible ones, on 1 to 5 axes of any size.

Nothing is scaled between the lifting steps, so that both kinds are exactly reversible and the synthesis of a file's
integers gives the same integers everywhere. A band's scale is in its norm instead (`Wavelet.norms`). For 9/7, give
samples with fraction bits (shifted left by 6 to 12): rounding then costs a small part of a unit.

Sources: Antonini, Barlaud, Mathieu and Daubechies, "Image coding using wavelet transform" (1992); Le Gall and
Tabatabai (1988); for lifting see `lifting`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from coordcodec.layers.detail.lifting import KINDS, Ints, merge, split
from coordcodec.layers.detail.wavelet_norms import NORM_BITS, NORMS

MAX_AXES = 5
MAX_LEVELS = 16


@dataclass(frozen=True)
class Band:
    """level: 1 is the finest. high: per axis, whether it is the high half there; nowhere only in the coarsest band."""

    level: int
    high: tuple[bool, ...]
    shape: tuple[int, ...]


def _halved(n: int, times: int) -> int:
    """Samples that are left of n when the low half is taken so many times."""
    return -(-n >> times) if n else 0


def default_levels(shape: Sequence[int], smallest: int = 8, most: int = 6) -> tuple[int, ...]:
    """Levels per axis: an axis is split while it has `smallest` samples or more, at most `most` times."""
    return tuple(
        next(level for level in range(most + 1) if level == most or _halved(n, level) < smallest) for n in shape
    )


@dataclass(frozen=True)
class Wavelet:
    """A transform of arrays of one shape.

    shape: 1 to 5 axes, each of 1 sample or more; channels are an axis with no levels. levels: per axis, 0 to 16;
    level l splits the axes that have l levels or more. kind: "5/3" or "9/7". periodic: per axis; none if left out.
    Raises ValueError for anything else.
    """

    shape: tuple[int, ...]
    levels: tuple[int, ...]
    kind: str = "9/7"
    periodic: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        if not self.periodic:
            object.__setattr__(self, "periodic", (False,) * len(self.shape))
        if not 1 <= len(self.shape) <= MAX_AXES or min(self.shape) < 1:
            raise ValueError(f"a wavelet takes 1 to {MAX_AXES} axes of one sample or more, not {self.shape}")
        if len(self.levels) != len(self.shape) or len(self.periodic) != len(self.shape):
            raise ValueError("levels and periodic must have one entry per axis")
        if min(self.levels) < 0 or max(self.levels) > MAX_LEVELS:
            raise ValueError(f"levels are 0 to {MAX_LEVELS}, not {self.levels}")
        if self.kind not in KINDS:
            raise ValueError(f"unknown wavelet {self.kind!r}; there are {', '.join(KINDS)}")

    @property
    def depth(self) -> int:
        """The number of levels of the axis that has most."""
        return max(self.levels)

    def axes(self, level: int) -> list[int]:
        """The axes that this level splits, in order."""
        return [axis for axis, levels in enumerate(self.levels) if levels >= level]

    def shape_at(self, level: int) -> tuple[int, ...]:
        """The shape of the low band of that level; level 0 is the array."""
        return tuple(_halved(n, min(level, most)) for n, most in zip(self.shape, self.levels, strict=True))

    def bands(self) -> list[Band]:
        """All bands, coarse to fine; on one level by `high`, False before True, the first axis counting most.

        The low band comes first. Bands may be empty where an axis has one sample.
        """
        return list(_bands(self))

    def norms(self) -> list[float]:
        """Per band, the L2 norm of its synthesis basis: what an error of one in a coefficient does, far from a
        border."""
        return [self.integer_norm(band) / (1 << NORM_BITS) for band in self.bands()]

    def integer_norm(self, band: Band) -> int:
        """A band's norm times 2^16, in integers that are part of the format (`wavelet_norms`)."""
        product = 1 << NORM_BITS
        for high, levels in zip(band.high, self.levels, strict=True):
            one = NORMS[self.kind][high][min(band.level, levels)]
            product = (product * one + (1 << (NORM_BITS - 1))) >> NORM_BITS
        return product

    def forward(self, array: Ints) -> list[Ints]:
        """The bands of an int32 or int64 array, in its own type, in the order of `bands()`.

        Coefficients are what they should be while |samples| <= limit(dtype); beyond it they wrap, and the inverse
        still gives the samples back.
        """
        if array.shape != self.shape or array.dtype not in (np.int32, np.int64):
            raise ValueError(f"expected int32 or int64 of shape {self.shape}, not {array.dtype} of {array.shape}")
        found: list[Ints] = []
        low = array
        for level in range(1, self.depth + 1):
            parts = [low]
            for axis in self.axes(level):
                circle = self.periodic[axis]
                parts = [half for part in parts for half in split(part, axis, self.kind, circle)]
            low = parts[0]
            found = parts[1:] + found
        return [low if self.depth else array.copy(), *found]

    def inverse(self, bands: Sequence[Ints]) -> Ints:
        """The array of these bands, exactly: integer arithmetic alone."""
        if [band.shape for band in bands] != [band.shape for band in self.bands()]:
            raise ValueError("these are not the bands of this transform")
        low, rest = bands[0].copy(), iter(bands[1:])
        for level in range(self.depth, 0, -1):
            axes = self.axes(level)
            parts = [low, *(next(rest).copy() for _ in range((1 << len(axes)) - 1))]
            low = merge_level(parts, axes, self.kind, self.periodic)
        return low

    def limit(self, dtype: type[np.signedinteger] = np.int32) -> int:
        """The largest |sample| at which no coefficient and nothing between can run over in that type."""
        growth = 1.0
        gain = {"5/3": 2.0, "9/7": 4.18}  # of the high half: the first step's is the largest, 1 + 2 * 1.586
        low = {"5/3": 1.5, "9/7": 1.74}  # sums of |analysis filter|
        for levels in self.levels:
            growth *= max(low[self.kind] ** max(levels - 1, 0) * gain[self.kind], 1.0) if levels else 1.0
        # A sum of two is multiplied by at most 2^17.
        top = np.iinfo(dtype).max if dtype == np.int32 else (1 << 44)
        return math.floor(top / growth) - 64


def merge_level(parts: list[Ints], axes: Sequence[int], kind: str, circles: Sequence[bool]) -> Ints:
    """The low band that a level's parts came from; they are overwritten, and stand in the order of `Wavelet.bands`."""
    for axis in reversed(axes):
        parts = [merge(low, high, axis, kind, circles[axis]) for low, high in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


@lru_cache(maxsize=64)
def _bands(wavelet: Wavelet) -> tuple[Band, ...]:
    return tuple(_listed(wavelet))


def _listed(wavelet: Wavelet) -> Iterator[Band]:
    yield Band(wavelet.depth, (False,) * len(wavelet.shape), wavelet.shape_at(wavelet.depth))
    for level in range(wavelet.depth, 0, -1):
        above, axes = wavelet.shape_at(level - 1), set(wavelet.axes(level))
        halves = [(False, True) if axis in axes else (False,) for axis in range(len(above))]
        for high in itertools.product(*halves):
            if any(high):
                sides = (
                    n // 2 if up else -(-n // 2) if axis in axes else n
                    for axis, (n, up) in enumerate(zip(above, high, strict=True))
                )
                yield Band(level, high, tuple(sides))
