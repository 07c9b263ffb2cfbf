"""The bits of latents under the context network."""

from __future__ import annotations

from typing import Any

from coordcodec.layers.pyramid.loops.compile import F32, LN2, LOG2E, exp2, jit, log2, part
from coordcodec.layers.pyramid.loops.networks import BLOCK, backward, forward

_OCTAVES = F32(8 / 7)
"""Of a scale, for one of the network's second output."""
_FINEST, _COARSEST = F32(-4), F32(5)
"""Of the logarithm of a scale, to base 2."""
_LEAST = F32(1.6e-5)
"""What every probability is at least."""


@part
def _laplace(values: Any, out: Any, weight: Any, n: int) -> Any:
    """The bits of latents under discretised Laplacians whose locations and scales are rows 0 and 1 of `out`; their
    gradients, times a weight, take these rows' place, those of the latents that of row 2."""
    places, scales, back = out[0], out[1], out[2]
    total = F32(0)
    for j in range(n):
        octave = scales[j] * _OCTAVES
        inverse = exp2(-min(max(octave, _FINEST), _COARSEST))
        apart = values[j] - places[j]
        far = abs(apart)
        beyond, k = far - F32(0.5), -LOG2E * inverse
        u, v = exp2(k * abs(beyond)), exp2(k * (far + F32(0.5)))
        p = max(F32(1) - F32(0.5) * (u + v) if beyond < F32(0) else F32(0.5) * (u - v), F32(0)) + _LEAST
        total -= log2(p)
        steep = -weight / (LN2 * p)
        slope = steep * F32(-0.5) * (u - v) * inverse
        slope = slope if apart > F32(0) else -slope
        wider = steep * F32(0.5) * (beyond * u - (far + F32(0.5)) * v) * inverse * LN2 * _OCTAVES
        stuck = (octave < _FINEST and wider > F32(0)) or (octave > _COARSEST and wider < F32(0))
        places[j], back[j] = -slope, slope
        scales[j] = F32(0) if stuck else wider
    return total


@part
def _gather(plane: Any, parent: Any, at: int, above: Any, begin: int, halved: int, shifts: Any, x: Any, n: int) -> None:
    count = shifts.size
    for i in range(count):
        row, given = x[i], plane[at + shifts[i] :]
        for j in range(n):
            row[j] = given[j]
    if parent.size > 1:
        for i in range(above.size):
            row, k = x[count + i], above[i]
            for j in range(n):
                row[j] = parent[k + ((begin + j) >> halved)]
        row, k = x[count + above.size], above[0]
        for j in range(n):
            t = begin + j
            row[j] = parent[k + (t >> halved) + (2 * (t & 1) - 1 if halved else 1)]


@part
def _scatter(
    plane: Any, parent: Any, at: int, above: Any, begin: int, halved: int, shifts: Any, x: Any, n: int
) -> None:
    """The way back of `_gather`."""
    count = shifts.size
    for i in range(count):
        row, found = x[i], plane[at + shifts[i] :]
        for j in range(n):
            found[j] += row[j]
    if parent.size > 1:
        for i in range(above.size):
            row, k = x[count + i], above[i]
            for j in range(n):
                parent[k + ((begin + j) >> halved)] += row[j]
        row, k = x[count + above.size], above[0]
        for j in range(n):
            t = begin + j
            parent[k + (t >> halved) + (2 * (t & 1) - 1 if halved else 1)] += row[j]


@jit
def rate(
    plane: Any, parent: Any, runs: Any, above: Any, halved: int, shifts: Any, level: int, residual: bool, weight: Any,
    net: Any, work: Any, sums: Any, back: Any, back_parent: Any, learn: bool,
) -> float:  # fmt: skip
    """The bits of the latents of a level, and their gradients.

    plane, parent, back, back_parent: flat, with margins; parent: of size 1 for the coarsest level. runs: (runs, 3)
    where each run of latents begins in `plane`, its length, and where it begins along the last axis. above: (runs,
    axes) where the parents of its row begin. halved: along the last axis. weight: 0: there are no gradients.
    """
    x, out = work[0], work[3]
    last, total = shifts.size + above.shape[1] + 1, 0.0
    x[last:] = F32(0)
    x[last, :] = F32(level)
    for r in range(runs.shape[0]):
        for s in range(0, runs[r, 1], BLOCK):
            n = min(BLOCK, runs[r, 1] - s)
            at, begin = runs[r, 0] + s, runs[r, 2] + s
            _gather(plane, parent, at, above[r], begin, halved, shifts, x, n)
            forward(net, work, residual, n)
            total += _laplace(plane[at:], out, weight, n)
            if weight > 0:
                for j in range(n):
                    back[at + j] += out[2, j]
                    out[2, j] = F32(0)
                out[3, :n] = F32(0)
                backward(net, work, sums, residual, learn, n)
                _scatter(back, back_parent, at, above[r], begin, halved, shifts, work[6], n)
    return total
