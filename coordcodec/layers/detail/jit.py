"""Compile a loop with Numba where it is installed; run it as it stands, with equal results, where it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])

try:
    import numba
except ImportError:  # an optional speed-up
    numba = None


def jit(function: _Function) -> _Function:
    """The function compiled when it is first called, and cached on disk; itself without Numba."""
    if numba is None:
        return function
    try:
        return numba.njit(function, nogil=True, error_model="numpy", cache=True)  # type: ignore[no-any-return]
    except RuntimeError:  # nowhere to cache: a read-only installation without a home
        return numba.njit(function, nogil=True, error_model="numpy")  # type: ignore[no-any-return]
