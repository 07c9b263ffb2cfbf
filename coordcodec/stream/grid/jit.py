"""Compile kernels with Numba where it is installed, and leave them plain Python where it is not.

`COORDCODEC_JIT=0` in the environment turns compiling off. The kernels are written in the part of Python that means the
same both ways: whole numbers, flat sequences, loops.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

_F = TypeVar("_F", bound=Callable[..., Any])


def _wanted() -> bool:
    if os.environ.get("COORDCODEC_JIT", "1") == "0":
        return False
    try:
        import numba
    except ImportError:
        return False
    return not numba.config.DISABLE_JIT  # kernels that are not compiled need lists of int, see `native`


COMPILED = _wanted()
"""Whether kernels are compiled in this process."""


def jit(function: _F) -> _F:
    """A kernel, compiled when it is first called and kept on disk; as it is without Numba."""
    if not COMPILED:
        return function
    import numba

    try:
        compiled: _F = numba.njit(function, nogil=True, cache=True, error_model="numpy")
    except RuntimeError:  # nowhere to cache: a read-only installation without a home
        compiled = numba.njit(function, nogil=True, error_model="numpy")
    return compiled


def inner(function: _F) -> _F:
    """A kernel that only other kernels call.

    It becomes part of them, which is a third faster than passing so many arrays, and has no file in the cache.
    """
    return _part(function, forceinline=True)


def apart(function: _F) -> _F:
    """A kernel that others call seldom: it stays one piece, which compiles sooner."""
    return _part(function)


def _part(function: _F, **options: bool) -> _F:
    if not COMPILED:
        return function
    import numba

    # Python never calls it: a quarter of the time of compiling is for wrappers that would let it.
    options |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    compiled: _F = numba.njit(function, nogil=True, error_model="numpy", **options)
    return compiled


def native(array: npt.NDArray[Any]) -> Any:
    """What kernels index fastest: the flat array itself when they are compiled, otherwise a list of int."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat if COMPILED else flat.tolist()


def as_array(numbers: Sequence[int] | npt.NDArray[Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """What a kernel left, as an array again; without a copy when kernels are compiled."""
    return np.asarray(numbers, dtype)
