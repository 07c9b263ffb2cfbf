"""Integer predictors for the identity basis: samples to residuals and back, exactly, in integer arithmetic alone.

| method | predicts by | source |
|---|---|---|
| none | nothing | |
| left | the sample before, along the last axis | |
| plane | all corners of the cube before the sample (Lorenzo), along all axes | Ibarria et al. (2003) |
| med | the median edge detector, along the last two axes | Weinberger, Seroussi and Sapiro (2000), LOCO-I |
| blend | many predictors, weighted, corrected by context | `blend` |
| cascade | filters behind one another, along the first axis: sound | `cascade` |

Residuals are taken modulo the number of values from `low` to `high` and lie around zero, so that even a full 32 bit
range cannot run over: from -(span // 2) to span - 1 - span // 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.layers.detail import blend, cascade, neighbours
from coordcodec.specs.detail import CASCADE_CHANNELS, CASCADE_SPAN
from coordcodec.stream.grid.jit import jit

Ints = NDArray[Any]

METHODS = ("none", "left", "plane", "med", "blend", "cascade")


def residual(samples: NDArray[np.int32], method: str, low: int, high: int) -> NDArray[np.int32]:
    """What a predictor leaves over of samples (n0, .., nk, channels), 1 to 4 axes and channels.

    samples: int32 from low to high. "cascade" takes one axis, up to 8 channels and high - low < 2^25. Raises
    ValueError.
    """
    _check(samples, method, low, high)
    if samples.size and (samples.min() < low or samples.max() > high):
        raise ValueError(f"samples are not all from {low} to {high}")
    return _run(samples, method, low, high, decode=False)


def restore(residuals: NDArray[np.int32], method: str, low: int, high: int) -> NDArray[np.int32]:
    """The samples that `residual` was given. Any int32 residuals are taken, and give samples from low to high."""
    _check(residuals, method, low, high)
    return _run(residuals, method, low, high, decode=True)


def _check(array: Ints, method: str, low: int, high: int) -> None:
    if method not in METHODS:
        raise ValueError(f"unknown predictor {method!r}; there are {', '.join(METHODS)}")
    if array.dtype != np.int32 or not 2 <= array.ndim <= 5:
        raise ValueError(f"expected int32 of 1 to 4 axes and channels, not {array.dtype} of {array.ndim}")
    if not -(1 << 31) <= low <= high < 1 << 31:
        raise ValueError(f"{low} to {high} is no range of int32")
    wide = high - low >= CASCADE_SPAN or array.shape[-1] > CASCADE_CHANNELS
    if method == "cascade" and (array.ndim != 2 or wide):
        raise ValueError("cascade takes one axis, at most 8 channels and 25 bits")


def _run(array: NDArray[np.int32], method: str, low: int, high: int, decode: bool) -> NDArray[np.int32]:
    if not array.size:
        return array.copy()
    if method == "cascade":
        return _cascade(array, low, high, decode)
    planes = np.ascontiguousarray(np.moveaxis(array, -1, 0))
    if method == "blend":
        found = _blend(planes, low, high, decode)
    elif method == "med":
        flat = planes.reshape(-1, *(planes.shape[-2:] if planes.ndim > 2 else (1, planes.shape[1])))
        found = np.empty_like(flat)
        _median(flat, found, low, high, decode)
        found = found.reshape(planes.shape)
    else:
        found = _differences(planes, method, low, high, decode)
    return np.ascontiguousarray(np.moveaxis(found, 0, -1))


def _differences(planes: NDArray[np.int32], method: str, low: int, high: int, decode: bool) -> NDArray[np.int32]:
    """Differences along the last axis or all; their sums if `decode`. Outside is the middle of the range."""
    span, middle = high - low + 1, (low + high + 1) >> 1
    axes = {"none": (), "left": (planes.ndim - 1,), "plane": tuple(range(1, planes.ndim))}[method]
    found = planes.astype(np.int64)
    if not decode:
        found -= middle
    for axis in axes:
        found = np.cumsum(found, axis) if decode else np.diff(found, axis=axis, prepend=0)
        found %= span
    found = (found + middle - low) % span + low if decode else (found + span // 2) % span - span // 2
    return found.astype(np.int32)


def _blend(planes: NDArray[np.int32], low: int, high: int, decode: bool) -> NDArray[np.int32]:
    shape = [n for n in planes.shape[1:] if n > 1] or [1]
    axes = len(shape)
    shape = [1] * (4 - axes) + shape
    here, there = (neighbours.offsets(o, shape) for o in (neighbours.own(axes), neighbours.across(axes)))
    coarse = max(0, (high - low).bit_length() - 20)
    bounds = np.array([low, high, neighbours.REACH[axes], coarse, axes == 1], np.int64)
    flat = planes.reshape(len(planes), -1)
    samples, residuals = (np.zeros_like(flat), flat) if decode else (flat, np.empty_like(flat))
    for channel in range(len(flat)):
        seen = min(channel, 2)
        subs, start = neighbours.simple(axes, seen), neighbours.start(axes, seen, 1 << blend.WEIGHT)
        state = blend.new_state(subs, start, shape[-1])
        sizes = np.array(shape, np.int64)
        blend.run_plane(samples, channel, residuals[channel], sizes, here, there, subs, state, bounds, decode)
    return (samples if decode else residuals).reshape(planes.shape)


def _cascade(array: NDArray[np.int32], low: int, high: int, decode: bool) -> NDArray[np.int32]:
    given = np.ascontiguousarray(array)
    samples, residuals = (np.zeros_like(given), given) if decode else (given, np.empty_like(given))
    stages = np.array(cascade.STAGES, np.int64)
    state = cascade.new_state(array.shape[-1])
    cascade.run_channels(samples, residuals, stages, state, low, high, decode)
    return samples if decode else residuals


@jit
def _median(planes: Ints, found: Ints, low: int, high: int, decode: bool) -> None:
    """The median of left, above and left + above - corner. Outside a plane: the other one, or the middle."""
    span = high - low + 1
    known = found if decode else planes
    for s in range(planes.shape[0]):
        for y in range(planes.shape[1]):
            for x in range(planes.shape[2]):
                if y == 0 and x == 0:
                    guess = np.int64((low + high + 1) >> 1)
                elif y == 0:
                    guess = np.int64(known[s, y, x - 1])
                elif x == 0:
                    guess = np.int64(known[s, y - 1, x])
                else:
                    left, above = np.int64(known[s, y, x - 1]), np.int64(known[s, y - 1, x])
                    corner = np.int64(known[s, y - 1, x - 1])
                    guess = min(max(left + above - corner, min(left, above)), max(left, above))
                if decode:
                    found[s, y, x] = low + (guess + np.int64(planes[s, y, x]) - low) % span
                else:
                    found[s, y, x] = (np.int64(planes[s, y, x]) - guess + span // 2) % span - span // 2
