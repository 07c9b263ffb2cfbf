"""Bases of the detail layer, written from docs/bases.md alone: lists of Python integers, in raster order."""

import itertools
import math

NORMS = {
    "5/3": (
        (65536, 80265, 108679, 151939, 214249, 302772, 428105, 605405, 856162, 1210792, 1712318, 2421583, 3424635),
        (65536, 55561, 62924, 82532, 114322, 160817, 227125, 321095, 454059, 642124, 908095, 1284239, 1816187),
    ),
    "9/7": (
        (65536, 74697, 87930, 102136, 117775, 135506, 155814, 179139, 205947, 236765, 272194, 312925, 359750),
        (65536, 58148, 64452, 76820, 89809, 103762, 119444, 137363, 157930, 181567, 208737, 239972, 275881),
    ),
}
STEPS = {
    "5/3": (("d", lambda v: -(v >> 1)), ("s", lambda v: (v + 2) >> 2)),
    "9/7": tuple(
        (to, lambda v, factor=factor: (factor * v + 32768) >> 16)
        for to, factor in (("d", -103949), ("s", -3472), ("d", 57862), ("s", 29066))
    ),
}


def clamp(x, low, high):
    return min(max(x, low), high)


def wrapped(x):
    """In 64 bits."""
    return (x + 2**63) % 2**64 - 2**63


# Wavelets


class Band:
    """levels: how often each axis was split. high: whether it is the high half of each axis' last split."""

    def __init__(self, levels, high, shape):
        self.levels, self.high, self.shape = levels, high, shape


def split_shape(shape, axes):
    """The shapes of the parts of a split along some axes, by their digits."""
    for digits in itertools.product((0, 1), repeat=len(axes)):
        found = list(shape)
        for axis, digit in zip(axes, digits, strict=True):
            found[axis] = found[axis] // 2 if digit else -(-found[axis] // 2)
        yield digits, tuple(found)


def bands_of(shape, levels, groups):
    """Bands in the order of the page."""

    def split(band, group):
        most = max((n for n, g in zip(levels, groups, strict=True) if g == group), default=0)
        found, low = [], band
        for level in range(1, most + 1):
            axes = [k for k, n in enumerate(levels) if groups[k] == group and n >= level]
            parts = []
            for digits, size in split_shape(low.shape, axes):
                own, high = list(low.levels), list(low.high)
                for axis, digit in zip(axes, digits, strict=True):
                    own[axis], high[axis] = level, bool(digit)
                parts.append(Band(tuple(own), tuple(high), size))
            low, *rest = parts
            found = rest + found
        return [low, *found]

    bands = [Band((0,) * len(shape), (False,) * len(shape), tuple(shape))]
    for group in sorted(set(groups)):
        bands = [part for band in bands for part in split(band, group)]
    return bands


def norm_of(band, kind):
    """Times 2^16."""
    norm = 65536
    for times, high in zip(band.levels, band.high, strict=True):
        norm = (norm * NORMS[kind][high][times] + 32768) >> 16
    return norm


def lift_back(s, d, kind, periodic):
    """A line from its low and its high samples."""
    if not d:
        return s
    n = len(s) + len(d)
    circle = periodic and n % 2 == 0
    values = {"s": list(s), "d": list(d)}

    def at(name, i):
        line = values[name]
        if circle:
            return line[i % len(line)]
        return line[clamp(i, 0, len(line) - 1)]

    for to, step in reversed(STEPS[kind]):
        other = "s" if to == "d" else "d"
        first = 0 if to == "d" else -1
        for i in range(len(values[to])):
            values[to][i] -= step(at(other, i + first) + at(other, i + first + 1))
    found = [0] * n
    found[0::2], found[1::2] = values["s"], values["d"]
    return found


def joined(low, high, low_shape, high_shape, axis, kind, periodic):
    """An array from its halves along an axis."""
    shape = list(low_shape)
    shape[axis] = low_shape[axis] + high_shape[axis]
    found = [0] * math.prod(shape)
    inner = math.prod(shape[axis + 1 :])
    for outer in range(math.prod(shape[:axis])):
        for at in range(inner):
            s = [low[(outer * low_shape[axis] + i) * inner + at] for i in range(low_shape[axis])]
            d = [high[(outer * high_shape[axis] + i) * inner + at] for i in range(high_shape[axis])]
            for i, value in enumerate(lift_back(s, d, kind, periodic)):
                found[(outer * shape[axis] + i) * inner + at] = value
    return found, tuple(shape)


def inverse_wavelet(arrays, shape, levels, groups, kind, periodic):
    """The samples, from the bands in the order of the page."""

    def merged(pieces, start, group):
        """The array that a group split into these pieces, [(values, shape)]."""
        most = max((n for n, g in zip(levels, groups, strict=True) if g == group), default=0)
        low, rest = pieces[0], pieces[1:]
        for level in range(most, 0, -1):
            axes = [k for k, n in enumerate(levels) if groups[k] == group and n >= level]
            count = 2 ** len(axes) - 1
            parts = [low, *rest[:count]]
            rest = rest[count:]
            for axis in reversed(axes):  # the last axis is the last digit
                parts = [
                    joined(a[0], b[0], a[1], b[1], axis, kind, periodic[axis])
                    for a, b in zip(parts[0::2], parts[1::2], strict=True)
                ]
            (low,) = parts
        assert not rest
        return low

    pieces = [(a, band.shape) for a, band in zip(arrays, bands_of(shape, levels, groups), strict=True)]
    for group in sorted(set(groups), reverse=True):
        own = [n for n, g in zip(levels, groups, strict=True) if g == group]
        count = 1 + sum(2 ** sum(n >= level for n in own) - 1 for level in range(1, max(own) + 1))
        pieces = [merged(pieces[k : k + count], shape, group) for k in range(0, len(pieces), count)]
    ((found, whole),) = pieces
    assert whole == tuple(shape)
    return found


# Rotations


def rounded_product(factor, v):
    product = (abs(factor) * v + (1 << 13)) >> 14
    return product if factor >= 0 else -product


def unrotate(pixel, kind, turns):
    """The channels of a sample, in place."""
    if kind == "midside":
        m, d = pixel[:2]
        a = m - (d >> 1)
        pixel[:2] = a, d + a
    elif kind == "ycocg":
        y, co, cg = pixel[:3]
        t = y - (cg >> 1)
        g = cg + t
        b = t - (co >> 1)
        pixel[:3] = b + co, g, b
    elif kind in ("opponent", "fitted"):
        turns = (-6786, -5207, -9459) if kind == "opponent" else turns
        pairs = list(itertools.combinations(range(3 if kind == "opponent" else len(pixel)), 2))
        for (i, j), turn in reversed(list(zip(pairs, turns, strict=True))):
            t = -turn
            z = 2 * abs(t) * 2**28 // (2**28 + t * t) * (1 if t > 0 else -1)
            pixel[i] -= rounded_product(t, pixel[j])
            pixel[j] += rounded_product(z, pixel[i])
            pixel[i] -= rounded_product(t, pixel[j])


# Predictors


def unpredict(errors, shape, method, low, high):
    """The channels' samples, lists in raster order, from their residuals."""
    span, middle = high - low + 1, (low + high + 1) >> 1

    def sample(guess, residual):
        return low + (guess + residual - low) % span

    if method == "cascade":
        return cascade(errors, low, high, sample)
    if method == "blend":
        found = []
        for channel in errors:
            found.append(Blend(shape, low, high, found, middle).restore(channel, sample))
        return found
    found = []
    for channel in errors:
        done = {}
        for place, residual in zip(itertools.product(*map(range, shape)), channel, strict=True):
            done[place] = sample(simple_guess(method, done, place, middle, low, span), residual)
        found.append(list(done.values()))
    return found


def simple_guess(method, done, place, middle, low, span):
    def at(*steps):
        return done.get(tuple(p - s for p, s in zip(place, steps, strict=True)), middle)

    axes = len(place)
    if method == "none":
        return middle
    if method == "left":
        return at(*[0] * (axes - 1), 1)
    if method == "plane":
        corners = itertools.product((0, 1), repeat=axes)
        return sum((1 if sum(c) % 2 else -1) * at(*c) for c in corners if any(c))
    before = [0] * (axes - 2)
    first_row, first_column = axes < 2 or place[-2] == 0, place[-1] == 0
    if first_row or first_column:
        west = at(*[0] * (axes - 1), 1)
        return middle if first_row and first_column else west if first_row else at(*before, 1, 0)
    w, n, nw = at(*before, 0, 1), at(*before, 1, 0), at(*before, 1, 1)
    return sorted((w, n, w + n - nw))[1]


W, N, P, Q = (-1,), (-1, 0), (-1, 0, 0), (-1, 0, 0, 0)
OWN_PLANE = [W, N, (-1, -1), (-1, 1), (-2,), (-2, 0), (-2, 1), (-1, -2), (-1, 2), (-2, -1)]
OWN_SOLID = [P, (-1, 0, -1), (-1, -1, 0), (-1, -1, -1), (-1, 0, 1), (-1, 1, 0), (-2, 0, 0), (-1, 1, 1)]
OWN_FOURTH = [
    *(Q, (-1, -1, 0, 0), (-1, 0, -1, 0), (-1, 0, 0, -1), (-1, 1, 0, 0), (-1, 0, 1, 0), (-1, 0, 0, 1)),
    (-2, 0, 0, 0),
]
SIMPLE_LINE = [{W: 2}, {W: 4, (-2,): -2}, {W: 6, (-2,): -6, (-3,): 2}]
SIMPLE_PLANE = [
    *({W: 2}, {N: 2}, {W: 2, N: 2, (-1, -1): -2}, {W: 2, (-1, 1): 2, N: -2}, {N: 4, (-2, 0): -2}),
    *({W: 4, (-2,): -2}, {W: 1, (-1, 1): 1}, {N: 2, (-1, 1): 2, (-2, 1): -2}),
]
SIMPLE_SOLID = [
    *({P: 2}, {P: 2, W: 2, (-1, 0, -1): -2}, {P: 2, N: 2, (-1, -1, 0): -2}),
    {W: 2, N: 2, (-1, -1): -2, P: 2, (-1, 0, -1): -2, (-1, -1, 0): -2, (-1, -1, -1): 2},
    {P: 4, (-2, 0, 0): -2},
]
SIMPLE_FOURTH = [
    *({Q: 2}, {Q: 2, P: 2, (-1, -1, 0, 0): -2}, {Q: 2, W: 2, (-1, 0, 0, -1): -2}, {Q: 4, (-2, 0, 0, 0): -2}),
]
ZERO = (0,)
SIMPLE_ACROSS = [
    *(({W: 2}, {ZERO: 2, W: -2}), ({N: 2}, {ZERO: 2, N: -2})),
    ({W: 2, N: 2, (-1, -1): -2}, {ZERO: 2, W: -2, N: -2, (-1, -1): 2}),
]


class Blend:
    """One channel of the predictor "blend". before: the complete channels, at most the last two count."""

    def __init__(self, shape, low, high, before, middle):
        self.shape = [n for n in shape if n > 1] or [1]
        self.low, self.high, self.middle = low, high, middle
        self.before = before[::-1][:2]
        axes, others = len(self.shape), len(self.before)
        if axes == 1:
            self.own, self.across = [(-i,) for i in range(1, 17)], [ZERO, W, (1,), (-2,)]
            simple = [(s, {}) for s in SIMPLE_LINE] + SIMPLE_ACROSS[: min(others, 1)]
        else:
            self.own = OWN_PLANE + OWN_SOLID * (axes > 2) + OWN_FOURTH * (axes > 3)
            self.across = [ZERO, W, N, (-1, -1), (1,), (1, 0), (-1, 1)] + [P] * (axes > 2)
            simple = [(s, {}) for s in SIMPLE_PLANE] + SIMPLE_ACROSS * (others > 0)
            simple += [(s, {}) for s in SIMPLE_SOLID * (axes > 2) + SIMPLE_FOURTH * (axes > 3)]
        self.simple = simple
        self.coarse = max(0, (high - low).bit_length() - 20)
        taps, one = len(self.own) + others * len(self.across), 1 << 18
        start = [one, 0, 0] if axes == 1 else [3 * one // 4, 3 * one // 4, -one // 2]
        self.filters = [(start + [0] * taps)[:taps] for _ in range(3)]
        self.slow, count = 0, len(simple) + 3
        width = self.shape[-1]
        self.errors = [[0] * (width + 2) for _ in range(count)]
        self.corners = [0] * count
        self.sums = [[0, 0] for _ in range(1024)]

    def restore(self, residuals, sample):
        self.done = []
        for place, residual in zip(itertools.product(*map(range, self.shape)), residuals, strict=True):
            guess = self.guess(place)
            x = sample(guess, residual)
            self.learn(place, x)
            self.done.append(x)
        return self.done

    def index(self, place):
        at = 0
        for p, n in zip(place, self.shape, strict=True):
            at = at * n + p
        return at

    def neighbour(self, array, place, offset, complete):
        whole = (0,) * (len(place) - len(offset)) + offset
        at = self.index([clamp(p + o, 0, n - 1) for p, o, n in zip(place, whole, self.shape, strict=True)])
        if complete or at < len(self.done):
            return array[at]
        for axis in reversed(range(len(place))):
            if place[axis]:
                return array[self.index([p - (k == axis) for k, p in enumerate(place)])]
        return self.middle

    def base(self, array, place, complete):
        west = self.neighbour(array, place, W, complete)
        return west if len(place) == 1 else (west + self.neighbour(array, place, N, complete)) >> 1

    def guess(self, place):
        own = {o: self.neighbour(self.done, place, o, False) for o in self.own}
        self.b = b = self.base(self.done, place, False)
        self.values, shown = list(own.values()), {}
        for number, channel in enumerate(self.before):
            shift = b - self.base(channel, place, True)
            found = {o: self.neighbour(channel, place, o, True) + shift for o in self.across}
            shown = shown if number else found
            self.values += found.values()
        guesses = []
        for mine, others in self.simple:
            total = sum(w * (own[o] - b) for o, w in mine.items())
            guesses.append(8 * b + 4 * (total + sum(w * (shown[o] - b) for o, w in others.items())))
        for weights in self.filters:
            guesses.append(8 * b + (sum(w * (v - b) for w, v in zip(weights, self.values, strict=True)) >> 15))
        self.g = [clamp(g, 8 * self.low, 8 * self.high) for g in guesses]
        x = place[-1] + 1
        near = [2 * e[x - 1] + e[x] + e[x + 1] + c + 1 for e, c in zip(self.errors, self.corners, strict=True)]
        best = min(near)
        weights = [((best << 10) // n) ** 3 >> 14 for n in near]
        self.blend = self.g[0] + sum(w * (g - self.g[0]) for w, g in zip(weights, self.g, strict=True)) // sum(weights)
        bits = 0
        for value in list(own.values())[:7]:
            bits = bits << 1 | (8 * value > self.blend)
        t = next((t for t in range(7) if best >> 2 * t <= 20), 7)
        self.context = bits << 3 | t
        total, count = self.sums[self.context]
        corrected = self.blend + (2 * total + count + 8) // (2 * count + 16)
        return clamp((corrected + 4) >> 3, self.low, self.high)

    def learn(self, place, x):
        v = [(value - self.b) >> self.coarse for value in self.values]
        power = 1 + sum(n * n for n in v)
        self.slow += (power - self.slow) >> 6
        power += self.slow
        for g, weights, rate in zip(self.g[-3:], self.filters, (2, 8, 32), strict=True):
            gain = ((((8 * x - g) >> self.coarse) * rate) << 16) // power
            for i, n in enumerate(v):
                weights[i] = clamp(weights[i] + ((gain * n) >> 11), -16 << 18, 16 << 18)
        at = place[-1] + 1
        for k, (g, e) in enumerate(zip(self.g, self.errors, strict=True)):
            self.corners[k] = e[at]
            e[at] = (abs(g - 8 * x) >> self.coarse) + ((e[at - 1] + e[at] + e[at + 1]) >> 2)
        entry = self.sums[self.context]
        entry[0] += 8 * x - self.blend
        entry[1] += 1
        if entry[1] == 512:
            entry[0] >>= 1
            entry[1] >>= 1


TAPS = ((24, 16, 5000), (256, 32, 1000), (32, 16, 2000), (16, 8, 4000))


def cascade(errors, low, high, sample):
    channels, n = len(errors), len(errors[0])
    coarse = 0
    while (high - low + 1) >> coarse > 1 << 17:
        coarse += 1
    bound = (1 << 22) << coarse

    def bounded(v):
        return clamp(v, -bound, bound)

    class Channel:
        def __init__(self):
            sizes = [own + (channels - 1) * other for own, other, _ in TAPS]
            self.weights = [[0] * size for size in sizes]
            self.shares, self.typical, self.last = [1 << 16] * 4, [0] * 4, 0

    states = [Channel() for _ in range(channels)]
    signals = [[[] for _ in range(channels)] for _ in TAPS]  # per stage and channel, its past
    found = [[] for _ in range(channels)]

    def past(k, c, count, t):
        line = signals[k][c][:t]
        return ([0] * count + line)[-count:]

    for t in range(n):
        for c, state in enumerate(states):
            fixed = (31 * state.last) >> 5
            seen, guesses = [], []
            for k, (own, other, _) in enumerate(TAPS):
                taps = past(k, c, own, t)
                for o in range(channels):
                    if o != c:
                        taps = taps + past(k, o, other, t + 1 if o < c else t)
                seen.append(taps)
                total = sum(w * s for w, s in zip(state.weights[k], taps, strict=True))
                guesses.append(bounded(total >> 20))
            whole = fixed + sum((g * s) >> 16 for g, s in zip(guesses, state.shares, strict=True))
            x = sample(clamp((whole + 8) >> 4, low, high), errors[c][t])
            found[c].append(x)
            left = rest = 16 * x - fixed
            for k, g in enumerate(guesses):
                rest -= (g * state.shares[k]) >> 16
            for k, g in enumerate(guesses):
                grown = state.shares[k] + (8 if (g > 0) == (rest > 0) else -8)
                state.shares[k] = clamp(grown, 0, 1 << 17)
            for k, (_, _, rate) in enumerate(TAPS):
                signals[k][c].append(left)
                left = bounded(left - guesses[k])
                power = 256 + sum((s >> coarse) ** 2 for s in seen[k])
                fine = left >> coarse
                most = 4 * (state.typical[k] >> 8) + 4
                state.typical[k] += (256 * abs(fine) - state.typical[k]) >> 5
                gain = ((clamp(fine, -most, most) * rate) << 12) // power
                for i, s in enumerate(seen[k]):
                    moved = state.weights[k][i] + ((gain * (s >> coarse)) >> 8)
                    state.weights[k][i] = clamp(moved, -8 << 20, 8 << 20)
            state.last = 16 * x
    return found
