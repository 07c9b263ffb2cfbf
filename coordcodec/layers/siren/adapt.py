"""From a learned initialisation to one signal's parameters: the inner steps of MAML (Finn et al. 2017).

Each step, on a minibatch of its own, is

    params <- params - rates[s] * gradient of the task's loss at params

with a learned rate per parameter (Meta-SGD, Li et al. 2017) and step (MAML++, Antoniou et al. 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from coordcodec.layers.siren.batch import Batch
from coordcodec.layers.siren.batches import Batches
from coordcodec.layers.siren.curvature import evaluate
from coordcodec.layers.siren.network import Params
from coordcodec.layers.siren.objective import Objective
from coordcodec.specs import SirenSpec


def errors(spec: SirenSpec, params: Mapping[str, Tensor], batch: Batch) -> Tensor:
    """Each task's mean squared error on its minibatch, (tasks,)."""
    squares = (evaluate(spec, params, batch.features) - batch.targets).square()
    return (squares if batch.weights is None else squares * batch.weights).mean((1, 2))


def stepped(params: Mapping[str, Tensor], rates: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> Params:
    """One inner step. params, gradients: each (tasks, ...); rates: each (1, ...) or (...)."""
    return {name: tensor - rates[name] * gradients[name] for name, tensor in params.items()}


def adapt(
    spec: SirenSpec,
    theta: Mapping[str, Tensor],
    rates: Sequence[Mapping[str, Tensor]],
    source: Objective | Sequence[Batches],
) -> Params:
    """The parameters after the inner steps, without a graph: (parts, ...) from theta, each (parts, ...) or (1, ...).

    source: what gives the gradient of the summed losses of all parts on their next minibatches, or minibatches.
    """
    if not isinstance(source, Objective):
        with Objective(spec, list(source), torch.float32, theta["weight0"].device) as objective:
            return adapt(spec, theta, rates, objective)
    params = {name: tensor.expand(len(source.batches), *tensor.shape[1:]) for name, tensor in theta.items()}
    for rate in rates:
        params = stepped(params, rate, source.gradient(params)[1])
    return params
