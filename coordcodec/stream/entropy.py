"""Integer probability models and the range coder.

Every tensor's symbols share one parametric model, a discretised generalised Gaussian whose two parameters
take one byte each in the file (a stored frequency table would cost hundreds). The frequencies are integers
that sum to 2^24, derived from those two bytes by correctly rounded decimal arithmetic: the same on every
machine, with any thread count, on any device. The coder is constriction's range coder (Bamler 2022,
"Understanding Entropy Coding With Asymmetric Numeral Systems", arXiv:2201.01741).
`docs/format.md` defines both exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache

import constriction
import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import ContainerError

PRECISION = 24
MIN_BITS, MAX_BITS = 2, 12
_TOTAL = 1 << PRECISION
_DECIMAL = Context(prec=28, rounding=ROUND_HALF_EVEN)
_SHAPES = np.arange(6, 97, 2)
"""Shapes that the encoder tries: exponents 0.19 to 3."""


@dataclass(frozen=True)
class Model:
    """P(k) proportional to exp(-(|k| / 2^((scale - 32) / 8))^(shape / 32)) for integers |k| <= limit.

    shape: 1 to 255; 32 is a Laplacian, 64 a Gaussian.
    scale: 0 to 255.
    """

    shape: int
    scale: int

    def __post_init__(self) -> None:
        if not (1 <= self.shape <= 255 and 0 <= self.scale <= 255):
            raise ContainerError(f"a model needs a shape in 1..255 and a scale in 0..255, got {self}")


def limit_of(bits: int) -> int:
    """The largest magnitude that a symbol of `bits` bits has on a symmetric grid: 2^(bits - 1) - 1."""
    return int(2 ** (bits - 1)) - 1


def bits_of(largest: int) -> int:
    """The bits that a symbol of magnitude `largest` needs, at least MIN_BITS."""
    return max(MIN_BITS, int(largest).bit_length() + 1)


@lru_cache(maxsize=256)
def frequencies(model: Model, limit: int) -> NDArray[np.int64]:
    """The integer frequencies of the symbols -limit..limit: (2 * limit + 1,) int64, each >= 1, summing to 2^24."""
    context = _DECIMAL
    log_scale = context.divide(context.multiply(Decimal(model.scale - 32), context.ln(Decimal(2))), Decimal(8))
    exponent = context.divide(Decimal(model.shape), Decimal(32))
    weights = [Decimal(1)]
    for k in range(1, limit + 1):
        log_ratio = context.subtract(context.ln(Decimal(k)), log_scale)
        power = context.exp(context.multiply(exponent, log_ratio))
        # Beyond 60 nats a symbol's share of 2^24 rounds to nothing; this also keeps exp() in range.
        weights.append(context.exp(context.minus(power)) if power < 60 else Decimal(0))
    total = weights[0]
    for weight in weights[1:]:
        total = context.add(total, context.multiply(Decimal(2), weight))
    free = Decimal(_TOTAL - (2 * limit + 1))
    tail = [1 + int(context.divide(context.multiply(free, weight), total)) for weight in weights[1:]]
    table = np.array([*tail[::-1], _TOTAL - 2 * sum(tail), *tail], dtype=np.int64)
    table.flags.writeable = False
    return table


def _coder_model(model: Model, limit: int) -> constriction.stream.model.Model:
    # constriction gives every symbol one unit and shares out the rest in proportion, which is exact in float64
    # for integers that already sum to the rest. The tests check this against an independent integer decoder.
    return constriction.stream.model.Categorical((frequencies(model, limit) - 1).astype(np.float64), perfect=False)


def fit_model(symbols: NDArray[np.int32], limit: int) -> Model:
    """The model that codes `symbols` (any shape, magnitudes <= limit) in the fewest bits."""
    counts = np.bincount(np.abs(symbols).ravel(), minlength=limit + 1).astype(np.float64)
    k = np.arange(limit + 1, dtype=np.float64)
    log_k = np.log(np.maximum(k, 1e-9))
    mean = float((counts * k).sum() / counts.sum())
    middle = round(8 * math.log2(max(mean, 0.02))) + 32
    best, choice = np.inf, Model(32, 0)
    for shape in _SHAPES:
        # The scale of a heavy tail lies octaves below the mean magnitude, that of a flat top just above it.
        below = int(16 + 12 * 32 / shape)
        for scale in range(max(0, middle - below), min(255, middle + 14) + 1, 2):
            power = np.exp(np.minimum((shape / 32) * (log_k - (scale - 32) / 8 * np.log(2)), 5.0))
            power[0] = 0
            weights = np.exp(-power)
            share = (_TOTAL - 2 * limit - 1) * weights / (2 * weights.sum() - 1) + 1
            cost = -float((counts * np.log2(share)).sum())
            if cost < best:
                best, choice = cost, Model(int(shape), scale)
    return choice


def code_length(symbols: NDArray[np.int32], model: Model, limit: int) -> float:
    """The information content of `symbols` under `model`, in bits."""
    table = frequencies(model, limit)
    return float(PRECISION * symbols.size - np.log2(table[symbols.ravel() + limit].astype(np.float64)).sum())


def encode(tensors: Sequence[NDArray[np.int32]], models: Sequence[Model], limit: int) -> bytes:
    """Range-code tensors of symbols, one model each, into one payload.

    Raises ValueError when a symbol's magnitude exceeds `limit`.
    """
    encoder = constriction.stream.queue.RangeEncoder()
    for symbols, model in zip(tensors, models, strict=True):
        flat = np.ascontiguousarray(symbols.ravel().astype(np.int32) + np.int32(limit))
        if len(flat) and not (flat.min() >= 0 and flat.max() <= 2 * limit):
            raise ValueError(f"a symbol exceeds the limit {limit}")
        encoder.encode(flat, _coder_model(model, limit))
    # Zero bytes at the end carry nothing: the decoder reads zeros past the end.
    return bytes(encoder.get_compressed().astype(">u4").tobytes().rstrip(b"\0"))


def decode(payload: bytes, counts: Sequence[int], models: Sequence[Model], limit: int) -> list[NDArray[np.int32]]:
    """The flat tensors of symbols, `counts` of them each, that `encode` made `payload` from.

    Raises ContainerError when the payload cannot come from `encode`.
    """
    words = np.frombuffer(payload + b"\0" * (-len(payload) % 4), dtype=">u4").astype(np.uint32)
    decoder = constriction.stream.queue.RangeDecoder(words)
    tensors: list[NDArray[np.int32]] = []
    try:
        for count, model in zip(counts, models, strict=True):
            coded = decoder.decode(_coder_model(model, limit), count)
            tensors.append(np.asarray(coded, dtype=np.int32) - np.int32(limit))
    except (AssertionError, ValueError) as error:
        raise ContainerError("damaged payload: the entropy decoder met an impossible code word") from error
    if encode(tensors, models, limit) != payload:
        raise ContainerError("damaged payload: its end does not match its symbols")
    return tensors
