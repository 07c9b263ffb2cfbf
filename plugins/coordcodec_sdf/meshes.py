"""Meshes as two arrays, checked and cleaned: all that the rest of this plugin sees of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError
from coordcodec_sdf.settings import MAX_FACES

Points = NDArray[np.float64]
Faces = NDArray[np.int64]


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh.

    vertices: (v, 3) float64, finite. faces: (f, 3) int64 into them, counter-clockwise seen from outside.
    """

    vertices: Points
    faces: Faces

    @cached_property
    def crosses(self) -> Points:
        """(f, 3): along each face's normal, twice its area long."""
        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        return np.cross(b - a, c - a)

    @cached_property
    def areas(self) -> Points:
        """(f,)."""
        return np.asarray(np.linalg.norm(self.crosses, axis=1) / 2)

    @cached_property
    def normals(self) -> Points:
        """(f, 3) of length 1; zero for faces without area."""
        lengths = 2 * self.areas
        return np.asarray(self.crosses / np.where(lengths > 0, lengths, 1)[:, None])

    @cached_property
    def bounds(self) -> Points:
        """(2, 3): the lowest and the highest corner."""
        return np.stack([self.vertices.min(axis=0), self.vertices.max(axis=0)])

    @property
    def diagonal(self) -> float:
        """The length of the box's diagonal."""
        return float(np.linalg.norm(self.bounds[1] - self.bounds[0]))

    def flipped(self) -> Mesh:
        """The same surface, inside out."""
        return Mesh(self.vertices, np.ascontiguousarray(self.faces[:, ::-1]))

    def moved(self, centre: Points, scale: float) -> Mesh:
        """The same mesh at (vertices - centre) / scale."""
        return Mesh((self.vertices - centre) / scale, self.faces)

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[Points, NDArray[np.int64]]:
        """Points spread evenly over the area: (count, 3), and the face of each, (count,)."""
        cumulated = np.cumsum(self.areas)
        face = np.searchsorted(cumulated, rng.random(count) * cumulated[-1], side="right")
        face = np.minimum(face, len(self.faces) - 1)
        along, across = rng.random((2, count, 1))
        along = np.sqrt(along)
        a, b, c = (self.vertices[self.faces[face, k]] for k in range(3))
        return a * (1 - along) + b * (along * (1 - across)) + c * (along * across), face


def checked_mesh(vertices: Any, faces: Any, name: str) -> Mesh:
    """A mesh from arrays that may hold anything, without unused vertices and faces that have no area.

    vertices: (v, 3) numbers. faces: (f, 3) whole numbers.
    Raises SignalError when there are no faces or too many, they name vertices that do not exist or are not
    finite, or all of them lie in one point or one line.
    """
    try:
        vertices, faces = np.asarray(vertices, dtype=np.float64), np.asarray(faces, dtype=np.int64)
    except (TypeError, ValueError, OverflowError):
        raise SignalError(f"{name} holds no mesh: its vertices or faces are not numbers") from None
    if not vertices.size or not faces.size:
        what = "points but no faces" if vertices.size else "nothing"
        raise SignalError(f"{name} holds {what}; a shape needs triangles")
    if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
        raise SignalError(f"{name} is no triangle mesh: vertices {vertices.shape} and faces {faces.shape}")
    if len(faces) > MAX_FACES:
        raise SignalError(f"{name} has {len(faces)} faces, at most {MAX_FACES} are read; simplify it first")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise SignalError(f"{name} is damaged: its faces name vertices that do not exist")
    return _cleaned(vertices, faces, name)


def _cleaned(vertices: Points, faces: Faces, name: str) -> Mesh:
    vertices, faces = _used(vertices, faces)
    if not np.isfinite(vertices).all():
        raise SignalError(f"{name} has vertices that are not finite numbers (NaN or infinity); repair it first")
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    with np.errstate(over="ignore"):
        extent = float((high - low).max())
    if not 1e-100 < extent < 1e100:
        raise SignalError(f"{name} has an extent of {extent:g}, expected more than 0 and less than 1e100")
    offset = float(np.abs(vertices).max())
    if extent < 1e-12 * offset:
        raise SignalError(f"{name} is {extent:g} large but lies {offset:g} from the origin: move it closer first")
    unit = Mesh((vertices - low) / extent, faces)  # so that no area over- or underflows
    solid = unit.areas > 1e-18
    if not solid.any():
        raise SignalError(f"{name} has no area: all its faces lie in one point or one line")
    return Mesh(vertices, faces) if solid.all() else Mesh(*_used(vertices, faces[solid]))


def _used(vertices: Points, faces: Faces) -> tuple[Points, Faces]:
    """The vertices that faces name, in their order, and the faces with their new numbers."""
    used = np.zeros(len(vertices), bool)
    used[faces] = True
    return vertices[used], (np.cumsum(used) - 1)[faces]


def rounded(value: float, tolerance: float) -> float:
    """The value as binary32, which takes four bytes less in a file, unless that moves it by more than `tolerance`."""
    if not 1e-30 < abs(value) < 1e30:
        return 0.0 if value == 0 else value
    single = float(np.float32(value))
    return single if abs(single - value) <= tolerance and math.isfinite(single) else value
