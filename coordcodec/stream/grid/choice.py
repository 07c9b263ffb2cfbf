"""Which of two magnitudes, or zero, is worth its bits: rounding that asks the coder what each would cost now."""

from __future__ import annotations

from typing import Any

from coordcodec.stream.grid import layout as at
from coordcodec.stream.grid.bits import predict
from coordcodec.stream.grid.jit import apart, inner


@apart
def price(bit: int, node: int, work: Any, model: Any, tables: Any) -> int:
    """What a decision would cost now, in 1/256 bit."""
    p = predict(node, work, model, tables)
    return int(tables[4][(p if bit else 65536 - p) >> 4])


@inner
def distance(size: int, quantized: int, geometry: Any) -> int:
    """Squared error, in (1/64)^2."""
    point = 64 * quantized
    if quantized:
        point += geometry[at.POINTS + min(quantized, 3) - 1]
    return (size - point) * (size - point)


@inner
def choose(scaled: int, geometry: Any, work: Any, model: Any, tables: Any) -> int:
    """The value to code for a coefficient given in 1/64: nearest, one below, or zero; the least D + lambda R."""
    size, rate = abs(scaled), geometry[at.LAMBDA]
    best = (size + 32) >> 6
    if work[at.SHIFT] == 0 and 0 < best <= at.SINGLES:
        top = best
        spent = price(1, top - 1, work, model, tables) + price(0, top, work, model, tables)
        below = price(0, top - 1, work, model, tables)
        if top == 1:
            spent += 256
        least = 256 * distance(size, top, geometry) + rate * spent
        other = 256 * distance(size, top - 1, geometry) + rate * below
        if other < least:
            best, least = top - 1, other
        if top == 2:
            # From here on both are counted from the first decision, so that zero can be compared.
            least += rate * (price(1, 0, work, model, tables) + 256)
            if 256 * distance(size, 0, geometry) + rate * price(0, 0, work, model, tables) < least:
                best = 0
    return -best if scaled < 0 else best
