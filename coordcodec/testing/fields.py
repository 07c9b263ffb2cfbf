"""Fields for tests: that of a perfect codec, a constant one, and one that minds how it is asked."""

from __future__ import annotations

import numpy as np

from coordcodec.data import Coords, Field, Floats, Grid, Signal

MOST_POINTS = 1 << 20
"""A modality asks a field for at most so many points in one call."""


class Enough(BaseException):
    """A field was asked for more points than a test allows. No Exception, so that no plugin swallows it."""


class Watched:
    """A field that fails when it is asked wrongly, and counts.

    field: what answers. dims: d of the coordinates. most: points in all, beyond which `Enough` is raised.
    asked: points so far. problem: what was wrong, kept because a plugin may swallow the AssertionError.
    """

    def __init__(self, field: Field, dims: int, most: float = float("inf")) -> None:
        self.field, self.dims, self.most = field, dims, most
        self.asked, self.problem = 0, ""

    def __call__(self, coords: Coords) -> Floats:
        """Check how it is asked, then answer: (n, d) coords -> (n, c) values."""
        self.problem = self.problem or self._problem(coords)
        assert not self.problem, self.problem
        self.asked += len(coords)
        if self.asked > self.most:
            raise Enough
        return self.field(coords)

    def on_grid(self, grid: Grid) -> Floats:
        """The values on a grid, asked for in slices."""
        return np.concatenate([self(coords) for _, coords in grid.slices()])

    def _problem(self, coords: object) -> str:
        if not isinstance(coords, np.ndarray) or coords.ndim != 2 or coords.shape[1] != self.dims:
            given = f"shape {coords.shape}" if isinstance(coords, np.ndarray) else type(coords).__name__
            return f"a field takes an array of coords (n, {self.dims}), it was asked with {given}"
        if coords.dtype.kind != "f" or not bool(np.isfinite(coords).all()):
            return f"a field takes finite float coords in [-1, 1], it was asked with {coords.dtype} of other values"
        if len(coords) > MOST_POINTS:
            return f"a field was asked for {len(coords)} points at once, at most {MOST_POINTS}; use data.sample"
        return ""


def constant_field(channels: int) -> Field:
    """A field that is 0.25 everywhere: (n, d) -> (n, channels)."""
    return lambda coords: np.full((len(coords), channels), 0.25, np.float32)


def nearest_field(signal: Signal) -> Field:
    """The field of a perfect codec: at any coordinate the value of the sample nearest to it."""
    return Watched(
        _on_grid(signal, signal.coords) if isinstance(signal.coords, Grid) else _scattered(signal), signal.dims
    )


def _on_grid(signal: Signal, grid: Grid) -> Field:
    lattice = _known(signal).reshape(*grid.shape, signal.channels)

    def field(coords: Floats) -> Floats:
        values: Floats = lattice[grid.nearest(coords)]
        return values

    return field


def _known(signal: Signal) -> Floats:
    """The values, NaN where no sample is known."""
    return signal.values if signal.mask is None else np.where(signal.mask[:, None], signal.values, np.float32(np.nan))


def _scattered(signal: Signal) -> Field:
    from scipy.spatial import cKDTree

    tree, known = cKDTree(signal.coords), _known(signal)

    def field(coords: Floats) -> Floats:
        values: Floats = known[tree.query(coords)[1]]
        return values

    return field
