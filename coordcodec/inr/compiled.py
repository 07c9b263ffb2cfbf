"""The loops behind `kernels.CompiledKernels`, compiled by Numba when first called and cached on disk.

Each exists for float32 ("single") and for bfloat16 held as uint16 ("half"). All release Python's lock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

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


@numba.njit(inline="always")
def _load_half(bits: Any) -> Any:
    return _float(np.uint32(bits) << np.uint32(16))


@numba.njit(inline="always")
def _store_half(x: Any) -> Any:
    # Ties away from zero: cheaper than ties to even, and as good for gradients.
    return np.uint16((_bits(x) + np.uint32(0x8000)) >> np.uint32(16))


@numba.njit(inline="always")
def _same(x: Any) -> Any:
    return x


def _sine(r: Any) -> Any:
    return np.sin(r) / r


_A, _B, _C = _minimax(_sine, 3)
_P, _Q, _R, _T = _minimax(np.cos, 4)
_LOW_A, _LOW_B = _minimax(_sine, 2)
_LOW_P, _LOW_Q, _LOW_R = _minimax(np.cos, 3)


@numba.njit(inline="always")
def _waves_near_zero(r: Any) -> Any:
    """Sine and cosine of |r| <= pi/4 with errors below 1e-6."""
    square = r * r
    return r * (_A + square * (_B + square * _C)), _P + square * (_Q + square * (_R + square * _T))


@numba.njit(inline="always")
def _waves_near_zero_half(r: Any) -> Any:
    """The same with errors below 3e-4, a sixth of what bfloat16 can tell apart."""
    square = r * r
    return r * (_LOW_A + square * _LOW_B), _LOW_P + square * (_LOW_Q + square * _LOW_R)


def _waves(load: Any, store: Any, near_zero: Any) -> Callable[..., None]:
    def waves(phase: Any, sine: Any) -> None:
        for i in range(phase.size):
            x = load(phase[i])
            shifted = x * _TWO_OVER_PI + _ROUNDER
            quadrant = _bits(shifted)
            whole = shifted - _ROUNDER
            s, c = near_zero((x - whole * _HALF_PI_HIGH) - whole * _HALF_PI_LOW)
            swap = (quadrant & np.uint32(1)) != np.uint32(0)
            a = c if swap else s
            b = s if swap else c
            sine[i] = store(_float(_bits(a) ^ ((quadrant & np.uint32(2)) << np.uint32(30))))
            phase[i] = store(_float(_bits(b) ^ (((quadrant + np.uint32(1)) & np.uint32(2)) << np.uint32(30))))

    return waves


def _combine(load: Any, store: Any) -> Callable[..., None]:
    def combine(s: Any, c: Any, t: Any, d: Any, sine: Any, cosine: Any) -> None:
        blocks, p, q, width = sine.shape
        for k in range(blocks):
            for i in range(p):
                for j in range(q):
                    for m in range(width):
                        sine[k, i, j, m] = store(s[k, i, m] * d[k, j, m] + c[k, i, m] * t[k, j, m])
                        cosine[k, i, j, m] = store(c[k, i, m] * d[k, j, m] - s[k, i, m] * t[k, j, m])

    return combine


def _chain(load: Any, store: Any) -> Callable[..., None]:
    def chain(delta: Any, slope: Any, sums: Any) -> None:
        parts, n, width = delta.shape
        for part in range(parts):
            for i in range(n):
                for m in range(width):
                    x = load(delta[part, i, m]) * load(slope[part, i, m])
                    delta[part, i, m] = store(x)
                    sums[part, m] += x

    return chain


def _collect(load: Any, store: Any) -> Callable[..., None]:
    def collect(delta: Any, slope: Any, rows: Any, columns: Any) -> None:
        blocks, p, q, width = delta.shape
        for k in range(blocks):
            rows[k] = np.float32(0)
            columns[k] = np.float32(0)
            for i in range(p):
                for j in range(q):
                    for m in range(width):
                        x = load(delta[k, i, j, m]) * load(slope[k, i, j, m])
                        rows[k, i, m] += x
                        columns[k, j, m] += x

    return collect


_MAKERS = {"combine": _combine, "chain": _chain, "collect": _collect}
_TYPES = {"half": (_load_half, _store_half), "single": (_same, _same)}
FUNCTIONS: dict[str, Callable[..., None]] = {
    f"{name}_{kind}": _jit(make(*conversions)) for name, make in _MAKERS.items() for kind, conversions in _TYPES.items()
}
FUNCTIONS["waves_half"] = _jit(_waves(_load_half, _store_half, _waves_near_zero_half))
FUNCTIONS["waves_single"] = _jit(_waves(_same, _same, _waves_near_zero))
