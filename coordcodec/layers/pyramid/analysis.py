"""Where a fit starts: latents from a Laplacian pyramid of the signal, and a synthesis that adds it up. Encoder only.

From there latents of fine levels are few from the first step; from zero a fit takes thousands to learn that.
"""

from __future__ import annotations

import math

import numpy as np

from coordcodec.data import Floats
from coordcodec.layers.pyramid.step import Stepper

WORTH = 6 / math.log(2)
"""Bits that a squared error of a step is worth: the distortion of uniform quantization falls by 2 ln 2 / 12 a bit at
high rates, and networks learn to make a step of each level worth that."""
_KERNEL = 0.9
"""The root of the energy of what a latent is interpolated to, along an axis and for each doubling."""
_LARGEST = 25.0
"""Standard deviations of the signal's that a latent is at most; context networks start with inputs of usual size."""


def steps_of(stepper: Stepper, tradeoff: float) -> list[float]:
    """What a unit of each level should be worth, in the networks' unit, for a tradeoff, from fine to coarse.

    Where the distortion of rounding a latent is what its bits are worth, see WORTH.
    """
    found = list[float]()
    for level in stepper.spec.levels:
        doublings = sum(mask.bit_count() for mask in stepper.spec.halved[:level])
        energy = 2.0**doublings * _KERNEL ** (2 * len(stepper.spec.shape))
        found.append(max(math.sqrt(WORTH * tradeoff / energy), 2.5 / _LARGEST))
    return found


def start(stepper: Stepper, steps: list[float], tensors: dict[str, Floats]) -> None:
    """Set the latents and the synthesis network's tensors, in place."""
    rest = stepper.target.mean(axis=0).astype(np.float32)
    if stepper.known.size:
        rest = rest * stepper.known
    for k in reversed(range(len(stepper.planes))):
        own = stepper.planes[k]
        own.latents[:] = stepper.lowered(rest, k).reshape(-1) / np.float32(steps[k])
        own.inside(own.plane)[:] = own.latents.reshape(own.shape)
        stepper.interpolate_level(k)
        rest = rest - stepper.features[k, : stepper.samples] * np.float32(steps[k])
        own.plane[:], stepper.features[k] = 0, 0  # until they take part
        if stepper.spec.levels[k] == 0:
            own.latents[:] = 0  # what does not stand out stays there
    tensors["synthesis.skip"][:] = np.array(steps, np.float32)
    tensors["synthesis.0.weight"] *= np.array(steps, np.float32)
