"""Which coefficients a box of samples needs, and the box from those alone: equal to that part of the whole inverse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coordcodec.layers.detail.lifting import MARGIN, Ints
from coordcodec.layers.detail.wavelet import Wavelet, halved

Span = tuple[int, int]
"""start and stop along an axis. On a periodic axis start may be negative and stop beyond the end: indices are taken
modulo
its length. At most once around."""


def support(wavelet: Wavelet, region: Sequence[Span]) -> list[tuple[Span, ...]]:
    """Per band, in the order of `Wavelet.bands`, the spans along every axis that the samples of a region depend on.

    region: (start, stop) per axis, not empty, inside the array; on a periodic axis it may cross the seam. A few
    coefficients more than needed are named: pairs of low and high, with a margin. Raises ValueError for a region
    outside.
    """
    wanted = _wanted(wavelet, region)
    found = []
    for band in wavelet.bands():
        spans = []
        for axis, (level, high, size) in enumerate(zip(band.levels, band.high, band.shape, strict=True)):
            start, stop = wanted[axis][level]
            # The last pair of an odd length has no high sample.
            lone = high and stop > size and halved(wavelet.shape[axis], level - 1) % 2 == 1
            spans.append((start, stop - 1 if lone else stop))
        found.append(tuple(spans))
    return found


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
    wanted = _wanted(wavelet, region)
    expected = [tuple(stop - start for start, stop in spans) for spans in support(wavelet, region)]
    if [band.shape for band in bands] != expected:
        raise ValueError("these are not the parts of the bands that this region needs")

    def trim(level: int, axes: list[int], low: Ints) -> Ints:
        spans = [(0, n) for n in low.shape]
        for axis in axes:
            first = 2 * wanted[axis][level][0]
            start, stop = wanted[axis][level - 1]
            spans[axis] = (start - first, stop - first)
        return crop(low, spans)

    circles = [
        [circle and span == (0, halved(n, level)) for level, span in enumerate(spans)]
        for n, circle, spans in zip(wavelet.shape, wavelet.periodic, wanted, strict=True)
    ]
    return wavelet.synthesize([band.copy() for band in bands], trim, circles)


def _wanted(wavelet: Wavelet, region: Sequence[Span]) -> list[list[Span]]:
    """Per axis: the samples that are wanted, then per level the pairs of low and high that give them."""
    if len(region) != len(wavelet.shape):
        raise ValueError("a region has one span per axis")
    found = []
    for axis, span in enumerate(region):
        n, circle = wavelet.shape[axis], wavelet.periodic[axis]
        if not span[0] < span[1] <= span[0] + n or not (circle or 0 <= span[0] < span[1] <= n):
            raise ValueError(f"the region {span[0]} to {span[1]} is not inside an axis of {n} samples")
        spans = [span]
        for _ in range(wavelet.levels[axis]):
            spans.append(_pairs(spans[-1], n, circle, MARGIN[wavelet.kind]))
            n = -(-n // 2)
        found.append(spans)
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
