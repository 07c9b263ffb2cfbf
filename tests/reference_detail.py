"""Detail sections, decoded from docs/format.md, bases.md and grid-coder.md alone."""

import copy
import itertools
import math
import struct
import zlib

from tests.reference_bases import bands_of, inverse_wavelet, norm_of, unpredict, unrotate, wrapped
from tests.reference_grid import Chunk, State

BASES = ("identity", "9/7", "5/3", "lapped")
ROTATIONS = ("identity", "midside", "ycocg", "opponent", "fitted")
PREDICTORS = ("none", "left", "plane", "med", "blend", "cascade")


class Plane:
    """high, counts: for a wavelet's planes, see the page; levels: of each axis."""

    def __init__(self, shape, scale, norm, high=(), counts=(), levels=(), width=None):
        self.shape, self.scale, self.norm, self.width = shape, scale, norm, width
        self.high, self.counts, self.levels = high, counts, levels
        self.symbols = []


def parse_detail(f, r, data, start):
    """What a section says. r: a reader of its body, which begins at `start` of the file."""
    shape, channels = f["shape"], f["channels"]
    assert 1 <= len(shape) <= 4
    flags, first, second, fraction = (r.byte() for _ in range(4))
    basis, rotation, predictor = BASES[first & 15], ROTATIONS[first >> 4], PREDICTORS[second & 15]
    spacing, count = r.varint(), 1 if flags & 2 else channels
    units = struct.unpack(f"<{count}d", r.take(8 * count)) * (channels // count)
    origins = struct.unpack(f"<{count}d", r.take(8 * count)) * (channels // count) if flags & 1 else (0.0,) * channels
    pairs = channels * (channels - 1) // 2
    turns = struct.unpack(f"<{pairs}h", r.take(2 * pairs)) if rotation == "fitted" else ()
    limits = struct.unpack("<2i", r.take(8)) if predictor != "none" else (0, 0)
    splits = list(r.take(len(shape))) if basis in ("9/7", "5/3") else []
    levels, groups = [b & 15 for b in splits], [b >> 4 for b in splits]
    blocks = []
    while basis == "lapped" and len(blocks) < -(-shape[0] // 16384):
        size = 64 << r.byte()
        blocks += [size] * r.varint()
    tile = r.byte() if flags & 8 else 0
    chunks = []
    for left in reversed(range(r.varint())):
        chunks.append(r.take(r.varint()))
        if left:
            at = start + r.at
            assert zlib.crc32(data[:at]) == int.from_bytes(r.take(4), "little")
    assert r.at == len(r.data)
    order = list(range(len(bands_of(shape, levels, groups)))) if levels else [0]
    if levels:
        planes = [plane_of(band, levels, groups, basis) for band in bands_of(shape, levels, groups)]
        order.sort(key=lambda k: (planes[k].scale, k))
        planes = [planes[k] for k in order]
    else:
        planes = lapped_planes(shape[0], blocks, tile) if basis == "lapped" else [Plane(tuple(shape), 0, 65536)]
    step, points, residual = read_chunks(chunks, planes, f, second >> 4, flags, tile, spacing)
    if basis == "identity":
        integers = unpredicted(planes[0], tile, predictor, limits)
    else:
        integers = restored(planes, order, step, points, f, basis, levels, groups)
    pixels = [list(pixel) for pixel in zip(*integers, strict=True)]
    for place, pixel in enumerate(pixels):
        unrotate(pixel, rotation, turns)
        for c in range(channels):
            value = (pixel[c] + (1 << fraction - 1)) >> fraction if fraction else pixel[c]
            pixel[c] = wrapped(value + (spacing * residual[c][place] if spacing else 0))
    return {"integers": pixels, "units": units, "origins": origins, "basis": basis}


def plane_of(band, levels, groups, kind):
    scale, counts = 0, []
    for group in sorted(set(groups)):
        own = [k for k, g in enumerate(groups) if g == group]
        times, low = max(band.levels[k] for k in own), not any(band.high[k] for k in own)
        scale += max(levels[k] for k in own) - times + (not low)
        counts.append((times, low))
    return Plane(band.shape, scale, norm_of(band, kind), band.high, tuple(counts), band.levels)


def lapped_planes(samples, blocks, tile):
    planes, last = [], None
    for number, size in enumerate(blocks):
        count = 16384 // size if number < len(blocks) - 1 else -(-(samples - 16384 * number) // size)
        own = (16384 * number >> tile if tile else 0, size)
        if own == last:
            planes[-1].shape = (planes[-1].shape[0] + count, size)
        else:
            planes.append(Plane((count, size), own[0] if tile else len(planes), 65536, width=size))
        last = own
    return planes


def cuts(shapes, tile):
    """How often each axis of planes of one scale is cut."""
    sides = max(shapes, key=math.prod)
    counts = [1] * len(sides)
    while tile and math.prod(-(-n // c) for n, c in zip(sides, counts, strict=True)) > 1 << tile:
        lengths = [-(-n // c) for n, c in zip(sides, counts, strict=True)]
        counts[lengths.index(max(lengths))] += 1
    return counts


def box_of(shape, counts, place):
    return [(n * k // c, n * (k + 1) // c) for n, c, k in zip(shape, counts, place, strict=True)]


def tiles_of(shape, tile):
    """The boxes of an array that stands alone."""
    counts = cuts([shape], tile)
    return [box_of(shape, counts, place) for place in itertools.product(*map(range, counts))]


def chunk_parts(planes, split, tile):
    """For each chunk whether its scale is cut, and its parts, [(plane, box)]."""
    if not split:
        yield False, [(p, [(0, n) for n in p.shape]) for p in planes]
        return
    for scale in sorted({plane.scale for plane in planes}):
        own = [plane for plane in planes if plane.scale == scale]
        counts = [1] * len(own[0].shape) if own[0].width else cuts([p.shape for p in own], tile)
        for place in itertools.product(*map(range, counts)):
            yield math.prod(counts) > 1, [(p, box_of(p.shape, counts, place)) for p in own]


def read_chunks(chunks, planes, f, start, flags, tile, spacing):
    """Fills the planes' symbols, per channel; gives the step's code, the points and the residual."""
    channels, lapped = f["channels"], planes[0].width is not None
    head, at = chunks[0], 0
    step, at = varint(head, 0)
    points = struct.unpack("3b", head[at : at + 3]) if step else (0, 0, 0)
    at += 3 if step else 0
    for plane in planes:
        plane.symbols = [[0] * math.prod(plane.shape) for _ in range(channels)]
        plane.share = 64
        if lapped and not flags & 16:
            plane.share, at = head[at], at + 1
    source = iter([head[at:], *chunks[1:]])
    states = States(start)
    for cut, parts in chunk_parts(planes, flags & 4, tile):
        data = next(source)
        ends = {}
        if flags & 16:
            size, at = varint(data, 0)
            ends, data = read_ends(data[at : at + size], parts, channels), data[at + size :]
        chunk = Chunk(states.next(cut, lapped and tile), data)
        for plane, box in parts:
            read_part(chunk, planes, plane, box, parts, channels, ends.get(id(plane)))
        chunk.finish()
    residual = [[0] * math.prod(f["shape"]) for _ in range(channels)]
    boxes = tiles_of(f["shape"], tile) if spacing else []
    for box in boxes:
        chunk, before = Chunk(states.next(len(boxes) > 1, False), next(source)), None
        for c in range(channels):
            before = chunk.plane([b - a for a, b in box], {"channel": before} if c else None)
            put(residual[c], f["shape"], box, before)
        chunk.finish()
    assert next(source, None) is None
    return step, points, residual


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


class States:
    """The state with which each chunk begins."""

    def __init__(self, start):
        self.going, self.kept, self.first = State(start), None, True

    def next(self, cut, alone):
        """cut: whether the chunk's scale is cut. alone: whether the first chunk leaves the state of all others."""
        first, self.first = self.first, False
        if first:
            self.leave = cut or alone
            return self.going
        if self.kept is None and (cut or self.leave):
            self.kept = self.going
        return self.going if self.kept is None else copy.deepcopy(self.kept)


def read_ends(data, parts, channels):
    """For each plane of a chunk and channel, how many columns of each row are coded."""
    chunk, found = Chunk(State(0), data), {}
    for plane, _ in parts:
        rows, width = plane.shape
        group = max(1, 2048 // width)
        before, own = None, []
        for c in range(channels):
            before = chunk.plane([-(-rows // group)], {"channel": before} if c else None)
            ends = [e for e in itertools.accumulate(before) for _ in range(group)][:rows]
            own.append([-(-width * e // 64) for e in ends])
        found[id(plane)] = own
    chunk.finish()
    return found


def put(array, shape, box, values):
    for place, value in zip(itertools.product(*(range(a, b) for a, b in box)), values, strict=True):
        array[index(place, shape)] = value


def index(place, shape):
    at = 0
    for i, n in zip(place, shape, strict=True):
        at = at * n + i
    return at


def read_part(chunk, planes, plane, box, parts, channels, ends):
    """One part of a plane, in all channels."""
    number = next(k for k, p in enumerate(planes) if p is plane)
    width = box[-1][1] if plane.width is None else -(-plane.width * plane.share // 64)
    box = [*box[:-1], (box[-1][0], width)]
    size = [b - a for a, b in box]
    zones = None if plane.width is None else [8 * i // plane.width for i in range(width)]
    together, before = {id(p): own for p, own in parts}, None
    for c in range(channels):
        guides = {"channel": before} if c else {}
        if plane.high:
            parent = next((p for p in reversed(planes[:number]) if is_parent(p, plane)), None)
            if parent:
                guides["parent"] = fitted(parent, c, plane, box, together.get(id(parent)))
            alike = [p for p in planes[:number] if (p.levels, p.counts) == (plane.levels, plane.counts)]
            if alike:
                whole = [fitted(p, c, plane, box, together.get(id(p))) for p in alike]
                guides["sibling"] = [sum(map(abs, v)) for v in zip(*whole, strict=True)]
        before = chunk.plane(size, guides, zones, ends and ends[c])
        put(plane.symbols[c], plane.shape, box, before)


def is_parent(p, plane):
    differ = [(a, b) for a, b in zip(p.counts, plane.counts, strict=True) if a != b]
    return p.high == plane.high and len(differ) == 1 and differ[0][0] == (differ[0][1][0] + 1, differ[0][1][1])


def fitted(p, c, plane, box, own):
    """A plane brought to another's size, and of that a box. own: where it must be taken from, if not from anywhere."""
    places = []
    for k, (have, want) in enumerate(zip(p.shape, plane.shape, strict=True)):
        line = list(range(have))
        if 2 * have <= want + 1:
            line = [i for i in line for _ in (0, 1)]
        line = (line + line[-1:] * want)[slice(*box[k])]
        places.append([min(max(i, own[k][0]), own[k][1] - 1) for i in line] if own else line)
    if not math.prod(p.shape):
        return [0] * math.prod(b - a for a, b in box)
    return [p.symbols[c][index(place, p.shape)] for place in itertools.product(*places)]


def unpredicted(plane, tile, predictor, limits):
    """The integers of each channel in raster order."""
    if predictor == "none":
        return plane.symbols
    found = [[0] * len(symbols) for symbols in plane.symbols]
    for box in tiles_of(plane.shape, tile):
        places = [index(place, plane.shape) for place in itertools.product(*(range(a, b) for a, b in box))]
        errors = [[symbols[at] for at in places] for symbols in plane.symbols]
        for channel, values in zip(found, unpredict(errors, [b - a for a, b in box], predictor, *limits), strict=True):
            put(channel, plane.shape, box, values)
    return found


def restored(planes, order, code, points, f, basis, levels, groups):
    """The integers of each channel in raster order, before rotation."""
    shape, channels = f["shape"], f["channels"]
    found = []
    for c in range(channels):
        arrays = [None] * len(planes)
        for plane, place in zip(planes, order if levels else range(len(planes)), strict=True):
            octave, part = divmod(code - 1, 512)
            step = max(1, (128 * (512 + part) << octave) // plane.norm) if code else 1
            arrays[place] = [coefficient(q, step, points) for q in plane.symbols[c]]
        if levels:
            found.append(inverse_wavelet(arrays, shape, levels, groups, basis, f["circles"]))
        else:
            found.append(unlapped(arrays, planes, shape[0]))
    return found


def coefficient(q, step, points):
    size = abs(q)
    r = (0, *points)[min(size, 3)]
    value = ((64 * size + r) * step + 32) // 64
    return -value if q < 0 else value


def unlapped(arrays, planes, samples):
    """The samples that lapped cosines stand for, rounded."""
    x, edges = [], []
    for values, plane in zip(arrays, planes, strict=True):
        size = plane.width
        for block in range(plane.shape[0]):
            line = [(k + 0.5, v) for k, v in enumerate(values[block * size : (block + 1) * size]) if v]
            edges.append((len(x), size))
            for n in range(size):
                turn = math.pi * (n + 0.5) / size
                x.append(math.sqrt(2 / size) * sum(v * math.cos(turn * k) for k, v in line))
    for (_, before), (edge, after) in itertools.pairwise(edges):
        length = min(before, after)
        for k in range(length // 2):
            p = (k + 0.5) / length + 0.5
            u, v = math.sin(math.pi * p / 2), math.cos(math.pi * p / 2)
            a, b = x[edge - 1 - k], x[edge + k]
            x[edge - 1 - k], x[edge + k] = u * a + v * b, u * b - v * a
    return [round(value) for value in x[:samples]]


def detail_values(f, detail, p):
    """The values at one coordinate."""
    corners = []
    for x, n, circle in zip(p, f["shape"], f["circles"], strict=True):
        place = ((x + 1) / 2 % 1) * n if circle else (x + 1) / 2 * (n - 1)
        low = min(math.floor(place), n - 1)
        high = (low + 1) % n if circle else min(low + 1, n - 1)
        corners.append(((low, 1 - (place - low)), (high, place - low)))
    total = [0.0] * f["channels"]
    for corner in itertools.product(*corners):
        at = 0
        for (i, _), n in zip(corner, f["shape"], strict=True):
            at = at * n + i
        weight = math.prod(w for _, w in corner)
        total = [t + weight * v for t, v in zip(total, detail["integers"][at], strict=True)]
    return [o + u * t for o, u, t in zip(detail["origins"], detail["units"], total, strict=True)]
