"""OFF: vertices and polygons of its text, with or without colours and normals."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from coordcodec.errors import SignalError
from coordcodec_sdf.meshes import Points
from coordcodec_sdf.polygons import Found, Polygons
from coordcodec_sdf.rows import Field, Numbers, read_rows
from coordcodec_sdf.words import Table, indices, plain, ranges, uncommented

HEADER = re.compile(rb"\s*(ST)?(C)?(N)?(4|4?n)?OFF(?![A-Za-z_])[ \t]*(BINARY)?")


def read_off(data: bytes) -> Found:
    """The vertices and faces of an OFF file; colours (COFF, or behind a face), normals and textures are passed over.

    Raises SignalError for binary files, other dimensions than three, and fewer lines or numbers than it declares.
    """
    text = uncommented(plain(data))
    header = HEADER.match(text)
    if header is None:
        raise SignalError("it does not begin with OFF")
    textured, coloured, normal, dimensions, binary = (bool(group) for group in header.groups())
    if binary:
        raise SignalError("it is binary OFF; save it as text")
    if dimensions:
        raise SignalError("it is OFF of other dimensions than three; save its surface in three")
    table = Table.of(text[header.end() :])
    lengths = np.diff(table.heads, append=len(table.values))
    if len(table.values) < 2 or (table.values[:2] < 0).any():
        raise SignalError("it does not begin with how many vertices and faces it has; export it again")
    counted = 2 if lengths[0] == 2 else 3  # the number of edges is left out by some
    vertices, faces = indices(table.values[:2]).tolist()
    if vertices + faces > len(table.values):
        raise table.lacking()
    lines = np.flatnonzero(table.heads >= counted)[: vertices + faces]
    if len(lines) == vertices + faces:
        points, polygons, more = _by_lines(table, table.heads[lines], lengths[lines], vertices)
    elif textured or coloured or normal:
        raise table.lacking()
    else:
        points, polygons, more = _run_together(table, counted, vertices, faces)
    rest = len(np.flatnonzero(table.heads >= counted)) - len(lines)
    remarks = (f"{rest} lines behind its {faces} faces are not read",) if rest else ()
    return Found(points, polygons, textured or coloured or more, remarks)


def _by_lines(table: Table, starts: Any, lengths: Any, vertices: int) -> tuple[Points, Polygons, bool]:
    """A vertex or a face in each line, whatever follows it there, and whether something follows a face."""
    if (lengths[:vertices] < 3).any():
        raise SignalError("it is damaged: a vertex has fewer than three numbers; export it again")
    points = table.values[np.add.outer(starts[:vertices], np.arange(3))].reshape(-1, 3)
    starts, lengths = starts[vertices:], lengths[vertices:]
    counts = indices(table.values[starts])
    if ((counts < 0) | (counts >= lengths)).any():
        raise SignalError("it is damaged: a face has fewer corners than it declares; export it again")
    return (
        points,
        Polygons(indices(table.values[ranges(starts + 1, counts)]), counts),
        bool((lengths > counts + 1).any()),
    )


def _run_together(table: Table, start: int, vertices: int, faces: int) -> tuple[Points, Polygons, bool]:
    """Numbers however they are laid out in lines."""
    cells = Numbers(table)
    points, start = read_rows(cells, start, vertices, [Field(axis, "f8") for axis in "xyz"], "xyz")
    corners, _ = read_rows(cells, start, faces, [Field("corners", "f8", "f8")], ("corners",))
    polygons = Polygons(indices(corners["corners"].values), corners["corners"].counts)
    return np.stack([points[axis].values for axis in "xyz"], axis=1), polygons, False
