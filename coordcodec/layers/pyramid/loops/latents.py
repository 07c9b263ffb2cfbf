"""What happens to latents in a step: noise before it, Adam after it."""

from __future__ import annotations

from typing import Any

import numpy as np

from coordcodec.layers.pyramid.loops.compile import F32, LOG2E, exp2, inline, jit


@inline
def _soften(y: Any, inverse: Any, gain: Any) -> Any:
    """Soft rounding and its slope (Agustsson and Theis 2020, "Universally Quantized Neural Compression", eq. 5)."""
    whole = np.floor(y)
    e = exp2((y - whole - F32(0.5)) * inverse * F32(2) * LOG2E)
    t = (e - F32(1)) / (e + F32(1))
    return whole + F32(0.5) + F32(0.5) * t * gain, F32(0.5) * gain * inverse * (F32(1) - t * t)


@jit
def disturb(
    latents: Any, noise: Any, starts: Any, width: Any, temperature: float, plane: Any, runs: Any, slopes: Any
) -> None:  # fmt: skip
    """Latents rounded softly, with noise, and rounded softly again; and how steep that is.

    latents, slopes: (n,), run after run. noise: normal numbers, read from starts (runs,) on. width: of
    the noise. plane, runs: see `coordcodec.layers.pyramid.planes`.
    """
    inverse = F32(1 / temperature)
    gain = F32(1 / np.tanh(0.5 / temperature))
    at = 0
    for r in range(runs.shape[0]):
        count = runs[r, 1]
        y, found, slope = latents[at:], plane[runs[r, 0] :], slopes[at:]
        z = noise[min(starts[r], noise.size - count) :]
        for j in range(count):
            once, steep = _soften(y[j], inverse, gain)
            twice, again = _soften(once + z[j] * width, inverse, gain)
            found[j] = twice
            slope[j] = steep * again
        at += count


@jit
def descend(latents: Any, gradients: Any, first: Any, second: Any, lr: Any, count: int, damping: Any) -> None:
    """A step of Adam (Kingma & Ba 2015), betas .9 and .999."""
    once = F32(1 / (1 - 0.9**count))
    twice = F32(1 / (1 - 0.999**count))
    for i in range(latents.size):
        g = gradients[i]
        m = F32(0.9) * first[i] + F32(0.1) * g
        v = F32(0.999) * second[i] + F32(0.001) * g * g
        first[i], second[i] = m, v
        latents[i] -= lr * (m * once) / (np.sqrt(v * twice) + damping)
