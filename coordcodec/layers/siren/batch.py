"""A minibatch: what one step sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """A minibatch: per part k blocks, each the product of its samples along the axes.

    features: per axis (parts, k, samples, inputs) float32; the first layer sums its shares over the axes.
    targets: (parts, n, c) float32 with n = k * the product of the samples, last axis fastest.
    weights: (parts, n, 1) float32, of each point's squared error, 0 where no sample is known, on average 1; None: all
        points count alike.
    """

    features: list[Tensor]
    targets: Tensor
    weights: Tensor | None = None


def split(batch: Batch, count: int) -> list[Batch]:
    """A minibatch in `count` shares or fewer, of whole blocks; a single block on one axis is cut along it."""
    axis = 2 if len(batch.features) == 1 and batch.features[0].shape[1] == 1 else 1
    size = math.ceil(batch.features[0].shape[axis] / count)
    shares = zip(*(feature.split(size, axis) for feature in batch.features), strict=True)
    points = size * (batch.targets.shape[1] // batch.features[0].shape[axis])
    targets = batch.targets.split(points, 1)
    weights = [None] * len(targets) if batch.weights is None else batch.weights.split(points, 1)
    return [Batch(list(f), t, w) for f, t, w in zip(shares, targets, weights, strict=True)]


def join(batches: list[Batch]) -> Batch:
    """Minibatches of several parts, of one shape, as one."""
    if len(batches) == 1:
        return batches[0]
    axes = zip(*(batch.features for batch in batches), strict=True)
    weights = None
    if any(batch.weights is not None for batch in batches):
        weights = torch.cat([torch.ones_like(b.targets[..., :1]) if b.weights is None else b.weights for b in batches])
    targets = torch.cat([batch.targets for batch in batches])
    return Batch([torch.cat(features) for features in axes], targets, weights)


def groups(shapes: Sequence[tuple[int, ...]], points: int, fewest: int) -> list[list[int]]:
    """The numbers of parts that can be computed together: alike in shape, at most `points` points per minibatch.

    shapes: of each part's minibatches.
    fewest: groups wanted at least for each shape, if it has so many parts.
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    for i, shape in enumerate(shapes):
        alike.setdefault(shape, []).append(i)
    found = []
    for shape, members in alike.items():
        size = max(1, min(points // math.prod(shape), math.ceil(len(members) / fewest)))
        found += [members[start : start + size] for start in range(0, len(members), size)]
    return found
