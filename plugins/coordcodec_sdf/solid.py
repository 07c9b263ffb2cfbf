"""What a mesh encloses: exact distances, and a sign that survives real meshes.

The distance is that to the closest point of the surface; the sign comes from the generalised winding number w
(Jacobson et al. 2013, its fast form Barill et al. 2018): how often the surface wraps around a point. It is near
0 outside and 1 inside even if the mesh has holes, and a point is inside where |w| > 0.5, so that parts that are
inside out (-1), nested (2) or cavities (0) come out right. They are two separate queries: the combined ones of
the same library scale the distance with the approximate winding number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec_sdf.meshes import Faces, Mesh, Points

Mask = NDArray[np.bool_]

SIDE = 1e-4
"""How far from the surface its two sides are probed, as a share of the mesh's diagonal."""
_CLOUD = 100_000
"""Points that stand for the visible surface where a mesh has hidden parts."""
_CROWDED, _LEAST = 50.0, 10_000
"""Faces whose boxes overlap so many others make a query slow; there are fewer of them then, but so many at least."""


@dataclass(frozen=True)
class Solid:
    """A mesh and what of its surface shows.

    mesh: all faces; the winding number needs them.
    surface: the faces that separate inside from outside, at least in part.
    mixed: (f,) which faces of `surface` do so only in part (where parts overlap); None for none of them.
    thickness: the solid reaches so far beyond the surface, in units of the mesh, >= 0.
    """

    mesh: Mesh
    surface: Mesh
    mixed: Mask | None = None
    thickness: float = 0.0

    @classmethod
    def of(cls, mesh: Mesh) -> Solid:
        """A mesh taken as it is."""
        return cls(mesh, mesh)

    def moved(self, centre: Points, scale: float) -> Solid:
        """The same solid at (x - centre) / scale."""
        mesh = self.mesh.moved(centre, scale)
        surface = mesh if self.surface is self.mesh else self.surface.moved(centre, scale)
        return Solid(mesh, surface, self.mixed, self.thickness / scale)

    def inside(self, points: Points) -> Mask:
        """Whether points (n, 3) are inside: (n,)."""
        enclosed = np.abs(winding(self.mesh, points)) > 0.5
        return enclosed | (self.distance(points) < self.thickness) if self.thickness else enclosed

    def distance(self, points: Points) -> Points:
        """The distance of points (n, 3) to the visible surface: (n,), >= 0."""
        distance, face, closest = closest_points(self.surface, points)
        hidden = self._hidden(closest, face)
        if len(hidden):
            distance[hidden] = self._cloud.query(points[hidden], workers=-1)[0]
        return distance

    def signed_distance(self, points: Points) -> Points:
        """Negative inside, positive outside: (n,)."""
        distance = self.distance(points)
        enclosed = np.abs(winding(self.mesh, points)) > 0.5
        return np.where(enclosed, -distance, distance) - self.thickness

    def shows(self, points: Points, normals: Points) -> Mask:
        """Whether points of the surface separate inside from outside: (n,)."""
        front, back = sides(self.mesh, points, normals)
        return np.asarray((np.abs(front) > 0.5) != (np.abs(back) > 0.5))

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[Points, NDArray[np.int64]]:
        """Points spread evenly over the visible surface: (count, 3), and their faces of `surface`, (count,)."""
        points, faces = np.zeros((0, 3)), np.zeros(0, np.int64)
        for _ in range(8):  # a surface that hardly shows is made do with
            more, face = self.surface.surface_points(count, rng)
            hidden = self._hidden(more, face)
            if not len(hidden) and not len(points):
                return more, face
            points = np.concatenate([points, np.delete(more, hidden, axis=0)])
            faces = np.concatenate([faces, np.delete(face, hidden)])
            if len(points) >= count:
                break
        if not len(points):
            return self.surface.surface_points(count, rng)
        again = np.arange(count) % len(points)
        return points[again], faces[again]

    def _hidden(self, points: Points, faces: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which points of the surface do not show, of those on mixed faces: their numbers."""
        if self.mixed is None:
            return np.zeros(0, np.int64)
        doubtful = np.flatnonzero(self.mixed[faces])
        shows = self.shows(points[doubtful], self.surface.normals[faces[doubtful]])
        return doubtful[~shows]

    @cached_property
    def _cloud(self) -> Any:
        from scipy.spatial import cKDTree

        count = fewer_where_crowded(self.mesh, _CLOUD)
        return cKDTree(self.surface_points(count, np.random.default_rng(0))[0])


def fewer_where_crowded(mesh: Mesh, count: int) -> int:
    """As many queries as asked for, or fewer where slender faces, whose boxes overlap, would make them take minutes."""
    corners = mesh.vertices[mesh.faces]
    boxes = float((corners.max(axis=1) - corners.min(axis=1)).prod(axis=1).sum())
    crowd = boxes / max(float((mesh.bounds[1] - mesh.bounds[0]).prod()), 1e-12)
    return min(count, max(_LEAST, int(count * _CROWDED / max(crowd, 1e-9))))


def winding(mesh: Mesh, points: Points) -> Points:
    """The generalised winding number of points (n, 3): (n,), accurate to about 0.01."""
    import point_cloud_utils as pcu

    if not len(points):
        return np.zeros(0)
    found = pcu.triangle_soup_fast_winding_number(mesh.vertices, mesh.faces, np.ascontiguousarray(points))
    return np.nan_to_num(np.asarray(found, dtype=np.float64).reshape(-1))


def closest_points(mesh: Mesh, points: Points) -> tuple[Points, NDArray[np.int64], Points]:
    """Exact distances of points (n, 3) to the surface (n,), the closest faces (n,) and the closest points (n, 3)."""
    import point_cloud_utils as pcu

    if not len(points):
        return np.zeros(0), np.zeros(0, np.int64), np.zeros((0, 3))
    found = pcu.closest_points_on_mesh(np.ascontiguousarray(points), mesh.vertices, mesh.faces)
    distance, face, weights = (np.asarray(a) for a in found)
    corners = mesh.vertices[mesh.faces[face.reshape(-1)]]
    return distance.reshape(-1), face.reshape(-1), np.einsum("nk,nkd->nd", weights.reshape(-1, 3), corners)


def sides(mesh: Mesh, points: Points, normals: Points) -> tuple[Points, Points]:
    """The winding numbers just in front of and just behind points of the surface: (n,) twice."""
    step = normals * (SIDE * mesh.diagonal)
    both = winding(mesh, np.concatenate([points + step, points - step]))
    return both[: len(points)], both[len(points) :]


def merged_faces(mesh: Mesh) -> Faces:
    """The faces with equal numbers for equal vertices: in files such as STL every triangle has its own."""
    _, number = np.unique(mesh.vertices, axis=0, return_inverse=True)
    return np.ascontiguousarray(number.reshape(-1)[mesh.faces])
