"""How finely parameters, or their updates, must be quantized, so that the rounding of every weight costs the same.

Rounding a weight w to steps of size s adds h s^2 / 12 to the mean squared error, where h is the mean over points and
channels of (dy / dw)^2, the diagonal of the Gauss-Newton matrix. At high rate a given error takes the fewest bits
when every weight adds equally much (reverse water-filling; Cover & Thomas 2006, section 10.3.3): s ~ h^(-1/2). One
range per tensor keeps the side information of a file what it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from coordcodec.layers.siren.batch import join
from coordcodec.layers.siren.batches import Batches
from coordcodec.layers.siren.curvature import evaluate
from coordcodec.layers.siren.network import Params
from coordcodec.specs import SirenSpec

UNIT = 127
"""Steps of one unit: a tensor's range is the largest magnitude of 8 bits."""
SHARE = 0.05
"""What plain rounding at 8 bits may add to the squared error of a fit, as a share of it."""
ERROR = ""
"""Stands for the error where tensors go by their names."""


def logarithms(spec: SirenSpec, params: Params, tasks: Sequence[Batches], seed: int) -> dict[str, float]:
    """For fits of some tasks, each (tasks, ...): the sums over tasks of log h by tensor, and of the log error as ERROR.

    One minibatch per task; the derivatives are those of a random projection of the values, which has the same
    expected square (Hutchinson 1990).
    """
    sums = dict.fromkeys([*params, ERROR], 0.0)
    generator = torch.Generator().manual_seed(seed)
    for i, task in enumerate(tasks):
        own = {name: tensor[i : i + 1].detach().requires_grad_() for name, tensor in params.items()}
        batch = join([task.next()])
        values = evaluate(spec, own, batch.features)
        signs = torch.randint(0, 2, values.shape, generator=generator).to(values) * 2 - 1
        squares = (values - batch.targets).detach().square()
        if batch.weights is not None:
            signs, squares = signs * batch.weights.sqrt(), squares * batch.weights
        slopes = torch.autograd.grad((values * signs).sum(), list(own.values()))
        for name, slope in zip(own, slopes, strict=True):
            if name == f"bias{spec.depth + 1}":  # known, and too few for a random projection: one may all but cancel
                sums[name] -= math.log(spec.channels)
                continue
            sums[name] += math.log(max(float(slope.square().mean()) / values.numel(), 1e-30))
        sums[ERROR] += math.log(max(float(squares.mean()), 1e-10))
    return sums


def ranges_for(spec: SirenSpec, sums: Mapping[str, float], tasks: int) -> dict[str, float]:
    """The range of every tensor's grid, from the sums that `logarithms` returns, over so many tasks."""
    error = math.exp(sums[ERROR] / tasks)
    reach = UNIT * math.sqrt(12 * SHARE * error / spec.parameters)
    return {name: min(6e4, reach * math.exp(-sums[name] / tasks / 2)) for name in spec.shapes()}
