"""How large a weight's updates usually are: learned from fits that ran long, so that no file need say it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from coordcodec.clock import Progress
from coordcodec.inits import HIGHEST_CODE, LOWEST_CODE, sigmas_of
from coordcodec.inr import fit, maml
from coordcodec.inr.batches import Batches
from coordcodec.inr.device import choose_precision
from coordcodec.inr.objective import Objective
from coordcodec.inr.pull import Pull
from coordcodec.inr.siren import Params, as_params
from coordcodec.inr.spec import SirenSpec
from coordcodec.recipe import Recipe

REACH = 8
"""Half octaves below a tensor's highest code at which its lowest ones end: less is never known so surely."""
SMALLEST = 2.0**-32
"""Updates are taken to be at least this large: the lowest code."""
ROOM = 4.5
"""Bits per parameter of the files that the fits stand for."""
Sizes = tuple[dict[str, NDArray[np.int8]], dict[str, float]]
"""Codes and spans by tensor."""


def fitted(
    spec: SirenSpec,
    theta: Mapping[str, Tensor],
    rates: Sequence[Mapping[str, Tensor]],
    tasks: Sequence[Batches],
    recipe: Recipe,
    steps: int,
    known: Sizes | None = None,
    progress: Progress | None = None,
) -> Params:
    """The parameters of tasks after the inner steps and `steps` steps of a fit: each (tasks, ...).

    theta, rates: the initialisation, each (1, ...). known: codes and spans, if there are any yet: then updates are held
    down as in a fit that will be coded.
    """
    device = theta["weight0"].device
    precision = choose_precision(recipe.precision, device, spec.width)
    pull = None
    if known:
        origin = {name: tensor.detach() for name, tensor in theta.items()}
        sigmas = as_params(sigmas_of(known[0]), device)
        pull = Pull(origin, sigmas, known[1], ROOM * len(tasks) * spec.parameters, recipe.pull)
    with Objective(spec, list(tasks), recipe.l1, precision, device, pull) as objective:
        params = maml.adapt(spec, theta, rates, objective)
        return fit.fit(
            objective,
            params,
            steps=steps,
            lr=recipe.planned_lr(spec.width, spec.depth),
            optimizer=recipe.optimizer,
            progress=progress,
        )[0]


def codes_for(sums: Mapping[str, NDArray[np.float64]], tasks: int) -> dict[str, NDArray[np.int8]]:
    """The codes of sigma, the mean magnitude of each weight's updates: c = 2 log2 sigma, rounded.

    sums: over `tasks` tasks of the magnitudes of the updates, each of its tensor's shape.
    """
    found = {}
    for name, total in sums.items():
        sizes = shrunk(np.log(np.maximum(total / tasks, SMALLEST)), tasks)
        whole = np.rint(2 * sizes / math.log(2))
        found[name] = np.clip(np.maximum(whole, whole.max() - REACH), LOWEST_CODE, HIGHEST_CODE).astype(np.int8)
    return found


def as_arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[np.float64]]:
    """Tensors as float64 arrays."""
    return {name: tensor.double().cpu().numpy() for name, tensor in tensors.items()}


def shrunk(logs: NDArray[np.float64], tasks: int) -> NDArray[np.float64]:
    """Logarithms of magnitudes, drawn towards a row's plus a column's mean as far as few tasks leave them in doubt.

    The mean magnitude of n updates, Laplace distributed as the coder takes them to be, has a relative error of
    1 / sqrt(n), its logarithm a variance of about 1 / n. What the weights of a tensor scatter beyond that about the
    model is their own; each keeps its own share of its distance from the model (James and Stein 1961).
    """
    model = np.full_like(logs, logs.mean())
    for axis in range(logs.ndim if logs.ndim > 1 else 0):
        others = tuple(k for k in range(logs.ndim) if k != axis)
        model = model + logs.mean(axis=others, keepdims=True) - logs.mean()
    doubt = 1 / tasks
    own = max(0.0, float(((logs - model) ** 2).mean()) - doubt)
    return model + own / (own + doubt) * (logs - model)
