"""Shapes beside Draco.

Draco keeps the triangles it is given. What it can do at a size is therefore found by trying quadric decimation to
many numbers of faces, each with several widths of quantization. Tables draw its lower hull: the points that no other,
and no straight line between two others (in the logarithms of bytes and distance), comes below.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from coordcodec.data import Signal
from coordcodec_bench.baseline import Baseline, Mode, needs

if TYPE_CHECKING:
    from coordcodec_sdf.meshes import Mesh

Point = tuple[float, float]
"""Bytes, and the distance to the original: 0 or more."""

_LARGEST_FACES = 2_000_000
"""As many as our plugin reads."""
_SIDE = 1000.0
"""The longest side of a mesh that is decimated: the library collapses edges below a limit that rises from an absolute
length, and starts too high for meshes of side 1; larger ones it cannot make small."""
_LEAST_DISTANCE = 1e-9
"""In percent: distances below it, up to the 0 of a mesh that fits its quantization grid, are as good as equal."""


class Draco:
    """Draco's edgebreaker after quadric decimation."""

    name, install = "draco", "pip install DracoPy fast-simplification"
    note = "compression level 10, after quadric decimation, the best of 8 to 12 bits"
    modes = tuple(
        Mode(f"{bits} bits, faces at most", 100, _LARGEST_FACES, log=True, halvings=11, beside=(0.9,))
        for bits in range(8, 13)
    )

    def version(self) -> str:
        """Those of DracoPy and fast-simplification. Raises NotInstalled."""
        _libraries()
        return f"DracoPy {version('DracoPy')}, fast-simplification {version('fast-simplification')}"

    def encode(self, original: Mesh, mode: str, level: float) -> bytes:
        """A file of about `level` faces, of all that there are if they are fewer. Raises NotInstalled."""
        draco, simplification = _libraries()
        vertices, faces = original.vertices, original.faces.astype(np.int32)
        if level < len(faces):
            low, high = original.bounds
            scale = _SIDE / float((high - low).max())
            small, faces = simplification.simplify((vertices - low) * scale, faces, 1 - level / len(faces))
            vertices = np.asarray(small) / scale + low
        bits = int(mode.partition(" ")[0])
        return bytes(draco.encode(vertices, faces, quantization_bits=bits, compression_level=10, preserve_order=False))

    def decode(self, data: bytes, original: Mesh) -> Mesh:
        """The mesh, in the original's units. Raises NotInstalled."""
        from coordcodec_sdf.meshes import Mesh

        draco, _ = _libraries()
        decoded = draco.decode(data)
        return Mesh(np.asarray(decoded.points, np.float64), np.asarray(decoded.faces, np.int64).reshape(-1, 3))


def _libraries() -> tuple[Any, Any]:
    def load() -> tuple[Any, Any]:
        import DracoPy
        import fast_simplification

        return DracoPy, fast_simplification

    found: tuple[Any, Any] = needs(load, Draco.install)
    return found


def lower_hull(points: Iterable[Sequence[float | None]]) -> list[Point]:
    """The points on the lower convex hull of the logarithms of bytes and distance, by bytes, as far as it falls.

    points: bytes, > 0, and distance; those without a distance (None) are left out.
    """
    known = [(size, max(distance, _LEAST_DISTANCE)) for size, distance in points if size and distance is not None]
    hull: list[Point] = []
    for point in sorted(known):
        while len(hull) >= 2:
            (ax, ay), (bx, by), (cx, cy) = ((math.log(x), math.log(y)) for x, y in (*hull[-2:], point))
            if (bx - ax) * (cy - ay) > (by - ay) * (cx - ax):  # the last one lies below the line past it
                break
            hull.pop()
        hull.append(point)
    falling = hull[:1]
    for point in hull[1:]:
        if point[1] < falling[-1][1]:
            falling.append(point)
    return falling


def at_bytes(hull: Sequence[Point], size: float) -> float:
    """The distance that a hull reaches at a size: a line between its neighbours, in logarithms.

    That of the largest file for larger sizes; infinite for sizes below that of the smallest.
    """
    below = [point for point in hull if point[0] <= size]
    above = [point for point in hull if point[0] > size]
    if not below:
        return math.inf
    (a, near), (b, far) = below[-1], (above or below[-1:])[0]
    share = math.log(size / a) / math.log(b / a) if b > a else 0.0
    return float(near ** (1 - share) * far**share)


class Shapes:
    """Where the codecs of shapes meet: by the mean distance between the surfaces, both ways."""

    modality, main_score, falling = "sdf", "chamfer_l1_percent", True
    codecs: dict[str, Baseline] = {"draco": Draco()}

    def original(self, signal: Signal) -> Mesh:
        """The mesh as it was read, in its own units."""
        mesh: Mesh = signal.original.mesh
        return mesh

    def score(self, decoded: Mesh, signal: Signal) -> dict[str, float | None]:
        """Those scores of ours that need no inside: distances, F-scores and normals, in a fifth of the time of all."""
        from coordcodec_sdf.metrics import distances

        return distances(signal.original, decoded)


BASELINES = Shapes()
