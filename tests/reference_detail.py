"""Detail sections, decoded from docs/format.md, bases.md and grid-coder.md alone."""

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
        planes = lapped_planes(shape[0], blocks) if basis == "lapped" else [Plane(tuple(shape), 0, 65536)]
    step, points, residual = read_chunks(chunks, planes, f, second >> 4, basis, bool(flags & 4), spacing)
    integers = restored(planes, order, step, points, f, basis, levels, groups, predictor, limits, blocks)
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


def lapped_planes(samples, blocks):
    planes = []
    for number, size in enumerate(blocks):
        count = 16384 // size if number < len(blocks) - 1 else -(-(samples - 16384 * number) // size)
        if planes and planes[-1].shape[1] == size:
            planes[-1].shape = (planes[-1].shape[0] + count, size)
        else:
            planes.append(Plane((count, size), len(planes), 65536, width=size))
    return planes


def read_chunks(chunks, planes, f, start, basis, split, spacing):
    """Fills the planes' symbols, per channel; gives the step's code, the points and the residual."""
    channels, state = f["channels"], State(start)
    head, at = chunks[0], 0
    step = shift = 0
    while True:
        step |= (head[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if head[at - 1] < 128:
            break
    points = struct.unpack("3b", head[at : at + 3]) if step else (0, 0, 0)
    at += 3 if step else 0
    shares = [64] * len(planes)
    if basis == "lapped":
        shares, at = list(head[at : at + len(planes)]), at + len(planes)
    chunks = [head[at:], *chunks[1:]]
    scales = sorted({plane.scale for plane in planes}) if split else [None]
    for scale in scales:
        chunk = Chunk(state, chunks.pop(0))
        for number, plane in enumerate(planes):
            if scale is None or plane.scale == scale:
                read_plane(chunk, planes, number, channels, shares[number])
        chunk.finish()
    residual = []
    if spacing:
        chunk = Chunk(state, chunks.pop(0))
        for c in range(channels):
            residual.append(chunk.plane(f["shape"], {"channel": residual[-1]} if c else None))
        chunk.finish()
    assert not chunks
    return step, points, residual


def read_plane(chunk, planes, number, channels, share):
    plane = planes[number]
    coded = plane.shape if plane.width is None else (plane.shape[0], -(-plane.width * share // 64))
    zones = None if plane.width is None else [8 * i // plane.width for i in range(coded[1])]
    for c in range(channels):
        guides = {}
        if plane.high:
            parent = next((p for p in reversed(planes[:number]) if is_parent(p, plane)), None)
            if parent:
                guides["parent"] = fitted(parent.symbols[c], parent.shape, plane.shape)
            alike = [p for p in planes[:number] if (p.levels, p.counts) == (plane.levels, plane.counts)]
            if alike:
                whole = [fitted([abs(v) for v in p.symbols[c]], p.shape, plane.shape) for p in alike]
                guides["sibling"] = [sum(v) for v in zip(*whole, strict=True)]
        if c:
            guides["channel"] = cut(plane.symbols[c - 1], plane.shape, coded)
        found = chunk.plane(coded, guides, zones)
        plane.symbols.append(fitted(found, coded, plane.shape, fill=True))


def is_parent(p, plane):
    differ = [(a, b) for a, b in zip(p.counts, plane.counts, strict=True) if a != b]
    return p.high == plane.high and len(differ) == 1 and differ[0][0] == (differ[0][1][0] + 1, differ[0][1][1])


def cut(values, shape, wanted):
    return values if shape == wanted else [values[r * shape[1] + i] for r in range(shape[0]) for i in range(wanted[1])]


def fitted(values, shape, wanted, fill=False):
    """An array brought to another's size; fill: by zeros at its end, along the last of two axes."""
    if fill:
        zeros = [0] * (wanted[-1] - shape[-1])
        rows = [values[k * shape[-1] : (k + 1) * shape[-1]] for k in range(math.prod(shape[:-1]))]
        return [v for row in rows for v in [*row, *zeros]]
    places = []
    for have, want in zip(shape, wanted, strict=True):
        line = list(range(have))
        if 2 * have <= want + 1:
            line = [i for i in line for _ in (0, 1)]
        places.append((line + line[-1:] * want)[:want])
    if not math.prod(shape):
        return [0] * math.prod(wanted)
    strides = [math.prod(shape[k + 1 :]) for k in range(len(shape))]
    return [values[sum(i * s for i, s in zip(place, strides, strict=True))] for place in itertools.product(*places)]


def restored(planes, order, code, points, f, basis, levels, groups, predictor, limits, blocks):
    """The integers of each channel in raster order, before rotation."""
    shape, channels = f["shape"], f["channels"]
    if basis == "identity":
        return unpredict(planes[0].symbols, shape, predictor, *limits) if predictor != "none" else planes[0].symbols
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
            found.append(unlapped(arrays, planes, shape[0], blocks))
    return found


def coefficient(q, step, points):
    size = abs(q)
    r = (0, *points)[min(size, 3)]
    value = ((64 * size + r) * step + 32) // 64
    return -value if q < 0 else value


def unlapped(arrays, planes, samples, blocks):
    """The samples that lapped cosines stand for, rounded."""
    x, edges = [], []
    for values, plane in zip(arrays, planes, strict=True):
        size = plane.width
        for block in range(plane.shape[0]):
            line = values[block * size : (block + 1) * size]
            edges.append((len(x), size))
            x += [
                math.sqrt(2 / size)
                * sum(v * math.cos(math.pi * (n + 0.5) * (k + 0.5) / size) for k, v in enumerate(line) if v)
                for n in range(size)
            ]
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
