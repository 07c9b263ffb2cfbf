"""The grid coder's decoder, written from docs/grid-coder.md alone: plain Python, one decision at a time."""

import math
import struct
import zlib
from pathlib import Path

STARTS = Path(__file__).parent.parent / "coordcodec" / "stream" / "grid" / "starts"
CONTEXTS = (384, 128, 384, 384, 528, 256, 256, 384)
SIGNS = (27, 108, 27)
NODES = 24


def limited(x, low, high):
    return min(max(x, low), high)


def squash_unlimited(x):
    return 65536 - squash_unlimited(-x) if x < 0 else round(65536 / (1 + math.exp(-x / 256)))


SQUASH = {x: limited(squash_unlimited(x), 16, 65520) for x in range(-2176, 2176)}


def stretch_of(i):
    if i < 2048:
        return -stretch_of(4095 - i)
    x = min(2175, math.floor(256 * math.log((2 * i + 1) / (8191 - 2 * i))))
    return x


STRETCH = [stretch_of(i) for i in range(4096)]


def classes(power):
    """Classes of 0 to 4095 by floor(power log2 x)."""
    found = [0, 1]
    for x in range(2, 4096):
        found.append(found[-1] + ((x**power).bit_length() != ((x - 1) ** power).bit_length()))
    return found


TWO, FOUR = classes(2), classes(4)


def q(x, most):
    return min(TWO[min(x, 4095)], most)


def f(x):
    return min(FOUR[min(x, 4095)], 31)


def pair(x, y, most):
    return 12 * q(x, most) + q(y, 11)


def way(value):
    return (value > 0) + 2 * (value < 0)


class Probability:
    def __init__(self, p=1 << 21, age=0):
        self.p, self.age = p, age

    def learn(self, b):
        rate = 131072 // (2 * self.age + 3)
        self.p += (((b << 22) - self.p) * rate) >> 16
        self.age = min(self.age + 1, 90)

    @property
    def opinion(self):
        trust = 256 * (2 * self.age + 2) // (2 * self.age + 3)
        return (STRETCH[self.p >> 10] * trust) >> 8

    @property
    def plain(self):
        return limited(self.p >> 6, 16, 65520)


class State:
    """All adaptive numbers."""

    def __init__(self, start):
        assert 0 <= start <= 3
        file = zlib.decompress((STARTS / f"{start}.bin").read_bytes()) if start in (1, 2) else None
        count = NODES * sum(CONTEXTS) + sum(SIGNS) + 32 + 128 + 64
        drawn = iter([self._start(byte) for byte in file[:count]] if file else [Probability() for _ in range(count)])
        self.models = [[[next(drawn) for _ in range(n)] for n in CONTEXTS] for _ in range(NODES)]
        self.signs = [[next(drawn) for _ in range(n)] for n in SIGNS]
        self.buckets = [next(drawn) for _ in range(32)]
        self.places = [[next(drawn) for _ in range(4)] for _ in range(32)]
        self.lows = [[next(drawn) for _ in range(4)] for _ in range(16)]
        sets = 4 * NODES + 1
        if file:
            assert len(file) == count + 18 * sets
            flat = [256 * w for w in struct.unpack(f"<{9 * sets}h", file[count:])]
            self.weights = [flat[9 * k : 9 * k + 9] for k in range(sets)]
        else:
            self.weights = [[11796] * 8 + [0] for _ in range(sets - 1)] + [[26214] * 8 + [0]]
        self.ages = [100 if file else 0] * sets
        self.maps = [{}, {}]

    @staticmethod
    def _start(byte):
        if byte == 0:
            return Probability()
        t, place = divmod(byte - 1, 92)
        return Probability(64 * SQUASH[limited(48 * (place - 46), -2176, 2175)], (1, 8)[t])

    def map(self, number, node, context):
        new = [64 * SQUASH[min(128 * j - 2048, 2047)] for j in range(33)]
        return self.maps[number].setdefault((node, context), new)


class Chunk:
    """One chunk's range decoder, and the planes in it."""

    def __init__(self, state, data):
        self.state, self.data, self.at = state, data, 0
        self.low, self.range, self.number = 0, 1 << 32, 0
        for _ in range(4):
            self.number = self.number << 8 | self._byte()

    def _byte(self):
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def bit(self, p):
        bound = (self.range >> 16) * p
        b = self.number - self.low < bound
        if b:
            self.range = bound
        else:
            self.low += bound
            self.range -= bound
        while self.range < 1 << 24:
            self.low, self.range, self.number = self.low << 8, self.range << 8, self.number << 8 | self._byte()
        return int(b)

    def finish(self):
        """The chunk must be the bytes that were shifted out and those of the ending."""
        for count in range(5):
            unit = 1 << 32 - 8 * count
            v = -(-self.low // unit) * unit
            if v < self.low + self.range:
                break
        assert v == self.number
        assert len(self.data) == self.at - 4 + count
        assert (v >> (32 - 8 * count)) == int.from_bytes(self.data, "big")

    def plane(self, shape, start_guides=None, zones=None):
        """The values of a plane as a list in raster order. Guides are such lists, of the plane's shape."""
        return Plane(self, shape, start_guides or {}, zones).values


def axes4(shape):
    kept = [n for n in shape[:-1] if n != 1] + [shape[-1]]
    return [1] * (4 - len(kept)) + kept


class Plane:
    def __init__(self, chunk, shape, guides, zones):
        self.chunk, self.state, self.guides, self.zones = chunk, chunk.state, guides, zones
        self.volumes, self.slices, self.rows, self.columns = axes4(shape)
        self.values = [0] * (self.volumes * self.slices * self.rows * self.columns)
        slow = [0] * (self.columns + 2)
        for t in range(self.volumes):
            for z in range(self.slices):
                for y in range(self.rows):
                    for x in range(self.columns):
                        self.values[self._index(t, z, y, x)] = self._value(t, z, y, x, slow)

    def _index(self, t, z, y, x):
        return ((t * self.slices + z) * self.rows + y) * self.columns + x

    def _get(self, array, t, z, y, x):
        inside = t >= 0 and z >= 0 and 0 <= y < self.rows and 0 <= x < self.columns
        return array[self._index(t, z, y, x)] if inside else 0

    def _around(self, array, t, z, y, x):
        total = 0
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                total += (4, 2, 1)[abs(dy) + abs(dx)] * abs(self._get(array, t, z, y + dy, x + dx))
        return total

    def _value(self, t, z, y, x, slow):
        def signed(dy, dx):
            return self._get(self.values, t, z, y + dy, x + dx)

        def m(dy, dx):
            return abs(signed(dy, dx))

        solid = self.slices > 1 or self.volumes > 1
        left, left2, left3, up, up2 = m(0, -1), m(0, -2), m(0, -3), m(-1, 0), m(-2, 0)
        corner, other, corner2, other2 = m(-1, -1), m(-1, 1), m(-1, -2), m(-1, 2)
        near = 2 * (left + up) + corner + other
        wide = 2 * (near + left2 + up2) + left3 + corner2 + other2 + m(-1, 3) + m(-2, -1) + m(-2, 1)
        back = self._around(self.values, t, z - 1, y, x) if solid else 0
        if self.volumes > 1:
            back = (back + self._around(self.values, t - 1, z, y, x)) >> 1
        s = 65536 // ((7 if self.rows == 1 else 22) + 16 * solid)
        mean = (wide * s + back * s) >> 12
        k = 0
        while mean >> k >= 128:
            k += 1
        mean, near, back = mean >> k, near >> k, back >> k
        left, left2, left3, up, up2 = (v >> k for v in (left, left2, left3, up, up2))
        corner, other, corner2, other2 = (v >> k for v in (corner, other, corner2, other2))
        calm = ((slow[x] + 2 * slow[x + 1] + slow[x + 2]) >> 2) >> k
        size = {name: min(self._around(g, t, z, y, x), 2**31 - 1) >> k for name, g in self.guides.items()}
        n = 10 + 4 * ("parent" in size) + 3 * ("sibling" in size) + ("channel" in size)
        joint = mean * (40960 // n) + size.get("parent", 0) * ((16384 // n) >> 1)
        joint = min(4095, (joint + size.get("sibling", 0) * (12288 // n) + size.get("channel", 0) * (4096 // n)) >> 12)
        beside = self.guides["channel"][self._index(t, z, y, x)] if "channel" in size else 0
        here = abs(beside) >> k
        e = q(size["parent"], 10) // 3 if "parent" in size else min(left, 1) + 2 * min(up, 1)
        zone = min(y, 3) * 4 + min(x, 3) if self.zones is None else self.zones[x]
        last = 144 + pair(back, near, 15) if solid else pair(corner + corner2, other + other2, 11)
        contexts = [
            6 * (8 * q(left, 7) + q(up, 7)) + q(corner + other, 5),
            4 * f(joint) + e,
            192 + pair(size["parent"], near, 15) if "parent" in size
            else 24 * q(left, 7) + 4 * q(left2, 5) + q(left3, 3),
            192 + pair(size["sibling"], near, 15) if "sibling" in size
            else 24 * q(up, 7) + 4 * q(up2, 5) + q(other, 3),
            144 + 4 * (6 * q(size["channel"], 15) + q(here, 5)) + q(mean, 7) // 2 if "channel" in size
            else pair(left + left2, up + up2, 11),
            16 * zone + q(mean, 15),
            8 * f(calm) + q(near, 7),
            144 + pair(size["energy"], near, 15) if "energy" in size else last,
        ]  # fmt: skip
        given = ("parent" in size) + 2 * ("channel" in size)
        corrected = f(joint), 8 * q(left, 7) + q(up, 7)
        magnitude = self._magnitude(contexts, given, corrected, k)
        slow[x + 1] = (slow[x] + slow[x + 1] + slow[x + 2] + 16 * magnitude) >> 2
        if not magnitude:
            return 0
        signs = [way(signed(0, -1)), way(signed(-1, 0)), way(signed(-1, 1)), way(signed(0, -2))]
        behind = way(self._get(self.values, t, z - 1, y, x)) if solid else 0
        grade = q(here, 7) // 2
        negative = self._sign(
            9 * signs[0] + 3 * signs[1] + signs[2],
            9 * (3 * grade + way(beside)) + 3 * signs[0] + signs[1],
            9 * behind + 3 * signs[1] + signs[3],
        )
        return -magnitude if negative else magnitude

    def _magnitude(self, contexts, given, corrected, k):
        h = 0
        while h < 15 and self._mixed(h, contexts, given, corrected):
            h += 1
        if h == 15:
            e = 0
            while e < 28:
                if 15 + e < NODES:
                    b = self._mixed(15 + e, contexts, given, corrected)
                else:
                    b = self._plain(self.state.buckets[e])
                if not b:
                    break
                e += 1
            h += 4 * (2**e - 1) + self._tail(self.state.places[e], e + 2)
        m = h << k | (self._tail(self.state.lows[min(h, 15)], k) if k else 0)
        assert m < 2**31, "damaged"
        return m

    def _plain(self, probability):
        b = self.chunk.bit(probability.plain)
        probability.learn(b)
        return b

    def _tail(self, table, bits):
        found = 0
        for number in range(bits):
            place = 1 if number == 0 else 2 + found
            b = self._plain(table[place]) if number < 2 else self.chunk.bit(32768)
            found = found << 1 | b
        return found

    def _mixed(self, node, contexts, given, corrected):
        state, number = self.state, 4 * node + given
        models = [state.models[node][n][c] for n, c in enumerate(contexts)]
        opinions, weights = [*(m.opinion for m in models), 256], state.weights[number]
        x = limited(sum(w * s for w, s in zip(weights, opinions, strict=True)) >> 16, -2176, 2175)
        mixed = SQUASH[x]
        y = limited(x + 2048, 0, 4095)
        j, share = y >> 7, y & 127
        maps = [state.map(n, node, c) for n, c in enumerate(corrected)]
        u = sum(m[j] * (128 - share) + m[j + 1] * share for m in maps)
        b = self.chunk.bit(limited((2 * mixed + (u >> 13)) >> 2, 16, 65520))
        g = ((b << 16) - mixed) * (36 + 8192 // (state.ages[number] + 16))
        state.ages[number] = min(state.ages[number] + 1, 4095)
        for i, s in enumerate(opinions):
            weights[i] += (s * g + 2**21) >> 22
        for model in models:
            model.learn(b)
        for m in maps:
            at = j + (share >= 64)
            m[at] += ((b << 22) - m[at]) >> 6
        return b

    def _sign(self, *contexts):
        models = [self.state.signs[n][c] for n, c in enumerate(contexts)]
        opinions, weights = [m.opinion for m in models], self.state.weights[-1]
        x = limited(sum(w * s for w, s in zip(weights, opinions, strict=False)) >> 16, -2176, 2175)
        p = SQUASH[x]
        b = self.chunk.bit(p)
        for i, s in enumerate(opinions):
            weights[i] += (s * ((b << 16) - p) * 36 + 2**21) >> 22
        for model in models:
            model.learn(b)
        return b
