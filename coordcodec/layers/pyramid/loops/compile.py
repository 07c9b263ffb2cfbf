"""How loops are compiled, and the elementary functions that they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

_FAST = {"contract", "nsz", "reassoc", "nnan", "ninf", "arcp"}
F32 = np.float32
LN2, LOG2E = F32(np.log(2)), F32(1 / np.log(2))


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    compiled: Callable[..., Any] = numba.njit(function, fastmath=_FAST, nogil=True, error_model="numpy", **options)
    return compiled


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """One that Python calls."""
    try:
        return _compiled(function, cache=True)
    except RuntimeError:  # nowhere to cache: a read-only installation without a home
        return _compiled(function)


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """One that only others call."""
    return _compiled(function, no_cpython_wrapper=True)


def inline(function: Callable[..., Any]) -> Callable[..., Any]:
    """One that becomes part of the loops that call it."""
    return _compiled(function, inline="always")


def _chebyshev(function: Callable[[Any], Any], middle: float, degree: int) -> tuple[np.float32, ...]:
    """Coefficients of a polynomial in x - middle that is near a function for |x - middle| <= 1/2."""
    nodes = np.cos((np.arange(64) + 0.5) * np.pi / 64) / 2
    fitted = np.polynomial.Chebyshev.fit(nodes, function(nodes + middle), degree, domain=[-0.5, 0.5])
    return tuple(F32(c) for c in fitted.convert(kind=np.polynomial.Polynomial).coef)


_E0, _E1, _E2, _E3, _E4, _E5 = _chebyshev(np.exp2, 0.0, 5)
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7 = _chebyshev(np.log2, 1.5, 7)


@intrinsic
def _bits(typing: Any, x: Any) -> Any:
    from llvmlite import ir

    return types.int32(types.float32), lambda ctx, builder, sig, args: builder.bitcast(args[0], ir.IntType(32))


@intrinsic
def _float(typing: Any, x: Any) -> Any:
    from llvmlite import ir

    return types.float32(types.int32), lambda ctx, builder, sig, args: builder.bitcast(args[0], ir.FloatType())


@inline
def exp2(x: Any) -> Any:
    """2^x to seven digits; beyond |x| = 60 that of 60, so that no product falls below what is normal, which is slow."""
    x = min(max(x, F32(-60)), F32(60))
    n = np.floor(x + F32(0.5))
    f = x - n
    p = _E0 + f * (_E1 + f * (_E2 + f * (_E3 + f * (_E4 + f * _E5))))
    return p * _float((np.int32(n) + np.int32(127)) << np.int32(23))


@inline
def log2(x: Any) -> Any:
    """The logarithm to base 2 of a number above 0."""
    i = _bits(x)
    e = (i >> np.int32(23)) - np.int32(127)
    m = _float((i & np.int32(0x7FFFFF)) | np.int32(0x3F800000)) - F32(1.5)
    return F32(e) + (_L0 + m * (_L1 + m * (_L2 + m * (_L3 + m * (_L4 + m * (_L5 + m * (_L6 + m * _L7)))))))
