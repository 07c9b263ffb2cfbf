"""Evaluate a field at sample times: whole or in part, at its own rate or another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import MAX_CHANNELS, SLICE, Field, Floats, Grid, SampleType, on_grid, samples_on
from coordcodec.errors import ContainerError, RecipeError
from coordcodec_audio.files import MAX_RATE, MAX_VALUES

MAX_DECIMATION = 256
"""The lowest output rate is the original's over this."""
LOBES = 32
"""Zero crossings of the low-pass filter on each side."""


@dataclass(frozen=True)
class Facts:
    """What a file says of its sound.

    frames: samples per channel. channels: 1 to 255. rate: samples per second. depth: bits of an integer sample,
    0 for floating-point numbers. scale: a value of 1 is this sample; 1 unless floating-point samples exceed it.
    double: whether floating-point samples have 64 bits.
    """

    frames: int
    channels: int
    rate: int
    depth: int
    scale: float
    double: bool = False

    @property
    def samples(self) -> SampleType:
        """Integers of the original's depth, in the smallest type that holds them, or floating-point numbers."""
        kind = {0: "float64" if self.double else "float32", 8: "int8", 16: "int16"}.get(self.depth, "int32")
        return SampleType.of(np.dtype(kind), self.channels, 2.0 ** (self.depth - 1) if self.depth else self.scale)

    @staticmethod
    def of(meta: Mapping[str, Any]) -> Facts:
        """Check meta that may come from a hostile file. Raises ContainerError."""
        shape, channels = meta["shape"], meta["channels"]
        if len(shape) != 1 or not 1 <= channels <= MAX_CHANNELS:
            raise ContainerError(f"not a sound: a grid of shape {shape} with {channels} channels")
        if not 1 <= shape[0] * channels <= MAX_VALUES:
            raise ContainerError(f"not a sound: {shape[0]} samples of {channels} channels, at most {MAX_VALUES} in all")
        rate, floating, scale = meta.get("rate"), meta.get("float", False), meta.get("scale", 1.0)
        depth, wide = meta.get("depth", 16), meta.get("double", False)
        if type(rate) is not int or not 1 <= rate <= MAX_RATE:
            raise ContainerError(f"not a sound: {rate!r} samples per second, expected 1 to {MAX_RATE}")
        if type(depth) is not int or depth not in (8, 16, 24, 32):
            raise ContainerError(f"not a sound: a depth of {depth!r} bits, expected 8, 16, 24 or 32")
        if type(wide) is not bool:
            raise ContainerError(f"not a sound: double {wide!r}, expected a bool")
        if type(floating) is not bool or type(scale) is not float or not 1 <= scale <= float(np.finfo(np.float32).max):
            raise ContainerError(f"not a sound: float {floating!r}, scale {scale!r}, expected a bool and 1 or more")
        return Facts(shape[0], channels, rate, 0 if floating else depth, scale, floating and wide)


def render(
    field: Field,
    facts: Facts,
    sample_rate: float | None = None,
    region: tuple[float, float] | None = None,
) -> tuple[Floats, int]:
    """The field's values at sample times, (m, c) float32 in [-1, 1], and their rate.

    sample_rate, region: see `Audio.render`. Raises RecipeError for values out of range.
    """
    rate = _checked_rate(facts, sample_rate)
    count = max(1, round(facts.frames * rate / facts.rate))
    start, stop = _checked_region(facts, region, rate, count)
    if (stop - start) * facts.channels > MAX_VALUES:
        raise RecipeError(
            f"that is {stop - start} samples of {facts.channels} channels, at most {MAX_VALUES} are written at once; "
            "choose a region or a lower sample rate"
        )
    if rate < facts.rate:
        values = _lowered(field, facts, rate, start, stop)
    else:
        values = _evaluate(field, facts, rate, start, stop)
    return np.clip(values, -1, 1, out=values), rate


def _checked_rate(facts: Facts, sample_rate: float | None) -> int:
    if sample_rate is None:
        return facts.rate
    lowest = math.ceil(facts.rate / MAX_DECIMATION)
    whole = isinstance(sample_rate, int | float) and float(sample_rate).is_integer()
    if not whole or not lowest <= sample_rate <= MAX_RATE:
        raise RecipeError(f"sample_rate must be a whole number from {lowest} to {MAX_RATE} Hz, got {sample_rate!r}")
    return int(sample_rate)


def _checked_region(facts: Facts, region: tuple[float, float] | None, rate: int, count: int) -> tuple[int, int]:
    """The output samples that a region in seconds holds: start <= i < stop, at least one."""
    if region is None:
        return 0, count
    numbers = isinstance(region, tuple | list) and len(region) == 2 and all(isinstance(t, int | float) for t in region)
    if not numbers:
        raise RecipeError(f"region of a sound is two times T0,T1 in seconds such as 0.5,2, got {region!r}")
    duration = facts.frames / facts.rate
    first, last = region
    if not 0 <= first < last <= duration * (1 + 1e-6):  # NaN fails this too; a duration read off a screen is rounded
        raise RecipeError(f"region {first:g},{last:g} is not inside 0,{duration:.6f} seconds, with T0 < T1")
    start = min(round(first * rate), count - 1)
    return start, min(count, max(start + 1, round(last * rate)))


def _evaluate(field: Field, facts: Facts, rate: int, start: int, stop: int) -> Floats:
    """The field at samples start <= i < stop of a rate, (stop - start, c); beyond the ends, what lies there."""
    values = np.empty((stop - start, facts.channels), np.float32)
    for lower in range(start, stop, SLICE):
        upper = min(lower + SLICE, stop)
        own = rate == facts.rate and lower >= 0 and upper <= facts.frames
        window = Grid((facts.frames,)).window([(lower, upper)]) if own else None
        found = field(_between(facts, rate, lower, upper)) if window is None else on_grid(field, window)
        values[lower - start : upper - start] = found
    return values


def samples_of(field: Field, facts: Facts, region: tuple[float, float] | None) -> NDArray[Any]:
    """The samples, or those of a region, at the sound's own rate, (m, c): exactly those that a file promises."""
    start, stop = _checked_region(facts, region, facts.rate, facts.frames)
    kind, grid = facts.samples, Grid((facts.frames,))
    found = np.empty((stop - start, facts.channels), kind.dtype)
    for lower in range(start, stop, SLICE):
        upper = min(lower + SLICE, stop)
        found[lower - start : upper - start] = samples_on(field, grid.window([(lower, upper)]), kind)
    return found if kind.whole else np.clip(found, -facts.scale, facts.scale, out=found)


def _between(facts: Facts, rate: int, start: int, stop: int) -> NDArray[np.float64]:
    """Coordinates (m, 1) of the times i / rate: sample j of the original, at j / facts.rate, lies at 2j/(n-1) - 1."""
    if facts.frames == 1:
        return np.zeros((stop - start, 1))
    position = np.arange(start, stop, dtype=np.float64) * (facts.rate / rate)
    return np.clip(position * (2 / (facts.frames - 1)) - 1, -1, 1)[:, None]


def _lowered(field: Field, facts: Facts, rate: int, start: int, stop: int) -> Floats:
    """Samples start <= i < stop of a rate below the original's, without what that rate cannot carry.

    The field is evaluated `factor` times as densely as asked, at least as densely as the original, and filtered.
    """
    from scipy.signal import upfirdn

    factor = math.ceil(facts.rate / rate)
    taps, half = _low_pass(factor), LOBES * factor
    values = np.empty((stop - start, facts.channels), np.float32)
    block = max(SLICE // factor, 2 * LOBES)
    for lower in range(start, stop, block):
        upper = min(lower + block, stop)
        dense = _evaluate(field, facts, rate * factor, lower * factor - half, (upper - 1) * factor + half + 1)
        filtered = upfirdn(taps, dense.astype(np.float64), 1, factor, axis=0)
        values[lower - start : upper - start] = filtered[2 * LOBES : 2 * LOBES + upper - lower]
    return values


def _low_pass(factor: int) -> NDArray[np.float64]:
    """A filter for decimation by `factor`: flat to 0.84 of the new Nyquist frequency, 80 dB down from it on."""
    from scipy.signal import firwin

    taps: NDArray[np.float64] = firwin(2 * LOBES * factor + 1, 0.92 / factor, window=("kaiser", 8.0))
    return taps
