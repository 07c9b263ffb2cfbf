"""Is a mesh a solid? Flipped faces are turned back, hidden ones found, doubts said, open surfaces refused."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError
from coordcodec_sdf.meshes import Mesh, Points
from coordcodec_sdf.solid import Mask, Solid, merged_faces, sides, winding

_PROBES = 10_000
_BLURRED, _DOUBTFUL = 0.05, 0.2
"""A winding number farther than this from a whole number tells of a hole (closed meshes stay below 0.01), and is no
clear sign."""
_SOME, _NOTABLE, _MOST = 0.001, 0.01, 0.5
"""Shares of the surface: worth a closer look, worth a warning, too much for a solid."""
_THIN, _DEEP = 0.002, 0.01
"""Shares of the diagonal: walls thinner than that are beyond a small network; what is open is a solid only if most of
it is thicker than that, as a car without windows is and a sheet of cloth is not."""


@dataclass(frozen=True)
class _Probes:
    """Points spread over a surface, the winding numbers in front and behind, and the share that is doubtful."""

    points: Points
    normals: Points
    front: Points
    back: Points

    @classmethod
    def of(cls, mesh: Mesh) -> _Probes:
        points, face = mesh.surface_points(_PROBES, np.random.default_rng(0))
        normals = mesh.normals[face]
        return cls(points, normals, *sides(mesh, points, normals))

    def off(self, limit: float) -> float:
        """The share of the points where either winding number is farther than `limit` from a whole one."""
        off = [np.abs(w - np.rint(w)) > limit for w in (self.front, self.back)]
        return float((off[0] | off[1]).mean())

    @property
    def shown(self) -> Mask:
        return np.asarray((np.abs(self.front) > 0.5) != (np.abs(self.back) > 0.5))


def as_solid(mesh: Mesh, name: str, thickness: float = 0.0, scale: float = 1.0) -> Solid:
    """The solid that a mesh encloses, its faces turned outwards.

    mesh: normalised, so that neither large nor small units trouble the libraries.
    thickness: see `Solid`; with it an open surface is a solid too.
    scale: the user's units per unit of the mesh, for messages.
    Warns, in one line each, of a doubtful inside, of hidden parts and of thin walls. Raises SignalError for
    surfaces that enclose nothing.
    """
    probes = _Probes.of(mesh)
    if probes.off(_BLURRED) > _NOTABLE or float(probes.shown.mean()) < _MOST:
        mesh, probes = _consistent(mesh, probes)
    if thickness:
        return Solid(mesh, mesh, thickness=thickness)
    shown = probes.shown
    if shown.any() and float((np.abs(probes.front[shown]) > 0.5).mean()) > 0.5:
        mesh, probes = mesh.flipped(), _Probes(probes.points, -probes.normals, probes.back, probes.front)
    _check_enclosing(mesh, name, probes, scale)
    if (blurred := probes.off(_BLURRED)) > _NOTABLE:
        _warn(
            f"{name}: holes, flipped or sliver faces blur inside and outside on {_percent(blurred)} of its surface; "
            "the winding number decides, so holes come out closed"
        )
    hidden = 1 - float(shown.mean())
    if hidden > _NOTABLE:
        _warn(f"{name}: {_percent(hidden)} of its surface lies inside it or encloses nothing and is not carried")
    if hidden > _SOME:
        return _visible(mesh)
    if (thin := 1 - _deep(mesh, probes, _THIN)) > 0.25:
        _warn(f"{name}: {_percent(thin)} of it is thinner than {_THIN:.1%} of its diagonal and may be lost")
    return Solid.of(mesh)


def _consistent(mesh: Mesh, probes: _Probes) -> tuple[Mesh, _Probes]:
    """The mesh without double faces and with neighbouring faces turned alike, if that makes it more of a solid."""
    import point_cloud_utils as pcu

    merged = merged_faces(mesh)
    _, single = np.unique(np.sort(merged, axis=1), axis=0, return_index=True)  # two-sided faces cancel each other
    merged, faces = np.ascontiguousarray(merged[single]), mesh.faces[single]
    turned = np.asarray(pcu.orient_mesh_faces(merged)[0]).reshape(-1, 3)
    flip = (turned != merged).any(axis=1)
    if len(faces) == len(mesh.faces) and not flip.any():
        return mesh, probes
    faces[flip] = faces[flip][:, ::-1]
    better = Mesh(mesh.vertices, np.ascontiguousarray(faces))
    again = _Probes.of(better)
    less_blurred = again.off(_DOUBTFUL) - again.shown.mean() < probes.off(_DOUBTFUL) - probes.shown.mean()
    return (better, again) if less_blurred else (mesh, probes)


def _check_enclosing(mesh: Mesh, name: str, probes: _Probes, scale: float) -> None:
    some = scale * mesh.diagonal / 100
    advice = f"close it first, or give it a thickness, such as thicken={some:.2g} in its units"
    doubt, shown = probes.off(_DOUBTFUL), float(probes.shown.mean())
    if doubt > _MOST and (shown < 0.9 or _deep(mesh, probes, _DEEP) < 0.65):
        raise SignalError(f"{name} is an open surface: {_percent(doubt)} of it has no clear inside; {advice}")
    if shown < 0.02:
        raise SignalError(f"{name} encloses no volume: its faces have the same on both sides; {advice}")


def _deep(mesh: Mesh, probes: _Probes, depth: float) -> float:
    """The share of the shown surface below which, at this share of the diagonal, there still is inside."""
    shown = probes.shown
    inwards = np.where(np.abs(probes.back[shown]) > 0.5, -1, 1)[:, None] * probes.normals[shown]
    below = probes.points[shown] + inwards * (depth * mesh.diagonal)
    return float((np.abs(winding(mesh, below)) > 0.5).mean()) if shown.any() else 0.0


def _visible(mesh: Mesh) -> Solid:
    """The mesh without the faces that show in none of a few points, and which of the others do so in part."""
    solid = Solid.of(mesh)
    shown, hidden = np.zeros(len(mesh.faces), bool), np.zeros(len(mesh.faces), bool)

    def look(points: Points, face: NDArray[np.int64]) -> None:
        shows = solid.shows(points, mesh.normals[face])
        shown[face[shows]], hidden[face[~shows]] = True, True

    every = np.arange(len(mesh.faces))
    large = every[mesh.areas > mesh.areas.sum() / _PROBES]  # the middle of a small face stands for all of it
    for weights in ((1, 1, 1), (8, 1, 1), (1, 8, 1), (1, 1, 8)):
        face = every if weights == (1, 1, 1) else large
        look(np.einsum("k,nkd->nd", np.array(weights) / sum(weights), mesh.vertices[mesh.faces[face]]), face)
    look(*mesh.surface_points(_PROBES, np.random.default_rng(1)))
    if not shown.any():
        return solid
    return Solid(mesh, Mesh(mesh.vertices, mesh.faces[shown]), hidden[shown])


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=4)
