"""Planes of integers as layers have them, made with a few lines of NumPy: for learning and measuring the grid coder."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]
Plane = tuple[IntArray, dict[str, IntArray], IntArray | None]
"""Values, guides, zones."""
_LIFTING = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
_GAIN = 1.230174104914001 / np.sqrt(2)


def lapped(samples: FloatArray, block: int) -> FloatArray:
    """The lapped cosine transform of mono sound, sine window: (blocks, block)."""
    count = -(-len(samples) // block) + 1
    padded = np.zeros((count + 1) * block)
    padded[block : block + len(samples)] = samples
    window = np.sin(np.pi * (np.arange(2 * block) + 0.5) / (2 * block))
    frames = np.stack([padded[i * block : (i + 2) * block] * window for i in range(count)])
    n, k = np.arange(2 * block)[:, None], np.arange(block)[None]
    basis = np.sqrt(2 / block) * np.cos(np.pi / block * (n + 0.5 + block / 2) * (k + 0.5))
    return np.asarray(frames @ basis)


def zones_of(block: int) -> IntArray:
    """Sixteenths of a spectrum."""
    return (np.arange(block) * 16 // block).astype(np.int32)


def split(array: FloatArray, axis: int) -> tuple[FloatArray, FloatArray]:
    """One step of the 9/7 wavelet by lifting: low and high band, orthonormal but for rounding."""
    x = np.moveaxis(array, axis, -1).astype(float)
    size = x.shape[-1]
    for step, weight in enumerate(_LIFTING):
        places = np.arange(1 - step % 2, size, 2)
        before = np.abs(places - 1)
        after = np.where(places + 1 > size - 1, 2 * (size - 1) - places - 1, places + 1)
        x[..., places] += weight * (x[..., before] + x[..., np.clip(after, 0, size - 1)])
    low, high = x[..., ::2] / _GAIN, x[..., 1::2] * _GAIN
    return np.moveaxis(low, -1, axis), np.moveaxis(high, -1, axis)


def bands(channels: FloatArray, step: float, levels: int = 4, dead: float = 0.2) -> list[list[Plane]]:
    """Quantized wavelet bands of an array whose last axis is channels, coarse to fine: a chunk per band."""
    axes = channels.ndim - 1
    approximation, details = channels, []
    for _ in range(levels):
        if min(approximation.shape[:axes]) < 8:
            break
        parts: dict[tuple[int, ...], FloatArray] = {(): approximation}
        for axis in range(axes):
            parts = {(*key, half): p for key, a in parts.items() for half, p in enumerate(split(a, axis))}
        approximation = parts.pop((0,) * axes)
        details.append(parts)
    chunks = [_chunk(np.rint(approximation / step).astype(np.int32), None, None)]
    coarser: dict[Any, IntArray] = {}
    for level in reversed(details):
        sibling: IntArray | None = None
        found = {}
        for key in product((0, 1), repeat=axes):
            if key in level:
                scaled = level[key] / step
                values = (np.sign(scaled) * np.floor(np.abs(scaled) + 0.5 - dead)).astype(np.int32)
                chunks.append(_chunk(values, _doubled(coarser.get(key), values, axes), _like(sibling, values)))
                sibling = np.abs(values) + (0 if sibling is None else _like(sibling, values))
                found[key] = values
        coarser = found
    return chunks


def _chunk(values: IntArray, parent: IntArray | None, sibling: IntArray | None) -> list[Plane]:
    planes: list[Plane] = []
    for c in range(values.shape[-1]):
        guides = {}
        for name, guide in (("parent", parent), ("sibling", sibling)):
            if guide is not None:
                guides[name] = guide[..., c]
        if c:
            guides["channel"] = values[..., c - 1]
        planes.append((np.ascontiguousarray(values[..., c]), guides, None))
    return planes


def _like(array: IntArray | None, values: IntArray) -> Any:
    """An array cut or continued to a shape that differs by one at most."""
    if array is None:
        return None
    margins = [(0, max(0, n - m)) for n, m in zip(values.shape, array.shape, strict=True)]
    return np.pad(array, margins, mode="edge")[tuple(slice(n) for n in values.shape)]


def _doubled(array: IntArray | None, values: IntArray, axes: int) -> Any:
    if array is None:
        return None
    for axis in range(axes):
        array = array.repeat(2, axis)
    return _like(array, values)


def gradient(channel: IntArray) -> IntArray:
    """What the median of left, up and left + up - corner leaves of a picture (LOCO-I)."""
    padded = np.pad(channel, ((1, 0), (1, 0)), mode="edge")
    left, up, corner = padded[1:, :-1], padded[:-1, 1:], padded[:-1, :-1]
    low, high = np.minimum(left, up), np.maximum(left, up)
    predicted: IntArray = np.clip(left + up - corner, low, high)
    return channel - predicted
