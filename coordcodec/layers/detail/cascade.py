"""The "cascade" predictor: filters that learn (NLMS), one behind the other, along time; for sound.

Each stage predicts what the stages before it left over. The first is fixed and of first order, the second sees all
channels, later ones see one channel only. A last filter weights the stages' predictions. All in 64 bit integers.

Sources: Huang, Yu et al., "Cascaded RLS-LMS prediction in MPEG-4 lossless audio coding" (2006), for the cascade and
its last stage; Haykin, "Adaptive filter theory", for NLMS.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.stream.grid.jit import jit

Ints = NDArray[Any]
Int = Any  # a whole number of 64 bits

FRACTION = 4  # bits of stages' signals beyond the point
WEIGHT = 20  # bits of the filters' weights beyond the point
CLIP = 4  # errors are clipped to this many times their usual size
HALF = 1 << (FRACTION - 1)
SHIFT = 28 - WEIGHT
MOST = 8 << WEIGHT  # the largest weight
BOUND = 1 << 22  # of stages' signals, shifted
FLOOR = 256  # of a power
FIRST = 31  # of 32: the fixed first stage


STAGES = ((24, 16, 5000), (256, 32, 1000), (32, 16, 2000), (16, 8, 4000))
"""Of each filter: taps of this channel, taps of each other channel, rate out of 2^16."""
"""The largest range of samples: mid and side of 24 bits. All sums then stay far inside 64 bits."""

State = tuple[Ints, Ints, Ints, Ints, Ints, Ints]


def new_state(channels: Int) -> State:
    """What a prediction remembers, at its first sample."""
    count, longest = len(STAGES), max(stage[0] for stage in STAGES)
    history = np.zeros((count, channels, 2 * longest + 4096), np.int64)
    weights = np.zeros((count, channels, longest + channels * 32), np.int64)
    typical = np.zeros((count, channels), np.int64)
    shares = np.full((channels, count), 1 << 16, np.int64)
    return history, weights, typical, shares, np.zeros(count, np.int64), np.zeros(channels, np.int64)


@jit
def run_channels(samples: Ints, residual: Ints, stages: Ints, state: State, low: Int, high: Int, decode: bool) -> None:
    """Predict all channels in turn at each time: fill `residual` from `samples`, or the reverse if `decode`.

    samples, residual: (n, channels) int32, samples from low to high. stages: `STAGES` as int64.
    """
    history, _, _, _, _, last = state
    longest = (history.shape[2] - 4096) // 2
    span = high - low + 1
    coarse = 0
    while span >> coarse > 1 << 17:
        coarse += 1
    at = longest
    for t in range(len(samples)):
        if at == history.shape[2]:
            _restart(history, longest)
            at = longest
        for c in range(len(last)):
            total = _total(c, at, stages, state, coarse)
            guess = min(max((total + HALF) >> FRACTION, low), high)
            if decode:
                value = low + (guess + np.int64(residual[t, c]) - low) % span
                samples[t, c] = value
            else:
                value = np.int64(samples[t, c])
                residual[t, c] = (value - guess + span // 2) % span - span // 2
            _update(value << FRACTION, c, at, stages, state, coarse)
        at += 1


@jit
def _restart(history: Ints, longest: Int) -> None:
    """Move the last signals to the front."""
    size = history.shape[2]
    for k in range(history.shape[0]):
        for c in range(history.shape[1]):
            for i in range(longest):
                history[k, c, i] = history[k, c, size - longest + i]


@jit
def _total(c: Int, at: Int, stages: Ints, state: State, coarse: Int) -> Int:
    """The prediction of a channel's next sample: the fixed stage's and the filters', by their shares."""
    history, weights, _, shares, guesses, last = state
    total = (last[c] * FIRST) >> 5
    for k in range(len(stages)):
        guesses[k] = _predict(history[k], weights[k, c], c, at, stages[k], coarse)
        total += (guesses[k] * shares[c, k]) >> 16
    return total


@jit
def _update(exact: Int, c: Int, at: Int, stages: Ints, state: State, coarse: Int) -> None:
    """Give each stage what the stages before it left over, and let it learn."""
    history, weights, typical, shares, guesses, last = state
    bound = BOUND << coarse
    left = exact - ((last[c] * FIRST) >> 5)
    _share(shares[c], guesses, left)
    for k in range(len(stages)):
        history[k, c, at] = left
        left = min(max(left - guesses[k], -bound), bound)
        gain = _gain(history[k], typical[k], c, at, stages[k], left, coarse)
        _learn(history[k], weights[k, c], c, at, stages[k], gain, coarse)
    last[c] = exact


@jit
def _first(at: Int, taps: Int, other: Int, c: Int) -> Int:
    """Where another channel's taps begin: they include the present if that channel comes before."""
    return at - taps + (1 if other < c else 0)


@jit
def _predict(history: Ints, weights: Ints, c: Int, at: Int, stage: Ints, coarse: Int) -> Int:
    """The filter's output: this channel's past, then other channels' past, and the present of those before it."""
    taps, side = stage[0], stage[1]
    total = np.int64(0)
    for i in range(taps):
        total += weights[i] * history[c, at - taps + i]
    for other in range(len(history)):
        if other != c:
            first = _first(at, side, other, c)
            w = taps + side * (other if other < c else other - 1)
            for i in range(side):
                total += weights[w + i] * history[other, first + i]
    return min(max(total >> WEIGHT, -(BOUND << coarse)), BOUND << coarse)


@jit
def _gain(history: Ints, typical: Ints, c: Int, at: Int, stage: Ints, error: Int, coarse: Int) -> Int:
    """The error, clipped to a few times its usual size, times the rate over the power of the inputs."""
    taps, side = stage[0], stage[1]
    power = np.int64(FLOOR)
    for i in range(taps):
        small = history[c, at - taps + i] >> coarse
        power += small * small
    for other in range(len(history)):
        if other != c:
            first = _first(at, side, other, c)
            for i in range(side):
                small = history[other, first + i] >> coarse
                power += small * small
    fine = error >> coarse
    most = (typical[c] >> 8) * CLIP + 4
    typical[c] += ((abs(fine) << 8) - typical[c]) >> 5
    return (min(max(fine, -most), most) * stage[2] << 12) // power


@jit
def _learn(history: Ints, weights: Ints, c: Int, at: Int, stage: Ints, gain: Int, coarse: Int) -> None:
    """Move the weights of a filter."""
    taps, side = stage[0], stage[1]
    for i in range(taps):
        moved = weights[i] + ((gain * (history[c, at - taps + i] >> coarse)) >> SHIFT)
        weights[i] = min(max(moved, -MOST), MOST)
    for other in range(len(history)):
        if other != c:
            first = _first(at, side, other, c)
            w = taps + side * (other if other < c else other - 1)
            for i in range(side):
                moved = weights[w + i] + ((gain * (history[other, first + i] >> coarse)) >> SHIFT)
                weights[w + i] = min(max(moved, -MOST), MOST)


@jit
def _share(shares: Ints, guesses: Ints, target: Int) -> None:
    """Move the stages' shares by the sign of the error."""
    for k in range(len(shares)):
        target -= (guesses[k] * shares[k]) >> 16
    for k in range(len(shares)):
        moved = shares[k] + (8 if (guesses[k] > 0) == (target > 0) else -8)
        shares[k] = min(max(moved, 0), 2 << 16)
