"""Mesh files to meshes and back. Whatever a file holds, it is read or refused: never a traceback, never a hang."""

from __future__ import annotations

import io
import logging
import re
import warnings
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import RecipeError, SignalError, reason
from coordcodec_sdf.glb import check_glb
from coordcodec_sdf.meshes import Faces, Mesh, Points, checked_mesh
from coordcodec_sdf.settings import MAX_FACES

SUFFIXES = (".ply", ".obj", ".stl", ".off", ".glb")
_MEGABYTES = {"ply": 300, "obj": 130, "stl": 200, "stl_ascii": 130, "off": 80, "glb": 300}
"""The largest file of each kind that is read: what trimesh needs for it stays below 2 GB."""


def sniff(data: bytes) -> str | None:
    """The kind of mesh file, by its contents: a key of `_MEGABYTES`, or None."""
    start = data[: 1 << 20]
    # Binary STL may begin with the word "solid" too; only its size tells.
    stl = len(data) >= 84 and len(data) == 84 + 50 * int.from_bytes(data[80:84], "little")
    looks = {
        "glb": start[:4] == b"glTF",
        "ply": re.match(rb"ply\s", start),
        "stl": stl,
        "off": re.match(rb"\s*(#[^\n]*\n\s*)*(ST)?C?N?OFF\b", start),
        "stl_ascii": re.match(rb"\s*solid\b", start) and re.search(rb"\b(facet|endsolid)\b", start),
        "obj": b"\0" not in start and re.search(rb"^[ \t]*(v[ \t]+[-+.\d]|f[ \t]+[-\d])", start, re.MULTILINE),
    }
    return next((kind for kind, fits in looks.items() if fits), None)


def read_mesh(data: bytes, name: str) -> Mesh:
    """Read a PLY, OBJ, STL, OFF or GLB file, its parts joined, its polygons as triangles.

    Raises SignalError when it is none of these, damaged, or holds no usable mesh (see `checked_mesh`); warns, in
    one line, of colours and textures.
    """
    if not data:
        raise SignalError(f"{name} is empty")
    kind = sniff(data)
    if kind is None:
        raise SignalError(f"cannot read {name} as a mesh: it holds nothing that is PLY, OBJ, STL, OFF or GLB")
    if len(data) > _MEGABYTES[kind] * 1_000_000:
        raise SignalError(f"{name} has {len(data)} bytes, at most {_MEGABYTES[kind]} MB are read; simplify it first")
    if kind == "glb":
        check_glb(data, name)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # the library's own remarks; what matters is checked below
            scene = _load(data, kind)
            vertices, faces, painted = join(scene)
    except MemoryError:
        raise SignalError(f"cannot read {name} as a mesh: it needs too much memory") from None
    except SignalError as error:
        raise SignalError(f"{name} {error}") from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  the parsers raise anything on damaged files
        raise SignalError(f"cannot read {name} as a mesh: {reason(error)[:200]}") from None
    mesh = checked_mesh(vertices, faces, name)
    if painted:
        warnings.warn(f"{name}: its colours or textures are not carried, only its shape is", stacklevel=3)
    return mesh


def _load(data: bytes, kind: str) -> Any:
    import trimesh

    logging.getLogger("trimesh").addHandler(logging.NullHandler())
    if kind == "ply":
        data = _mended_ply(data)
    options: dict[str, Any] = {"skip_materials": True} if kind in ("obj", "ply", "glb") else {}
    # From memory and without a resolver: a file cannot make it open its neighbours or the network.
    return trimesh.load_scene(io.BytesIO(data), file_type=kind, process=False, resolver=None, **options)


def _mended_ply(data: bytes) -> bytes:
    """The file with line feeds in its header: some programs end its lines with carriage returns alone."""
    end = data[: 1 << 16].find(b"end_header\r")
    if end < 0 or b"\n" in data[:end]:
        return data
    return data[:end].replace(b"\r", b"\n") + b"end_header\n" + data[end + len(b"end_header\r") :]


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
            raise SignalError(f"has more than {MAX_FACES} faces, the most that are read; simplify it first")
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
