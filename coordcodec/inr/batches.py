"""Minibatches: which points a step sees, in an order that makes the first layer cheap.

On a grid the positional encoding is a small table per axis, and so is each axis' share of the first layer. A
batch is therefore made of blocks: the product of a few random samples along each axis, spread over the whole
part. Every sample is drawn once before any is drawn twice, and a block's 256 points are as good as independent,
but the encoding is evaluated for 32 axis samples instead of 256 points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from coordcodec.data import Grid, Signal
from coordcodec.inr.encoding import encode, encode_axis
from coordcodec.inr.spec import SirenSpec
from coordcodec.partition import Partition

BLOCK = 256


@dataclass(frozen=True)
class Batch:
    """A minibatch: per part k blocks, each the product of its samples along the axes.

    features: per axis (parts, k, samples, inputs) float32; the first layer sums its shares over the axes.
    targets: (parts, n, c) float32 with n = k * the product of the samples, last axis fastest.
    """

    features: list[Tensor]
    targets: Tensor


def split(batch: Batch, count: int) -> list[Batch]:
    """A minibatch in `count` shares or fewer, of whole blocks; a single block on one axis is cut along it."""
    axis = 2 if len(batch.features) == 1 and batch.features[0].shape[1] == 1 else 1
    size = math.ceil(batch.features[0].shape[axis] / count)
    shares = zip(*(feature.split(size, axis) for feature in batch.features), strict=True)
    points = batch.targets.shape[1] // batch.features[0].shape[axis]
    return [Batch(list(f), t) for f, t in zip(shares, batch.targets.split(size * points, 1), strict=True)]


def stack(batches: list[Batch]) -> list[tuple[list[int], Batch]]:
    """Minibatches of several parts as one per shape, each with the indices of its parts."""
    alike: dict[tuple[torch.Size, ...], list[int]] = {}
    for i, batch in enumerate(batches):
        alike.setdefault(tuple(f.shape for f in batch.features), []).append(i)
    stacked = []
    for members in alike.values():
        axes = zip(*(batches[i].features for i in members), strict=True)
        targets = torch.cat([batches[i].targets for i in members])
        stacked.append((members, Batch([torch.cat(features) for features in axes], targets)))
    return stacked


class GridBatches:
    """Endless minibatches of one part of a gridded signal."""

    def __init__(self, axes: list[Tensor], lattice: Tensor, size: int, seed: int) -> None:
        """Start with a permutation.

        axes: per axis the encoded samples (samples, inputs).
        lattice: the part's values, (*samples, c).
        size: points per batch, about.
        """
        self.axes = axes
        self.counts = lattice.shape[:-1]
        self.values = lattice.reshape(-1, lattice.shape[-1])
        side = max(2, round(BLOCK ** (1 / len(axes))))
        self.sides = [min(side, n) for n in self.counts]
        self.groups = [math.ceil(n / b) for n, b in zip(self.counts, self.sides, strict=True)]
        self.blocks = min(math.prod(self.groups), max(1, size // math.prod(self.sides)))
        self.generator = torch.Generator().manual_seed(seed)
        self.device = lattice.device
        self.queue = torch.empty(0, dtype=torch.int64, device=self.device)
        self.members: list[Tensor] = []

    def _shuffle(self) -> None:
        """A new epoch: split every axis into random groups; the queue holds all their products in random order."""
        self.members = []
        for n, side, groups in zip(self.counts, self.sides, self.groups, strict=True):
            order = torch.randperm(n, generator=self.generator)
            filled = torch.cat([order, torch.randperm(n, generator=self.generator)[: groups * side - n]])
            self.members.append(filled.view(groups, side).to(self.device))
        self.queue = torch.randperm(math.prod(self.groups), generator=self.generator).to(self.device)

    def next(self) -> Batch:
        """The next minibatch."""
        if len(self.queue) < self.blocks:
            self._shuffle()
        chosen, self.queue = self.queue[: self.blocks], self.queue[self.blocks :]
        dims = len(self.axes)
        index = torch.zeros((1,) * (dims + 1), dtype=torch.int64, device=self.device)
        features: list[Tensor] = []
        for k in reversed(range(dims)):
            samples = self.members[k][chosen % self.groups[k]]
            chosen = chosen // self.groups[k]
            stride = math.prod(self.counts[k + 1 :])
            shape = [len(samples)] + [1] * dims
            shape[k + 1] = self.sides[k]
            index = index + (samples * stride).view(shape)
            features.append(self.axes[k].index_select(0, samples.view(-1)).view(1, *samples.shape, -1))
        return Batch(features[::-1], self.values.index_select(0, index.view(-1))[None])


class PointBatches:
    """Endless minibatches of one part of a scattered signal: one block whose only axis runs over its points."""

    def __init__(self, coords: Tensor, values: Tensor, spec: SirenSpec, size: int, seed: int) -> None:
        self.coords, self.values, self.spec = coords, values, spec
        self.size = min(size, len(values))
        self.generator = torch.Generator().manual_seed(seed)
        self.queue = torch.empty(0, dtype=torch.int64)

    def next(self) -> Batch:
        """The next minibatch."""
        if len(self.queue) < self.size:
            self.queue = torch.randperm(len(self.values), generator=self.generator)
        chosen, self.queue = self.queue[: self.size].to(self.values.device), self.queue[self.size :]
        return Batch([encode(self.coords[chosen], self.spec)[None, None]], self.values[chosen][None])


Batches = GridBatches | PointBatches


def batches_of(
    signal: Signal, partition: Partition, spec: SirenSpec, size: int, seed: int, device: torch.device
) -> list[Batches]:
    """The minibatches of every part of a signal, in the order of the partition."""
    if isinstance(signal.coords, Grid):
        grid = signal.coords
        values = torch.from_numpy(signal.values).to(device).view(*grid.shape, signal.channels)
        parts: list[Batches] = []
        for number, window in enumerate(partition.windows(grid)):
            axes = []
            for k in range(grid.dims):
                _, local = partition.locate_axis(k, window.axis(k))
                axes.append(encode_axis(torch.from_numpy(local).to(device), spec))
            place = tuple(slice(o, o + n) for o, n in zip(window.offset, window.shape, strict=True))
            parts.append(GridBatches(axes, values[place], size, seed + number))
        return parts
    boxes, local = partition.locate(signal.coords)
    parts = []
    for part in range(len(partition)):
        mine = np.flatnonzero(boxes == part)
        mine = mine if len(mine) else np.zeros(1, np.int64)  # an empty box still needs something to fit
        coords, values = torch.from_numpy(local[mine]).to(device), torch.from_numpy(signal.values[mine]).to(device)
        parts.append(PointBatches(coords, values, spec, size, seed + part))
    return parts
