"""The "blend" predictor: several simple predictions, weighted by how well each did nearby, corrected by context.

For each sample: gather known neighbours; let simple predictors and three filters that learn (NLMS) predict it; weight each
by the inverse cube of its recent error; add the mean error of earlier samples in the same context. All in 64 bit integers.

Sources: Seemann and Tischer, "Generalized locally adaptive DPCM" (1997), for the blending; Wu and Memon, "Context-based, adaptive,
lossless image coding" (1997), for the correction; Haykin, "Adaptive filter theory", for NLMS.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.layers.detail.jit import jit

Ints = NDArray[Any]

FRACTION = 3  # bits of predictions beyond the point
WEIGHT = 18  # bits of the filters' weights beyond the point
RATES = (2, 8, 32)  # of the filters, out of 1024
CONTEXTS = 1024
COUNT = 512  # a context's sums are halved here


@jit
def run_plane(
    planes: Ints, channel: int, residual: Ints, shape: Ints, own: Ints, cross: Ints, subs: Ints, start: Ints,
    low: int, high: int, reach: int, decode: bool,
) -> None:
    """Predict one channel, sample by sample: fill `residual` from `planes[channel]`, or the reverse if `decode`.

    planes: (channels, n) int32, those before `channel` complete. shape: four sizes. own, cross: (m, 5) offsets along four axes
    and flat, into this channel's past and into complete channels. subs: (k, taps) weights of simple predictors over
    (own.., cross..). start: (taps,) the filters' first weights.
    """
    taps = len(own) + len(cross) * min(channel, 2)
    count = len(subs) + len(RATES)
    values = np.zeros(taps, np.int64)
    filters = np.zeros((len(RATES), taps), np.int64)
    filters[:, :] = start[:taps]
    guesses = np.zeros(count, np.int64)
    errors = np.zeros((count, shape[3] + 4), np.int64)
    corner = np.zeros(count, np.int64)
    sums = np.zeros((CONTEXTS, 2), np.int64)
    place = np.zeros(4, np.int64)
    powers = np.zeros(2, np.int64)
    span = high - low + 1
    coarse = 0
    while span >> coarse > 1 << 20:
        coarse += 1
    for p in range(len(residual)):
        base = _gather(planes, channel, p, place, shape, own, cross, values, low, high, reach)
        _guess(values, base, subs, filters, guesses)
        x = place[3] + 2
        blended, spread = _mix(guesses, errors, corner, x, low, high)
        context = _context(values, blended, spread, coarse)
        total, seen = sums[context, 0], sums[context, 1]
        bias = (2 * total + seen + 8) // (2 * seen + 16)
        fine = min(max(blended + bias, low << FRACTION), high << FRACTION)
        guess = (fine + (1 << (FRACTION - 1))) >> FRACTION
        if decode:
            value = low + (guess + int(residual[p]) - low) % span
            planes[channel, p] = value
        else:
            value = int(planes[channel, p])
            residual[p] = (value - guess + span // 2) % span - span // 2
        _learn(value, base, values, filters, guesses, powers, coarse)
        for k in range(count):
            corner[k] = errors[k, x]
            errors[k, x] = (abs(guesses[k] - (value << FRACTION)) >> coarse) + (errors[k, x - 1] + corner[k] + errors[k, x + 1] >> 2)
        sums[context, 0] += (value << FRACTION) - blended
        sums[context, 1] += 1
        if sums[context, 1] >= COUNT:
            sums[context, 0] >>= 1
            sums[context, 1] >>= 1
        _step(place, shape)


@jit
def _step(place: Ints, shape: Ints) -> None:
    """Go on to the next sample in the order of memory."""
    for axis in range(3, -1, -1):
        place[axis] += 1
        if place[axis] < shape[axis]:
            return
        place[axis] = 0


@jit
def _gather(
    planes: Ints, channel: int, p: int, place: Ints, shape: Ints, own: Ints, cross: Ints, values: Ints, low: int, high: int, reach: int
) -> int:
    """Fill `values` with neighbours: this channel's, then those of up to two channels before, each moved to this one's base.

    A neighbour outside is the nearest sample inside; one that is not known yet is the first known of those before this
    sample along the axes, the last axis first, or the middle of the range.
    """
    inside = True
    for axis in range(4):
        inside = inside and (shape[axis] == 1 or reach <= place[axis] < shape[axis] - reach)
    known = (low + high + 1) >> 1
    stride = 1
    found = False
    for axis in range(3, -1, -1):
        if not found and place[axis] > 0:
            known = int(planes[channel, p - stride])
            found = True
        stride *= shape[axis]
    for i in range(len(own)):
        q = p + own[i, 4] if inside else _clamped(place, shape, own[i])
        values[i] = int(planes[channel, q]) if q < p else known
    base = values[0] if len(own) < 4 else (values[0] + values[1]) >> 1
    at = len(own)
    for back in range(1, min(channel, 2) + 1):
        other = planes[channel - back]
        first = int(other[p + own[0, 4] if inside else _clamped(place, shape, own[0])])
        if len(own) >= 4:
            first = (first + int(other[p + own[1, 4] if inside else _clamped(place, shape, own[1])])) >> 1
        for i in range(len(cross)):
            q = p + cross[i, 4] if inside else _clamped(place, shape, cross[i])
            values[at] = int(other[q]) - first + base
            at += 1
    return base


@jit
def _clamped(place: Ints, shape: Ints, offset: Ints) -> int:
    """The flat place of a neighbour, or of the nearest sample inside the array."""
    q = 0
    for axis in range(4):
        q = q * shape[axis] + min(max(place[axis] + offset[axis], 0), shape[axis] - 1)
    return q


@jit
def _guess(values: Ints, base: int, subs: Ints, filters: Ints, guesses: Ints) -> None:
    """All predictions, with fraction bits: the simple ones, then the filters'."""
    taps = len(values)
    for k in range(len(subs)):
        total = 0
        for i in range(taps):
            total += subs[k, i] * (values[i] - base)
        guesses[k] = (base << FRACTION) + (total << (FRACTION - 1))
    for f in range(len(filters)):
        total = 0
        for i in range(taps):
            total += filters[f, i] * (values[i] - base)
        guesses[len(subs) + f] = (base << FRACTION) + (total >> (WEIGHT - FRACTION))


@jit
def _mix(guesses: Ints, errors: Ints, corner: Ints, x: int, low: int, high: int) -> tuple[int, int]:
    """The weighted mean of the predictions, and the error of the best nearby."""
    count = len(guesses)
    best = np.int64(1 << 60)
    for k in range(count):
        near = 2 * errors[k, x - 1] + errors[k, x] + errors[k, x + 1] + corner[k] + 1
        best = min(best, near)
    total = 0
    weights = 0
    first = guesses[0]
    for k in range(count):
        near = 2 * errors[k, x - 1] + errors[k, x] + errors[k, x + 1] + corner[k] + 1
        ratio = (best << 10) // near
        weight = (ratio * ratio * ratio) >> 14
        guess = min(max(guesses[k], low << FRACTION), high << FRACTION)
        total += weight * (guess - first)
        weights += weight
    return first + total // weights, best


@jit
def _context(values: Ints, blended: int, spread: int, coarse: int) -> int:
    """Which neighbours lie above the prediction (7 bits), and how large errors are nearby (3 bits)."""
    context = 0
    for i in range(min(7, len(values))):
        context = 2 * context + (1 if (values[i] << FRACTION) > blended else 0)
    size = 0
    while size < 7 and spread >> (2 * size) > 20:
        size += 1
    return context * 8 + size


@jit
def _learn(value: int, base: int, values: Ints, filters: Ints, guesses: Ints, powers: Ints, coarse: int) -> None:
    """Move each filter's weights against its error, normalized by the power of its inputs (NLMS)."""
    taps = len(values)
    power = 1
    for i in range(taps):
        small = (values[i] - base) >> coarse
        power += small * small
    powers[0] += (power - powers[0]) >> 6
    power += powers[0]
    simple = len(guesses) - len(filters)
    for f in range(len(filters)):
        error = ((value << FRACTION) - guesses[simple + f]) >> coarse
        gain = (error * RATES[f] << 16) // power
        for i in range(taps):
            filters[f, i] += (gain * ((values[i] - base) >> coarse)) >> (16 + 10 + FRACTION - WEIGHT)
