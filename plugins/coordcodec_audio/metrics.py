"""How close one sound is to another: scores of two arrays (n, c) of the same shape, full scale [-1, 1].

Sums run over blocks in float64, so that a long sound is not copied whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Floats

MOST_DB = 100.0
"""The score of identical sounds, whose ratio to their difference is infinite; minus this where nothing is left."""
WINDOW = 2048
HOP = 512
FLOOR_DB = -100.0
"""Of the log-spectral distance; 0 dB is a sine at full scale."""

_BLOCK = 1 << 18
_FRAMES = 128
_SILENT = 1e-20
"""A sound whose power without its mean is this share of its power is constant, up to rounding."""

Doubles = NDArray[np.float64]


def scores(original: Floats, decoded: Floats) -> dict[str, float | None]:
    """All scores of a decoded sound, by name."""
    return {
        "snr_db": snr_db(original, decoded),
        "psnr_db": psnr_db(original, decoded),
        "si_sdr_db": si_sdr_db(original, decoded),
        "log_spectral_distance_db": log_spectral_distance_db(original, decoded),
    }


def snr_db(original: Floats, decoded: Floats) -> float | None:
    """Signal-to-noise ratio, 10 log10(sum x^2 / sum (x - y)^2) over all samples and channels, at most 100.

    None for digital silence.
    """
    power = sum(float((x**2).sum()) for x, _ in _blocks(original, decoded))
    return None if power == 0 else _decibels(power, _error(original, decoded))


def psnr_db(original: Floats, decoded: Floats) -> float:
    """Peak signal-to-noise ratio for a peak of 1, full scale: 10 log10(1 / mean (x - y)^2), at most 100.

    This is the noise below full scale. With the range of 2 from -1 to 1 as the peak it would be 6.02 dB more.
    """
    return _decibels(original.size, _error(original, decoded))


def si_sdr_db(original: Floats, decoded: Floats) -> float | None:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019), of the channels one after another.

    s, e: original and decoded, each channel without its mean. a = <e, s> / <s, s>; the ratio of |a s|^2 to
    |a s - e|^2 in dB, between -100 and 100. None for an original that is silent or constant.
    """
    means = [array.mean(axis=0, dtype=np.float64) for array in (original, decoded)]
    whole = sum(float((x**2).sum()) for x, _ in _blocks(original, decoded))
    ss = se = 0.0
    for x, y in _blocks(original, decoded):
        s, e = x - means[0], y - means[1]
        ss, se = ss + float((s * s).sum()), se + float((s * e).sum())
    if ss <= _SILENT * whole:
        return None
    scale = se / ss
    distortion = sum(
        float(((scale * (x - means[0]) - (y - means[1])) ** 2).sum()) for x, y in _blocks(original, decoded)
    )
    return _decibels(scale**2 * ss, distortion)


def log_spectral_distance_db(original: Floats, decoded: Floats) -> float:
    """Log-spectral distance: per frame the root mean square over frequencies of the levels' difference, averaged.

    Frames of 2048 samples (Hann) every 512, the last filled up with zeros; a shorter sound is one frame. Levels are
    10 log10(P + 1e-10), where a sine at full scale has P = 1: what lies below -100 dB counts as silence.
    """
    frames, total = 1 + math.ceil(max(len(original) - WINDOW, 0) / HOP), 0.0
    for first in range(0, frames, _FRAMES):
        count = min(_FRAMES, frames - first)
        levels = [_levels(array, first, count) for array in (original, decoded)]
        total += float(np.sqrt(((levels[0] - levels[1]) ** 2).mean(axis=1)).sum())
    return total / (frames * int(original.shape[1]))


def power_spectrum(frames: Doubles) -> Doubles:
    """Power per frequency of frames (..., w), Hann-windowed: (..., w // 2 + 1); a sine at full scale has 1."""
    window = np.hanning(frames.shape[-1] + 1)[:-1]
    spectrum: Doubles = np.abs(np.fft.rfft(frames * window)) * (2 / window.sum())
    return spectrum**2


def decibels(power: Doubles) -> Doubles:
    """Power as a level with a floor at FLOOR_DB."""
    level: Doubles = 10 * np.log10(power + 10 ** (FLOOR_DB / 10))
    return level


def _levels(array: Floats, first: int, count: int) -> Doubles:
    """Levels of frames first <= i < first + count: (count, WINDOW // 2 + 1, c)."""
    piece = np.zeros(((count - 1) * HOP + WINDOW, array.shape[1]))
    samples = array[first * HOP : first * HOP + len(piece)]
    piece[: len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(piece, WINDOW, axis=0)[::HOP]  # (count, c, WINDOW)
    return decibels(power_spectrum(frames)).transpose(0, 2, 1)


def _error(original: Floats, decoded: Floats) -> float:
    return sum((float(((x - y) ** 2).sum()) for x, y in _blocks(original, decoded)), 0.0)


def _decibels(signal: float, noise: float) -> float:
    if signal == 0:
        return -MOST_DB
    return MOST_DB if noise == 0 else max(-MOST_DB, min(MOST_DB, 10 * math.log10(signal / noise)))


def _blocks(original: Floats, decoded: Floats) -> Iterator[tuple[Doubles, Doubles]]:
    for start in range(0, len(original), _BLOCK):
        part = slice(start, start + _BLOCK)
        yield original[part].astype(np.float64), decoded[part].astype(np.float64)
