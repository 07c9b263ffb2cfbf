"""Which coefficients a box of samples needs, and the box from those alone: equal to that part of the whole inverse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coordcodec.layers.detail.lifting import MARGIN, Ints
from coordcodec.layers.detail.wavelet import Wavelet, merge_level

Span = tuple[int, int]
"""start and stop along an axis. On a periodic axis start may be negative and stop beyond the end: indices are taken
modulo
its length. At most once around."""


@dataclass(frozen=True)
class _Level:
    """One level along one axis: the samples that are wanted of its low band, and the pairs that are merged for them."""

    wanted: Span
    pairs: Span
    n: int
    split: bool

    def parts(self, high: bool) -> Span:
        """The span of a half."""
        start, stop = self.pairs
        if not self.split:
            return self.wanted
        # Pairs may end with a low sample that has no high one: the last of an odd length.
        return (start, min(stop, self.n // 2)) if high and 2 * stop > self.n >= 2 * stop - 1 else (start, stop)


def support(wavelet: Wavelet, region: Sequence[Span]) -> list[tuple[Span, ...]]:
    """Per band, in the order of `Wavelet.bands`, the spans along every axis that the samples of a region depend on.

    region: (start, stop) per axis, not empty, inside the array; on a periodic axis it may cross the seam. A few
    coefficients more than needed are named: pairs of low and high, with a margin. Raises ValueError for a region
    outside.
    """
    levels = _levels(wavelet, region)
    return [
        tuple(
            axis[band.level].parts(up) if band.level else axis[0].wanted
            for axis, up in zip(levels, band.high, strict=True)
        )
        for band in wavelet.bands()
    ]


def crop(band: Ints, spans: Sequence[Span]) -> Ints:
    """A copy of that part of a band."""
    for axis, (start, stop) in enumerate(spans):
        n = band.shape[axis]
        if start < 0 or stop > n:
            band = np.take(band, np.arange(start, stop) % n, axis)
        else:
            band = band[(*(slice(None),) * axis, slice(start, stop))]
    return band.copy()


def inverse_region(wavelet: Wavelet, region: Sequence[Span], bands: Sequence[Ints]) -> Ints:
    """The samples of a region from its parts of the bands (`support`, `crop`), equal to those of the whole inverse."""
    levels = _levels(wavelet, region)
    expected = [tuple(stop - start for start, stop in spans) for spans in support(wavelet, region)]
    if [band.shape for band in bands] != expected:
        raise ValueError("these are not the parts of the bands that this region needs")
    low, rest = bands[0], iter(bands[1:])
    for level in range(wavelet.depth, 0, -1):
        axes = wavelet.axes(level)
        parts = [low.copy(), *(next(rest).copy() for _ in range((1 << len(axes)) - 1))]
        circles = [
            axis[level].pairs == (0, -(-axis[level].n // 2)) and wavelet.periodic[a] for a, axis in enumerate(levels)
        ]
        low = merge_level(parts, axes, wavelet.kind, circles)
        low = crop(low, [_inside(axis[level], axis[level - 1].wanted) for axis in levels])
    return low.copy()


def _inside(level: _Level, wanted: Span) -> Span:
    """Where the wanted samples are among those that the pairs were merged to."""
    first = 2 * level.pairs[0] if level.split else level.wanted[0]
    return wanted[0] - first, wanted[1] - first


def _levels(wavelet: Wavelet, region: Sequence[Span]) -> list[dict[int, _Level]]:
    """Per axis and level: entry l tells how samples of the low band of level l - 1 are made of those of level l."""
    if len(region) != len(wavelet.shape):
        raise ValueError("a region has one span per axis")
    found = []
    for axis, (start, stop) in enumerate(region):
        n, circle = wavelet.shape[axis], wavelet.periodic[axis]
        if not start < stop <= start + n or not (circle or 0 <= start < stop <= n):
            raise ValueError(f"the region {start} to {stop} is not inside an axis of {n} samples")
        entries = {0: _Level((start, stop), (0, 0), n, False)}
        wanted = (start, stop)
        for level in range(1, wavelet.depth + 1):
            split = wavelet.levels[axis] >= level
            pairs = _pairs(wanted, n, circle, MARGIN[wavelet.kind]) if split else wanted
            wanted = pairs
            entries[level] = _Level(wanted, pairs, n, split)
            n = -(-n // 2) if split else n
        found.append(entries)
    return found


def _pairs(wanted: Span, n: int, circle: bool, margin: int) -> Span:
    """The pairs of low and high samples that give the wanted ones of n."""
    half = -(-n // 2)
    start, stop = wanted[0] // 2 - margin, -(-wanted[1] // 2) + margin
    if circle and n % 2 == 0:
        return (0, half) if stop - start >= half else (start, stop)
    if wanted[0] < 0 or wanted[1] > n:  # across the seam of an odd circle: its ends are mirrored, so all of it
        return 0, half
    return max(start, 0), min(stop, half)
