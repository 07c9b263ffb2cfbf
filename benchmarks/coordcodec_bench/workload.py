"""What measurements of speed compute: a picture of Kodak's size and a fit of it."""

from __future__ import annotations

import numpy as np
import torch

from coordcodec.data import Grid, Signal
from coordcodec.layers.siren import batches, network, objective
from coordcodec.layers.siren.network import Params
from coordcodec.layers.siren.penalty import L1Penalty
from coordcodec.partition import Partition
from coordcodec.recipe import Recipe
from coordcodec.specs import SirenSpec

SHAPE = (512, 768)
LR = 1e-4


def picture() -> Signal:
    """A synthetic picture of Kodak's size; what it shows does not change the speed."""
    grid = Grid(SHAPE)
    coords = grid.coords()
    waves = [np.sin(a * coords[:, 0] + b * coords[:, 1]) for a, b in ((9, 4), (17, -23), (40, 31))]
    return Signal(grid, np.stack(waves, axis=1).astype(np.float32) * 0.8, "speed")


def fit_of(
    spec: SirenSpec, place: torch.device, dtype: torch.dtype, threads: int | None = None
) -> tuple[objective.Objective, Params]:
    """The loss of a network on that picture, and its parameters at the beginning."""
    source = batches.batches_of(picture(), Partition((1, 1)), spec, Recipe().siren.batch, 0, place)
    params = {name: tensor.to(place) for name, tensor in network.init(spec, 1, 0).items()}
    return objective.Objective(spec, source, dtype, place, L1Penalty(3.3e-7), threads=threads), params
