"""Detail sections, decoded from docs/format.md, bases.md and grid-coder.md alone."""

import itertools
import math
import struct
import zlib

from tests.reference_bases import bands_of, inverse_wavelet, norm_of, unpredict, unrotate, wrapped
from tests.reference_chunks import Plane, places_of, read_chunks, tiles_of

BASES = ("identity", "9/7", "5/3", "lapped")
ROTATIONS = ("identity", "midside", "ycocg", "opponent", "fitted")
PREDICTORS = ("none", "left", "plane", "med", "blend", "cascade")


def parse_detail(f, r, data, start):
    """What a section says. r: a reader of its body, which begins at `start` of the file."""
    shape, channels = f["shape"], f["channels"]
    assert 1 <= len(shape) <= 4
    spec = parse_spec(r, shape, channels)
    chunks = []
    for left in reversed(range(r.varint())):
        chunks.append(r.take(r.varint()))
        if left:
            at = start + r.at
            assert zlib.crc32(data[:at]) == int.from_bytes(r.take(4), "little")
    assert r.at == len(r.data)
    planes, order = planes_of(spec, shape)
    step, points, residual = read_chunks(chunks, planes, spec, shape, channels)
    integers = restored(planes, order, step, points, f, spec)
    pixels, fraction = [list(pixel) for pixel in zip(*integers, strict=True)], spec["fraction"]
    for place, pixel in enumerate(pixels):
        unrotate(pixel, spec["rotation"], spec["turns"])
        for c in range(channels):
            value = (pixel[c] + (1 << fraction - 1)) >> fraction if fraction else pixel[c]
            pixel[c] = wrapped(value + (spec["spacing"] * residual[c][place] if residual else 0))
    return {"integers": pixels, "units": spec["units"], "origins": spec["origins"], "basis": spec["basis"]}


def parse_spec(r, shape, channels):
    flags, first, second, fraction = (r.byte() for _ in range(4))
    basis, rotation, predictor = BASES[first & 15], ROTATIONS[first >> 4], PREDICTORS[second & 15]
    spacing, count = r.varint(), 1 if flags & 2 else channels
    spec = {"basis": basis, "rotation": rotation, "predictor": predictor, "fraction": fraction, "spacing": spacing}
    spec |= {"start": second >> 4, "split": flags & 4, "ends": flags & 16}
    assert flags < 32
    assert flags & 4 or not flags & 8
    assert basis == "lapped" or not flags & 16
    spec["units"] = struct.unpack(f"<{count}d", r.take(8 * count)) * (channels // count)
    spec["origins"] = (0.0,) * channels
    if flags & 1:
        spec["origins"] = struct.unpack(f"<{count}d", r.take(8 * count)) * (channels // count)
    pairs = channels * (channels - 1) // 2
    spec["turns"] = struct.unpack(f"<{pairs}h", r.take(2 * pairs)) if rotation == "fitted" else ()
    spec["limits"] = struct.unpack("<2i", r.take(8)) if predictor != "none" else (0, 0)
    splits = list(r.take(len(shape))) if basis in ("9/7", "5/3") else []
    spec["levels"], spec["groups"] = [b & 15 for b in splits], [b >> 4 for b in splits]
    blocks = []
    while basis == "lapped" and len(blocks) < -(-shape[0] // 16384):
        size = 64 << r.byte()
        blocks += [size] * r.varint()
    tile = r.byte() if flags & 8 else 0
    assert not tile or (14 if basis == "lapped" else 12) <= tile <= 26
    return spec | {"blocks": blocks, "tile": tile}


def planes_of(spec, shape):
    """The planes in their order, and the place of each among the bands of the page."""
    levels, groups, basis = spec["levels"], spec["groups"], spec["basis"]
    if not levels:
        lapped = basis == "lapped"
        planes = lapped_planes(shape[0], spec["blocks"], spec["tile"]) if lapped else [Plane(shape, 0, 65536)]
        return planes, list(range(len(planes)))
    planes = [plane_of(band, levels, groups, basis) for band in bands_of(shape, levels, groups)]
    order = sorted(range(len(planes)), key=lambda k: (planes[k].scale, k))
    return [planes[k] for k in order], order


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
        own = 16384 * number >> tile if tile else 0
        if (own, size) == last:
            planes[-1].shape = (planes[-1].shape[0] + count, size)
        else:
            planes.append(Plane((count, size), own if tile else len(planes), 65536, width=size))
        last = own, size
    return planes


def restored(planes, order, code, points, f, spec):
    """The integers of each channel in raster order, before rotation."""
    if spec["basis"] == "identity":
        return predicted(planes[0], spec)
    found = []
    for c in range(f["channels"]):
        arrays = [None] * len(planes)
        for plane, place in zip(planes, order, strict=True):
            octave, part = divmod(code - 1, 512)
            step = max(1, (128 * (512 + part) << octave) // plane.norm) if code else 1
            arrays[place] = [coefficient(q, step, points) for q in plane.symbols[c]]
        if spec["levels"]:
            whole = f["shape"], spec["levels"], spec["groups"], spec["basis"], f["circles"]
            found.append(inverse_wavelet(arrays, *whole))
        else:
            found.append(unlapped(arrays, planes, f["shape"][0]))
    return found


def predicted(plane, spec):
    """The samples of the identity: the predictor treats each tile on its own."""
    if spec["predictor"] == "none":
        return plane.symbols
    found = [[0] * len(line) for line in plane.symbols]
    for tile in tiles_of([plane], spec["tile"]):
        places, shape = places_of(tile[plane], plane.shape), tuple(map(len, tile[plane]))
        errors = [[line[i] for i in places] for line in plane.symbols]
        for line, values in zip(found, unpredict(errors, shape, spec["predictor"], *spec["limits"]), strict=True):
            for i, value in zip(places, values, strict=True):
                line[i] = value
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
            line = [(k, v) for k, v in enumerate(values[block * size : (block + 1) * size]) if v]
            edges.append((len(x), size))
            x += [
                math.sqrt(2 / size) * sum(v * math.cos(math.pi * (n + 0.5) * (k + 0.5) / size) for k, v in line)
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
