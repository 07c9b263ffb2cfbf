"""Coordinates as bytes: exactly the numbers that were given, in few bytes once they are deflated."""

from __future__ import annotations

import math
import zlib
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
"""The types that coordinates may have; all little-endian."""
METHODS = 3
"""How differences are taken: along the last axis, along all axes, and along the last one once more."""
MAX_BYTES = 1 << 26


def line_of(array: NDArray[Any]) -> list[float] | None:
    """The first number and the step of an array that is bit by bit what `on_line` makes of them; None for others."""
    if array.ndim != 1 or len(array) < 2 or not np.isfinite(array).all():
        return None
    first, step = float(array[0]), float(array[1]) - float(array[0])
    mean = (float(array[-1]) - first) / (len(array) - 1)
    for found in (step, mean):
        if not math.isfinite(found) or not math.isfinite(first):
            continue
        for tried in (found, float(Fraction(found).limit_denominator(10000))):
            made = on_line(first, tried, len(array), array.dtype)
            if made is not None and made.tobytes() == array.tobytes():
                return [first, tried]
    return None


def on_line(first: float, step: float, count: int, dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """first + step * i, rounded to a type; None where that has no such numbers."""
    with np.errstate(all="ignore"):
        exact = first + step * np.arange(count, dtype=np.float64)
        if dtype.kind == "f":
            return exact.astype(dtype)
        limits = np.iinfo(dtype)
        ends = min(exact[0], exact[-1]), max(exact[0], exact[-1])
        if not (max(limits.min, -(2**53)) <= ends[0] and ends[1] <= min(limits.max, 2**53)):
            return None
        return np.rint(exact).astype(dtype)


def pack(array: NDArray[Any]) -> tuple[int, bytes]:
    """The method that suits an array, and its bytes: as many as the array's, and easily deflated."""
    coded = [(method, _differences(array, method)) for method in range(METHODS if array.ndim > 1 else 1)]
    return min(coded, key=lambda c: len(zlib.compress(c[1], 6)))


def unpack(method: int, data: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """What `pack` was given. The bytes must be as many as the array has."""
    kind = np.dtype(f"<u{dtype.itemsize}")
    planes = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1)
    found = np.ascontiguousarray(planes.T).view(kind).reshape(shape)
    for axis in _axes(found, method)[::-1]:
        found = np.add.accumulate(found, axis, dtype=kind)
    return _unordered(found, dtype)


def _differences(array: NDArray[Any], method: int) -> bytes:
    found = _ordered(array)
    for axis in _axes(found, method):
        first = found.take([0], axis)
        found = np.concatenate([first, np.diff(found, axis=axis)], axis)
    return np.ascontiguousarray(found).view(np.uint8).reshape(-1, array.itemsize).T.tobytes()


def _axes(array: NDArray[Any], method: int) -> list[int]:
    if array.ndim == 0:
        return []
    last = array.ndim - 1
    return [last] if method == 0 else [*range(array.ndim), *([last] if method == 2 else [])]


def _ordered(array: NDArray[Any]) -> NDArray[Any]:
    """Unsigned integers that rise as the numbers do."""
    kind = np.dtype(f"<u{array.itemsize}")
    bits = np.ascontiguousarray(array).view(kind).reshape(array.shape)
    top = kind.type(1 << (8 * array.itemsize - 1))
    if array.dtype.kind == "u":
        return bits
    return bits ^ top if array.dtype.kind == "i" else np.where(bits & top, ~bits, bits | top)


def _unordered(found: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    top = found.dtype.type(1 << (8 * dtype.itemsize - 1))
    if dtype.kind == "i":
        found = found ^ top
    elif dtype.kind == "f":
        found = np.where(found & top, found ^ top, ~found)
    return np.ascontiguousarray(found).view(dtype).reshape(found.shape)
