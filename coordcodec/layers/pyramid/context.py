"""The context network in whole numbers: from the symbols of its tensors, checked so that no sum can overflow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Quantized, Symbols
from coordcodec.errors import ContainerError
from coordcodec.layers.pyramid.layout import FRACTION
from coordcodec.specs.pyramid import PyramidSpec

Ints = NDArray[np.int32]
WEIGHT = 127
"""The largest magnitude of a weight."""
MAX_SHIFT = 10
_BIAS = 1 << 29


@dataclass(frozen=True)
class ContextNet:
    """int8 weights, as int32; biases as sums need them. Outputs are filled up to multiples of 4, inputs to even ones.

    arrays: weight and bias of the three layers, then the skip's. shifts: of the three layers, and whether the second
    is added to the first.
    """

    arrays: tuple[Ints, ...]
    shifts: NDArray[np.int64]

    @staticmethod
    def of(spec: PyramidSpec, symbols: Symbols) -> ContextNet:
        """From the tensors of a file. Raises ContainerError for numbers that a sum could not hold."""
        arrays, shifts = list[Ints](), list[int]()
        for k in range(3):
            weight, bias = symbols[f"context.{k}.weight"], symbols[f"context.{k}.bias"]
            shift = shift_of(weight)
            shifts.append(shift)
            arrays += [_filled(_weights(weight)), _filled(_bias(bias, shift))]
        skip = symbols["context.skip"]
        if skip.step != symbols["context.2.weight"].step:
            raise ContainerError("damaged file: two steps of the last layer of a context network")
        return ContextNet((*arrays, _filled(_weights(skip))), np.array([*shifts, spec.context[0] == spec.context[1]]))


def shift_of(tensor: Quantized) -> int:
    """The bits of a context network's weights below one. Raises ContainerError unless their step is a power of two."""
    mantissa, exponent = math.frexp(tensor.step)
    if mantissa != 0.5 or not 0 <= 1 - exponent <= MAX_SHIFT:
        raise ContainerError(f"damaged file: a step of {tensor.step:g} in a context network")
    return 1 - exponent


def _weights(tensor: Quantized) -> Ints:
    if np.abs(tensor.symbols).max(initial=0) > WEIGHT:
        raise ContainerError(f"damaged file: a weight of a context network above {WEIGHT} steps")
    return tensor.symbols


def _bias(tensor: Quantized, shift: int) -> Ints:
    mantissa, exponent = math.frexp(tensor.step)
    up = FRACTION + shift + exponent - 1
    if mantissa != 0.5 or not 0 <= up <= 24:
        raise ContainerError(f"damaged file: a step of {tensor.step:g} of a bias in a context network")
    found = tensor.symbols.astype(np.int64) << up
    if np.abs(found).max(initial=0) >= _BIAS:
        raise ContainerError("damaged file: a bias of a context network that no sum could hold")
    return found.astype(np.int32)


def _filled(array: Ints) -> Ints:
    """With zeros up to a multiple of 4 outputs and an even number of inputs."""
    rows = -(-len(array) // 4) * 4
    shape = (rows, *(n + n % 2 for n in array.shape[1:]))
    filled = np.zeros(shape, np.int32)
    filled[tuple(slice(n) for n in array.shape)] = array
    return filled


def evaluate(inputs: Ints, net: ContextNet) -> tuple[Ints, Ints]:
    """What `walk` computes compiled: the locations in sixteenths and the scales of latents, (n,) each.

    inputs: (inputs, n). Products of float64 are exact here, whatever their order.
    """
    w1, b1, w2, b2, w3, b3, skip = (array.astype(np.float64) for array in net.arrays)
    s1, s2, s3, residual = (int(s) for s in net.shifts)
    given: NDArray[Any] = inputs.astype(np.float64)
    first = _activated(w1 @ given + b1[:, None], s1)
    sums = w2[:, : len(first)] @ first + b2[:, None]
    second = _activated(sums + first * (1 << s2) if residual else sums, s2)
    out = (w3[:, : len(second)] @ second + skip @ given + b3[:, None])[:2].astype(np.int64)
    out = (out + (1 << s3 >> 1)) >> s3
    places = np.clip((out[0] + 2) >> 2, -32768, 32767)
    scales = np.clip(28 + ((out[1] + 4) >> 3), 0, 63)
    return places.astype(np.int32), scales.astype(np.int32)


def _activated(sums: NDArray[np.float64], shift: int) -> NDArray[np.float64]:
    return np.clip(np.floor((sums + (1 << shift >> 1)) / (1 << shift)), 0, 32767)
