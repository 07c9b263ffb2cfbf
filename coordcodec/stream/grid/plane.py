"""The coefficients of a plane, one after the other."""

from __future__ import annotations

from typing import Any

from coordcodec.stream.grid import layout as at
from coordcodec.stream.grid.bits import code, mixed, plain, sign
from coordcodec.stream.grid.choice import choose
from coordcodec.stream.grid.contexts import sign_contexts, size_contexts
from coordcodec.stream.grid.jit import apart, inner


@apart
def tail(whole: int, count: int, slot: int, registers: Any, data: Any, model: Any, tables: Any) -> int:
    """Some bits, highest first: the first two with probabilities of their own, the others as they are."""
    found = 1
    for j in range(count - 1, -1, -1):
        bit = (whole >> j) & 1
        if found < 4:
            bit = plain(bit, slot + found, registers, data, model, tables)
        else:
            bit = code(bit, 32768, registers, data)
        found = (found << 1) | bit
    return found - (1 << count)


@apart
def bucket(rest: int, work: Any, registers: Any, data: Any, model: Any, tables: Any) -> int:
    """What a magnitude has above the singles: its bucket, then its place in it."""
    e, start = 0, 0
    while e < at.LAST_BUCKET:
        bit = 1 if rest >= start + (1 << (at.EXTRA + e)) else 0
        node = at.SINGLES + 1 + e
        if node < at.NODES:
            bit = mixed(bit, node, work, registers, data, model, tables)
        else:
            bit = plain(bit, at.BUCKETS + e, registers, data, model, tables)
        if not bit:
            break
        start += 1 << (at.EXTRA + e)
        e += 1
    return start + tail(rest - start, at.EXTRA + e, at.BUCKET_BITS + 4 * e, registers, data, model, tables)


@inner
def magnitude(size: int, work: Any, registers: Any, data: Any, model: Any, tables: Any) -> int:
    """A magnitude, written or read."""
    k = work[at.SHIFT]
    high, node = size >> k, 0
    while node <= at.SINGLES and mixed(1 if high > node else 0, node, work, registers, data, model, tables):
        node += 1
    found = node
    if node > at.SINGLES:
        found += bucket(high - node, work, registers, data, model, tables)
    if k:
        slot = at.LOW_BITS + 4 * min(found, 15)
        found = (found << k) | tail(size & ((1 << k) - 1), k, slot, registers, data, model, tables)
    if found > at.LARGEST:  # in damaged data only
        registers[at.BROKEN] = 1
        found = at.LARGEST
    return found


@inner
def row(
    line: int,
    plane: Any,
    slow: Any,
    geometry: Any,
    work: Any,
    registers: Any,
    data: Any,
    model: Any,
    tables: Any,
) -> None:
    """The coefficients of one row."""
    values, mags, fixed = plane[0], plane[1], plane[8]
    slab, y = divmod(line, geometry[at.ROWS])
    volume, z = divmod(slab, geometry[at.SLICES])
    start = geometry[at.ORIGIN] + volume * geometry[at.VOLUME] + z * geometry[at.SLICE] + y * geometry[at.PITCH]
    width = geometry[at.WIDTH]
    end = plane[9][line] if geometry[at.FLAGS] & at.ENDS else width
    for x in range(end):
        i = start + x
        calm = (slow[x] + 2 * slow[x + 1] + slow[x + 2]) >> 2
        size_contexts(i, (y, x, calm), plane, geometry, work, tables[2])
        value = values[i]
        if geometry[at.LAMBDA] >= 0:
            value = choose(fixed[i], geometry, work, model, tables)
        size = magnitude(abs(value), work, registers, data, model, tables)
        found = size
        if size:
            sign_contexts(i, plane, geometry, work, tables[2])
            if sign(1 if value < 0 else 0, work, registers, data, model, tables):
                found = -size
        values[i] = found
        mags[i] = size
        slow[x + 1] = (slow[x] + slow[x + 1] + slow[x + 2] + 16 * size) >> 2
    for x in range(end, width):
        slow[x + 1] = (slow[x] + slow[x + 1] + slow[x + 2]) >> 2
