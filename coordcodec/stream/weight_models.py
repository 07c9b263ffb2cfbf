"""Integer probability models of a network's symbols.

Every tensor's symbols share one parametric model, a discretised generalised Gaussian whose two parameters
take one byte each in the file (a stored frequency table would cost hundreds). The frequencies are integers
that sum to 2^24, derived from those two bytes by correctly rounded decimal arithmetic: the same on every
machine, with any thread count, on any device. With a learned initialisation, which says how large each weight's
updates usually are, the symbols of a tensor are coded in classes of like size, each with a scale of its own that takes
no further byte. Without one the symbols before may say it (see `contexts`).
`docs/format.md` defines them exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import ContainerError
from coordcodec.stream import contexts

PRECISION = 24
MIN_BITS, MAX_BITS = 2, 12
_TOTAL = 1 << PRECISION
_DECIMAL = Context(prec=28, rounding=ROUND_HALF_EVEN)
_SHAPES = range(6, 97, 2)
"""Shapes that the encoder tries: exponents 0.19 to 3."""
_DOUBT = 1e-10
"""Share of a frequency by which binary floating point might miss it: two thousand times the worst that was seen."""

Offsets = NDArray[np.int32]
"""By how much the scale of each symbol's model differs from the tensor's, <= 0; none: all alike."""


@dataclass(frozen=True)
class Model:
    """P(k) proportional to exp(-(|k| / 2^((scale - 32) / 8))^(shape / 32)) for integers |k| <= limit; where symbols are
    sorted the same for |k|, the differences.

    shape: 1 to 255; 32 is a Laplacian, 64 a Gaussian. With a context even and at most 126.
    scale: 0 to 255.
    context: what the scale adapts to, see `contexts`.
    """

    shape: int
    scale: int
    context: int = contexts.NONE

    def __post_init__(self) -> None:
        if not (1 <= self.shape <= 255 and 0 <= self.scale <= 255):
            raise ContainerError(f"a model needs a shape in 1..255 and a scale in 0..255, got {self}")
        if self.context not in range(4) or (self.context and (self.shape % 2 or self.shape > 126)):
            raise ContainerError(f"a model needs a context in 0..3, and with one an even shape up to 126, got {self}")


def limit_of(bits: int) -> int:
    """The largest magnitude that a symbol of `bits` bits has on a symmetric grid: 2^(bits - 1) - 1."""
    return int(2 ** (bits - 1)) - 1


def bits_of(largest: int) -> int:
    """The bits that a symbol of magnitude `largest` needs, at least MIN_BITS."""
    return max(MIN_BITS, int(largest).bit_length() + 1)


@lru_cache(maxsize=4096)
def model_at(model: Model, offset: int) -> Model:
    """The model of the class of symbols with that offset."""
    return Model(model.shape, min(max(0, model.scale + offset), 255))


def classes(offsets: Offsets | None, count: int) -> tuple[NDArray[np.intp] | slice, list[tuple[int, int]]]:
    """The order in which `count` symbols are coded, and for every class its offset and how many symbols it has.

    offsets: of the symbols, (count,). The largest offset comes first; within a class symbols keep their order.
    """
    if offsets is None:
        return slice(None), [(0, count)]
    order = np.argsort(-offsets.astype(np.int64), kind="stable")
    ordered = offsets[order]
    starts = [0, *(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1).tolist(), count]
    return order, [(int(ordered[a]), b - a) for a, b in pairwise(starts) if a < b]


def pieces(
    symbols: NDArray[np.int32], model: Model, limit: int, offsets: Offsets | None
) -> Iterator[tuple[Model, NDArray[np.int32]]]:
    """What is coded, in its order, in pieces of one model each: indices into the model's table, and the model."""
    if model.context == contexts.SORTED:
        yield model, contexts.differences(symbols).ravel()
        return
    if model.context == contexts.NONE:
        yield from ((model_at(model, o), part + np.int32(limit)) for o, part in _by_class(symbols, offsets))
        return
    seen, plain = contexts.Seen(symbols.shape, model.context), replace(model, context=contexts.NONE)
    for one in contexts.laid_out(symbols, model.context):
        yield from pieces(one, plain, limit, seen.offsets())
        seen.add(one)


def _by_class(symbols: NDArray[np.int32], offsets: Offsets | None) -> list[tuple[int, NDArray[np.int32]]]:
    """The symbols of each class in the order in which they are coded, and the offset."""
    spread = None if offsets is None else np.broadcast_to(offsets, symbols.shape).ravel()
    order, sizes = classes(spread, symbols.size)
    ordered, ends = symbols.ravel()[order], accumulate(size for _, size in sizes)
    return [(offset, ordered[end - size : end]) for (offset, size), end in zip(sizes, ends, strict=True)]


@lru_cache(maxsize=1024)
def frequencies(model: Model, limit: int) -> NDArray[np.int64]:
    """The integer frequencies of the symbols -limit..limit, (2 * limit + 1,) int64, or of the differences 0..limit of
    sorted ones, (limit + 1,); each >= 1, summing to 2^24."""
    tail = _undoubted_tail(model, limit)
    if tail is None:
        tail = _exact_tail(model, limit)
    middle = [_TOTAL - 2 * tail.sum()]
    one_sided = model.context == contexts.SORTED
    table = np.concatenate([middle, 2 * tail] if one_sided else [tail[::-1], middle, tail])
    table.flags.writeable = False
    return table


def _exact_tail(model: Model, limit: int) -> NDArray[np.int64]:
    """The frequencies of the symbols 1..limit, as the format defines them."""
    context = _DECIMAL
    log_scale = context.divide(context.multiply(Decimal(model.scale - 32), context.ln(Decimal(2))), Decimal(8))
    exponent = context.divide(Decimal(model.shape), Decimal(32))
    weights = []
    for k in range(1, limit + 1):
        log_ratio = context.subtract(context.ln(Decimal(k)), log_scale)
        power = context.exp(context.multiply(exponent, log_ratio))
        # Beyond 60 nats a symbol's share of 2^24 rounds to nothing; this also keeps exp() in range.
        weights.append(context.exp(context.minus(power)) if power < 60 else Decimal(0))
    total = Decimal(1)
    for weight in weights:
        total = context.add(total, context.multiply(Decimal(2), weight))
    free = Decimal(_TOTAL - (2 * limit + 1))
    return np.array([1 + int(context.divide(context.multiply(free, weight), total)) for weight in weights], np.int64)


def _undoubted_tail(model: Model, limit: int) -> NDArray[np.int64] | None:
    """What `_exact_tail` returns, a hundred times faster; None where rounding could change a single frequency.

    The quotients whose whole parts are the frequencies come out of binary floating point with a relative error of
    some 1e-14. Only where none of them lies within `_DOUBT` of a whole number are the whole parts beyond doubt, on
    every machine; about one table in five hundred is not, and is left to decimal arithmetic.
    """
    log_scale = (model.scale - 32) * math.log(2) / 8
    power = np.exp(model.shape / 32 * (np.log(np.arange(1, limit + 1)) - log_scale))
    weights = np.where(power < 60, np.exp(-power), 0)
    quotients = (_TOTAL - (2 * limit + 1)) * weights / (1 + 2 * weights.sum())
    if (np.abs(quotients - np.rint(quotients)) < _DOUBT * quotients).any():
        return None
    return np.asarray(1 + quotients.astype(np.int64))


@lru_cache(maxsize=2 * len(_SHAPES))
def _log_shares(shape: int, limit: int) -> NDArray[np.float64]:
    """log2 of the frequencies of the symbols 0..limit, not rounded, for ascending scales: (scales, limit + 1).

    Beyond the last scale the model is all but flat.
    """
    k = np.log(np.maximum(np.arange(limit + 1.0), 1e-9))
    scales = np.arange(0, min(255, math.ceil(46 + 8 * math.log2(limit))) + 1)
    power = np.exp(np.minimum(shape / 32 * (k - (scales[:, None] - 32) / 8 * np.log(2)), 5.0))
    power[:, 0] = 0
    weights = np.exp(-power)
    shares = (_TOTAL - 2 * limit - 1) * weights / (2 * weights.sum(1, keepdims=True) - 1) + 1
    return np.asarray(np.log2(shares))


def fit_model(symbols: NDArray[np.int32], limit: int, offsets: Offsets | None = None) -> Model:
    """The model that codes `symbols` (any shape, magnitudes <= limit) in the fewest bits.

    offsets: of the symbols' shape, or one that NumPy broadcasts to it; without any, contexts are tried where there
    are two or three axes.
    """
    context = contexts.NONE if offsets is not None else contexts.choose(symbols)
    if context == contexts.SORTED:
        return replace(_fit(contexts.differences(symbols), limit, None)[0], context=context)
    plain, bits = _fit(symbols, limit, offsets)
    if context == contexts.NONE:
        return plain
    slices = contexts.laid_out(symbols, context)
    adapted, fewer = _fit(slices, limit, contexts.offsets(slices))
    return replace(adapted, context=context) if fewer < bits else plain


def _fit(symbols: NDArray[np.int32], limit: int, offsets: Offsets | None) -> tuple[Model, float]:
    """The best model without contexts, and the bits but for a constant."""
    parts = _by_class(np.abs(symbols), offsets)
    counts = np.stack([np.bincount(part, minlength=limit + 1) for _, part in parts]).astype(np.float64)
    shifts = np.array([offset for offset, _ in parts])
    mean = float((counts @ np.arange(limit + 1.0)) @ 2.0 ** (-shifts / 8) / counts.sum())
    middle = round(8 * math.log2(max(mean, 0.02))) + 32
    best, choice = np.inf, Model(32, 0)
    for shape in _SHAPES:
        # The scale of a heavy tail lies octaves below the mean magnitude, that of a flat top just above it.
        lowest = max(0, middle - int(16 + 12 * 32 / shape))
        scales = np.arange(lowest // 2 * 2, min(255, middle + 14) + 1, 2)
        table = _log_shares(shape, limit)
        used = np.clip(scales + shifts[:, None], 0, len(table) - 1)
        bits = table[used[-1, 0] : used[0, -1] + 1] @ counts.T
        costs = -np.take_along_axis(bits, used.T - used[-1, 0], axis=0).sum(1)
        if costs.min() < best:
            best, choice = float(costs.min()), Model(shape, int(scales[costs.argmin()]))
    return choice, best


def code_length(symbols: NDArray[np.int32], model: Model, limit: int, offsets: Offsets | None = None) -> float:
    """The information content of `symbols` under `model`, in bits."""
    bits = float(PRECISION * symbols.size)
    for own, indices in pieces(symbols, model, limit, offsets):
        bits -= float(np.log2(frequencies(own, limit)[indices].astype(np.float64)).sum())
    return bits
