"""The loops of the latents' coder: wavefront by wavefront, the context network in whole numbers, then the range coder.

Compiled where Numba is; without it the same numbers come from NumPy (`context`), and the range coder is plain Python.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from coordcodec.layers.pyramid.bits import latent
from coordcodec.layers.pyramid.geometry import LEAN
from coordcodec.layers.pyramid.layout import ENCODE, FRACTION, INPUT, LARGEST, MODE, POSITION
from coordcodec.stream.grid.jit import inner, jit


@inner
def _dense(weights: Any, bias: Any, given: Any, sums: Any, outputs: int, inputs: int, count: int) -> None:
    """sums = weights given + bias in int32, four outputs and two inputs at a time."""
    for o in range(0, outputs, 4):
        s0, s1, s2, s3 = sums[o], sums[o + 1], sums[o + 2], sums[o + 3]
        b0, b1, b2, b3 = bias[o], bias[o + 1], bias[o + 2], bias[o + 3]
        for j in range(count):
            s0[j] = b0
            s1[j] = b1
            s2[j] = b2
            s3[j] = b3
        for i in range(0, inputs, 2):
            x, y = given[i], given[i + 1]
            u0, u1, u2, u3 = weights[o, i], weights[o + 1, i], weights[o + 2, i], weights[o + 3, i]
            v0, v1, v2, v3 = weights[o, i + 1], weights[o + 1, i + 1], weights[o + 2, i + 1], weights[o + 3, i + 1]
            for j in range(count):
                p, q = x[j], y[j]
                s0[j] += u0 * p + v0 * q
                s1[j] += u1 * p + v1 * q
                s2[j] += u2 * p + v2 * q
                s3[j] += u3 * p + v3 * q


@inner
def _activate(sums: Any, outputs: int, shift: int, count: int) -> None:
    half, most, none = np.int32(1 << shift >> 1), np.int32(32767), np.int32(0)
    moved = np.int32(shift)
    for o in range(outputs):
        row = sums[o]
        for j in range(count):
            row[j] = min(max((row[j] + half) >> moved, none), most)


@inner
def _networks(inputs: Any, net: Any, shifts: Any, work: Any, count: int) -> None:
    """The location, in sixteenths, and the scale of each of `count` latents, in the first rows of the last array."""
    first, second, out = work
    _dense(net[0], net[1], inputs, first, first.shape[0], inputs.shape[0], count)
    _activate(first, first.shape[0], shifts[0], count)
    _dense(net[2], net[3], first, second, second.shape[0], first.shape[0], count)
    if shifts[3]:
        moved = np.int32(shifts[1])
        for o in range(second.shape[0]):
            row, before = second[o], first[o]
            for j in range(count):
                row[j] += before[j] << moved
    _activate(second, second.shape[0], shifts[1], count)
    # What the skip adds stands in the second half of the last layer's weights.
    _dense(net[4], net[5], second, out, 4, second.shape[0], count)
    _add(net[6], inputs, out, inputs.shape[0], count)
    half, moved = np.int32(1 << shifts[2] >> 1), np.int32(shifts[2])
    places, scales = out[0], out[1]
    for j in range(count):
        places[j] = min(max((((places[j] + half) >> moved) + np.int32(2)) >> np.int32(2), -32768), 32767)
        scales[j] = min(max(28 + ((((scales[j] + half) >> moved) + np.int32(4)) >> np.int32(3)), 0), 63)


@inner
def _add(weights: Any, given: Any, sums: Any, inputs: int, count: int) -> None:
    for o in range(2):
        row = sums[o]
        for i in range(inputs):
            x, w = given[i], weights[o, i]
            for j in range(count):
                row[j] += w * x[j]


def _digest() -> int:
    """A number that changes with the loops' source: Numba itself looks at this file only."""
    try:
        return zlib.crc32(
            b"".join((Path(__file__).parent / f"{n}.py").read_bytes() for n in ("geometry", "layout", "bits", "walk"))
        )
    except OSError:  # no source files, as in a zipped application
        return 0


def _named(function: Any) -> Any:
    """The loop with the source's digest in its name, under which Numba keeps it."""
    function.__qualname__ = f"level_{_digest():08x}"
    return function


@jit
@_named
def level_compiled(
    flat: Any, parent: Any, sizes: Any, strides: Any, above: Any, shifts: Any, level: int, net: Any, bits: Any,
    registers: Any, data: Any, most: Any, starts: Any, edges: Any, work: Any, wishes: Any, weight: float, prices: Any,
) -> None:  # fmt: skip
    """Code the latents of a level. See `Level` for what goes in.

    wishes: (flat,) float32, latents that are not rounded yet, to be rounded here, or of no size; weight: bits that a
    squared error is worth; prices: (65537,) float32, the bits of intervals.
    """
    inputs, first, second, out = work
    neighbours = shifts.size
    rows, columns, step = sizes[2], sizes[3], strides[2] - LEAN * strides[3]
    for plane in range(sizes[0] * sizes[1]):
        a, b = plane // sizes[1], plane % sizes[1]
        corner = sizes[4] + a * strides[0] + b * strides[1]
        for turn in range(columns + LEAN * (rows - 1)):
            top = max(0, (turn - columns + LEAN) // LEAN)
            count = min(turn // LEAN, rows - 1) - top + 1
            at = corner + top * strides[2] + (turn - LEAN * top) * strides[3]
            for i in range(neighbours):
                row, k = inputs[i], at + shifts[i]
                for j in range(count):
                    row[j] = min(max(flat[k + j * step], np.int32(-INPUT)), np.int32(INPUT)) << np.int32(FRACTION)
            if parent.size > 1:
                _parents(inputs, neighbours, parent, above, a, b, top, turn, count)
            last = inputs[neighbours + above[8] + 1]
            for j in range(count):
                last[j] = level << FRACTION
            _networks(inputs, net, bits, (first, second, out), count)
            for j in range(count):
                place, scale = int(out[0, j]), int(out[1, j])
                if wishes.size:
                    wish = wishes[at + j * step]
                    flat[at + j * step] = _rounded(wish, place, scale, weight, most, starts, edges, prices)
                value = int(flat[at + j * step])
                flat[at + j * step] = latent(value, place, scale, registers, data, most, starts, edges)
                if registers[MODE] == ENCODE and registers[POSITION] + 16 > data.size:
                    return


@inner
def _rounded(
    wish: float, place: int, scale: int, weight: float, most: Any, starts: Any, edges: Any, prices: Any
) -> int:  # fmt: skip
    """The whole number near a latent, on the way to its location, that costs least: bits and weight * error^2."""
    whole, last = (place + 8) >> 4, int(most[scale])
    at = starts[scale] + (place - 16 * whole + 8) * (2 * last + 4) + last + 1 - whole
    best = int(min(max(np.rint(wish), -LARGEST), LARGEST))
    side = 1 if whole > best else -1
    cost, tried = 1e30, best
    while True:
        inside = min(max(tried, whole - last - 1), whole + last + 1)
        here = (
            prices[edges[at + inside + 1] - edges[at + inside]] + 2.0 * (tried != inside) + weight * (tried - wish) ** 2
        )
        if here >= cost:
            return best
        best, cost = tried, here
        if tried == whole:
            return best
        tried += side


@inner
def _parents(inputs: Any, first: int, parent: Any, above: Any, a: int, b: int, top: int, turn: int, count: int) -> None:
    """The latents of the coarser level: the one at the same place, and the next one along each axis, on the nearer
    side. above: its strides, which axes are halved, how many axes there are, the place of its first latent."""
    axes = above[8]
    base = above[9] + (a >> above[4]) * above[0] + (b >> above[5]) * above[1]
    for j in range(count):
        y = top + j
        x = turn - LEAN * y
        here = base + (y >> above[6]) * above[2] + (x >> above[7]) * above[3]
        inputs[first, j] = min(max(parent[here], -INPUT), INPUT) << FRACTION
        for k in range(4 - axes, 4):
            at = y if k == 2 else x if k == 3 else b if k == 1 else a
            side = 1 if above[4 + k] == 0 or at & 1 else -1
            near = parent[here + side * above[k]]
            inputs[first + 1 + k - 4 + axes, j] = min(max(near, -INPUT), INPUT) << FRACTION
