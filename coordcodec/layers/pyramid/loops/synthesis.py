"""The squared error of what the synthesis network makes of features."""

from __future__ import annotations

from typing import Any

from coordcodec.layers.pyramid.loops.compile import F32, jit, part
from coordcodec.layers.pyramid.loops.networks import BLOCK, backward, forward


@part
def _errors(out: Any, target: Any, known: Any, at: int, channels: int, weight: Any, n: int) -> Any:
    """Squared errors; twice the errors times a weight take the place of outputs."""
    total = F32(0)
    for c in range(out.shape[0]):
        row = out[c]
        if c >= channels:
            row[:n] = F32(0)
            continue
        wanted = target[c, at:]
        for j in range(n):
            row[j] -= wanted[j]
        if known.size:
            for j in range(n):
                row[j] *= known[at + j]
        for j in range(n):
            total += row[j] * row[j]
            row[j] *= F32(2) * weight
    return total


@jit
def synthesise(
    features: Any, target: Any, known: Any, start: int, stop: int, weight: Any, net: Any, work: Any, sums: Any,
    back: Any, found: Any, learn: bool,
) -> float:  # fmt: skip
    """The squared error of samples start to stop, and its gradients.

    features, back: (features, samples); target, found: (channels, samples); known: (samples,) 1 or 0, or of no size.
    weight: what the gradients are multiplied by, 0: there are none. found: outputs, or of no size.
    """
    x, out = work[0], work[3]
    channels, total = target.shape[0], 0.0
    for at in range(start, stop, BLOCK):
        n = min(BLOCK, stop - at)
        for i in range(features.shape[0]):
            row, given = x[i], features[i, at:]
            for j in range(n):
                row[j] = given[j]
        forward(net, work, False, n)
        if found.size:
            for c in range(channels):
                found[c, at : at + n] = out[c, :n]
        total += _errors(out, target, known, at, channels, weight, n)
        if weight > 0:
            backward(net, work, sums, False, learn, n)
            for i in range(features.shape[0]):
                back[i, at : at + n] = work[6][i, :n]
    return total
