"""Is a GLB file safe to hand to a reader? It may declare arrays it does not hold, or a scene that never ends."""

from __future__ import annotations

import json
from typing import Any

from coordcodec.errors import SignalError
from coordcodec_sdf.settings import MAX_FACES

MAX_NODES = 20_000
_FOREIGN = ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_mesh_quantization")


def check_glb(data: bytes) -> None:
    """Check the header, the arrays' sizes and that the scene is a forest (glTF 2.0, 3.5.2). Raises SignalError."""
    try:
        document = _document(data)
        _check_accessors(document, len(data))
        _check_nodes(document)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        raise SignalError("its GLB header is damaged") from None


def _document(data: bytes) -> dict[str, Any]:
    length = int.from_bytes(data[12:16], "little")
    if len(data) < 20 + length or data[16:20] != b"JSON":
        raise SignalError("it is a GLB file that is cut off")
    document = json.loads(data[20 : 20 + length])
    if not isinstance(document, dict):
        raise SignalError("its GLB header is damaged")
    foreign = [e for e in document.get("extensionsRequired", []) if e in _FOREIGN]
    if foreign:
        raise SignalError(f"it is packed with {foreign[0]}; unpack it first")
    return document


def _check_accessors(document: dict[str, Any], size: int) -> None:
    for accessor in document.get("accessors", []):
        if not 0 <= int(accessor["count"]) <= size:
            raise SignalError("its GLB header declares an array that the file does not hold")
        if "sparse" in accessor:
            raise SignalError("it has sparse arrays (morph targets); export it without them")
    if sum(int(accessor["count"]) for accessor in document.get("accessors", [])) > 4 * size:
        raise SignalError("its GLB header declares more than the file holds")


def _check_nodes(document: dict[str, Any]) -> None:
    """At most one parent per node and no cycle; shared meshes count once for every node that shows them."""
    nodes = document.get("nodes", [])
    if len(nodes) > MAX_NODES:
        raise SignalError(f"its scene has {len(nodes)} nodes, at most {MAX_NODES} are read")
    parents: dict[int, int] = {}
    for number, node in enumerate(nodes):
        for child in node.get("children", []):
            if not 0 <= int(child) < len(nodes) or int(child) in parents:
                raise SignalError("its scene is no tree: a node has two parents or does not exist")
            parents[int(child)] = number
    done: set[int] = set()
    for start in range(len(nodes)):
        trail: set[int] = set()
        at: int | None = start
        while at is not None and at not in done:
            if at in trail:
                raise SignalError("its scene is no tree: a node is its own ancestor")
            trail.add(at)
            at = parents.get(at)
        done |= trail
    if sum(_corners(document, node["mesh"]) for node in nodes if "mesh" in node) > 3 * MAX_FACES:
        raise SignalError(f"it has more than {MAX_FACES} faces, the most that are read; simplify it first")


def _corners(document: dict[str, Any], mesh: int) -> int:
    """How many indices or vertices the triangles of a mesh name."""
    total = 0
    for primitive in document["meshes"][mesh]["primitives"]:
        accessor = primitive.get("indices", primitive.get("attributes", {}).get("POSITION"))
        if accessor is not None:
            total += int(document["accessors"][accessor]["count"])
    return total
