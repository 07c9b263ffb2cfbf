"""One latent in the range coder: its interval of 65536, and plain bits for what is far from where it was expected.

The range coder is the one of G. N. N. Martin (1979), with 48 bits and carries.
"""

from __future__ import annotations

from typing import Any

from coordcodec.layers.pyramid.layout import (
    BYTES,
    CODE,
    DECODE,
    END,
    FULL,
    KEPT,
    LARGEST,
    LOW,
    MODE,
    ORDER,
    POSITION,
    RANGE,
    TOP,
)
from coordcodec.stream.grid.jit import inner


@inner
def _interval(low: int, high: int, registers: Any, data: Any) -> None:
    """Narrow the range coder to [low, high) of 65536."""
    part = registers[RANGE] >> 16
    registers[RANGE] = part * (high - low)
    if registers[MODE] == DECODE:
        registers[CODE] -= part * low
    else:
        registers[LOW] += part * low
        if registers[LOW] >= FULL:
            registers[LOW] -= FULL
            i = registers[POSITION] - 1
            while data[i] == 255:
                data[i] = 0
                i -= 1
            data[i] += 1
    while registers[RANGE] < TOP:
        position = registers[POSITION]
        if registers[MODE] == DECODE:
            new = int(data[position + BYTES]) if position + BYTES < registers[END] else 0
            registers[CODE] = ((registers[CODE] & KEPT) << 8) | new
        else:
            data[position] = registers[LOW] >> 40
            registers[LOW] = (registers[LOW] & KEPT) << 8
        registers[RANGE] <<= 8
        registers[POSITION] = position + 1


@inner
def _bit(bit: int, registers: Any, data: Any) -> int:
    """A bit of which nothing is known."""
    if registers[MODE] == DECODE:
        bit = 1 if registers[CODE] >= (registers[RANGE] >> 16) << 15 else 0
    _interval(bit << 15, (bit + 1) << 15, registers, data)
    return bit


@inner
def _beyond(rest: int, registers: Any, data: Any) -> int:
    """A number >= 0 by an Exp-Golomb code."""
    value = rest + (1 << ORDER)
    length = ORDER
    if registers[MODE] == DECODE:
        while length < 15 and _bit(0, registers, data):
            length += 1
        value = 1
        for _ in range(length):
            value = (value << 1) | _bit(0, registers, data)
    else:
        while value >> (length + 1):
            length += 1
        for _ in range(length - ORDER):
            _bit(1, registers, data)
        if length < 15:
            _bit(0, registers, data)
        for i in range(length - 1, -1, -1):
            _bit((value >> i) & 1, registers, data)
    return value - (1 << ORDER)


@inner
def latent(value: int, place: int, scale: int, registers: Any, data: Any, most: Any, starts: Any, edges: Any) -> int:
    """Code a latent, or read it; returns it. place: its location in sixteenths."""
    whole = (place + 8) >> 4
    last = most[scale]
    count = 2 * last + 3
    at = starts[scale] + (place - 16 * whole + 8) * (count + 1)
    if registers[MODE] == DECODE:
        part = registers[RANGE] >> 16
        goal = min(registers[CODE] // part, 65535)
        symbol = last + 1
        while edges[at + symbol] > goal:
            symbol -= 1
        while edges[at + symbol + 1] <= goal:
            symbol += 1
    else:
        symbol = min(max(value - whole + last + 1, 0), count - 1)
    _interval(int(edges[at + symbol]), int(edges[at + symbol + 1]), registers, data)
    if symbol == 0:
        distance = _beyond(whole - value - last - 1, registers, data)
        return int(max(whole - last - 1 - distance, -LARGEST))
    if symbol == count - 1:
        distance = _beyond(value - whole - last - 1, registers, data)
        return int(min(whole + last + 1 + distance, LARGEST))
    return int(whole + symbol - last - 1)
