"""STL: facets of its text or bytes, also where the header or the end is not as it should be."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError
from coordcodec_sdf.meshes import Points
from coordcodec_sdf.polygons import Found, Polygons
from coordcodec_sdf.words import Integers, Words, plain

_FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_HEADER = 84
_UNKNOWN = (0, 0xFFFFFFFF)
"""What programs leave where the number of facets should be when they do not know it."""
_BLOCK = 1 << 22


def is_binary(data: bytes) -> bool:
    """Whether bytes are binary STL, which may begin with "solid" too: by their size, or by their first facets."""
    if len(data) < _HEADER:
        return False
    count = int.from_bytes(data[80:84], "little")
    if len(data) == _HEADER + _FACET.itemsize * count:
        return True
    first = data[_HEADER : _HEADER + _FACET.itemsize * (min(count, 100) or 100)]
    facets = np.frombuffer(first, _FACET, len(first) // _FACET.itemsize)
    return b"\0" in first and len(facets) > 0 and _plausible(facets)


def _plausible(facets: NDArray[Any]) -> bool:
    """Whether they may be facets: noise and text have numbers of any size, or none that are round."""
    normals = facets["normal"].reshape(-1)
    numbers = np.concatenate([normals, facets["corners"].reshape(-1)])
    size = np.abs(numbers[numbers != 0])
    usual = (size > 1e-30) & (size < 1e30)
    return len(size) > 0 and bool(usual.all()) and bool((np.abs(normals) < 1e3).all())


def _extent(facets: NDArray[Any]) -> float:
    corners = facets["corners"].reshape(-1, 3)
    return float((corners.max(axis=0) - corners.min(axis=0)).max())


def read_binary_stl(data: bytes) -> Found:
    """The facets of binary STL. Raises SignalError where some are missing; a wrong count or a long tail is told of."""
    size = _FACET.itemsize
    count, held = int.from_bytes(data[80:84], "little"), (len(data) - _HEADER) // size
    remarks: tuple[str, ...] = ()
    if count == held + 1 and len(data) - _HEADER == count * size - 2:
        data, held = data + b"\0\0", count  # the attribute of the last facet is left out by some
    used = held if count in _UNKNOWN else count
    if used > held:
        raise SignalError(f"it is cut off: its header counts {count} facets, it holds {held}; copy or export it again")
    facets = np.frombuffer(data, _FACET, held, _HEADER)
    behind = facets[used:]
    # More of the same is a wrong count, anything else somebody's notes or what a disk is filled up with.
    if len(behind) and _plausible(behind) and _extent(behind) > 1e-6 * _extent(facets[:used]):
        used = held
    if used != count:
        remarks = (f"its header counts {count} facets; the {used} that it holds are read",)
    elif len(behind):
        remarks = (f"{len(data) - _HEADER - used * size} bytes behind its {used} facets are not read",)
    facets = facets[:used]
    painted = b"COLOR=" in data[:80] or bool((facets["attribute"] >> 15).any())
    return _found(facets["corners"].reshape(-1, 3).astype(np.float64), painted, remarks)


def _found(corners: Points, painted: bool = False, remarks: tuple[str, ...] = ()) -> Found:
    count = len(corners)
    return Found(corners, Polygons(np.arange(count), np.full(count // 3, 3)), painted, remarks)


def read_text_stl(data: bytes) -> Found:
    """The facets of all solids of an STL file of text, in capitals or not; the names of solids may be anything.

    Raises SignalError for facets that have not three corners, as those have where a file is cut off.
    """
    # A name goes to the end of its line, but for files that are one line.
    text = re.sub(rb"solid\b(?:(?!\bfacet[ \t]+normal[ \t]+[-+.\d])[^\n])*", b"", plain(data).lower())
    parts = [np.zeros((0, 3))]
    start = 0
    while start < len(text):
        end = text.find(b"endfacet", start + _BLOCK)
        end = len(text) if end < 0 else end + len(b"endfacet")
        parts.append(_corners(Words.of(text[start:end])))
        start = end
    return _found(np.concatenate(parts))


def _corners(words: Words) -> Points:
    """The corners (3 f, 3) of the facets among some words."""
    facets, corners = _named(words, b"facet"), _named(words, b"vertex")
    if len(corners) != 3 * len(facets):
        held = f"{len(corners)} corners in {len(facets)} facets"
        raise SignalError(f"it is damaged or cut off: {held}, expected three in each; copy or export it again")
    corners = corners.reshape(-1, 3)
    if (corners[:, 0] < facets).any() or (corners[:-1, 2] > facets[1:]).any():
        raise SignalError("it is damaged: some of its facets have not three corners; export it again")
    which = np.add.outer(corners.reshape(-1), [1, 2, 3]).reshape(-1)
    if len(which) and which[-1] >= len(words):
        raise SignalError("it is cut off in the middle of a facet; copy or export it again")
    return words.numbers(which).reshape(-1, 3)


def _named(words: Words, name: bytes) -> Integers:
    """The numbers of the words that are `name`."""
    lengths = words.ends - words.starts
    found = np.flatnonzero((lengths == len(name)) & (words.chars[words.starts] == name[0]))
    return np.asarray(found[words.chars[words.starts[found] + 1] == name[1]])
