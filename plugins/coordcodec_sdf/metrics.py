"""How close one mesh comes to another. Usable for any decoded mesh, whichever codec made it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coordcodec_sdf.meshes import Mesh, Points
from coordcodec_sdf.solid import Solid, closest_points, merged_faces

Scores = dict[str, float | None]

POINTS = 50_000
"""Points drawn from each surface."""
_VOLUME_POINTS = 100_000
_NEAR = 0.01
"""Standard deviation of the near-surface points of `iou_near`, as a share of the diagonal."""
_GRID = 48
"""Points per axis of the grid of `wrong_sign_percent`, which reaches 10 % beyond the box."""

_NO_DISTANCES: Scores = {
    "chamfer_l1_percent": None,
    "chamfer_l2_percent": None,
    "f_score_05_percent": 0.0,
    "f_score_1_percent": 0.0,
    "normal_error_degrees": None,
}


@dataclass(frozen=True)
class _Way:
    """From points of one surface to the other: distances (n,), cosines of the angles between the normals (n,)."""

    distance: Points
    cosine: Points

    @classmethod
    def of(cls, source: Solid, target: Solid, seed: int) -> _Way:
        points, face = source.surface_points(POINTS, np.random.default_rng(seed))
        distance, closest, _ = closest_points(target.surface, points)
        cosine = np.einsum("nd,nd->n", source.surface.normals[face], target.surface.normals[closest])
        return cls(distance, np.clip(np.abs(cosine), 0, 1))


def compare(original: Solid | Mesh, decoded: Mesh | None) -> Scores:
    """The scores of a decoded mesh; None stands for one without any surface.

    original, decoded: in the same space. All lengths are in percent of the diagonal of the original's box.

    chamfer_l1_percent: the mean distance from 50,000 points of either surface to the other *surface* (exact closest
        points), averaged over both directions.
    chamfer_l2_percent: the root of the mean squared distance, the mean taken over both directions.
    f_score_05_percent, f_score_1_percent: the harmonic mean of the shares of either surface's points that lie within
        0.5 % and 1 % of the other; 0 to 1.
    normal_error_degrees: the mean angle between a point's normal and that of the closest point, both directions,
        whichever way the faces are turned; 0 to 90.
    iou: volume of the intersection over that of the union, from points spread evenly over the box.
    iou_near: the same from points around the original's surface (a normal step of 1 % of the diagonal per axis).
    components, largest_component_percent: connected parts of the decoded mesh, the largest one's share of the area.
    watertight: 1 if every edge of the decoded mesh joins two faces, else 0.
    wrong_sign_percent: share of the points of a regular grid that are inside one and outside the other.
    """
    solid, other = _normalised(original, decoded)
    if other is None:
        return _nothing(solid)
    return {**_distances(solid, other), **_volumes(solid, other), **_structure(other.mesh)}


def distances(original: Solid | Mesh, decoded: Mesh) -> Scores:
    """Those of the scores of `compare` that need no inside: Chamfer distances, F-scores, normals. Quick."""
    solid, other = _normalised(original, decoded)
    return _distances(solid, other) if other is not None else dict(_NO_DISTANCES)


def _normalised(original: Solid | Mesh, decoded: Mesh | None) -> tuple[Solid, Solid | None]:
    """Both around 0 and of size 1, which is what the libraries like best."""
    solid = original if isinstance(original, Solid) else Solid.of(original)
    low, high = solid.surface.bounds
    centre, scale = (low + high) / 2, float((high - low).max()) / 2
    other = Solid.of(decoded.moved(centre, scale)) if decoded is not None and len(decoded.faces) else None
    return solid.moved(centre, scale), other


def _distances(solid: Solid, other: Solid) -> Scores:
    ways = (_Way.of(solid, other, 1), _Way.of(other, solid, 2))
    percent = 100 / solid.surface.diagonal

    def f_score(limit: float) -> float:
        recall, precision = (float((way.distance * percent <= limit).mean()) for way in ways)
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    squares = float(np.mean([(way.distance**2).mean() for way in ways]))
    return {
        "chamfer_l1_percent": float(np.mean([way.distance.mean() for way in ways])) * percent,
        "chamfer_l2_percent": squares**0.5 * percent,
        "f_score_05_percent": f_score(0.5),
        "f_score_1_percent": f_score(1.0),
        "normal_error_degrees": float(np.degrees(np.mean([np.arccos(way.cosine).mean() for way in ways]))),
    }


def _volumes(solid: Solid, other: Solid | None) -> Scores:
    rng = np.random.default_rng(3)
    low, high = solid.surface.bounds
    uniform = rng.uniform(low, high, (_VOLUME_POINTS, 3))
    near, _ = solid.surface_points(_VOLUME_POINTS, rng)
    near = near + _NEAR * solid.surface.diagonal * rng.standard_normal(near.shape)
    reach = 0.1 * (high - low)
    axes = [np.linspace(low[k] - reach[k], high[k] + reach[k], _GRID) for k in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)

    points = np.concatenate([uniform, near, grid])  # in one call: the library sorts the faces anew for each
    ours, theirs = solid.inside(points), other.inside(points) if other else np.zeros(len(points), bool)
    parts = np.cumsum([len(uniform), len(near)])
    pairs = list(zip(np.split(ours, parts), np.split(theirs, parts), strict=True))
    return {
        "iou": _iou(*pairs[0]),
        "iou_near": _iou(*pairs[1]),
        "wrong_sign_percent": 100 * float((pairs[2][0] != pairs[2][1]).mean()),
    }


def _iou(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> float | None:
    union = int((ours | theirs).sum())
    return int((ours & theirs).sum()) / union if union else None


def _structure(mesh: Mesh) -> Scores:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    faces = merged_faces(mesh)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    size = int(faces.max()) + 1
    graph = coo_array((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=(size, size))
    part = connected_components(graph, directed=False)[1][faces[:, 0]]
    areas = np.bincount(part, weights=mesh.areas)
    _, uses = np.unique(np.sort(edges, axis=1) @ np.array([size, 1]), return_counts=True)
    return {
        "components": float(len(np.unique(part))),
        "largest_component_percent": 100 * float(areas.max() / areas.sum()) if areas.sum() > 0 else None,
        "watertight": float((uses == 2).all()),
    }


def _nothing(solid: Solid) -> Scores:
    """The scores of an empty decoded mesh: no distance is defined, everything that was inside is missing."""
    structure: Scores = {"components": 0.0, "largest_component_percent": None, "watertight": None}
    return {**_NO_DISTANCES, **_volumes(solid, None), **structure}
