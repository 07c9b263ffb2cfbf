"""Wavefront OBJ: vertices and polygons of its text, however it is laid out."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError
from coordcodec_sdf.polygons import Found, Polygons, absent
from coordcodec_sdf.words import Integers, Words, blocks, plain, ranges, uncommented

_SLASH = ord("/")


def read_obj(data: bytes) -> Found:
    """The vertices (v) and faces (f) of an OBJ file; objects, groups, materials, points and lines are passed over.

    Indices count from 1, or from the last vertex before them backwards. Of a vertex the first three numbers count:
    a weight is for curves, a colour is told of. Raises SignalError for what is none of this.
    """
    parts: list[tuple[NDArray[np.float64], Integers, Integers]] = []
    seen, painted, curved = 0, False, False
    for words in blocks(_statements(data)):
        block = _Block(words)
        vertices = block.vertices()
        parts.append((vertices, *block.faces(seen)))
        seen += len(vertices)
        painted, curved = painted or block.painted, curved or block.curved
    vertices = np.concatenate([np.zeros((0, 3)), *(v for v, _, _ in parts)])
    corners, counts = (np.concatenate([np.zeros(0, np.int64), *(p[k] for p in parts)]) for k in (1, 2))
    if (corners >= len(vertices)).any():
        raise SignalError(absent(f"vertex {corners.max() + 1} of {len(vertices)}"))
    if curved and not len(counts):
        raise SignalError("it holds free-form surfaces (surf) but no faces; export it as polygons")
    remarks = ("its free-form surfaces are not read, only its faces are; export them as polygons",) if curved else ()
    return Found(vertices, Polygons(corners, counts), painted, remarks)


def _statements(data: bytes) -> bytes:
    """The text, a statement in each line, without comments."""
    text = uncommented(plain(data))
    if b"\\" not in text:
        return text
    # A line that goes on does so with a number; a backslash behind the name of a Windows folder swallows no line.
    text = re.sub(rb"\\[ \t]*\n(?=[ \t]*[-+.\d\\])", b" ", text)
    return re.sub(rb"\\[ \t]*(?=\n|\Z)", b"", text)


class _Block:
    """Some of the statements."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.heads = heads = words.heads
        self.counts = np.diff(heads, append=len(words)) - 1  # words behind the first one
        first, length = words.starts[heads], words.ends[heads] - words.starts[heads]
        initial = words.chars[first] | 32  # in small letters
        second = words.chars[np.minimum(first + 1, len(words.chars) - 1)] | 32
        self.is_vertex = (initial == ord("v")) & (length == 1)
        outline = (length == 2) & (second == ord("o"))
        self.is_face = (initial == ord("f")) & ((length == 1) | outline)
        textured = (initial == ord("v")) & (length == 2) & (second == ord("t"))
        self.painted = bool(textured.any() or (self.counts[self.is_vertex] >= 6).any())
        four = first[length == 4]
        self.curved = bool((words.chars[np.add.outer(four, np.arange(4))] == tuple(b"surf")).all(axis=1).any())

    def vertices(self) -> NDArray[np.float64]:
        """(v, 3)."""
        heads, counts = self.heads[self.is_vertex], self.counts[self.is_vertex]
        if (counts < 3).any():
            line = self.words.line(heads[counts < 3][0])
            raise SignalError(f"{line} is no vertex, expected three numbers; repair or export it again")
        return self.words.numbers(np.add.outer(heads, [1, 2, 3]).reshape(-1)).reshape(-1, 3)

    def faces(self, seen: int) -> tuple[Integers, Integers]:
        """The corners of all faces, counted from 0, and how many each has. seen: how many vertices came before."""
        words, counts = self.words, self.counts[self.is_face]
        which = ranges(self.heads[self.is_face] + 1, counts)
        ends = words.ends[which]
        slashes = np.flatnonzero(words.chars == _SLASH)
        if len(slashes):  # a corner is vertex/texture/normal
            nearest = np.searchsorted(slashes, words.starts[which])
            ends = np.minimum(ends, np.append(slashes, len(words.chars))[nearest])
        named = words.numbers(which, np.int64, ends)
        before = np.repeat(seen + np.cumsum(self.is_vertex)[self.is_face], counts)
        corners = np.where(named > 0, named - 1, before + named)
        if (wrong := (named == 0) | (corners < 0)).any():
            number = named[wrong][0]
            why = "OBJ counts from 1" if number == 0 else f"{before[wrong][0]} vertices stand before it"
            raise SignalError(absent(f"vertex {number}, but {why}"))
        return corners, counts
