"""Signed-distance samples of a solid: most of them near the surface, where they decide what is decoded."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Floats
from coordcodec_sdf.meshes import Mesh, Points, rounded
from coordcodec_sdf.settings import EXTENT, SEED, WIDTHS
from coordcodec_sdf.solid import Mask, Solid, fewer_where_crowded, winding

_CELLS = 24
"""Cells per axis of the grid that tells which samples are far from the surface."""


@dataclass(frozen=True)
class Frame:
    """Where the normalised mesh lies in the user's space: x = centre + scale * coords."""

    centre: Points
    scale: float

    @classmethod
    def of(cls, mesh: Mesh) -> Frame:
        """The middle of the mesh's box at 0, its longest side from -EXTENT to EXTENT; binary32 if that is enough."""
        low, high = mesh.bounds
        scale = float((high - low).max() / 2 / EXTENT)
        middle = [rounded(float(c), 1e-3 * scale) for c in (low + high) / 2]
        return cls(np.array(middle), rounded(scale, 1e-3 * scale))

    def outwards(self, coords: Points) -> Points:
        """Coords (n, 3) -> the user's space."""
        return self.centre + self.scale * np.asarray(coords, dtype=np.float64)

    def inwards(self, points: Points) -> Points:
        """The user's space (n, 3) -> coords."""
        return np.asarray((points - self.centre) / self.scale)


def affordable(mesh: Mesh, count: int, name: str) -> int:
    """As many samples as asked for, or fewer, with a warning, where slender faces make every query slow."""
    fewer = fewer_where_crowded(mesh, count)
    if fewer >= count:
        return count
    warnings.warn(
        f"{name} has many long thin faces, which make distances slow: it gets {fewer} samples instead of {count}; "
        "remesh it for more",
        stacklevel=3,
    )
    return fewer


def draw(solid: Solid, count: int, truncation: float) -> tuple[Floats, Floats]:
    """Samples of a normalised solid: coords (n, 3) and values (n, 1) = clip(signed distance, -t, t) / t.

    Seeded: the same solid gives the same samples. Values are negative inside. The shares and widths are those of
    `settings.WIDTHS`; the rest is uniform in [-1, 1]^3.
    """
    rng = np.random.default_rng(SEED)
    groups = [round(share * count) for _, share in WIDTHS]
    surface, _ = solid.surface_points(sum(groups), rng)
    widths = np.repeat([width for width, _ in WIDTHS], groups)[:, None]
    near = surface + widths * rng.standard_normal(surface.shape)
    points = np.concatenate([near, rng.uniform(-1, 1, (count - len(near), 3))])
    coords = np.clip(points, -1, 1).astype(np.float32)
    distance = truncated_distance(solid, coords.astype(np.float64), truncation)
    return coords, (distance / truncation).astype(np.float32)[:, None]


def truncated_distance(solid: Solid, points: Points, truncation: float) -> Points:
    """clip(signed distance, -t, t) of points (n, 3) in [-1, 1]: (n,).

    Exact, but exact queries are spent on points that may lie within t only: the distance at the middle of a
    point's cell says which may not, and whether the cell is on one side throughout.
    """
    half = np.sqrt(3) / _CELLS
    middle, cell = _cells(points)
    used, number = np.unique(cell, return_inverse=True)
    middle = middle[used]
    far = solid.distance(middle)[number] > truncation + solid.thickness + half
    result = np.empty(len(points))
    result[~far] = np.clip(solid.signed_distance(points[~far]), -truncation, truncation)
    result[far] = np.where(_far_inside(solid, points[far], middle, number[far]), -truncation, truncation)
    return result


def _far_inside(solid: Solid, points: Points, middle: Points, number: NDArray[np.int64]) -> Mask:
    """Whether points far from the surface are inside, by the middle of their cells where that is clear.

    It is not where a hole is closed by the winding number alone: that lid lies far from any face.
    """
    wound = np.zeros(len(middle))
    asked = np.unique(number)
    wound[asked] = np.abs(winding(solid.mesh, middle[asked]))
    found = wound[number]
    unclear = np.abs(found - 0.5) < 0.35
    found[unclear] = np.abs(winding(solid.mesh, points[unclear]))
    return np.asarray(found > 0.5)


def _cells(points: Points) -> tuple[Points, NDArray[np.int64]]:
    """The middles of all cells (_CELLS^3, 3), and the number of each point's cell (n,)."""
    axis = (np.arange(_CELLS) + 0.5) * (2 / _CELLS) - 1
    middle = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    index = np.clip(((points + 1) * (_CELLS / 2)).astype(np.int64), 0, _CELLS - 1)
    return middle, index @ np.array([_CELLS * _CELLS, _CELLS, 1])
