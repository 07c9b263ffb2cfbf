"""The networks of a pyramid as they are trained, and their quantization. Encoder only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from coordcodec.data import Floats, Quantized
from coordcodec.layers.pyramid.context import MAX_SHIFT, WEIGHT
from coordcodec.layers.pyramid.layout import FRACTION
from coordcodec.layers.pyramid.step import Net, net_of
from coordcodec.specs.pyramid import PyramidSpec
from coordcodec.stream import weights

if TYPE_CHECKING:
    from torch import Tensor

Tensors = Mapping[str, Floats]
FINEST_STEP, COARSEST_STEP = 8, 1
"""Steps that are tried, as negative powers of two."""


def drawn(spec: PyramidSpec, seed: int) -> dict[str, Floats]:
    """Random parameters to begin with; what is added to a residual or at the end is small, biases and skips are 0."""
    random, found = np.random.default_rng(seed), dict[str, Floats]()
    for name, shape in spec.tensors().items():
        if name.endswith(("bias", "skip")):
            found[name] = np.zeros(shape, np.float32)
            continue
        added = name.endswith("2.weight") or (name == "context.1.weight" and spec.context[0] == spec.context[1])
        scale = (0.3 if added else 1.0) * np.sqrt(3 / shape[1])
        found[name] = (random.uniform(-1, 1, shape) * scale).astype(np.float32)
    return found


def nets(tensors: Tensors) -> tuple[Net, Net]:
    """The context and the synthesis network as loops take them."""
    context, synthesis = ([t for name, t in tensors.items() if name.startswith(kind)] for kind in KINDS)
    return net_of(context), net_of(synthesis)


KINDS = ("context", "synthesis")


def trimmed(tensors: Mapping[str, Tensor], gradients: Sequence[Floats]) -> list[Tensor]:
    """Gradients without the zeros that loops add, as SOAP takes them: (1, ...) each."""
    import torch

    return [
        torch.from_numpy(np.ascontiguousarray(g[tuple(slice(n) for n in t.shape[1:])]))[None]
        for t, g in zip(tensors.values(), gradients, strict=True)
    ]


def quantized(tensors: Tensors, cost: Callable[[Tensors], float], bit: float) -> dict[str, Quantized]:
    """Each tensor's step by rate and distortion, one tensor after the other.

    cost: of tensors, in the loss; bit: what a bit of theirs weighs in it.
    """
    now, found = dict(tensors), dict[str, Quantized]()
    for group in _groups(tensors):
        best: tuple[float, dict[str, Quantized]] | None = None
        for power in range(FINEST_STEP, COARSEST_STEP - 1, -1):
            tried = {name: rounded(name, tensors[name], power) for name in group}
            if any(q is None for q in tried.values()):
                continue
            taken = {name: q for name, q in tried.items() if q is not None}
            here = cost({**now, **{name: q.dequantize() for name, q in taken.items()}}) + bit * bits_of(taken)
            if best is None or here < best[0]:
                best = here, taken
            elif here > 1.02 * best[0]:
                break
        assert best is not None
        found |= best[1]
        now |= {name: q.dequantize() for name, q in best[1].items()}
    return {name: found[name] for name in tensors}


def _groups(tensors: Tensors) -> list[list[str]]:
    """Tensors of one step: the skip of the context network shares one with the layer that it is added to."""
    shared = ["context.2.weight", "context.skip"]
    return [[name] for name in tensors if name not in shared] + [shared]


def rounded(name: str, tensor: Floats, power: int) -> Quantized | None:
    """A tensor in steps of 2^-power; None where a decoder takes no such numbers."""
    symbols = np.rint(tensor.astype(np.float64) * 2.0**power).astype(np.int32)
    largest = int(np.abs(symbols).max(initial=0))
    if name.startswith("context"):
        if power > (FRACTION if name.endswith("bias") else MAX_SHIFT):
            return None
        if largest > WEIGHT and not name.endswith("bias"):
            if power > COARSEST_STEP:
                return None
            symbols = np.clip(symbols, -WEIGHT, WEIGHT)
    limit = 2047
    return (
        Quantized(np.clip(symbols, -limit, limit), 2.0**-power) if largest <= limit or power == COARSEST_STEP else None
    )


def bits_of(tensors: Mapping[str, Quantized]) -> int:
    """The bits that tensors take in a file, about."""
    return sum(8 * (len(weights.encode({name: q})) + 1) for name, q in tensors.items())
