"""Interpolation from a level to the next finer one, along one axis, and the way back of gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from coordcodec.layers.pyramid.loops.compile import F32, jit


@jit
def double(x: Any, y: Any, taps: Any, circle: bool) -> None:
    """Interpolate along the middle axis: (outer, n, inner) to (outer, m, inner), m = 2 n or 2 n - 1."""
    n, m, inner = x.shape[1], y.shape[1], x.shape[2]
    for o in range(x.shape[0]):
        for i in range(m):
            base, odd = (i >> 1) - 2 + (i & 1), i & 1
            found = y[o, i]
            for j in range(inner):
                found[j] = F32(0)
            for k in range(4):
                at = base + k
                at = at % n if circle else min(max(at, 0), n - 1)
                tap, given = taps[3 - k if odd else k], x[o, at]
                for j in range(inner):
                    found[j] += tap * given[j]


@jit
def halve(back: Any, x: Any, taps: Any, circle: bool) -> None:
    """The way back of `double`: gradients (outer, m, inner) to (outer, n, inner)."""
    n, m, inner = x.shape[1], back.shape[1], x.shape[2]
    for o in range(x.shape[0]):
        x[o] = F32(0)
        for i in range(m):
            base, odd = (i >> 1) - 2 + (i & 1), i & 1
            given = back[o, i]
            for k in range(4):
                at = base + k
                at = at % n if circle else min(max(at, 0), n - 1)
                tap, found = taps[3 - k if odd else k], x[o, at]
                for j in range(inner):
                    found[j] += tap * given[j]


@jit
def double_rows(x: Any, y: Any, taps: Any, circle: bool) -> None:
    """The same along the last axis: (rows, n) to (rows, m)."""
    n, m = x.shape[1], y.shape[1]
    wide = np.empty(n + 4, np.float32)
    a, b, c, d = taps[0], taps[1], taps[2], taps[3]
    for r in range(x.shape[0]):
        given, found = x[r], y[r]
        for j in range(n):
            wide[j + 2] = given[j]
        for k in range(2):
            wide[k] = given[(k - 2) % n] if circle else given[0]
            wide[n + 2 + k] = given[k % n] if circle else given[n - 1]
        for j in range(m >> 1):
            found[2 * j] = a * wide[j] + b * wide[j + 1] + c * wide[j + 2] + d * wide[j + 3]
            found[2 * j + 1] = d * wide[j + 1] + c * wide[j + 2] + b * wide[j + 3] + a * wide[j + 4]
        if m & 1:
            j = m >> 1
            found[m - 1] = a * wide[j] + b * wide[j + 1] + c * wide[j + 2] + d * wide[j + 3]


@jit
def halve_rows(back: Any, x: Any, taps: Any, circle: bool) -> None:
    """The way back of `double_rows`: gradients (rows, m) to (rows, n)."""
    n, m = x.shape[1], back.shape[1]
    even, odd = np.zeros(n + 8, np.float32), np.zeros(n + 8, np.float32)
    wide = np.empty(n + 4, np.float32)
    a, b, c, d = taps[0], taps[1], taps[2], taps[3]
    for r in range(x.shape[0]):
        given, found = back[r], x[r]
        for j in range((m + 1) >> 1):
            even[j + 4] = given[2 * j]
        for j in range(m >> 1):
            odd[j + 4] = given[2 * j + 1]
        for k in range(n + 4):
            wide[k] = a * even[k + 4] + b * even[k + 3] + c * even[k + 2] + d * even[k + 1]
            wide[k] += d * odd[k + 3] + c * odd[k + 2] + b * odd[k + 1] + a * odd[k]
        for j in range(n):
            found[j] = wide[j + 2]
        for k in range(2):
            found[(k - 2) % n if circle else 0] += wide[k]
            found[k % n if circle else n - 1] += wide[n + 2 + k]
