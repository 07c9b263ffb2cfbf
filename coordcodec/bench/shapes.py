"""What Draco makes of meshes: `python -m coordcodec.bench.shapes FOLDER -o OUT.jsonl`.

Draco keeps the triangles it is given. What it can do at a size is therefore found by trying quadric decimation to
many numbers of faces, each with several quantization bits, and keeping the lower hull: the points that no other, and no
straight line between two others (in the logarithms of bytes and distance), comes below. Scored like our own.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from coordcodec.bench.rate_distortion import load

Row = dict[str, Any]
BITS = (8, 9, 10, 11, 12)
SIZES = 18
"""Numbers of faces that are tried, evenly spaced in their logarithm."""
SMALLEST, LARGEST = 2_500, 26_000
"""Bytes of the files that are wanted."""
BYTES_PER_FACE = 0.5, 3.0
"""What a face takes: to know which numbers of faces are worth trying."""


def candidates(path: Path) -> Iterable[Row]:
    """A row per number of faces and width of quantization: bytes and Chamfer distance."""
    import DracoPy
    import fast_simplification
    import numpy as np

    from coordcodec_sdf.meshes import Mesh
    from coordcodec_sdf.metrics import distances
    from coordcodec_sdf.modality import Shape

    signal = Shape().read(path, samples=1000)
    vertices, faces = signal.original.mesh.vertices, signal.original.mesh.faces
    fewest, most = SMALLEST / BYTES_PER_FACE[1], min(len(faces), LARGEST / BYTES_PER_FACE[0])
    for count in np.geomspace(fewest, most, SIZES).astype(int).tolist():
        share = max(0.0, 1 - count / len(faces))
        v, f = fast_simplification.simplify(vertices.astype(np.float32), faces.astype(np.int32), share)
        for bits in BITS:
            data = DracoPy.encode(v, f, quantization_bits=bits, compression_level=10, preserve_order=False)
            if not SMALLEST <= len(data) <= LARGEST:
                continue
            decoded = DracoPy.decode(data)
            mesh = Mesh(np.asarray(decoded.points, np.float64), np.asarray(decoded.faces, np.int64).reshape(-1, 3))
            scores = distances(signal.original, mesh)
            yield {"bytes": len(data), "quantization_bits": bits, "faces": len(f), **scores}


def lower_hull(rows: list[Row]) -> list[Row]:
    """The rows on the lower convex hull of the logarithms of bytes and distance, by bytes ascending."""
    hull: list[Row] = []

    def place(row: Row) -> tuple[float, float]:
        return math.log(row["bytes"]), math.log(row["chamfer_l1_percent"])

    for row in sorted(rows, key=lambda r: (r["bytes"], r["chamfer_l1_percent"])):
        while len(hull) >= 2:
            (ax, ay), (bx, by), (cx, cy) = place(hull[-2]), place(hull[-1]), place(row)
            if (bx - ax) * (cy - ay) > (by - ay) * (cx - ax):  # the last one lies below the line past it
                break
            hull.pop()
        hull.append(row)
    best = math.inf
    falling = []
    for row in hull:
        if row["chamfer_l1_percent"] < best:
            best = row["chamfer_l1_percent"]
            falling.append(row)
    return falling


def at_bytes(hull: list[Row], size: float) -> float:
    """The distance that the hull reaches at a size: a line between its neighbours, in logarithms."""
    below = [row for row in hull if row["bytes"] <= size]
    above = [row for row in hull if row["bytes"] > size]
    if not below:
        return math.inf
    if not above:
        return float(below[-1]["chamfer_l1_percent"])
    a, b = below[-1], above[0]
    share = math.log(size / a["bytes"]) / math.log(b["bytes"] / a["bytes"])
    return float(a["chamfer_l1_percent"] ** (1 - share) * b["chamfer_l1_percent"] ** share)


def main() -> None:
    """The hull of every mesh of a folder."""
    parser = argparse.ArgumentParser(description="Draco's lower hull for a folder's meshes, one JSON line per point.")
    parser.add_argument("folder", type=Path, help="meshes")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names of files to take; default: all")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.jsonl", help="appended to")
    a = parser.parse_args()
    try:
        versions = {name: importlib.metadata.version(name) for name in ("DracoPy", "fast-simplification")}
    except importlib.metadata.PackageNotFoundError as error:
        sys.exit(f"error: {error.name} is not installed: pip install DracoPy fast-simplification")
    done = {row["file"] for row in load(a.output)}
    for path in sorted(a.folder.iterdir()):
        if path.name in done or (a.only and path.name not in a.only):
            continue
        rows = list(candidates(path))
        facts = {"file": path.name, "codec": "draco", "date": time.strftime("%Y-%m-%d"), "versions": versions}
        with a.output.open("a") as out:
            for row in lower_hull(rows):
                out.write(json.dumps({**facts, "tried": len(rows), **row}) + "\n")
        print(f"{path.name}: {len(rows)} files tried", flush=True)


if __name__ == "__main__":
    main()
