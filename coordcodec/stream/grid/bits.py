"""One binary decision: its probability, its place in the range coder, what is learned from it.

The range coder is the one of G. N. N. Martin (1979), with 32 bits and carries, for binary decisions. A 1 takes the
lower part of the interval, so that a long run of zeros still moves the coder.
"""

from __future__ import annotations

from typing import Any

from coordcodec.stream.grid import layout as at
from coordcodec.stream.grid.jit import inner


@inner
def mix(node: int, work: Any, model: Any, tables: Any) -> int:
    """Mix the models' opinions on a decision; returns the stretched probability of a 1."""
    prob, weights = model[0], model[1]
    stretch, rates = tables[1], tables[3]
    first = (node * at.CHOICES + work[at.CHOICE]) * at.INPUTS
    work[at.SET] = first
    dot = weights[first + at.MODELS] * at.CONSTANT
    for i in range(at.MODELS):
        seen = prob[work[at.BASE + i] + node]
        opinion = stretch[seen >> 18] * rates[256 + (seen & 255)] >> 8
        work[at.STRETCHED + i] = opinion
        dot += weights[first + i] * opinion
    return int(min(max(dot >> 16, -at.REACH), at.REACH - 1))


@inner
def predict(node: int, work: Any, model: Any, tables: Any) -> int:
    """Probability of a 1, of 65536, after mixing and the two maps."""
    maps = model[2]
    x = mix(node, work, model, tables)
    mixed = tables[0][x + at.REACH]
    work[at.MIXED] = mixed
    place = min(max(x + 2048, 0), 4095)
    part = place & 127
    a = (node * at.MAP_A + work[at.FINE]) * at.STEPS + (place >> 7)
    b = at.MAP_B_START + (node * at.MAP_B + work[at.STEEP]) * at.STEPS + (place >> 7)
    work[at.SLOT_A], work[at.SLOT_B], work[at.PART] = a, b, part
    sum_a = maps[a] * (128 - part) + maps[a + 1] * part
    sum_b = maps[b] * (128 - part) + maps[b + 1] * part
    p = (2 * mixed + ((sum_a + sum_b) >> 13)) >> 2
    return int(min(max(p, at.LEAST), 65536 - at.LEAST))


@inner
def move(bit: int, slot: int, prob: Any, rates: Any) -> None:
    """Move an adaptive probability (22 bits, then 8 bits of age) towards what came."""
    seen = prob[slot]
    age = seen & 255
    p = seen >> 8
    p += ((bit << 22) - p) * rates[age] >> 16
    prob[slot] = (p << 8) | min(age + 1, at.OLDEST)


@inner
def learn(bit: int, node: int, work: Any, model: Any, tables: Any) -> None:
    """Learn from a decision that `predict` was asked about last."""
    prob, weights, maps = model[0], model[1], model[2]
    first = work[at.SET]
    ages = at.SETS * at.INPUTS + first // at.INPUTS
    age = weights[ages]
    weights[ages] = min(age + 1, at.WEIGHTS_OLDEST)
    error = ((bit << 16) - work[at.MIXED]) * (at.SLOW + at.FAST // (age + 16))
    for i in range(at.MODELS):
        weights[first + i] += (work[at.STRETCHED + i] * error + (1 << 21)) >> 22
        move(bit, work[at.BASE + i] + node, prob, tables[3])
    weights[first + at.MODELS] += (at.CONSTANT * error + (1 << 21)) >> 22
    goal, part = bit << 22, work[at.PART]
    a, b = work[at.SLOT_A], work[at.SLOT_B]
    # The nearer of the two points that were interpolated is the one that learns.
    a += part >> 6
    b += part >> 6
    maps[a] += (goal - maps[a]) >> at.MAP_RATE
    maps[b] += (goal - maps[b]) >> at.MAP_RATE


@inner
def carry(out: Any, position: int) -> None:
    """Add one to the number that the bytes before a position form."""
    i = position - 1
    while out[i] == 255:
        out[i] = 0
        i -= 1
    out[i] += 1


@inner
def code(bit: int, p: int, registers: Any, data: Any) -> int:
    """Write a decision, or read it, or only count it; returns it. `p` is the probability of a 1, of 65536."""
    bound = (registers[at.RANGE] >> 16) * p
    mode = registers[at.MODE]
    if mode == at.DECODE:
        bit = 1 if registers[at.CODE] < bound else 0
    if bit:
        registers[at.RANGE] = bound
    else:
        registers[at.RANGE] -= bound
        registers[at.LOW] += bound
        if mode == at.DECODE:
            registers[at.CODE] -= bound
        if registers[at.LOW] >= at.FULL:
            registers[at.LOW] -= at.FULL
            if mode == at.ENCODE:
                carry(data, registers[at.POSITION])
    while registers[at.RANGE] < at.TOP:
        shift(registers, data)
    return bit


@inner
def shift(registers: Any, data: Any) -> None:
    """Move the coder on by a byte."""
    position, mode = registers[at.POSITION], registers[at.MODE]
    if mode == at.ENCODE:
        data[position] = registers[at.LOW] >> 24
    elif mode == at.DECODE:
        # Behind the last byte there are zeros: what the end of an encoder leaves out.
        new = data[position + 4] if position + 4 < registers[at.END] else 0
        registers[at.CODE] = (registers[at.CODE] << 8) | new
    registers[at.LOW] = (registers[at.LOW] & 0xFFFFFF) << 8
    registers[at.RANGE] <<= 8
    registers[at.POSITION] = position + 1


@inner
def plain(bit: int, slot: int, registers: Any, data: Any, model: Any, tables: Any) -> int:
    """A decision with one adaptive probability, without mixing."""
    p = min(max(model[0][slot] >> 14, at.LEAST), 65536 - at.LEAST)
    bit = code(bit, p, registers, data)
    move(bit, slot, model[0], tables[3])
    return bit


@inner
def mixed(bit: int, node: int, work: Any, registers: Any, data: Any, model: Any, tables: Any) -> int:
    """A decision with mixed contexts."""
    bit = code(bit, predict(node, work, model, tables), registers, data)
    learn(bit, node, work, model, tables)
    return bit


@inner
def sign(bit: int, work: Any, registers: Any, data: Any, model: Any, tables: Any) -> int:
    """A sign: 1 is negative."""
    prob, weights, rates = model[0], model[1], tables[3]
    first = at.SIGN_SET * at.INPUTS
    dot = 0
    for i in range(at.SIGNS):
        seen = prob[work[at.SIGN_BASE + i]]
        opinion = tables[1][seen >> 18] * rates[256 + (seen & 255)] >> 8
        work[at.STRETCHED + i] = opinion
        dot += weights[first + i] * opinion
    p = tables[0][min(max(dot >> 16, -at.REACH), at.REACH - 1) + at.REACH]
    bit = code(bit, p, registers, data)
    error = ((bit << 16) - p) * at.SLOW
    for i in range(at.SIGNS):
        weights[first + i] += (work[at.STRETCHED + i] * error + (1 << 21)) >> 22
        move(bit, work[at.SIGN_BASE + i], prob, rates)
    return bit
