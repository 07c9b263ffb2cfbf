"""The "cascade" predictor: filters that learn (NLMS), one behind the other, along time; for sound.

Each stage predicts what the stages before it left over. The first is fixed and of first order, the second sees all channels,
later ones see one channel only. A last filter weights the stages' predictions. All in 64 bit integers.

Sources: Huang, Yu et al., "Cascaded RLS-LMS prediction in MPEG-4 lossless audio coding" (2006), for the cascade and its last
stage; Haykin, "Adaptive filter theory", for NLMS.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.layers.detail.jit import jit

Ints = NDArray[Any]

FRACTION = 4  # bits of stages' signals beyond the point
WEIGHT = 20  # bits of the filters' weights beyond the point
CLIP = 4
FIRST = 31  # of 32: the fixed first stage


@jit
def run_channels(samples: Ints, residual: Ints, stages: Ints, low: int, high: int, decode: bool) -> None:
    """Predict all channels in turn at each time: fill `residual` from `samples`, or the reverse if `decode`.

    samples, residual: (n, channels) int32. stages: (k, 3): taps of this channel, taps of each other one, rate out of 2^16.
    """
    n, channels = samples.shape
    count = len(stages)
    longest = 0
    for k in range(count):
        longest = max(longest, stages[k, 0])
    size = longest * 2 + 4096
    history = np.zeros((count, channels, size), np.int64)
    weights = np.zeros((count, channels, channels * longest), np.int64)
    powers = np.zeros((count, channels), np.int64)
    shares = np.full((channels, count), 1 << 16, np.int64)
    guesses = np.zeros(count, np.int64)
    last = np.zeros(channels, np.int64)
    span = high - low + 1
    coarse = FRACTION
    while span >> coarse > 1 << 16:
        coarse += 1
    at = longest
    for t in range(n):
        if at == size:
            history[:, :, :longest] = history[:, :, size - longest :]
            at = longest
        for c in range(channels):
            fixed = (last[c] * FIRST) >> 5
            total = fixed
            for k in range(count):
                guesses[k] = _predict(history[k], weights[k, c], c, at, stages[k])
                total += (guesses[k] * shares[c, k]) >> 16
            guess = min(max((total + (1 << (FRACTION - 1))) >> FRACTION, low), high)
            if decode:
                value = low + (guess + int(residual[t, c]) - low) % span
                samples[t, c] = value
            else:
                value = int(samples[t, c])
                residual[t, c] = (value - guess + span // 2) % span - span // 2
            exact = value << FRACTION
            left = exact - fixed
            _share(shares[c], guesses, left, coarse)
            for k in range(count):
                history[k, c, at] = left
                left -= guesses[k]
                _learn(history[k], weights[k, c], powers[k], c, at, stages[k], left, coarse)
            last[c] = exact
        at += 1


@jit
def _predict(history: Ints, weights: Ints, c: int, at: int, stage: Ints) -> int:
    """The filter's output: this channel's past, then other channels' (the present too, of those before it)."""
    taps = stage[0]
    total = np.int64(0)
    for i in range(taps):
        total += weights[i] * history[c, at - taps + i]
    if stage[1] > 0:
        w = taps
        for other in range(len(history)):
            if other != c:
                first = at - stage[1] + (1 if other < c else 0)
                for i in range(stage[1]):
                    total += weights[w + i] * history[other, first + i]
                w += stage[1]
    return total >> WEIGHT


@jit
def _learn(history: Ints, weights: Ints, powers: Ints, c: int, at: int, stage: Ints, error: int, coarse: int) -> None:
    """Move the weights against the error, normalized by the power of the inputs."""
    taps = stage[0]
    power = np.int64(16)
    for i in range(taps):
        small = history[c, at - taps + i] >> coarse
        power += small * small
    if stage[1] > 0:
        for other in range(len(history)):
            if other != c:
                first = at - stage[1] + (1 if other < c else 0)
                for i in range(stage[1]):
                    small = history[other, first + i] >> coarse
                    power += small * small
    fine = error >> (coarse - 4)
    typical = powers[c]
    powers[c] += ((abs(fine) << 8) - typical) >> 5
    most = (typical >> 8) * CLIP + 4
    fine = min(max(fine, -most), most)
    gain = (fine * stage[2] << 12) // power
    shift = 12 + 4 + 16 - WEIGHT
    for i in range(taps):
        weights[i] += (gain * (history[c, at - taps + i] >> coarse)) >> shift
    if stage[1] > 0:
        w = taps
        for other in range(len(history)):
            if other != c:
                first = at - stage[1] + (1 if other < c else 0)
                for i in range(stage[1]):
                    weights[w + i] += (gain * (history[other, first + i] >> coarse)) >> shift
                w += stage[1]


@jit
def _share(shares: Ints, guesses: Ints, target: int, coarse: int) -> None:
    """Move the stages' shares by the sign of the error."""
    for k in range(len(shares)):
        target -= (guesses[k] * shares[k]) >> 16
    for k in range(len(shares)):
        if (guesses[k] > 0) == (target > 0):
            shares[k] += 8
        else:
            shares[k] -= 8
