"""Equal networks: of all that compute the same function, the one that takes the fewest bytes.

A layer of M sines may have its neurons in any order, and sin(-z) = -sin(z), sin(z - pi) = -sin(z): a neuron's weights
and bias may change their sign, and its bias may move by pi, if the weights of the next layer behind it change theirs.
That is log2(M!) + M bits per layer, and those between a bias and a quarter of a period, which a file need not hold:
biases that are neither negative nor out of order are coded by their differences (`coordcodec.stream.contexts`). Exact
in integers, but for the shift, which must come before quantization.
"""

from __future__ import annotations

import numpy as np

from coordcodec.data import Quantized, Symbols
from coordcodec.specs import SirenSpec


def canonical(spec: SirenSpec, symbols: Symbols) -> Symbols:
    """Symbols of the same function, with all biases but the last not negative and in ascending order."""
    found = {name: q.symbols for name, q in symbols.items()}
    for layer in range(spec.depth + 1):
        row, bias, column = f"weight{layer}", f"bias{layer}", f"weight{layer + 1}"
        signs = np.where(found[bias] < 0, -1, 1).astype(np.int32)
        order = np.argsort(np.abs(found[bias]), axis=1, kind="stable")
        found[bias] = np.take_along_axis(signs * found[bias], order, 1)
        found[row] = np.take_along_axis(signs[:, :, None] * found[row], order[:, :, None], 1)
        found[column] = np.take_along_axis(signs[:, None] * found[column], order[:, None], 2)
    return {name: Quantized(tensor, symbols[name].step) for name, tensor in found.items()}
