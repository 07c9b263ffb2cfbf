"""What a pyramid decodes to, as a function of coordinates. NumPy only."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Coords, Floats, Grid, Symbols
from coordcodec.layers.pyramid.coding import latents_name
from coordcodec.layers.pyramid.upsample import corners, features
from coordcodec.specs.pyramid import PyramidSpec

_MANY = 1 << 14
"""Samples that go through the network at a time."""


def synthesised(spec: PyramidSpec, tensors: Mapping[str, Floats], given: Floats) -> Floats:
    """Values of samples, (n, c) float32, from their features (levels, n)."""
    w1, b1, w2, b2, w3, b3 = (tensors[f"synthesis.{k}.{kind}"] for k in range(3) for kind in ("weight", "bias"))
    skip, found = tensors["synthesis.skip"], np.empty((given.shape[1], spec.channels), np.float32)
    unit, origin = (np.array(numbers, np.float32)[:, None] for numbers in (spec.unit, spec.origin))
    for start in range(0, given.shape[1], _MANY):
        x = given[:, start : start + _MANY]
        hidden = np.maximum(w1 @ x + b1[:, None], 0)
        hidden = np.maximum(w2 @ hidden + b2[:, None], 0)
        found[start : start + _MANY] = (origin + unit * (w3 @ hidden + skip @ x + b3[:, None])).T
    return found


class PyramidField:
    """A pyramid's values: at the signal's own samples what was synthesised, cubic interpolation of them between."""

    def __init__(self, spec: PyramidSpec, symbols: Symbols) -> None:
        self.spec, self._symbols = spec, symbols
        self.grid = Grid(spec.shape, periodic=spec.periodic)
        self._lock, self._samples = Lock(), None  # type: tuple[Any, Floats | None]

    def __getstate__(self) -> dict[str, Any]:
        return {"spec": self.spec, "symbols": self._symbols}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    @property
    def samples(self) -> Floats:
        """All of them: (*shape, c)."""
        with self._lock:
            if self._samples is None:
                latents = {level: self._symbols[latents_name(level)].symbols for level in self.spec.levels}
                given = features(self.spec, latents).reshape(len(latents), -1)
                tensors = {name: self._symbols[name].dequantize() for name in self.spec.tensors()}
                found = synthesised(self.spec, tensors, given)
                self._samples = found.reshape(*self.spec.shape, self.spec.channels)
            return self._samples

    def __call__(self, coords: Coords) -> Floats:
        """The values at n coordinates (n, d): (n, c) float32."""
        axes = [self._corners(k, coords[:, k]) for k in range(len(self.spec.shape))]
        total: NDArray[np.float64] = np.zeros((len(coords), self.spec.channels))
        for corner in itertools.product(range(4), repeat=len(axes)):
            weight = np.ones(len(coords))
            for k, i in enumerate(corner):
                weight = weight * axes[k][1][i]
            total += weight[:, None] * self.samples[tuple(axes[k][0][i] for k, i in enumerate(corner))]
        return total.astype(np.float32)

    def _corners(self, k: int, along: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        n, circle = self.spec.shape[k], bool(self.grid.periodic[k])
        return corners(self.grid.places(k, along), n, circle)

    def on_grid(self, grid: Grid) -> Floats:
        """The values on a grid, (n, c) float32; on the signal's own exactly what was synthesised."""
        if (grid.lattice, grid.periodic) == (self.grid.lattice, self.grid.periodic):
            return self.samples[grid.place].reshape(-1, self.spec.channels)
        found = np.empty((len(grid), self.spec.channels), np.float32)
        for part, coords in grid.slices():
            found[part] = self(coords)
        return found
