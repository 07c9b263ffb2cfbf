"""How large a weight's updates usually are: learned from fits that ran long, so that no file need say it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from coordcodec.inits import HIGHEST_CODE, LOWEST_CODE

REACH = 8
"""Half octaves below a tensor's highest code at which its lowest ones end: less is never known so surely."""
SMALLEST = 2.0**-32
"""Updates are taken to be at least this large: the lowest code."""


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
