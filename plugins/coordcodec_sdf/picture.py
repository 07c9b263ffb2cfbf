"""A picture of two meshes and of how far they are apart, drawn by casting rays: no window, no graphics card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coordcodec_sdf.meshes import Mesh, Points
from coordcodec_sdf.solid import Solid, closest_points

_SIDE = 480
_RAYS = 2
"""Rays per pixel and axis."""
_VIEWS = (("front", (0.55, 0.35, 1.0)), ("back", (-0.55, 0.35, -1.0)))
"""Where the observer stands; y is up."""
_LIGHTS = (((-0.5, 0.8, 1.0), 0.75), ((1.0, 0.1, 0.5), 0.3), ((0.0, -1.0, 0.2), 0.1))
"""Directions in the observer's space (right, up, towards the observer), and brightness."""
_CLAY = np.array([0.80, 0.78, 0.74])


@dataclass(frozen=True)
class _Camera:
    """A parallel projection: the observer's axes (right, up, towards), and half the side of the picture."""

    axes: Points
    half: float

    @classmethod
    def of(cls, towards: tuple[float, float, float], mesh: Mesh) -> _Camera:
        forward = np.array(towards) / np.linalg.norm(towards)
        right = np.cross([0.0, 1.0, 0.0], forward)
        right /= np.linalg.norm(right)
        axes = np.stack([right, np.cross(forward, right), forward])
        return cls(axes, 1.04 * float(np.abs(mesh.vertices @ axes[:2].T).max()))

    def rays(self, reach: float) -> tuple[Points, Points]:
        """Origins and directions of all rays, the picture's rows from the top: ((side * rays)^2, 3) each."""
        count = _SIDE * _RAYS
        axis = ((np.arange(count) + 0.5) / count * 2 - 1) * self.half
        up, right = np.meshgrid(-axis, axis, indexing="ij")
        origins = right.reshape(-1, 1) * self.axes[0] + up.reshape(-1, 1) * self.axes[1] + reach * self.axes[2]
        return origins, np.broadcast_to(-self.axes[2], origins.shape).copy()


@dataclass(frozen=True)
class _Hits:
    """What the rays of a picture meet: which of them do (n,), and there the place and the normal (m, 3)."""

    met: NDArray[np.bool_]
    points: Points
    normals: Points


def draw_comparison(original: Solid, decoded: Mesh | None, target: BinaryIO) -> None:
    """Write a PNG: from the front and from behind the original, the decoded mesh, its distance to the original.

    original, decoded: in the same space; None stands for a decoded mesh without any surface.
    """
    low, high = original.surface.bounds
    centre, scale = (low + high) / 2, float((high - low).max()) / 2
    surface = original.surface.moved(centre, scale)
    other = decoded.moved(centre, scale) if decoded is not None else None
    rows = []
    for title, towards in _VIEWS:
        camera = _Camera.of(towards, surface)
        ours = _cast(surface, camera)
        theirs = _cast(other, camera) if other is not None else None
        error = None
        if theirs is not None and len(theirs.points):
            error = closest_points(surface, theirs.points)[0] * (100 / surface.diagonal)
        rows.append((title, camera, ours, theirs, error))
    _compose(rows, target)


def _cast(mesh: Mesh, camera: _Camera) -> _Hits:
    import point_cloud_utils as pcu

    # The library's rays run in single precision from far away; a mesh around 0 and of size 1 is what it likes best.
    intersector = pcu.RayMeshIntersector(mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32))
    origins, directions = camera.rays(2 + float(np.linalg.norm(mesh.vertices, axis=1).max()))
    face, _, distance = intersector.intersect_rays(origins.astype(np.float32), directions.astype(np.float32))
    met = np.isfinite(distance) & (face >= 0)
    points = origins[met] + directions[met] * np.asarray(distance, dtype=np.float64)[met, None]
    return _Hits(met, points, mesh.normals[face[met]])


def _shaded(hits: _Hits, camera: _Camera, colours: Points) -> Points:
    """The picture (side, side, 3) in 0 to 1: each hit's colour under a few lamps, white where nothing is."""
    normals = hits.normals @ camera.axes.T
    normals = normals * np.where(normals[:, 2:] < 0, -1, 1)  # lit from the observer's side, however it is turned
    light = np.full(len(normals), 0.22)
    for direction, strength in _LIGHTS:
        lamp = np.array(direction) / np.linalg.norm(direction)
        light += strength * np.clip(normals @ lamp, 0, 1)
    picture = np.ones((len(hits.met), 3))
    picture[hits.met] = np.clip(colours * light[:, None], 0, 1)
    fine = picture.reshape(_SIDE, _RAYS, _SIDE, _RAYS, 3)
    return np.asarray(fine.mean(axis=(1, 3)))


def _compose(rows: list[tuple[str, _Camera, _Hits, _Hits | None, Points | None]], target: BinaryIO) -> None:
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.2, 8.8), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3)
    errors = np.concatenate([e for *_, e in rows if e is not None] or [np.zeros(0)])
    most = max(float(np.quantile(errors, 0.995)), 1e-3) if len(errors) else 1.0
    colours = ScalarMappable(Normalize(0, most), colormaps["turbo"])
    for row, (title, camera, ours, theirs, error) in zip(axes, rows, strict=True):
        _show(row[0], f"original, {title}", _shaded(ours, camera, _CLAY))
        if theirs is None:
            _say(row[1], f"decoded, {title}", "no surface")
            _say(row[2], "distance to the original", "not defined")
            continue
        _show(row[1], f"decoded, {title}", _shaded(theirs, camera, _CLAY))
        painted = np.asarray(colours.to_rgba(error if error is not None else np.zeros(0)))[:, :3]
        _show(row[2], f"distance to the original, mean {_mean(error)}", _shaded(theirs, camera, 0.95 * painted))
    if len(errors):
        bar = figure.colorbar(colours, ax=axes[:, 2], shrink=0.7, extend="max")
        bar.set_label("distance to the original, % of its diagonal")
    canvas.print_png(target)


def _mean(error: Points | None) -> str:
    return "-" if error is None else f"{error.mean():.3f} %"


def _show(axes: Any, title: str, picture: Points) -> None:
    axes.imshow(picture, interpolation="none")
    axes.set_title(title, fontsize=11)
    axes.set_axis_off()


def _say(axes: Any, title: str, words: str) -> None:
    axes.set_title(title, fontsize=11)
    axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=14, color="0.4")
    axes.set_axis_off()
