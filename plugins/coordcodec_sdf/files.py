"""Mesh files to meshes and back. Whatever a file holds, it is read or refused: never a traceback, never a hang."""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import RecipeError, SignalError, reason
from coordcodec_sdf.glb import check_glb
from coordcodec_sdf.meshes import Faces, Mesh, Points, checked_mesh
from coordcodec_sdf.obj import read_obj
from coordcodec_sdf.off import HEADER, read_off
from coordcodec_sdf.ply import read_ply
from coordcodec_sdf.polygons import Found, Polygons, triangles
from coordcodec_sdf.settings import MAX_FACES
from coordcodec_sdf.stl import is_binary, read_binary_stl, read_text_stl
from coordcodec_sdf.words import plain, uncommented

SUFFIXES = (".ply", ".obj", ".stl", ".off", ".glb")


@dataclass(frozen=True)
class _Kind:
    """megabytes: the largest file that is read: what that needs stays below 2 GB of memory."""

    megabytes: int
    read: Callable[[bytes], Found]


def _read_glb(data: bytes) -> Found:
    import trimesh

    check_glb(data)
    logging.getLogger("trimesh").addHandler(logging.NullHandler())
    # From memory and without a resolver: a file cannot make it open its neighbours or the network.
    options: Any = {"file_type": "glb", "process": False, "resolver": None, "skip_materials": True}
    try:
        vertices, faces, painted = join(trimesh.load_scene(io.BytesIO(data), **options))
    except (SignalError, MemoryError):
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001  the library raises anything on damaged files
        raise SignalError(reason(error)[:200]) from None
    return Found(vertices, Polygons(faces.reshape(-1), np.full(len(faces), 3)), painted)


_KINDS = {
    "glb": _Kind(300, _read_glb),
    "ply_text": _Kind(150, read_ply),
    "ply": _Kind(300, read_ply),
    "stl": _Kind(200, read_binary_stl),
    "stl_text": _Kind(300, read_text_stl),
    "off": _Kind(150, read_off),
    "obj": _Kind(300, read_obj),
}


def sniff(data: bytes) -> str | None:
    """The kind of mesh file, by its contents: a key of `_KINDS`, or None."""
    start = plain(data[: 1 << 20])
    looks = {
        "glb": data[:4] == b"glTF",
        "ply_text": re.match(rb"\s*ply\s[^\0]*?\bformat\s+ascii\b", start),
        "ply": re.match(rb"\s*ply\s", start),
        "stl": is_binary(data),
        "stl_text": re.match(rb"\s*solid\b", start, re.IGNORECASE) and re.search(rb"(?i)\b(facet|endsolid)\b", start),
        "off": HEADER.match(uncommented(start)),
        "obj": b"\0" not in start and re.search(rb"(?im)^[ \t]*(v[ \t]+[-+.\d]|f[ \t]+[-\d])", start),
    }
    return next((kind for kind, fits in looks.items() if fits), None)


def read_mesh(data: bytes, name: str) -> Mesh:
    """Read a PLY, OBJ, STL, OFF or GLB file, its parts joined, its polygons as triangles.

    Raises SignalError when it is none of these, damaged, or holds no usable mesh (see `checked_mesh`); warns, in
    one line each, of colours and textures, and of what was not as it should be.
    """
    if not data:
        raise SignalError(f"{name} is empty")
    found = sniff(data)
    if found is None:
        raise SignalError(f"cannot read {name} as a mesh: it holds nothing that is PLY, OBJ, STL, OFF or GLB")
    kind = _KINDS[found]
    if len(data) > kind.megabytes * 1_000_000:
        raise SignalError(f"{name} has {len(data)} bytes, at most {kind.megabytes} MB are read; simplify it first")
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # the library's own remarks; what matters is checked below
            parts = kind.read(data)
            faces = triangles(parts.vertices, parts.polygons)
    except MemoryError:
        raise SignalError(f"cannot read {name} as a mesh: it needs too much memory") from None
    except SignalError as error:
        raise SignalError(f"cannot read {name} as a mesh: {error}") from None
    mesh = checked_mesh(parts.vertices, faces, name)
    for remark in parts.remarks:
        warnings.warn(f"{name}: {remark}", stacklevel=3)
    if parts.painted:
        warnings.warn(f"{name}: its colours or textures are not carried, only its shape is", stacklevel=3)
    return mesh


def join(scene: Any) -> tuple[Points, Faces, bool]:
    """All triangles of a trimesh.Scene where the scene puts them: (vertices, faces, whether it has colours).

    A scene without triangles gives its points and no faces. Raises SignalError for more than MAX_FACES.
    """
    parts: list[tuple[Points, Faces]] = []
    painted, count, points = False, 0, np.zeros((0, 3))
    for node in scene.graph.nodes_geometry:
        matrix, key = scene.graph[node]
        part = scene.geometry[key]
        faces = getattr(part, "faces", None)
        if faces is None or not len(faces):
            points = np.asarray(getattr(part, "vertices", points))
            continue
        count += len(faces)
        if count > MAX_FACES:
            raise SignalError(f"it has more than {MAX_FACES} faces, the most that are read; simplify it first")
        parts.append(_placed(np.asarray(part.vertices), np.asarray(faces), np.asarray(matrix)))
        visual = getattr(part, "visual", None)
        painted = painted or (visual is not None and visual.kind is not None)
    if not parts:
        return points, np.zeros((0, 3), np.int64), False
    starts = np.cumsum([0, *(len(v) for v, _ in parts)])
    joined = [f + start for (_, f), start in zip(parts, starts, strict=False)]
    return np.concatenate([v for v, _ in parts]), np.concatenate(joined), painted


def _placed(vertices: Points, faces: Faces, matrix: NDArray[np.float64]) -> tuple[Points, Faces]:
    if np.array_equal(matrix, np.eye(4)):
        return vertices, faces
    mirrored = np.linalg.det(matrix[:3, :3]) < 0
    return vertices @ matrix[:3, :3].T + matrix[:3, 3], faces[:, ::-1] if mirrored else faces


def check_suffix(suffix: str) -> None:
    """Raise RecipeError unless meshes can be written as such files: better before decoding one than after."""
    if suffix not in SUFFIXES:
        raise RecipeError(f"cannot write meshes as {suffix!r}; choose {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")


def write_mesh(mesh: Any, target: BinaryIO, suffix: str) -> None:
    """Write a trimesh.Trimesh as the kind of file that a suffix names.

    Binary PLY, and as many digits as the mesh needs in PLY, OBJ and OFF. STL and GLB hold 32-bit numbers: a line of
    warning says where that shows. Raises RecipeError for other suffixes, and where 32 bits cannot hold the mesh.
    """
    check_suffix(suffix)
    vertices, faces = np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces)
    reach, side = float(np.abs(vertices).max()), float((vertices.max(axis=0) - vertices.min(axis=0)).max())
    coarse = reach > 1e37 or side < 1e-30 or reach > 100 * side
    if suffix == ".ply":
        target.write(_ply(vertices, faces, "double" if coarse else "float"))
    elif suffix == ".obj":
        target.write(_lines("v", vertices, coarse) + _lines("f", faces + 1))
    elif suffix == ".off":
        counts = f"OFF\n{len(vertices)} {len(faces)} 0\n".encode()
        target.write(counts + _lines("", vertices, coarse) + _lines("3", faces))
    else:
        if reach > 1e37 or side < 1e-30:
            raise RecipeError(f"{suffix} cannot hold numbers such as {max(reach, side):.3g}; .ply and .obj can")
        if reach > 3e4 * side:
            words = "has too few digits for a mesh so far from the origin; .ply and .obj do"
            warnings.warn(f"{suffix} {words}", stacklevel=3)
        target.write(mesh.export(file_type=suffix[1:]))


def _lines(word: str, rows: NDArray[Any], fine: bool = False) -> bytes:
    """A line of text per row, behind a word."""
    number = "%d" if rows.dtype.kind == "i" else "%.17g" if fine else "%.9g"
    line = " ".join([word, number, number, number]).strip() + "\n"
    return "".join([line % (a, b, c) for a, b, c in rows.tolist()]).encode()


def _ply(vertices: Points, faces: Faces, number: str) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    lines += [f"property {number} {axis}" for axis in "xyz"]
    lines += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    rows = np.empty(len(faces), np.dtype([("count", "u1"), ("index", "<i4", 3)]))
    rows["count"], rows["index"] = 3, faces
    kind = "<f8" if number == "double" else "<f4"
    return "\n".join(lines).encode() + vertices.astype(kind).tobytes() + rows.tobytes()
