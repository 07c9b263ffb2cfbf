"""The loops behind `kernels.CompiledKernels`, compiled by Numba when first called and cached on disk.

Each takes arrays of float32 and of bfloat16 held as uint16, and is compiled for what it meets. All release Python's
lock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

if numba.config.DISABLE_JIT:
    raise ImportError("NUMBA_DISABLE_JIT is set, and these loops are too slow uncompiled")

# Contraction to fused multiply-adds is welcome; reassociation is not, it would undo the rounding trick below.
_FLAGS = {"contract", "nsz"}
_TWO_OVER_PI = np.float32(2 / np.pi)
_ROUNDER = np.float32(3 << 22)
"""Adding and subtracting 1.5 * 2^23 rounds a float32 to a whole number, which then sits in its lowest bits."""
_HALF_PI_HIGH = np.float32(1.5703125)
_HALF_PI_LOW = np.float32(np.pi / 2 - 1.5703125)


def _minimax(function: Callable[[Any], Any], terms: int) -> tuple[np.float32, ...]:
    """Coefficients of an even polynomial in r on [0, pi/4], by least squares on Chebyshev nodes in r^2."""
    top = (np.pi / 4) ** 2
    nodes = top * (1 - np.cos((np.arange(64) + 0.5) * np.pi / 64)) / 2
    fitted = np.polynomial.Chebyshev.fit(nodes, function(np.sqrt(nodes)), terms - 1, domain=[0, top])
    return tuple(np.float32(c) for c in fitted.convert(kind=np.polynomial.Polynomial).coef)


def _jit(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    try:
        return numba.njit(function, fastmath=_FLAGS, nogil=True, error_model="numpy", cache=True, **options)
    except RuntimeError:  # nowhere to cache: a read-only installation without a home
        return numba.njit(function, fastmath=_FLAGS, nogil=True, error_model="numpy", **options)


@intrinsic
def _bits(typing: Any, x: Any) -> Any:
    """The bits of a float32 as uint32."""
    from llvmlite import ir

    return types.uint32(types.float32), lambda ctx, builder, sig, args: builder.bitcast(args[0], ir.IntType(32))


@intrinsic
def _float(typing: Any, x: Any) -> Any:
    """The float32 of bits given as uint32."""
    from llvmlite import ir

    return types.float32(types.uint32), lambda ctx, builder, sig, args: builder.bitcast(args[0], ir.FloatType())


def _load(x):
    """An element of an array as float32."""


@overload(_load, inline="always")
def _load_of(x):
    if x == types.uint16:
        return lambda x: _float(np.uint32(x) << np.uint32(16))
    return lambda x: x


def _store(array, x):
    """A float32 as an element of an array of this type."""


@overload(_store, inline="always")
def _store_of(array, x):
    if array.dtype == types.uint16:
        # Ties away from zero: cheaper than ties to even, and as good for gradients.
        return lambda array, x: np.uint16((_bits(x) + np.uint32(0x8000)) >> np.uint32(16))
    return lambda array, x: x


def _sine(r: Any) -> Any:
    return np.sin(r) / r


_A, _B, _C = _minimax(_sine, 3)
_P, _Q, _R, _T = _minimax(np.cos, 4)
_LOW_A, _LOW_B = _minimax(_sine, 2)
_LOW_P, _LOW_Q, _LOW_R = _minimax(np.cos, 3)


def _near_zero(array, r):
    """Sine and cosine of |r| <= pi/4, as good as an array of this type can hold."""


@overload(_near_zero, inline="always")
def _near_zero_of(array, r):
    def single(array, r):  # errors below 1e-6
        square = r * r
        return r * (_A + square * (_B + square * _C)), _P + square * (_Q + square * (_R + square * _T))

    def half(array, r):  # below 3e-4, a sixth of what bfloat16 can tell apart
        square = r * r
        return r * (_LOW_A + square * _LOW_B), _LOW_P + square * (_LOW_Q + square * _LOW_R)

    return half if array.dtype == types.uint16 else single


# Top-level functions, so that Numba finds them in its cache again: what a closure captures is another thing in every
# process.


_BLOCK = 4096
_FAR = np.uint32(0x47800000)
"""The bits of 2^16: blocks with phases beyond it are reduced by `_far_waves`, which loses nothing, but takes longer."""


def _windows() -> NDArray[np.uint64]:
    """For every exponent of a float32 the bits of 2 / pi that decide in which quadrant its multiples lie.

    A float32 is m * 2^(e - 150) with a whole number m of 24 bits. Times 2 / pi, modulo 4 quadrants and in units of
    2^-62, that is m * w[e] modulo 2^64 (Payne and Hanek 1983). pi is Machin's 16 atan(1/5) - 4 atan(1/239).
    """
    bits = 512

    def arctan_of_one_over(n: int) -> int:
        power, total, k = (1 << bits) // n, 0, 1
        while power:
            total += power // k if k % 4 == 1 else -(power // k)
            power, k = power // (n * n), k + 2
        return total

    pi = 16 * arctan_of_one_over(5) - 4 * arctan_of_one_over(239)
    ratio = (1 << 2 * bits + 1) // pi
    return np.array([(ratio << max(e - 88, 0) >> max(88 - e, 0) >> bits) % (1 << 64) for e in range(256)], np.uint64)


_WINDOWS = _windows()
_QUADRANT = np.uint64(62)
_HALF_A_QUADRANT = np.uint64(1 << 61)
_TO_RADIANS = np.float32(np.pi / 2 * 2.0**-62)


def _waves(phase: Any, sine: Any) -> None:
    for begin in range(0, phase.size, _BLOCK):
        end = min(begin + _BLOCK, phase.size)
        if _any_far(phase[begin:end]):
            _far_waves(phase[begin:end], sine[begin:end])
        else:
            _near_waves(phase[begin:end], sine[begin:end])


def _reach(phase: Any) -> Any:
    over = np.uint32(0)
    for i in range(phase.size):
        over |= _FAR - (_bits(_load(phase[i])) & np.uint32(0x7FFFFFFF))  # below zero beyond it
    return over >> np.uint32(31)


def _far(phase: Any, sine: Any) -> None:
    for i in range(phase.size):
        x = _load(phase[i])
        bits = _bits(x)
        exponent = (bits >> np.uint32(23)) & np.uint32(255)
        whole = np.uint64((bits & np.uint32(0x7FFFFF)) | np.uint32(0x800000 if exponent else 0))
        turned = whole * _WINDOWS[exponent]
        turned = np.uint64(0) - turned if bits >> np.uint32(31) else turned
        quadrant = (turned + _HALF_A_QUADRANT) >> _QUADRANT
        rest = np.int64(turned - (quadrant << _QUADRANT))
        s, c = _near_zero(phase, np.float32(rest) * _TO_RADIANS)
        if exponent == np.uint32(255):  # neither an infinity nor what is no number has a sine
            s, c = np.float32(np.nan), np.float32(np.nan)
        a, b = (c, s) if quadrant & np.uint64(1) else (s, c)
        sine[i] = _store(sine, -a if quadrant & np.uint64(2) else a)
        phase[i] = _store(phase, -b if (quadrant + np.uint64(1)) & np.uint64(2) else b)


def _near(phase: Any, sine: Any) -> None:
    for i in range(phase.size):
        x = _load(phase[i])
        shifted = x * _TWO_OVER_PI + _ROUNDER
        quadrant = _bits(shifted)
        whole = shifted - _ROUNDER
        s, c = _near_zero(phase, (x - whole * _HALF_PI_HIGH) - whole * _HALF_PI_LOW)
        swap = (quadrant & np.uint32(1)) != np.uint32(0)
        a = c if swap else s
        b = s if swap else c
        sine[i] = _store(sine, _float(_bits(a) ^ ((quadrant & np.uint32(2)) << np.uint32(30))))
        phase[i] = _store(phase, _float(_bits(b) ^ (((quadrant + np.uint32(1)) & np.uint32(2)) << np.uint32(30))))


def _combine(s: Any, c: Any, t: Any, d: Any, sine: Any, cosine: Any) -> None:
    blocks, p, q, width = sine.shape
    for k in range(blocks):
        for i in range(p):
            for j in range(q):
                for m in range(width):
                    sine[k, i, j, m] = _store(sine, s[k, i, m] * d[k, j, m] + c[k, i, m] * t[k, j, m])
                    cosine[k, i, j, m] = _store(cosine, c[k, i, m] * d[k, j, m] - s[k, i, m] * t[k, j, m])


def _chain(delta: Any, slope: Any, sums: Any) -> None:
    parts, n, width = delta.shape
    for part in range(parts):
        for i in range(n):
            for m in range(width):
                x = _load(delta[part, i, m]) * _load(slope[part, i, m])
                delta[part, i, m] = _store(delta, x)
                sums[part, m] += x


def _collect(delta: Any, slope: Any, rows: Any, columns: Any) -> None:
    blocks, p, q, width = delta.shape
    for k in range(blocks):
        rows[k] = np.float32(0)
        columns[k] = np.float32(0)
        for i in range(p):
            for j in range(q):
                for m in range(width):
                    x = _load(delta[k, i, j, m]) * _load(slope[k, i, j, m])
                    rows[k, i, m] += x
                    columns[k, j, m] += x


_any_far = _jit(_reach)
_near_waves = _jit(_near)
_far_waves = _jit(_far)
FUNCTIONS: dict[str, Callable[..., None]] = {
    "waves": _jit(_waves),
    "combine": _jit(_combine),
    "chain": _jit(_chain),
    "collect": _jit(_collect),
}
