"""A field's surface: marching cubes where the surface can be, a slab at a time; then each vertex goes to the zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Field, Floats
from coordcodec.errors import RecipeError
from coordcodec_sdf.bricks import Bricks, Evaluate, Lattice, find_bricks, points_of
from coordcodec_sdf.meshes import Faces, Points

MAX_POINTS = 1 << 27
"""Points of the fine grid that are evaluated at most."""
MAX_OUTPUT_FACES = 8_000_000
_SLAB = 1 << 22
"""Points of the fine grid that are held at a time."""
_TINY = 1e-4
"""Values closer to zero are moved this far: a vertex never falls on a point of the grid, so no two coincide."""
_OUTSIDE = 0.05

Closed = tuple[tuple[bool, bool], tuple[bool, bool], tuple[bool, bool]]
"""Per axis, whether the surface is closed at the low and at the high side of the box."""
Piece = tuple[Points, NDArray[np.int32]]
"""Vertices (v, 4) and faces (f, 3): x, y, z in steps of the grid, and what the field gains along the vertex' edge."""
_CLEAR = 1e-3
"""A vertex stays so far from the ends of its edge, as a share of it."""


def extract(field: Field, lattice: Lattice, truncation: float, closed: Closed) -> tuple[Points, Faces]:
    """The surface of a field's negative part: vertices (v, 3) in coords, faces (f, 3) seen from outside.

    truncation: of the field, whose values are distances divided by it, cut off at -1 and 1.
    closed: on these sides of the box what is inside is closed; on the others it is cut open.
    No surface gives no faces. Raises RecipeError when the surface has too many faces or fills the grid.
    """
    evaluate = lattice.evaluated_by(field)
    bricks = find_bricks(evaluate, lattice, truncation)
    if int(bricks.active.sum()) * bricks.step**3 > MAX_POINTS:
        raise RecipeError("the surface fills too much of so fine a grid; choose a lower resolution or a region")
    thick = max(1, _SLAB // (lattice.counts[1] * lattice.counts[2]) // bricks.step)
    pieces: list[Piece] = []
    seams: list[int] = []
    carried: Floats | None = None
    for start in range(0, bricks.active.shape[0], thick):
        slab, last = _slab(evaluate, lattice, bricks, slice(start, start + thick), carried)
        carried = slab[-1].copy()
        _close(slab, closed, start == 0, last)
        piece = _marched(slab)
        if piece is not None:
            piece[0][:, 0] += start * bricks.step
            pieces.append(piece)
            seams.append(start * bricks.step)
        if sum(len(f) for _, f in pieces) > MAX_OUTPUT_FACES:
            raise RecipeError(f"the surface has more than {MAX_OUTPUT_FACES} faces; choose a lower resolution")
    if not pieces:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    vertices, faces = _sewn(pieces, seams)
    return lattice.coords(_on_zero(vertices, evaluate)), faces


def _slab(
    evaluate: Evaluate, lattice: Lattice, bricks: Bricks, rows: slice, carried: Floats | None
) -> tuple[Floats, bool]:
    """All values in some rows of bricks: true ones in active bricks, elsewhere the sign. Also: is it the last one?

    carried: the last plane of the slab before, so that both agree on it to the bit.
    """
    step, last = bricks.step, rows.stop >= bricks.active.shape[0]
    first = rows.start * step
    shape = (min((rows.stop - rows.start) * step + 1, lattice.counts[0] - first), *lattice.counts[1:])
    part = tuple(slice(0, n) for n in shape)

    def spread(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return cells.repeat(step, 0).repeat(step, 1).repeat(step, 2)

    # One row of bricks more than asked for: they too have points on the last plane.
    active = spread(bricks.active[rows.start : rows.stop + 1])
    below = np.pad(spread(bricks.below[rows.start : rows.stop + 1]), ((0, 1),) * 3, mode="edge")[part]
    values = np.where(below, np.float32(-1), np.float32(1))
    needed = points_of(active)[part]
    known = bricks.values[rows.start : rows.stop + 1][tuple(slice(0, -(-n // step)) for n in shape)]
    held = values[::step, ::step, ::step]
    np.copyto(held, known, where=~np.isnan(known))
    needed[::step, ::step, ::step] &= np.isnan(known)
    if carried is not None:
        values[0], needed[0] = carried, False
    index = np.argwhere(needed)
    index[:, 0] += first
    values[needed] = evaluate(index)
    return values, last


def _close(slab: Floats, closed: Closed, first: bool, last: bool) -> None:
    """Make the outermost plane on closed sides outside, and keep every value clear of zero."""
    np.copyto(slab, np.where(slab < 0, np.float32(-_TINY), np.float32(_TINY)), where=np.abs(slab) < _TINY)
    ends = ((closed[0][0] and first, closed[0][1] and last), closed[1], closed[2])
    for axis, (low, high) in enumerate(ends):
        planes = np.moveaxis(slab, axis, 0)
        if low:
            np.maximum(planes[0], _OUTSIDE, out=planes[0])
        if high:
            np.maximum(planes[-1], _OUTSIDE, out=planes[-1])


def _marched(slab: Floats) -> Piece | None:
    """Marching cubes (Lewiner et al. 2003), see `Piece`; None if nothing is crossed."""
    from skimage.measure import marching_cubes

    if not slab.min() < 0 < slab.max():
        return None
    vertices, faces, _, _ = marching_cubes(slab, 0.0, gradient_direction="descent")
    low = vertices.astype(np.int32)  # what is not whole in one axis only lies on an edge of the grid
    across = vertices > low
    high = low + (across & (across.sum(axis=1) == 1)[:, None])
    gain = slab[tuple(high.T)] - slab[tuple(low.T)]
    return np.column_stack([vertices, gain]).astype(np.float64), faces.astype(np.int32)


def _on_zero(vertices: Points, evaluate: Evaluate) -> Points:
    """Vertices (v, 4), see `Piece`, moved along their edges to where the field is zero: (v, 3).

    One step of regula falsi, which needs no gradient and stays between the edge's two ends: each surface that it can
    give is one that marching cubes could have given, so no triangle folds over another. Vertices inside a cell stay.
    """
    places, gain = vertices[:, :3], vertices[:, 3]
    low = np.floor(places)
    axis = np.argmax(places - low, axis=1)
    rows = np.flatnonzero(gain)
    axis = axis[rows]
    share = (places - low)[rows, axis]
    value = evaluate(places[rows])
    before, after = -share * gain[rows], (1 - share) * gain[rows]
    beyond = (value < 0) == (before < 0)  # then the zero lies between the vertex and the upper end
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.where(beyond, share + (1 - share) * value / (value - after), share * before / (before - value))
    moved = np.where(np.isfinite(moved), moved, share)
    places[rows, axis] = low[rows, axis] + np.clip(moved, _CLEAR, 1 - _CLEAR)
    return places


def _sewn(pieces: list[Piece], seams: list[int]) -> tuple[Points, Faces]:
    """The slabs' surfaces as one: what they have in common, on the planes between them, is there once."""
    starts = np.cumsum([0, *(len(v) for v, _ in pieces)])
    vertices = np.concatenate([v for v, _ in pieces])
    faces = np.concatenate([f + np.int32(start) for (_, f), start in zip(pieces, starts, strict=False)])
    pieces.clear()  # they may be large
    shared = np.flatnonzero(np.isin(vertices[:, 0], seams))
    _, first, number = np.unique(vertices[shared, :3], axis=0, return_index=True, return_inverse=True)
    target = np.arange(len(vertices), dtype=np.int32)
    target[shared] = shared[first][number.reshape(-1)]
    faces = target[faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    used = np.zeros(len(vertices), bool)
    used[faces] = True
    renumbered = np.cumsum(used) - 1
    return vertices[used], renumbered[faces]
