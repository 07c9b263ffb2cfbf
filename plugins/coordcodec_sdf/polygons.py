"""Polygons to triangles that cover the same surface, whether they are convex or not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from coordcodec.errors import SignalError
from coordcodec_sdf.meshes import Faces, Points
from coordcodec_sdf.settings import MAX_FACES
from coordcodec_sdf.words import Integers

_FLAT = 1e-6
"""A triangle smaller than this share of its polygon may lie the other way round: rounding moves corners off a line."""
_SHORT = 8
_INTRICATE = 1_500_000_000
"""The sum of the squares of the corners of polygons that are not convex, at most: cutting them may take so long."""


@dataclass(frozen=True)
class Polygons:
    """corners: (c,) the vertices of all polygons behind one another. counts: (p,) how many each has."""

    corners: Integers
    counts: Integers


@dataclass(frozen=True)
class Found:
    """What a mesh file holds.

    vertices: (v, 3). painted: whether there are colours or textures. remarks: what else should be known, each to be
    read behind the file's name.
    """

    vertices: Points
    polygons: Polygons
    painted: bool = False
    remarks: tuple[str, ...] = ()


def absent(vertex: str) -> str:
    """The message on a face that names a vertex that is not there."""
    return f"its faces name vertices that do not exist: one names {vertex}; repair or export it again"


@dataclass(frozen=True)
class _Folded:
    """A polygon over which a simple pattern folds: its corners (n,), its normal (3,), that pattern (n - 2, 3)."""

    loop: Integers
    normal: Points
    pattern: Faces


def triangles(vertices: Points, polygons: Polygons) -> Faces:
    """(f, 3): polygons as triangles; what has fewer than three corners has no surface and is left out.

    Raises SignalError where they name vertices that do not exist or become more than MAX_FACES triangles.
    """
    corners, counts = polygons.corners, polygons.counts
    wrong = (corners < 0) | (corners >= len(vertices))
    if wrong.any():
        raise SignalError(absent(f"vertex {corners[wrong][0]}, counted from 0, of {len(vertices)}"))
    total = int((counts - 2).clip(0).sum())
    if total > MAX_FACES:
        raise SignalError(f"it has {total} triangles, at most {MAX_FACES} are read; simplify it first")
    if (counts == 3).all():
        return corners.reshape(-1, 3)
    starts, order = np.cumsum(counts) - counts, np.argsort(counts, kind="stable")
    sizes, groups = np.unique(counts[order], return_index=True)
    parts: list[Faces] = [np.zeros((0, 3), np.int64)]
    folded: list[_Folded] = []
    for size, which in zip(sizes.tolist(), np.split(order, groups[1:]), strict=True):
        if size >= 3:
            part, more = _simply(vertices, corners[np.add.outer(starts[which], np.arange(size))])
            parts.append(part)
            folded += more
    if sum(len(polygon.loop) ** 2 for polygon in folded) > _INTRICATE:
        raise SignalError("its polygons have too many corners to be cut into triangles here; triangulate it first")
    return np.concatenate([*parts, *(_clipped(vertices, polygon) for polygon in folded)])


def _simply(vertices: Points, loops: Faces) -> tuple[Faces, list[_Folded]]:
    """Polygons of n corners (m, n) as triangles (k, 3), and those for which no simple pattern does."""
    parts = []
    pattern = _pattern(loops.shape[1])
    for _ in range(loops.shape[1] if 3 < loops.shape[1] <= _SHORT else 1):  # a fan from any of its corners
        found = loops[:, pattern]
        crosses = _crosses(vertices, found)
        normals = crosses.sum(axis=1)  # those of the polygons, however they are cut
        # Where all triangles face the same way they cover the polygon once.
        along = np.einsum("mtd,md->mt", crosses, normals)
        folded = (along < -_FLAT * np.einsum("md,md->m", normals, normals)[:, None]).any(axis=1)
        parts.append(found[~folded].reshape(-1, 3))
        loops, found, normals = np.roll(loops[folded], -1, axis=1), found[folded], normals[folded]
        if not len(loops):
            break
    return np.concatenate(parts), [_Folded(*polygon) for polygon in zip(loops, normals, found, strict=True)]


def _crosses(vertices: Points, corners: Faces) -> Points:
    """The cross products of the sides of triangles (..., 3): (..., 3)."""
    a, b, c = (vertices[corners[..., k]] for k in range(3))
    return np.cross(b - a, c - a)


@lru_cache(maxsize=64)
def _pattern(count: int) -> Faces:
    """How a convex polygon is cut: a short one as a fan, as others do, a long one in halves: a fan would be slivers."""
    if count <= _SHORT:
        return np.array([(0, k, k + 1) for k in range(1, count - 1)], dtype=np.int64)
    found, left = [], [(0, count - 1)]
    while left:
        first, last = left.pop()
        if last - first >= 2:
            middle = (first + last + 1) // 2
            found.append((first, middle, last))
            left += [(middle, last), (first, middle)]
    return np.array(found, dtype=np.int64).reshape(-1, 3)


def _clipped(vertices: Points, polygon: _Folded) -> Faces:
    """Its triangles, ear by ear; those of the pattern if it crosses itself or is far from flat."""
    import mapbox_earcut

    points = vertices[polygon.loop] - vertices[polygon.loop[0]]
    axis = int(np.abs(polygon.normal).argmax())  # it is seen along the axis closest to its normal
    size = float(np.abs(points).max())
    flat = np.ascontiguousarray(points[:, [(axis + 1) % 3, (axis + 2) % 3]] / size)
    ears = mapbox_earcut.triangulate_float64(flat, np.array([len(flat)], np.uint32)).astype(np.int64).reshape(-1, 3)
    a, b, c = (flat[ears[:, k]] for k in range(3))
    covered = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    whole = polygon.normal[axis] / size**2
    if not abs(np.abs(covered).sum() - abs(whole)) <= 1e-6 * abs(whole):
        return polygon.pattern
    return polygon.loop[ears if covered.sum() * whole > 0 else ears[:, ::-1]]
