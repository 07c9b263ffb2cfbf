"""The chunks of a detail section: what each holds, and its symbols. Written from docs/format.md alone."""

import copy
import itertools
import math
import struct

from tests.reference_grid import Chunk, State


class Plane:
    """high, counts: for a wavelet's planes, see the page; levels: of each axis; width: of a lapped plane."""

    def __init__(self, shape, scale, norm, high=(), counts=(), levels=(), width=None):
        self.shape, self.scale, self.norm, self.width = tuple(shape), scale, norm, width
        self.high, self.counts, self.levels = high, counts, levels
        self.share = 64
        self.symbols = []


def varint(data):
    """The number that stands at the beginning, and the bytes after it."""
    value = 0
    for at, byte in enumerate(data):
        value |= (byte & 127) << 7 * at
        if byte < 128:
            return value, data[at + 1 :]
    raise AssertionError("damaged")


def tiles_of(planes, tile):
    """The tiles of a scale: for each of its planes a range per axis. tile: 0 if nothing is cut."""
    sides = max((plane.shape for plane in planes), key=math.prod)
    counts, lengths = [1] * len(sides), list(sides)
    while tile and math.prod(lengths) > 1 << tile:
        axis = lengths.index(max(lengths))
        counts[axis] += 1
        lengths[axis] = -(-sides[axis] // counts[axis])
    for place in itertools.product(*map(range, counts)):
        cut = list(zip(place, counts, strict=True))
        yield {
            plane: [range(n * k // c, n * (k + 1) // c) for n, (k, c) in zip(plane.shape, cut, strict=True)]
            for plane in planes
        }


def read_chunks(chunks, planes, spec, shape, channels):
    """Fills the planes' symbols, per channel; gives the step's code, the points and the residual's symbols."""
    lapped, state, settled = spec["basis"] == "lapped", State(spec["start"]), False
    step, head = varint(chunks[0])
    points, head = (struct.unpack("3b", head[:3]), head[3:]) if step else ((0, 0, 0), head)
    if lapped and not spec["ends"]:
        for plane, plane.share in zip(planes, head, strict=False):
            assert plane.share <= 64
        head = head[len(planes) :]
    chunks = [head, *chunks[1:]]
    numbers = sorted({plane.scale for plane in planes})
    scales = [[p for p in planes if p.scale == n] for n in numbers] if spec["split"] else [planes]
    residual = [Plane(shape, None, None)] if spec["spacing"] else []
    for plane in planes + residual:
        plane.symbols = [[0] * math.prod(plane.shape) for _ in range(channels)]
    first = True
    for scale in [*scales, residual] if residual else scales:
        tiles = list(tiles_of(scale, spec["tile"]))
        for tile in tiles:
            settled |= bool(spec["tile"]) and not first and (lapped or len(tiles) > 1)
            read_chunk(chunks.pop(0), copy.deepcopy(state) if settled else state, tile, planes, spec["ends"])
            first = False
    assert not chunks
    return step, points, residual[0].symbols if residual else None


def read_chunk(data, state, tile, planes, has_ends):
    ends = itertools.repeat(None)
    if has_ends:
        length, data = varint(data)
        ends, data = read_ends(data[:length], tile), data[length:]
    chunk = Chunk(state, data)
    for plane, own in zip(tile, ends, strict=False):
        read_plane(chunk, plane, tile, planes, own)
    chunk.finish()


def read_ends(data, tile):
    """For each plane and channel how many columns of each row are coded."""
    chunk, found = Chunk(State(0), data), []
    for plane in tile:
        (blocks, width), found = plane.shape, [*found, []]
        rows, steps = max(1, 2048 // width), None
        for _ in plane.symbols:
            steps = chunk.plane((-(-blocks // rows),), {"channel": steps} if steps else None)
            ends = [end for end in itertools.accumulate(steps) for _ in range(rows)][:blocks]
            assert 0 <= min(ends) <= max(ends) <= 64
            found[-1].append([-(-width * end // 64) for end in ends])
    chunk.finish()
    return found


def read_plane(chunk, plane, tile, planes, ends):
    """The symbols of a plane's part in a tile. ends: for each channel an integer per row, or None."""
    part, zones = tile[plane], None
    if plane.width:
        part = [part[0], range(-(-plane.width * plane.share // 64))]
        zones = [8 * i // plane.width for i in part[1]]
    places, shape = places_of(part, plane.shape), tuple(map(len, part))
    before = planes[: planes.index(plane)] if plane.high else []
    parent = next((p for p in reversed(before) if is_parent(p, plane)), None)
    alike = [p for p in before if (p.levels, p.counts) == (plane.levels, plane.counts)]
    for c, symbols in enumerate(plane.symbols):
        guides = {}
        if parent:
            guides["parent"] = beside(parent, c, plane, tile)
        if alike:
            sizes = [map(abs, beside(p, c, plane, tile, alike[0].shape)) for p in alike]
            guides["sibling"] = [sum(v) for v in zip(*sizes, strict=True)]
        if c:
            guides["channel"] = [plane.symbols[c - 1][i] for i in places]
        for i, value in zip(places, chunk.plane(shape, guides, zones, ends and ends[c]), strict=True):
            symbols[i] = value


def is_parent(p, plane):
    differ = [(a, b) for a, b in zip(p.counts, plane.counts, strict=True) if a != b]
    return p.high == plane.high and len(differ) == 1 and differ[0][0] == (differ[0][1][0] + 1, differ[0][1][1])


def places_of(lines, shape):
    """Where the values stand in an array of this shape whose places along each axis are given."""
    strides = [math.prod(shape[k + 1 :]) for k in range(len(shape))]
    return [sum(i * s for i, s in zip(place, strides, strict=True)) for place in itertools.product(*lines)]


def brought(line, have, want):
    """Of the places of an axis, those that stand for a longer or a shorter one's."""
    if 2 * have <= want + 1:
        line = [i for i in line for _ in (0, 1)]
    return (line + line[-1:] * want)[:want]


def beside(p, c, plane, tile, by=None):
    """Channel c of an earlier plane, brought to the part of this one. by: the shape that it is brought to before."""
    lines = []
    for axis, (have, want, part) in enumerate(zip(p.shape, plane.shape, tile[plane], strict=True)):
        between = by[axis] if by else have
        line = brought(brought(list(range(have)), have, between), between, want)
        line = [line[i] for i in part] if line else []
        if p in tile:
            own = tile[p][axis]
            line = [min(max(i, own[0]), own[-1]) for i in line] if own else []
        lines.append(line)
    if not all(lines):
        return [0] * math.prod(map(len, tile[plane]))
    return [p.symbols[c][i] for i in places_of(lines, p.shape)]
