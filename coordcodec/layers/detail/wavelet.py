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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from coordcodec.layers.detail.lifting import KINDS, Ints, merge, split
from coordcodec.layers.detail.wavelet_norms import NORM_BITS, NORMS

MAX_AXES = 5
MAX_LEVELS = 16
Trim = Callable[[int, list[int], Ints], Ints]


@dataclass(frozen=True)
class Band:
    """Per axis: how often it was split (1 is the finest), whether this is the high half of the last split, and the
    size."""

    levels: tuple[int, ...]
    high: tuple[bool, ...]
    shape: tuple[int, ...]


def halved(n: int, times: int) -> int:
    """Samples that are left of n when the low half is taken so many times."""
    return -(-n >> times) if n else 0


def default_levels(shape: Sequence[int], smallest: int = 8, most: int = 6) -> tuple[int, ...]:
    """Levels per axis: an axis is split while it has `smallest` samples or more, at most `most` times."""
    return tuple(
        next(level for level in range(most + 1) if level == most or halved(n, level) < smallest) for n in shape
    )


@dataclass(frozen=True)
class Wavelet:
    """A transform of arrays of one shape.

    shape: 1 to 5 axes, each of 1 sample or more; channels are an axis with no levels. levels: per axis, 0 to 16. kind:
    "5/3" or "9/7". periodic: per axis; none if left out. groups: per axis, a number; axes of one group are split
    together, level by level, and only their low part is split again (dyadic); a group splits all bands of the groups
    before it, which come in ascending order. All one group if left out. A field of many times gains much from a group
    for the times and one for the places. Raises ValueError for anything else.
    """

    shape: tuple[int, ...]
    levels: tuple[int, ...]
    kind: str = "9/7"
    periodic: tuple[bool, ...] = ()
    groups: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        axes = len(self.shape)
        object.__setattr__(self, "periodic", self.periodic or (False,) * axes)
        object.__setattr__(self, "groups", self.groups or (0,) * axes)
        if not 1 <= axes <= MAX_AXES or min(self.shape) < 1:
            raise ValueError(f"a wavelet takes 1 to {MAX_AXES} axes of one sample or more, not {self.shape}")
        if {len(self.levels), len(self.periodic), len(self.groups)} != {axes}:
            raise ValueError("levels, periodic and groups must have one entry per axis")
        if min(self.levels) < 0 or max(self.levels) > MAX_LEVELS:
            raise ValueError(f"levels are 0 to {MAX_LEVELS}, not {self.levels}")
        if self.kind not in KINDS:
            raise ValueError(f"unknown wavelet {self.kind!r}; there are {', '.join(KINDS)}")

    def steps(self) -> list[list[list[int]]]:
        """Per group, in order: the axes that are split on each of its levels, the finest first."""
        found = []
        for group in sorted(set(self.groups)):
            own = [axis for axis, number in enumerate(self.groups) if number == group]
            depth = max(self.levels[axis] for axis in own)
            found.append([[axis for axis in own if self.levels[axis] > level] for level in range(depth)])
        return found

    def bands(self) -> list[Band]:
        """All bands, coarse to fine: the low band, then level by level; on one level by `high`, False before True.

        The first axis counts most. With several groups, all bands of the later ones stand where one of the first would.
        Bands may be empty where an axis has one sample.
        """
        return list(_bands(self))

    def norms(self) -> list[float]:
        """Per band, the L2 norm of its synthesis basis, far from a border: what an error of 1 in a coefficient does."""
        return [self.integer_norm(band) / (1 << NORM_BITS) for band in self.bands()]

    def integer_norm(self, band: Band) -> int:
        """A band's norm times 2^16, in integers that are part of the format (`wavelet_norms`)."""
        product = 1 << NORM_BITS
        for high, level in zip(band.high, band.levels, strict=True):
            product = (product * NORMS[self.kind][high][level] + (1 << (NORM_BITS - 1))) >> NORM_BITS
        return product

    def forward(self, array: Ints) -> list[Ints]:
        """The bands of an int32 or int64 array, in its own type, in the order of `bands()`.

        Coefficients are what they should be while |samples| <= limit(dtype); beyond it they wrap, and the inverse still
        gives the samples back.
        """
        if array.shape != self.shape or array.dtype not in (np.int32, np.int64):
            raise ValueError(f"expected int32 or int64 of shape {self.shape}, not {array.dtype} of {array.shape}")
        parts = [array]
        for levels in self.steps():
            parts = [band for part in parts for band in self._analyse(part, levels)]
        return [array.copy() if part is array else part for part in parts]

    def _analyse(self, low: Ints, levels: list[list[int]]) -> list[Ints]:
        """The bands of one group of axes."""
        found: list[Ints] = []
        for axes in levels:
            parts = [low]
            for axis in axes:
                parts = [half for part in parts for half in split(part, axis, self.kind, self.periodic[axis])]
            low, found = parts[0], parts[1:] + found
        return [low, *found]

    def inverse(self, bands: Sequence[Ints]) -> Ints:
        """The array of these bands, exactly: integer arithmetic alone."""
        if [band.shape for band in bands] != [band.shape for band in self.bands()]:
            raise ValueError("these are not the bands of this transform")
        return self.synthesize([band.copy() for band in bands], lambda level, axes, low: low)

    def synthesize(self, parts: list[Ints], trim: Trim, circles: Sequence[Sequence[bool]] | None = None) -> Ints:
        """Merge bands, which are overwritten; `trim` cuts each low band that was merged, of level 1 and up.

        circles: per axis and level whether it wraps; `periodic` if left out.
        """
        for levels in reversed(self.steps()):
            count = 1 + sum((1 << len(axes)) - 1 for axes in levels)
            parts = [self._merge(parts[at : at + count], levels, trim, circles) for at in range(0, len(parts), count)]
        return parts[0]

    def _merge(
        self, bands: list[Ints], levels: list[list[int]], trim: Trim, circles: Sequence[Sequence[bool]] | None
    ) -> Ints:
        """The array of one group's bands."""
        low, at = bands[0], 1
        for level in range(len(levels), 0, -1):
            axes = levels[level - 1]
            parts = [low, *bands[at : at + (1 << len(axes)) - 1]]
            at += len(parts) - 1
            for axis in reversed(axes):
                circle = circles[axis][level] if circles else self.periodic[axis]
                pairs = zip(parts[::2], parts[1::2], strict=True)
                parts = [merge(one, other, axis, self.kind, circle) for one, other in pairs]
            low = trim(level, axes, parts[0])
        return low

    def limit(self, dtype: type[np.signedinteger] = np.int32) -> int:
        """The largest |sample| at which no coefficient and nothing between can run over in that type."""
        # Per axis: sums of |filter| of the low half, and the largest of the high half and of what comes before it.
        low, gain = {"5/3": (1.5, 2.0), "9/7": (1.74, 4.18)}[self.kind]
        growth = 1.0
        for levels in self.levels:
            growth *= low ** (levels - 1) * gain if levels else 1.0
        # Sums of two are multiplied by at most 2^17.
        top = np.iinfo(np.int32).max if dtype == np.int32 else 1 << 44
        return max(0, math.floor(top / growth) - 64)


@lru_cache(maxsize=64)
def _bands(wavelet: Wavelet) -> tuple[Band, ...]:
    """Bands of all groups: every combination, the last group's running fastest."""
    found = []
    for combination in itertools.product(*(_of_group(levels) for levels in wavelet.steps())):
        depth, high = [0] * len(wavelet.shape), [False] * len(wavelet.shape)
        for level, halves in combination:
            for axis, up in halves.items():
                depth[axis], high[axis] = min(level, wavelet.levels[axis]), up
        sizes = (
            halved(n, level - 1) // 2 if up else halved(n, level)
            for n, level, up in zip(wavelet.shape, depth, high, strict=True)
        )
        found.append(Band(tuple(depth), tuple(high), tuple(sizes)))
    return tuple(found)


def _of_group(levels: list[list[int]]) -> Iterator[tuple[int, dict[int, bool]]]:
    """Level and halves of the bands of one group."""
    every = levels[0] if levels else []
    yield len(levels), dict.fromkeys(every, False)
    for level in range(len(levels), 0, -1):
        axes = levels[level - 1]
        for halves in itertools.product((False, True), repeat=len(axes)):
            if any(halves):
                yield level, dict.fromkeys(every, False) | dict(zip(axes, halves, strict=True))
