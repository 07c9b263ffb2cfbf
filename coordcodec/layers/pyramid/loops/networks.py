"""Both networks, forward and back: two rectified layers and a linear one, with a linear skip from the inputs.

Matrices are taken four rows and two columns at a time: then sums stay in registers, and a compiler makes vectors of the
inner loops.
"""

from __future__ import annotations

from typing import Any

from coordcodec.layers.pyramid.loops.compile import F32, part

BLOCK = 256
"""Samples that go through all layers of a network and back at a time, so that they stay in the first cache."""


@part
def add_product(weight: Any, given: Any, sums: Any, n: int) -> None:
    """sums += weight given; (outputs, inputs) by (inputs, n)."""
    for o in range(0, weight.shape[0], 4):
        s0, s1, s2, s3 = sums[o], sums[o + 1], sums[o + 2], sums[o + 3]
        for i in range(0, weight.shape[1], 2):
            x, y = given[i], given[i + 1]
            u0, u1, u2, u3 = weight[o, i], weight[o + 1, i], weight[o + 2, i], weight[o + 3, i]
            v0, v1, v2, v3 = weight[o, i + 1], weight[o + 1, i + 1], weight[o + 2, i + 1], weight[o + 3, i + 1]
            for j in range(n):
                p, q = x[j], y[j]
                s0[j] += u0 * p + v0 * q
                s1[j] += u1 * p + v1 * q
                s2[j] += u2 * p + v2 * q
                s3[j] += u3 * p + v3 * q


@part
def dense(weight: Any, bias: Any, given: Any, sums: Any, n: int) -> None:
    """sums = weight given + bias."""
    for o in range(weight.shape[0]):
        row, b = sums[o], bias[o]
        for j in range(n):
            row[j] = b
    add_product(weight, given, sums, n)


@part
def product(weight: Any, given: Any, sums: Any, n: int) -> None:
    """sums = weight given."""
    for o in range(weight.shape[0]):
        row = sums[o]
        for j in range(n):
            row[j] = F32(0)
    add_product(weight, given, sums, n)


@part
def outer(delta: Any, given: Any, sums: Any, n: int) -> None:
    """sums += delta given^T."""
    for o in range(0, sums.shape[0], 4):
        d0, d1, d2, d3 = delta[o], delta[o + 1], delta[o + 2], delta[o + 3]
        for i in range(0, sums.shape[1], 2):
            x, y = given[i], given[i + 1]
            s0 = s1 = s2 = s3 = t0 = t1 = t2 = t3 = F32(0)
            for j in range(n):
                p, q = x[j], y[j]
                s0 += d0[j] * p
                s1 += d1[j] * p
                s2 += d2[j] * p
                s3 += d3[j] * p
                t0 += d0[j] * q
                t1 += d1[j] * q
                t2 += d2[j] * q
                t3 += d3[j] * q
            sums[o, i] += s0
            sums[o + 1, i] += s1
            sums[o + 2, i] += s2
            sums[o + 3, i] += s3
            sums[o, i + 1] += t0
            sums[o + 1, i + 1] += t1
            sums[o + 2, i + 1] += t2
            sums[o + 3, i + 1] += t3


@part
def rectify(sums: Any, n: int) -> None:
    """What is below 0 becomes 0."""
    for o in range(sums.shape[0]):
        row = sums[o]
        for j in range(n):
            row[j] = max(row[j], F32(0))


@part
def gate(delta: Any, hidden: Any, n: int) -> None:
    """What passes back through a rectifier."""
    for o in range(delta.shape[0]):
        row, h = delta[o], hidden[o]
        for j in range(n):
            row[j] = row[j] if h[j] > F32(0) else F32(0)


@part
def add_sums(delta: Any, found: Any, n: int) -> None:
    """found += delta, summed over samples."""
    for o in range(found.shape[0]):
        row, s = delta[o], F32(0)
        for j in range(n):
            s += row[j]
        found[o] += s


@part
def plus(sums: Any, more: Any, n: int) -> None:
    """sums += more."""
    for o in range(sums.shape[0]):
        row, other = sums[o], more[o]
        for j in range(n):
            row[j] += other[j]


@part
def forward(net: Any, work: Any, residual: bool, n: int) -> None:
    """work: inputs, both hidden layers, outputs, then what `backward` needs."""
    x, first, second, out = work[0], work[1], work[2], work[3]
    dense(net[0], net[1], x, first, n)
    rectify(first, n)
    dense(net[2], net[3], first, second, n)
    if residual:
        plus(second, first, n)
    rectify(second, n)
    dense(net[4], net[5], second, out, n)
    add_product(net[6], x, out, n)


@part
def backward(net: Any, work: Any, sums: Any, residual: bool, learn: bool, n: int) -> None:
    """From the gradients of the outputs, in their place, to those of the inputs, in work[6], and the parameters'."""
    x, first, second, out, back_first, back_second, back = work
    product(net[9], out, back_second, n)
    gate(back_second, second, n)
    product(net[8], back_second, back_first, n)
    if residual:
        plus(back_first, back_second, n)
    gate(back_first, first, n)
    product(net[7], back_first, back, n)
    add_product(net[10], out, back, n)
    if learn:
        outer(back_first, x, sums[0], n)
        add_sums(back_first, sums[1], n)
        outer(back_second, first, sums[2], n)
        add_sums(back_second, sums[3], n)
        outer(out, second, sums[4], n)
        add_sums(out, sums[5], n)
        outer(out, x, sums[6], n)
