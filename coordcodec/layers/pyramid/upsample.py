"""Interpolation from coarse levels to the signal's grid, and between its samples. NumPy only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Floats
from coordcodec.specs.pyramid import PyramidSpec

SHARPNESS = -0.75
"""Of the cubic kernel (Keys 1981, "Cubic Convolution Interpolation for Digital Image Processing", eq. 15, his a)."""


def keys(t: Any) -> NDArray[np.float64]:
    """The cubic kernel at distances t, in samples."""
    a, t = SHARPNESS, np.abs(np.asarray(t, np.float64))
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


TAPS = keys(np.array([1.75, 0.75, 0.25, 1.25])).astype(np.float32)
"""For finer sample 2 i those of the coarse samples i - 2 to i + 1; for 2 i + 1, turned round, those of i - 1 to i + 2.
A latent stands in the middle of the finer ones that it covers."""


def double(x: Floats, axis: int, size: int, circle: bool) -> Floats:
    """Interpolate along an axis to `size` samples, 2 n or 2 n - 1."""
    n, x = x.shape[axis], np.moveaxis(x, axis, 0)
    places = np.arange(-2, n + 2)
    wide = x[places % n if circle else np.clip(places, 0, n - 1)]
    found = np.empty((2 * n, *x.shape[1:]), np.float32)
    a, b, c, d = TAPS
    found[0::2] = ((a * wide[:n] + b * wide[1 : n + 1]) + c * wide[2 : n + 2]) + d * wide[3 : n + 3]
    found[1::2] = ((d * wide[1 : n + 1] + c * wide[2 : n + 2]) + b * wide[3 : n + 3]) + a * wide[4:]
    return np.moveaxis(found[:size], 0, axis)


def features(spec: PyramidSpec, latents: Mapping[int, NDArray[Any]]) -> Floats:
    """Every level on the signal's grid: (levels, *shape), from fine to coarse."""
    circles = spec.periodic or (False,) * len(spec.shape)
    found = np.empty((len(spec.levels), *spec.shape), np.float32)
    for k, level in enumerate(spec.levels):
        x: Floats = latents[level].astype(np.float32)
        for finer in range(level - 1, -1, -1):
            shape = spec.level_shape(finer)
            for axis in range(len(shape)):
                if spec.halved[finer] >> axis & 1:
                    x = double(x, axis, shape[axis], circles[axis])
        found[k] = x
    return found


def corners(place: NDArray[np.float64], n: int, circle: bool) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The four samples around places along an axis, in samples, and their weights: (4, points) each."""
    low = np.floor(place).astype(np.int64)
    around = low + np.arange(-1, 3)[:, None]
    weights = keys(place - around)
    return (around % n if circle else np.clip(around, 0, n - 1)), weights
