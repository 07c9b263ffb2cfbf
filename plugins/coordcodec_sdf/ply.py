"""PLY: vertices, faces and triangle strips, as text or in either order of bytes, whatever else stands beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from coordcodec.errors import SignalError
from coordcodec_sdf.meshes import Points
from coordcodec_sdf.polygons import Found, Polygons
from coordcodec_sdf.rows import Bytes, Cells, Column, Field, Numbers, read_rows
from coordcodec_sdf.words import Table, indices, plain, shown

_KINDS = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"float": "f4", "double": "f8", "long": "i8", "ulong": "u8", "int8": "i1", "uint8": "u1", "int16": "i2"},
    **{"uint16": "u2", "int32": "i4", "uint32": "u4", "int64": "i8", "uint64": "u8", "float32": "f4", "float64": "f8"},
}
_COUNTS = {name: kind for name, kind in _KINDS.items() if kind[0] != "f"}
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_TAIL = 12
"""More bytes than that behind everything are worth a word: they may be rows that were counted wrongly."""
_LONGEST = 1 << 20
_CORNERS = ("vertex_indices", "vertex_index", "vertex_indexes", "indices")
_PAINT = ("red", "diffuse_red", "texcoord", "texture_u", "texnumber")


@dataclass(frozen=True)
class _Element:
    name: str
    rows: int
    fields: list[Field] = field(default_factory=list)


@dataclass(frozen=True)
class _Header:
    """order: "<" or ">" of binary files, "" of text. end: where the header ends."""

    order: str
    elements: list[_Element]
    end: int


def read_ply(data: bytes) -> Found:
    """The vertices, faces and triangle strips of a PLY file; other elements and what stands behind all are passed over.

    Raises SignalError for a header that is damaged, for less data than it declares, and for text in which it is not
    clear where the vertices end.
    """
    header = _header(data)
    table = None if header.order else Table.of(plain(data[header.end :]))
    cells: Cells = Bytes(data, header.order) if table is None else Numbers(table)
    at, row, aligned = header.end if table is None else 0, 0, True
    points, polygons = np.zeros((0, 3)), []
    for element in header.elements:
        columns, at = read_rows(cells, at, element.rows, element.fields, _wanted(element))
        row += element.rows
        aligned = aligned and (table is None or table.begins_line(at, row))
        if element.name == "vertex" and element.rows:
            points = _points(columns)
        if element.name == "face" and element.rows:
            polygons.append(_polygons(columns))
        if element.name == "tristrips" and element.rows:
            polygons.append(_unstripped(columns))
    if not aligned and at < len(cells.cells):
        raise SignalError("it is damaged: its lines do not hold what its header declares; export it again")
    corners = np.concatenate([np.zeros(0, np.int64), *(p.corners for p in polygons)])
    counts = np.concatenate([np.zeros(0, np.int64), *(p.counts for p in polygons)])
    rest = len(cells.cells) - at
    remarks = (f"{rest} {'bytes' if table is None else 'numbers'} behind its {row} rows are not read",)
    names = {f.name for element in header.elements for f in element.fields}
    return Found(
        points,
        Polygons(corners, counts),
        any(name in names for name in _PAINT),
        remarks if rest > (_TAIL if table is None else 0) else (),
    )


def _header(data: bytes) -> _Header:
    """What a PLY file says of itself."""
    end = re.search(rb"[\r\n][ \t]*end_header[ \t]*(\r?\n|\r|\Z)", data[:_LONGEST])
    if end is None:
        raise SignalError("its header has no end (end_header); copy or export it again")
    lines = re.split(rb"[\r\n]+", data[: end.start()])
    order, elements = None, []
    for line in lines[1:]:
        words = line.decode("latin-1").split()
        try:
            if not words or words[0] in ("comment", "obj_info"):
                continue
            if words[0] == "format":
                order = _ORDERS[words[1]]
            elif words[0] == "element":
                elements.append(_Element(words[1], int(words[2])))
            elif words[0] == "property" and words[1] == "list":
                elements[-1].fields.append(Field(words[4], _KINDS[words[3]], _COUNTS[words[2]]))
            elif words[0] == "property":
                elements[-1].fields.append(Field(words[2], _KINDS[words[1]]))
        except (LookupError, ValueError):
            raise SignalError(f"its header is damaged in {shown(line.strip())}") from None
    if order is None or any(element.rows < 0 for element in elements):
        raise SignalError("its header is damaged: it names no format, or a number of elements below 0")
    # Where lines end with carriage returns alone, a line feed behind the last one is data.
    alone = end[1] == b"\r\n" and b"\n" not in data[: end.start()]
    return _Header(order, elements, end.end() - alone)


def _wanted(element: _Element) -> tuple[str, ...]:
    """The fields of an element that say something of the shape."""
    if element.name == "vertex":
        return ("x", "y", "z")
    if element.name not in ("face", "tristrips"):
        return ()
    lists = [f.name for f in element.fields if f.count]
    named = [name for name in lists if name in _CORNERS]
    return tuple((named or lists)[:1])


def _points(columns: dict[str, Column]) -> Points:
    if set(columns) != set("xyz") or any((c.counts != 1).any() for c in columns.values()):
        raise SignalError("its vertices have no x, y and z; export it again")
    return np.stack([columns[axis].values for axis in "xyz"], axis=1).astype(np.float64)


def _polygons(columns: dict[str, Column]) -> Polygons:
    if not columns:
        raise SignalError("its faces have no list of vertices (vertex_indices); export it again")
    (column,) = columns.values()
    return Polygons(indices(column.values), column.counts)


def _unstripped(columns: dict[str, Column]) -> Polygons:
    """The triangles of strips, which -1 separates; every second one is turned around."""
    strips = _polygons(columns)
    # A -1 behind each row too, so that all strips are one list.
    corners = np.insert(strips.corners, np.cumsum(strips.counts), -1)
    places = np.arange(len(corners))
    behind = np.maximum.accumulate(np.where(corners == -1, places + 1, 0))  # where the strip of each corner begins
    found = np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=1)
    odd = (places - behind)[:-2] % 2 == 1
    found[odd] = found[odd][:, ::-1]
    found = found[(found != -1).all(axis=1)]
    return Polygons(found.reshape(-1), np.full(len(found), 3))
