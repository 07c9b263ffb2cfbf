"""Minibatches: which points a step sees, in an order that makes the first layer cheap.

On a grid the positional encoding is a small table per axis, and so is each axis' share of the first layer. A
batch is therefore made of blocks: the product of a few random samples along each axis, spread over the whole
part. Every sample is drawn once before any is drawn twice, and the encoding is evaluated for 32 axis samples instead of
256 points.

Samples are stratified: a block takes one from each of as many strips of an axis, and a minibatch of scattered points
one from each stretch of a curve through them all (`coordcodec.compute.sampling`).
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor

from coordcodec.compute.kernels import kernels_for
from coordcodec.compute.sampling import along_curve, products, strata
from coordcodec.data import Floats, Grid, Signal
from coordcodec.layers.siren.batch import Batch
from coordcodec.layers.siren.encoding import encode, encode_side
from coordcodec.partition import Partition
from coordcodec.specs import SirenSpec

BLOCK = 256
SPARSE = 0.25
"""Where a smaller share of a part's samples is known, minibatches are drawn from those alone: in blocks most of every
minibatch would weigh nothing."""


class _Source(ABC):
    """What minibatches of one part, drawn for ever, are drawn from."""

    @abstractmethod
    def _begin(self, size: int, seed: int) -> None:
        """Draw anew, so many points at a time."""

    values: Tensor

    @property
    def held_bytes(self) -> int:
        """The bytes of its samples."""
        return int(self.values.nbytes)

    def resized(self, size: int, seed: int) -> Self:
        """Other minibatches of the same part, which share its samples."""
        other = copy.copy(self)
        other._begin(size, seed)
        return other


class GridBatches(_Source):
    """Endless minibatches of one part of a gridded signal."""

    def __init__(
        self,
        axes: list[Tensor],
        lattice: Tensor,
        spec: SirenSpec,
        size: int,
        seed: int,
        gain: float = 1.0,
        known: Tensor | None = None,
    ) -> None:
        """Start with a permutation.

        axes: per axis the samples' coordinates (samples,).
        lattice: the part's values, (*samples, c).
        size: points per batch, about.
        gain: what values are divided by.
        known: (*samples,) bool, which samples count; None: all.
        """
        self.gain = gain
        self.weights = None if known is None or bool(known.all()) else _weights(known)
        self.spec, self.waves = spec, kernels_for(lattice.device).waves
        # A table per axis, but where there is only one: it would hold the encoding of every point.
        self.encoded = len(axes) > 1
        self.axes = [encode_side(axis, spec, k, self.waves) for k, axis in enumerate(axes)] if self.encoded else axes
        self.counts = lattice.shape[:-1]
        self.values = lattice.reshape(-1, lattice.shape[-1])
        side = max(2, round(BLOCK ** (1 / len(axes))))
        self.sides = [min(side, n) for n in self.counts]
        self.groups = [math.ceil(n / b) for n, b in zip(self.counts, self.sides, strict=True)]
        self.device = lattice.device
        self._begin(size, seed)

    @property
    def held_bytes(self) -> int:
        """The bytes of its samples and their weights."""
        return super().held_bytes + (0 if self.weights is None else int(self.weights.nbytes))

    def _begin(self, size: int, seed: int) -> None:
        self.blocks = min(math.prod(self.groups), max(1, size // math.prod(self.sides)))
        self.shape = (self.blocks, *self.sides)
        self.generator = torch.Generator().manual_seed(seed)
        self.queue = torch.empty(0, dtype=torch.int64, device=self.device)
        self.members: list[Tensor] = []

    def _shuffle(self) -> None:
        """A new epoch: split every axis into random groups; the queue holds all their products."""
        self.members = [
            strata(n, side, self.generator).to(self.device) for n, side in zip(self.counts, self.sides, strict=True)
        ]
        self.queue = products(self.groups, self.generator).to(self.device)

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
            found = self.axes[k].index_select(0, samples.view(-1))
            found = found if self.encoded else encode_side(found, self.spec, k, self.waves)
            features.append(found.view(1, *samples.shape, -1))
        chosen_values = self.values.index_select(0, index.view(-1))
        targets = (chosen_values if self.gain == 1 else chosen_values / self.gain)[None]
        weights = None if self.weights is None else self.weights.index_select(0, index.view(-1))[None]
        return Batch(features[::-1], targets, weights)


def _weights(known: Tensor) -> Tensor:
    """Of each sample's error, (n, 1): 0 for those that are not known, on average 1; 0 if none is."""
    weights = known.reshape(-1, 1).to(torch.float32)
    return weights / weights.mean().clamp_min(1e-9)


class PointBatches(_Source):
    """Endless minibatches of one part of a scattered signal: one block whose only axis runs over its points."""

    def __init__(self, coords: Tensor, values: Tensor, spec: SirenSpec, size: int, seed: int) -> None:
        order = along_curve(coords)
        self.coords, self.values, self.spec = coords[order], values[order], spec
        self.waves = kernels_for(values.device).waves
        self._begin(size, seed)

    @property
    def held_bytes(self) -> int:
        """The bytes of its samples and their coordinates."""
        return int(self.values.nbytes + self.coords.nbytes)

    def _begin(self, size: int, seed: int) -> None:
        self.size = min(size, len(self.values))
        self.shape = (1, self.size)
        self.generator = torch.Generator().manual_seed(seed)
        self.queue: list[Tensor] = []

    def next(self) -> Batch:
        """The next minibatch."""
        if not self.queue:
            self.queue = list(strata(len(self.values), self.size, self.generator).to(self.values.device))
        chosen = self.queue.pop()
        encoded = encode(self.coords.index_select(0, chosen), self.spec, self.waves)
        return Batch([encoded[None, None]], self.values.index_select(0, chosen)[None])


Batches = GridBatches | PointBatches


def batches_of(
    signal: Signal,
    partition: Partition,
    spec: SirenSpec,
    size: int,
    seed: int,
    device: torch.device,
    gains: Sequence[float] = (),
) -> list[Batches]:
    """The minibatches of every part of a signal, in the order of the partition.

    size: points per batch and part, about. gains: what each part's values are divided by; empty: nothing.
    """
    gains = gains or [1.0] * len(partition)
    if isinstance(signal.coords, Grid):
        return _grid_parts(signal, signal.coords, partition, spec, size, seed, device, gains)
    boxes: list[list[tuple[Floats, Floats]]] = [[] for _ in range(len(partition))]
    known = slice(None) if signal.mask is None else signal.mask
    places, given = signal.coords[known], signal.values[known]
    for cover in partition.covers(places):
        covered = given[cover.points]
        for part in np.unique(cover.boxes):
            mine = cover.boxes == part
            boxes[part].append((cover.local[mine], covered[mine] / np.float32(gains[part])))
    # An empty box still needs something to fit.
    nothing = np.zeros((1, signal.dims), np.float32), np.zeros((1, signal.channels), np.float32)
    parts: list[Batches] = []
    for part, found in enumerate(boxes):
        local, values = zip(*(found or [nothing]), strict=True)
        coords, targets = (torch.from_numpy(np.concatenate(a)).to(device) for a in (local, values))
        parts.append(PointBatches(coords, targets, spec, size, seed + part))
    return parts


def _grid_parts(
    signal: Signal,
    grid: Grid,
    partition: Partition,
    spec: SirenSpec,
    size: int,
    seed: int,
    device: torch.device,
    gains: Sequence[float],
) -> list[Batches]:
    lattice = torch.from_numpy(signal.values).to(device).view(*grid.shape, signal.channels)
    known = None if signal.mask is None else torch.from_numpy(signal.mask).to(device).view(grid.shape)
    parts: list[Batches] = []
    for number, window in enumerate(partition.windows(grid)):
        axes = [torch.from_numpy(partition.within(number, window, k)).to(device) for k in range(grid.dims)]
        values = lattice[window.place]
        own = None if known is None else known[window.place]
        if own is not None and float(own.float().mean()) < SPARSE:
            coords, targets = _known_points(axes, values, own)
            parts.append(PointBatches(coords, targets / gains[number], spec, size, seed + number))
        else:
            parts.append(GridBatches(axes, values, spec, size, seed + number, gains[number], own))
    return parts


def _known_points(axes: list[Tensor], values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates (n, d) and values (n, c) of the known samples of a part; a 0 in its middle if there is none."""
    index = known.nonzero()
    if not len(index):
        return torch.zeros(1, len(axes), device=values.device), torch.zeros(1, values.shape[-1], device=values.device)
    coords = torch.stack([axis[index[:, k]].float() for k, axis in enumerate(axes)], 1)
    return coords, values[tuple(index.T)]
