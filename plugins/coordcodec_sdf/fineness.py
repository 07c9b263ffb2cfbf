"""How fine a grid a field's surface needs: as fine as its detail asks for, and no finer than its size allows."""

from __future__ import annotations

import numpy as np

from coordcodec.data import Field
from coordcodec_sdf import settings
from coordcodec_sdf.bricks import Lattice
from coordcodec_sdf.meshes import Points
from coordcodec_sdf.surface import Closed, extract

_SAMPLED = 20_000
"""Faces of the coarse surface that are looked at, at most."""


def fitting_resolution(field: Field, low: Points, high: Points, truncation: float, closed: Closed) -> int:
    """Grid points along the longest side of a box at which triangles follow a field's surface closely enough.

    A coarse surface is taken, and the distance of the middles of its faces from the field's zero. That distance falls
    with the square of the cells' size. The least of `settings.AUTO` is returned at which it is below `settings.SAG`, or
    the last; fewer where the surface, such as noise, would have more than `settings.AUTO_FACES` faces.
    Raises RecipeError as `extract` does.
    """
    lattice = Lattice.of(low, high, settings.SKETCH)
    vertices, faces = extract(field, lattice, truncation, closed)
    if not len(faces):
        return settings.AUTO[0]
    middles = vertices[faces[:: -(-len(faces) // _SAMPLED)]].mean(axis=1)
    values = np.nan_to_num(np.asarray(field(middles.astype(np.float32)), np.float64), nan=1.0)
    sag = float(np.abs(values).clip(0, 1).mean()) * truncation / float((high - low).max())
    wanted = settings.SKETCH * (sag / settings.SAG) ** 0.5
    most = settings.SKETCH * (settings.AUTO_FACES / len(faces)) ** 0.5
    fine = next((r for r in settings.AUTO if r >= wanted), settings.AUTO[-1])
    return max(settings.LEAST_RESOLUTION, min(fine, int(most)))
