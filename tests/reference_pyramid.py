"""Pyramid sections, decoded from docs/format.md alone: without the package, in plain integers and floats."""

import itertools
import math
import re
import struct
import zlib
from pathlib import Path

PAGE = (Path(__file__).parent.parent / "docs" / "format.md").read_text()
DECAYS = [int(n) for n in re.search(r"r\(0\) to r\(63\):\n\n((?: {4}[\d ]+\n)+)", PAGE)[1].split()]


def tails(decay):
    u, found = 2**31, []
    for _ in range(16 * 302):
        found.append(u >> 16)
        u = u * decay >> 32
    return found


TAILS = [tails(decay) for decay in DECAYS]
LAST = [next((d for d in range(2, 300) if e[16 * d] < 8), 300) for e in TAILS]


def bound(k, f, i):
    """c_i: where symbol i begins, of 65536."""
    count = 2 * LAST[k] + 3
    if i in (0, count):
        return 65536 if i else 0
    x = 16 * (i - 1 - LAST[k]) - 8 - f
    below = 65536 - TAILS[k][x] if x >= 0 else TAILS[k][-x]
    return (below * (65536 - count) >> 16) + i


class Bits:
    """The range decoder."""

    def __init__(self, chunk):
        self.chunk, self.at = chunk, 6
        self.code, self.range = int.from_bytes((chunk + bytes(6))[:6], "big"), 2**48 - 1

    def symbol(self, bounds, count):
        part = self.range >> 16
        goal = min(self.code // part, 65535)
        s = next(i for i in range(count) if bounds(i + 1) > goal)
        self.code -= part * bounds(s)
        self.range = part * (bounds(s + 1) - bounds(s))
        while self.range < 2**40:
            new = self.chunk[self.at] if self.at < len(self.chunk) else 0
            self.code, self.range, self.at = (self.code % 2**40) * 256 + new, self.range * 256, self.at + 1
        return s

    def bit(self):
        return self.symbol(lambda i: 32768 * i, 2)

    def far(self):
        length, value = 4, 1
        while length < 15 and self.bit():
            length += 1
        for _ in range(length):
            value = 2 * value + self.bit()
        return value - 16

    def latent(self, place, k):
        whole = (place + 8) >> 4
        last, f = LAST[k], place - 16 * whole
        s = self.symbol(lambda i: bound(k, f, i), 2 * last + 3)
        if s == 0:
            return max(whole - last - 1 - self.far(), -32767)
        if s == 2 * last + 2:
            return min(whole + last + 1 + self.far(), 32767)
        return whole + s - last - 1


def neighbours(axes, count):
    reach = range(-20, 21) if axes == 1 else range(-3, 4)
    before = [o for o in itertools.product(reach, repeat=axes) if o < (0,) * axes]
    return sorted(before, key=lambda o: (sum(k * k for k in o), [-k for k in o]))[:count]


def network(inputs, net):
    """The location in sixteenths and the scale. net: rows of weights, biases and the shift of each layer; the skip."""

    def sums(rows, bias, given):
        return [b + sum(w * x for w, x in zip(row, given, strict=True)) for row, b in zip(rows, bias, strict=True)]

    def relu(found, s):
        return [min(max((a + (1 << s >> 1)) >> s, 0), 32767) for a in found]

    (w0, b0, s0), (w1, b1, s1), (w2, b2, s2), skip = net
    first = relu(sums(w0, b0, inputs), s0)
    second = sums(w1, b1, first)
    if len(w0) == len(w1):
        second = [a + (h << s1) for a, h in zip(second, first, strict=True)]
    out = sums(w2, b2, relu(second, s1))
    out = [(a + b + (1 << s2 >> 1)) >> s2 for a, b in zip(out, sums(skip, [0, 0], inputs), strict=True)]
    return min(max((out[0] + 2) >> 2, -32768), 32767), min(max(28 + ((out[1] + 4) >> 3), 0), 63)


def places(shape):
    """All places of a level in the order in which they are coded."""
    outer, (rows, columns) = shape[:-2], (1, *shape)[-2:]
    turns = sorted((x + 4 * y, y, x) for y in range(rows) for x in range(columns))
    for o in itertools.product(*map(range, outer)):
        for _, y, x in turns:
            yield (*o, y, x)[-len(shape) :]


def decode_level(chunk, shape, level, halved, parent, count, net):
    """The latents of a level by place. halved: the mask to the coarser level; parent: its latents, if it has any."""
    bits, found, axes = Bits(chunk), {}, len(shape)
    offsets = neighbours(axes, count)

    def above(at):
        here = tuple(i >> (halved >> k & 1) for k, i in enumerate(at))
        yield here
        for k in range(axes):
            side = -1 if halved >> k & 1 and at[k] % 2 == 0 else 1
            yield (*here[:k], here[k] + side, *here[k + 1 :])

    for at in places(shape):
        seen = [found.get(tuple(i + o for i, o in zip(at, offset, strict=True)), 0) for offset in offsets]
        seen += [parent.get(p, 0) for p in above(at)] if parent is not None else [0] * (1 + axes)
        inputs = [min(max(q, -255), 255) << 6 for q in seen]
        found[at] = bits.latent(*network([*inputs, level << 6], net))
    return found


def parse_pyramid(f, r, data, start):
    """What a section says, and its chunks. r: a reader of its body, which begins at `start` of the file."""
    flags, steps = r.byte(), r.byte()
    found = {"halved": list(r.take(steps)), "first": r.byte()}
    found |= {"synthesis": list(r.take(2)), "context": list(r.take(2)), "neighbours": r.byte()}
    count = 1 if flags & 1 else f["channels"]
    for key in ("units", "origins"):
        found[key] = list(struct.unpack(f"<{count}f", r.take(4 * count))) * (f["channels"] // count)
    found["levels"] = range(found["first"], steps + 1)
    found["chunks"] = []
    for left in reversed(range(r.varint())):
        found["chunks"].append(r.take(r.varint()))
        if left:
            at = start + r.at
            assert zlib.crc32(data[:at]) == int.from_bytes(r.take(4), "little")
    assert r.at == len(r.data)
    assert len(found["chunks"]) == 1 + len(found["levels"])
    return found


def tensors_of(pyramid, f):
    """The shapes of the 14 tensors by name, in their order."""
    found = {}
    for kind, inputs, outputs in (
        ("context", pyramid["neighbours"] + len(f["shape"]) + 2, 2),
        ("synthesis", len(pyramid["levels"]), f["channels"]),
    ):
        sizes = [inputs, *pyramid[kind], outputs]
        for k, (a, b) in enumerate(itertools.pairwise(sizes)):
            found[f"{kind}.{k}.weight"], found[f"{kind}.{k}.bias"] = (b, a), (b,)
        found[f"{kind}.skip"] = (outputs, inputs)
    return found


def rows_of(numbers, count):
    """A matrix of so many rows."""
    width = len(numbers) // count
    return [numbers[i * width : (i + 1) * width] for i in range(count)]


def context_of(pyramid):
    """The context network in whole numbers."""
    layers, tensors = [], pyramid["tensors"]
    for k in range(3):
        (step, weight), (bias_step, bias) = (tensors[f"context.{k}.{kind}"] for kind in ("weight", "bias"))
        s = -int(math.log2(step))
        assert 2.0**-s == step
        layers.append((rows_of(weight, len(bias)), [b << (6 + s + int(math.log2(bias_step))) for b in bias], s))
    step, skip = tensors["context.skip"]
    assert step == 2.0**-s
    return (*layers, rows_of(skip, 2))


def level_shape(pyramid, shape, level):
    times = [sum(mask >> k & 1 for mask in pyramid["halved"][:level]) for k in range(len(shape))]
    return [-(-n // 2**h) for n, h in zip(shape, times, strict=True)]


def latents_of(pyramid, f):
    """The latents of all levels, each by place."""
    net, found, parent = context_of(pyramid), {}, None
    for level, chunk in zip(reversed(pyramid["levels"]), pyramid["chunks"][1:], strict=True):
        halved = pyramid["halved"][level] if parent is not None else 0
        shape = level_shape(pyramid, f["shape"], level)
        parent = found[level] = decode_level(chunk, shape, level, halved, parent, pyramid["neighbours"], net)
    return found


def around(i, n, circle):
    return i % n if circle else min(max(i, 0), n - 1)


def finer(x, shape, axis, size, circle):
    """Interpolate values by place along an axis to `size` places."""
    taps, found, n = [-9 / 256, 67 / 256, 225 / 256, -27 / 256], {}, shape[axis]
    for at in itertools.product(*[range(size if k == axis else m) for k, m in enumerate(shape)]):
        i = at[axis] // 2
        places = range(i - 2, i + 2) if at[axis] % 2 == 0 else range(i + 2, i - 2, -1)
        found[at] = sum(
            t * x[(*at[:axis], around(j, n, circle), *at[axis + 1 :])] for t, j in zip(taps, places, strict=True)
        )
    return found


def features_of(pyramid, f):
    """For each level its feature on the grid, by place, fine to coarse."""
    features = []
    for level in pyramid["levels"]:
        x, shape = pyramid["latents"][level], level_shape(pyramid, f["shape"], level)
        for below in reversed(range(level)):
            sizes = level_shape(pyramid, f["shape"], below)
            for k, circle in enumerate(f["circles"]):
                if pyramid["halved"][below] >> k & 1:
                    x = finer(x, shape, k, sizes[k], circle)
                    shape[k] = sizes[k]
        features.append(x)
    return features


def synthesis(pyramid, x):
    """The values of a sample of features x."""

    def sums(name, given, bias=True):
        step, weight = pyramid["tensors"][f"{name}.weight" if bias else name]
        rows = rows_of(weight, len(weight) // len(given))
        found = [step * sum(w * g for w, g in zip(row, given, strict=True)) for row in rows]
        if not bias:
            return found
        step, numbers = pyramid["tensors"][f"{name}.bias"]
        return [a + step * b for a, b in zip(found, numbers, strict=True)]

    h = x
    for k in range(2):
        h = [max(a, 0) for a in sums(f"synthesis.{k}", h)]
    outputs = zip(sums("synthesis.2", h), sums("synthesis.skip", x, bias=False), strict=True)
    return [o + u * (a + b) for o, u, (a, b) in zip(pyramid["origins"], pyramid["units"], outputs, strict=True)]


def pyramid_values(f, pyramid, p):
    """The values at one coordinate p."""
    if "features" not in pyramid:
        pyramid["features"] = features_of(pyramid, f)
    axes = []
    for x, n, circle in zip(p, f["shape"], f["circles"], strict=True):
        position = (x + 1) / 2 * (n if circle else n - 1)
        nearest = range(math.floor(position) - 1, math.floor(position) + 3)
        axes.append([(around(i, n, circle), cubic(position - i)) for i in nearest])
    total = [0.0] * f["channels"]
    for corner in itertools.product(*axes):
        weight = math.prod(w for _, w in corner)
        if weight:
            values = synthesis(pyramid, [x[tuple(i for i, _ in corner)] for x in pyramid["features"]])
            total = [t + weight * v for t, v in zip(total, values, strict=True)]
    return total


def cubic(t):
    t = abs(t)
    return 1.25 * t**3 - 2.25 * t**2 + 1 if t <= 1 else -0.75 * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0
