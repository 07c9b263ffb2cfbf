"""The "blend" predictor: several simple predictions, weighted by how well each did nearby, corrected by context.

For each sample: gather known neighbours; let simple predictors and three filters that learn (NLMS) predict it; weight
each by the inverse cube of its recent error; add the mean error of earlier samples in the same context. All in 64 bit
integers.

Sources: Seemann and Tischer, "Generalized locally adaptive DPCM" (1997), for the blending; Wu and Memon,
"Context-based, adaptive, lossless image coding" (1997), for the correction; Haykin, "Adaptive filter theory", for
NLMS.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.stream.grid.jit import jit

Ints = NDArray[Any]
Int = Any  # a whole number of 64 bits

FRACTION = 3  # bits of predictions beyond the point
WEIGHT = 18  # bits of the filters' weights beyond the point
RATES = (2, 8, 32)  # of the filters, out of 1024
CONTEXTS = 1024
HALF = 1 << (FRACTION - 1)
MOST = 16 << WEIGHT  # the largest weight of a filter
SHIFT = 26 + FRACTION - WEIGHT
COUNT = 512  # a context's sums are halved here


State = tuple[Ints, Ints, Ints, Ints, Ints, Ints, Ints]


def new_state(subs: Ints, start: Ints, width: Int) -> State:
    """What a plane's prediction remembers, at its first sample; `width` is the size of the last axis."""
    count = len(subs) + len(RATES)
    filters = np.repeat(start[None], len(RATES), axis=0)
    errors = np.zeros((count, width + 4), np.int64)
    sums = np.zeros((CONTEXTS, 2), np.int64)
    few = np.zeros(8, np.int64)
    return (
        np.zeros(len(start), np.int64),
        filters,
        np.zeros(count, np.int64),
        errors,
        few,
        sums,
        np.zeros(count, np.int64),
    )


@jit
def run_plane(
    planes: Ints,
    channel: Int,
    residual: Ints,
    shape: Ints,
    own: Ints,
    cross: Ints,
    subs: Ints,
    state: State,
    bounds: Ints,
    decode: bool,
) -> None:
    """Predict one channel, sample by sample: fill `residual` from `planes[channel]`, or the reverse if `decode`.

    planes: (channels, n) int32, those before `channel` complete. shape: four sizes. own, cross: (m, 5) offsets along
    four axes and flat, into this channel's past and into complete channels. subs: (k, taps) half weights of simple
    predictors over (own.., cross..). bounds: lowest and highest sample, the offsets' reach, and `coarse`.
    """
    values, filters, guesses, errors, few, sums, corner = state
    low, high, coarse = bounds[0], bounds[1], bounds[3]
    span = high - low + 1
    for p in range(len(residual)):
        base = _gather(planes, channel, p, few, shape, own, cross, values, bounds)
        _guess(values, base, subs, filters, guesses, bounds)
        x = few[3] + 2
        blended, spread = _mix(guesses, errors, corner, x)
        context = _context(values, blended, spread)
        fine = blended + (2 * sums[context, 0] + sums[context, 1] + 8) // (2 * sums[context, 1] + 16)
        guess = min(max((fine + HALF) >> FRACTION, low), high)
        if decode:
            value = low + (guess + np.int64(residual[p]) - low) % span
            planes[channel, p] = value
        else:
            value = np.int64(planes[channel, p])
            residual[p] = (value - guess + span // 2) % span - span // 2
        _learn(value, base, values, filters, guesses, few, coarse)
        _remember(value << FRACTION, blended, context, guesses, errors, corner, sums, x, coarse)
        _step(few, shape)


@jit
def _remember(
    exact: Int, blended: Int, context: Int, guesses: Ints, errors: Ints, corner: Ints, sums: Ints, x: Int, coarse: Int
) -> None:
    """Note each prediction's error, and the error of their mean in its context."""
    for k in range(len(guesses)):
        corner[k] = errors[k, x]
        near = errors[k, x - 1] + errors[k, x] + errors[k, x + 1]
        errors[k, x] = (abs(guesses[k] - exact) >> coarse) + (near >> 2)
    sums[context, 0] += exact - blended
    sums[context, 1] += 1
    if sums[context, 1] >= COUNT:
        sums[context, 0] >>= 1
        sums[context, 1] >>= 1


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
    planes: Ints,
    channel: Int,
    p: Int,
    place: Ints,
    shape: Ints,
    own: Ints,
    cross: Ints,
    values: Ints,
    bounds: Ints,
) -> Int:
    """Fill `values` with neighbours, this channel's and up to two earlier channels', and return their base.

    A neighbour outside is the nearest sample inside; one that is not known yet is the nearest known one along an axis,
    the last axis first, or the middle of the range. Earlier channels' are moved so that they have the same base.
    """
    inside = p > 0
    known = (bounds[0] + bounds[1] + 1) >> 1
    stride = 1
    found = False
    for axis in range(3, -1, -1):
        inside = inside and (shape[axis] == 1 or bounds[2] <= place[axis] < shape[axis] - bounds[2])
        if not found and place[axis] > 0:
            known = np.int64(planes[channel, p - stride])
            found = True
        stride *= shape[axis]
    for i in range(len(own)):
        q = p + own[i, 4] if inside else _clamped(place, shape, own[i])
        values[i] = planes[channel, q] if q < p else known
    base = values[0] if bounds[4] else (values[0] + values[1]) >> 1
    at = len(own)
    for back in range(1, min(channel, 2) + 1):
        for i in range(len(cross)):
            q = p + cross[i, 4] if inside else _clamped(place, shape, cross[i])
            values[at + i] = planes[channel - back, q]
        other = values[at + 1] if bounds[4] else (values[at + 1] + values[at + 2]) >> 1
        for i in range(len(cross)):
            values[at + i] += base - other
        at += len(cross)
    return base


@jit
def _clamped(place: Ints, shape: Ints, offset: Ints) -> Int:
    """The flat place of a neighbour, or of the nearest sample inside the array."""
    q = 0
    for axis in range(4):
        q = q * shape[axis] + min(max(place[axis] + offset[axis], 0), shape[axis] - 1)
    return q


@jit
def _guess(values: Ints, base: Int, subs: Ints, filters: Ints, guesses: Ints, bounds: Ints) -> None:
    """All predictions, with fraction bits and inside the range: the simple ones, then the filters'."""
    low, high = bounds[0] << FRACTION, bounds[1] << FRACTION
    for k in range(len(subs)):
        total = np.int64(0)
        for i in range(len(values)):
            total += subs[k, i] * (values[i] - base)
        guesses[k] = min(max((base << FRACTION) + (total << (FRACTION - 1)), low), high)
    for f in range(len(filters)):
        total = np.int64(0)
        for i in range(len(values)):
            total += filters[f, i] * (values[i] - base)
        guesses[len(subs) + f] = min(max((base << FRACTION) + (total >> (WEIGHT - FRACTION)), low), high)


@jit
def _near(errors: Ints, corner: Ints, k: Int, x: Int) -> Int:
    """A prediction's error nearby: at the left, above, above to both sides."""
    return 2 * errors[k, x - 1] + errors[k, x] + errors[k, x + 1] + corner[k] + 1


@jit
def _mix(guesses: Ints, errors: Ints, corner: Ints, x: Int) -> tuple[Int, Int]:
    """The weighted mean of the predictions, and the error of the best nearby."""
    best = _near(errors, corner, 0, x)
    for k in range(1, len(guesses)):
        best = min(best, _near(errors, corner, k, x))
    total = np.int64(0)
    weights = np.int64(0)
    for k in range(len(guesses)):
        ratio = (best << 10) // _near(errors, corner, k, x)
        weight = (ratio * ratio * ratio) >> 14
        total += weight * (guesses[k] - guesses[0])
        weights += weight
    return guesses[0] + total // weights, best


@jit
def _context(values: Ints, blended: Int, spread: Int) -> Int:
    """Which neighbours lie above the prediction (7 bits), and how large errors are nearby (3 bits)."""
    context = 0
    for i in range(min(7, len(values))):
        context = 2 * context + (1 if (values[i] << FRACTION) > blended else 0)
    size = 0
    while size < 7 and spread >> (2 * size) > 20:
        size += 1
    return context * 8 + size


@jit
def _learn(value: Int, base: Int, values: Ints, filters: Ints, guesses: Ints, few: Ints, coarse: Int) -> None:
    """Move each filter's weights against its error, normalized by the power of its inputs (NLMS)."""
    power = np.int64(1)
    for i in range(len(values)):
        small = (values[i] - base) >> coarse
        power += small * small
    few[4] += (power - few[4]) >> 6
    power += few[4]
    simple = len(guesses) - len(filters)
    for f in range(len(filters)):
        error = ((value << FRACTION) - guesses[simple + f]) >> coarse
        gain = (error * RATES[f] << 16) // power
        for i in range(len(values)):
            moved = filters[f, i] + ((gain * ((values[i] - base) >> coarse)) >> SHIFT)
            filters[f, i] = min(max(moved, -MOST), MOST)
