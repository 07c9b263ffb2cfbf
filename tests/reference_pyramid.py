"""The latents of a pyramid, decoded from docs/format.md alone: no module of ours, plain integers."""

import itertools
import re
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
