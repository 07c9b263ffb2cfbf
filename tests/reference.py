"""A decoder written from docs/format.md and its pages alone: no module of ours, no coder library, plain integers and
floats. What detail layers need stands in reference_detail, reference_bases and reference_grid, what pyramids need in
reference_pyramid."""

import hashlib
import itertools
import json
import math
import struct
import zlib
from decimal import ROUND_HALF_EVEN, Context, Decimal

from tests import reference_grid
from tests.reference_detail import detail_values, parse_detail
from tests.reference_pyramid import latents_of, parse_pyramid, pyramid_values, tensors_of

M64 = 2**64 - 1


def model_frequencies(s, t, m):
    c = Context(prec=28, rounding=ROUND_HALF_EVEN)
    log_scale = c.divide(c.multiply(Decimal(t - 32), c.ln(Decimal(2))), Decimal(8))
    e = c.divide(Decimal(s), Decimal(32))
    w = [Decimal(1)]
    for k in range(1, m + 1):
        x = c.exp(c.multiply(e, c.subtract(c.ln(Decimal(k)), log_scale)))
        w.append(c.exp(c.minus(x)) if x < 60 else Decimal(0))
    total = w[0]
    for k in range(1, m + 1):
        total = c.add(total, c.multiply(Decimal(2), w[k]))
    f = [1 + math.floor(c.divide(c.multiply(Decimal(2**24 - (2 * m + 1)), w[k]), total)) for k in range(1, m + 1)]
    return [*reversed(f), 2**24 - 2 * sum(f), *f]


def payload_reader(payload, m):
    """A function that takes a table of frequencies, and its first symbol unless that is -m, and returns the next."""
    data = payload + bytes(-len(payload) % 4)
    words = list(struct.unpack(f">{len(data) // 4}I", data))
    position = 0

    def next_word():
        nonlocal position
        position += 1
        return words[position - 1] if position <= len(words) else 0

    lower, range_ = 0, M64
    point = next_word() << 32 | next_word()

    def next_symbol(table, first=-m):
        nonlocal lower, range_, point
        scale = range_ >> 24
        u = ((point - lower) & M64) // scale
        assert u < 2**24, "damaged"
        below, q = 0, first
        while u >= below + table[q - first]:
            below += table[q - first]
            q += 1
        lower = (lower + scale * below) & M64
        range_ = scale * table[q - first]
        if range_ < 2**32:
            lower, range_ = lower << 32 & M64, range_ << 32
            point = (point << 32 & M64) | next_word()
        return q

    return next_symbol


def decode_payload(payload, counts, tables, m):
    next_symbol = payload_reader(payload, m)
    return [[next_symbol(table) for _ in range(count)] for count, table in zip(counts, tables, strict=True)]


THRESHOLDS = [4870, 6888, 9741, 13777, 19483, 27554, 38967, 55108, 77935, 110217, 155871, 220435]


def read_slices(next_symbol, shape, x, s, t, m):
    """The symbols of a tensor (boxes, rows, columns) with context x, in the order of its numbers."""
    boxes, rows, columns = shape
    count, entries = (rows, columns) if x == 1 else (columns, rows)
    sums = [[0] * entries for _ in range(boxes)]
    found = {}
    for n in range(count):
        offsets = {}
        for box, own in enumerate(sums):
            total = sum(own)
            for e, a in enumerate(own):
                h = sum(65536 * (a * entries * n + 3 * total) >= limit * (n + 3) * total for limit in THRESHOLDS)
                offsets[box, e] = 4 * (h - 8) if total else 0
        for o in sorted(set(offsets.values()), reverse=True):
            table = model_frequencies(s, min(255, max(0, t + o)), m)
            for box, e in (place for place, offset in offsets.items() if offset == o):
                found[(box, n, e) if x == 1 else (box, e, n)] = next_symbol(table)
        for box in range(boxes):
            for e in range(entries):
                sums[box][e] += abs(found[(box, n, e) if x == 1 else (box, e, n)])
    return [found[place] for place in sorted(found)]


def read_sorted(next_symbol, shape, s, t, m):
    """The symbols of a tensor (boxes, rows) with context 3."""
    both = model_frequencies(s, t, m)
    table = [both[m], *(2 * f for f in both[m + 1 :])]
    found = []
    for _ in range(shape[0]):
        found += itertools.accumulate(next_symbol(table, 0) for _ in range(shape[1]))
    assert max(found) <= m, "damaged"
    return found


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        assert self.at + n <= len(self.data)
        self.at += n
        return self.data[self.at - n : self.at]

    def byte(self):
        return self.take(1)[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


def read_value(r):
    kind = r.byte()
    if kind == 2:
        u = r.varint()
        return u // 2 if u % 2 == 0 else -(u + 1) // 2
    if kind == 3:
        return struct.unpack("<f", r.take(4))[0]
    if kind == 4:
        return struct.unpack("<d", r.take(8))[0]
    if kind == 5:
        return r.take(r.varint()).decode()
    if kind == 6:
        return [read_value(r) for _ in range(r.varint())]
    return {0: False, 1: True}[kind]


def parse_init(data):
    """An initialisation as lists of numbers by tensor name, its network and its modality."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__")
    assert metadata["format"] == "coordcodec-init-1"
    found = {"network": json.loads(metadata["network"]), "modality": metadata["modality"]}
    for name, tensor in header.items():
        start, stop = (8 + length + at for at in tensor["data_offsets"])
        count = math.prod(tensor["shape"])
        letter, size = {"F16": ("e", 2), "I8": ("b", 1)}[tensor["dtype"]]
        assert stop - start == size * count
        found[name] = list(struct.unpack(f"<{count}{letter}", data[start:stop]))
    return found


def class_places(codes, boxes):
    """Where the numbers of each class stand in their tensor, and the class's offset, in the order of coding."""
    offsets = [4 * (c - max(codes)) for c in codes] * boxes
    return [(o, [i for i, p in enumerate(offsets) if p == o]) for o in sorted(set(offsets), reverse=True)]


def parse(data, init=None):
    """A file as a dict of its fields, with the tensors' weights per part as lists of floats.

    init: the bytes of the initialisation that it names, if it names one.
    """
    assert data[:4] == b"CCDC"
    if data[4] == 5:
        return parse5(data, init)
    assert data[4] in (1, 2, 3, 4)
    assert zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little")
    r = Reader(data[:-4])
    r.take(5)
    flags = r.byte()
    f = {"modality": r.take(r.byte()).decode("ascii"), "dims": r.byte()}
    f["shape"] = [r.varint() for _ in range(f["dims"])] if flags & 1 else []
    f["channels"] = r.byte()
    f["parts"] = [r.varint() for _ in range(f["dims"])] if flags & 2 else [1] * f["dims"]
    f["margin"] = r.byte() if flags & 8 else 0
    f["gains"] = list(r.take(math.prod(f["parts"]))) if flags & 16 else [0] * math.prod(f["parts"])
    f["circles"] = [False] * f["dims"]
    base = None
    if flags & 32:
        assert data[4] == 3
        base = named_init(f, r.take(8), init)
    f["meta"] = read_meta(r) if flags & 4 else {}
    assert r.byte() == 1
    assert r.byte() == 6
    return siren(f, r, base)


def named_init(f, name, init):
    assert name == hashlib.sha256(init).digest()[:8]
    base = parse_init(init)
    assert base["modality"] == f["modality"]
    return base


def read_meta(r):
    inner, meta = Reader(r.take(r.varint())), {}
    while inner.at < len(inner.data):
        key = inner.take(inner.varint()).decode()
        meta[key] = read_value(inner)
    return meta


def parse5(data, init):
    r = Reader(data)
    r.take(5)
    flags = r.byte()
    f = {"modality": r.take(r.byte()).decode("ascii"), "dims": r.byte()}
    d = f["dims"]
    f["shape"] = [r.varint() for _ in range(d)] if flags & 1 else []
    circles = r.byte() if flags & 4 else 0
    f["circles"] = [bool(circles >> k & 1) for k in range(d)]
    f["channels"] = r.byte()
    if flags & 8:
        kind = r.byte()
        count = 1 if kind & 128 else f["channels"]
        scale, offset = (list(struct.unpack(f"<{count}d", r.take(8 * count))) for _ in range(2))
        f["samples"] = (kind & 127, scale, offset, r.take(r.byte()).decode())
    if flags & 16:
        f["promise"] = struct.unpack("<d", r.take(8))[0] if r.byte() else 0.0
    f["meta"] = read_meta(r) if flags & 2 else {}
    while r.at < len(data):
        kind, base = r.varint(), None
        if r.byte() & 1:
            base = named_init(f, r.take(8), init)
        length = r.varint()
        start, body = r.at, Reader(r.take(length))
        assert zlib.crc32(data[: r.at]) == int.from_bytes(r.take(4), "little")
        if kind == 1:
            f["mask"] = read_mask(body, f["shape"])
        elif kind == 2:
            while body.at < len(body.data):
                name = body.take(body.varint()).decode()
                method, size = body.byte(), body.varint()
                blob = body.take(body.varint())
                f["meta"][name] = zlib.decompress(blob, -15) if method else blob
                assert len(f["meta"][name]) == size
        elif kind == 4:
            f["detail"] = parse_detail(f, body, data, start)
        elif kind == 5:
            found = f["pyramid"] = parse_pyramid(f, body, data, start)
            shapes = tensors_of(found, f)
            _, steps, symbols = read_numbers(Reader(found["chunks"][0]), list(shapes), list(shapes.values()))
            found["tensors"] = dict(zip(shapes, zip(steps, symbols.values(), strict=True), strict=True))
            found["latents"] = latents_of(found, f)
        else:
            assert kind == 3
            has = body.byte()
            f["parts"] = [body.varint() for _ in range(d)] if has & 1 else [1] * d
            f["margin"] = body.byte() if has & 2 else 0
            f["gains"] = list(body.take(math.prod(f["parts"]))) if has & 4 else [0] * math.prod(f["parts"])
            siren(f, body, base)
    return f


def read_mask(body, shape):
    """A function that takes a place of the grid and returns whether it is known."""
    coding, axes = body.byte(), body.byte()
    kept = [1 if axes >> k & 1 else n for k, n in enumerate(shape)]
    assert coding < 2
    if coding:
        sides = [n for n in kept if n > 1] or [1]
        sides = sides if len(sides) < 5 else [math.prod(sides[:-3]), *sides[-3:]]
        chunk = reference_grid.Chunk(reference_grid.State(0), body.data[2:])
        found = chunk.plane(sides)
        chunk.finish()
    else:
        bits = zlib.decompress(body.data[2:], -15)
        found = [bits[i // 8] >> (7 - i % 8) & 1 for i in range(math.prod(kept))]

    def known(place):
        i = 0
        for at, n in zip(place, kept, strict=True):
            i = i * n + (at if n > 1 else 0)
        return found[i]

    return known


def siren(f, r, base):
    """What a SIREN's specification and the coded numbers behind it say."""
    f["width"], f["depth"], f["frequencies"], f["sigma"] = struct.unpack(">HBBH", r.take(6))
    whole = [circle and count == 1 for circle, count in zip(f["circles"], f["parts"], strict=True)]
    f["whole"] = whole
    inputs = (f["dims"] + sum(whole)) * (1 + 2 * f["frequencies"])
    sizes = [inputs, *[f["width"]] * (f["depth"] + 1), f["channels"]]
    boxes = math.prod(f["parts"])
    f["shapes"] = [s for a, b in itertools.pairwise(sizes) for s in ((boxes, b, a), (boxes, b))]
    names = [f"{kind}{layer}" for layer in range(f["depth"] + 2) for kind in ("weight", "bias")]
    if base:
        says = [base["network"][key] for key in ("dims", "channels", "width", "depth", "num_frequencies", "sigma")]
        assert says == [f[key] for key in ("dims", "channels", "width", "depth", "frequencies", "sigma")]
    f["coding"], steps, symbols = read_numbers(r, names, f["shapes"], base)
    numbers = [[q * step for q in qs] for qs, step in zip(symbols.values(), steps, strict=True)]
    return weighed(f, numbers, names, base, boxes)


def read_numbers(r, names, dims, base=None):
    """The coding of tensors, and the step and the symbols of each. dims: of each, boxes first if it has any."""
    counts, coding = [math.prod(d) for d in dims], r.byte()
    if coding == 0:
        payload = r.take(len(r.data) - r.at)
        flat = struct.unpack(f"<{sum(counts)}e", payload)
        starts = [sum(counts[:i]) for i in range(len(counts))]
        found = [list(flat[a : a + n]) for a, n in zip(starts, counts, strict=True)]
        return coding, [1] * len(counts), dict(zip(names, found, strict=True))
    m = 2 ** (r.byte() - 1) - 1
    table = []
    for _ in range(r.byte()):
        step = struct.unpack(">f", r.take(2) + bytes(2))[0]
        shape, t = r.byte(), r.byte()
        table.append((step, *((shape // 64, shape % 64 * 2) if coding == 2 else (0, shape)), t))
    next_symbol = payload_reader(r.take(len(r.data) - r.at), m)
    symbols = {name: [0] * count for name, count in zip(names, counts, strict=True)}
    for name, count, sizes, (_, x, s, t) in zip(names, counts, dims, table, strict=True):
        if x == 3:
            symbols[name] = read_sorted(next_symbol, sizes, s, t, m)
            continue
        if x:
            symbols[name] = read_slices(next_symbol, sizes, x, s, t, m)
            continue
        for o, places in class_places(base[f"scale/{name}"], sizes[0]) if base else [(0, range(count))]:
            frequencies = model_frequencies(s, max(0, t + o), m)
            for place in places:
                symbols[name][place] = next_symbol(frequencies)
    return coding, [row[0] for row in table], symbols


def weighed(f, numbers, names, base, boxes):
    """The fields with what is coded, and the weights that come of it."""
    f["numbers"] = numbers
    thetas = [base[f"theta/{name}"] * boxes if base else [0.0] * len(n) for name, n in zip(names, numbers, strict=True)]
    f["weights"] = [[a + b for a, b in zip(*pair, strict=True)] for pair in zip(thetas, numbers, strict=True)]
    return f


def evaluate(f, p):
    """The values at one coordinate p, by the formulas of the page."""
    if "mask" in f:
        place = [
            math.floor((x + 1) * n / 2 + 0.5) % n if circle else min(math.floor((x + 1) * (n - 1) / 2 + 0.5), n - 1)
            for x, n, circle in zip(p, f["shape"], f["circles"], strict=True)
        ]
        if not f["mask"](place):
            return [math.nan] * f["channels"]
    found = networks(f, p) if "weights" in f else [0.0] * f["channels"]
    if "pyramid" in f:
        found = [a + b for a, b in zip(found, pyramid_values(f, f["pyramid"], p), strict=True)]
    if "detail" in f:
        found = [a + b for a, b in zip(found, detail_values(f, f["detail"], p), strict=True)]
    return found


RANGES = [(-128, 127), (0, 255), (-32768, 32767), (0, 65535), (-(2**31), 2**31 - 1), (0, 2**32 - 1)]


def samples(f):
    """The samples of a file whose only layer is a detail layer, (n, c)."""
    kind, scales, offsets, _ = f["samples"]
    detail, rows = f["detail"], []
    per_channel = list(zip(*(n * (f["channels"] // len(n)) for n in (scales, offsets)), strict=True))
    for pixel in detail["integers"]:
        row = []
        for q, origin, unit, (scale, offset) in zip(
            pixel, detail["origins"], detail["units"], per_channel, strict=True
        ):
            sample = offset + scale * (origin + unit * q)
            if kind < 6:
                low, high = RANGES[kind]
                sample = round(min(max(sample, offset - abs(scale)), offset + abs(scale)))
                sample = min(max(sample, low), high)
            row.append(sample)
        rows.append(row)
    return rows


def networks(f, p):
    """What the SIRENs say."""
    axes = []
    for x, count in zip(p, f["parts"], strict=True):
        position = (x + 1) * count / 2
        i = min(math.floor(position), count - 1)
        u = 2 * (position - i) - 1
        side = -1 if u < 0 else 1
        own = 1.0
        if f["margin"] and 0 <= i + side < count:
            own = min(1.0, (1 + (1 - abs(u)) * 128 / f["margin"]) / 2)
        axes.append([(i, u if count > 1 else x, own), (i + side, u - 2 * side, 1 - own)])
    total = [0.0] * f["channels"]
    for choice in itertools.product(*axes):
        weight = math.prod(w for _, _, w in choice)
        if weight == 0:
            continue
        box = 0
        for (i, _, _), count in zip(choice, f["parts"], strict=True):
            box = box * count + i
        gain = 2.0 ** (-f["gains"][box] / 8)
        values = network(f, box, [u for _, u, _ in choice])
        total = [t + weight * gain * v for t, v in zip(total, values, strict=True)]
    return total


def network(f, box, local):
    h = []
    seen = [
        (math.cos(math.pi * x), math.sin(math.pi * x)) if w else (x,) for x, w in zip(local, f["whole"], strict=True)
    ]
    for x in itertools.chain(*seen):
        phases = [(f["sigma"] / 1000) ** k * math.pi * x for k in range(f["frequencies"])]
        h += [x, *map(math.sin, phases), *map(math.cos, phases)]
    layers = len(f["shapes"]) // 2
    for layer in range(layers):
        _, outputs, inputs = f["shapes"][2 * layer]
        w = f["weights"][2 * layer][box * outputs * inputs :]
        b = f["weights"][2 * layer + 1][box * outputs :]
        z = [sum(w[o * inputs + i] * h[i] for i in range(inputs)) + b[o] for o in range(outputs)]
        h = z if layer == layers - 1 else [math.sin(v) for v in z]
    return h
