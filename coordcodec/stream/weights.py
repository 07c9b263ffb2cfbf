"""A network's symbols to one chunk and back: the table of its tensors, the payload, the checks on both."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from coordcodec.data import Quantized, Symbols
from coordcodec.errors import ContainerError
from coordcodec.numbers import Reader
from coordcodec.stream import contexts, weight_coder, weight_models
from coordcodec.stream.weight_models import MAX_BITS, MIN_BITS, Model

Shapes = Mapping[str, tuple[int, ...]]
Offsets = Mapping[str, weight_models.Offsets]
"""For each tensor by how much the scale of a symbol's model differs, in the tensor's shape without the parts' axis."""

BINARY16, PARAMETRIC = 0, 1
"""Codings of the payload: IEEE binary16 numbers as they are, or range-coded symbols."""
CONTEXTUAL = 2
"""What stands in the file for PARAMETRIC where a model has contexts."""

MAX_TENSORS = 64
MAX_PARAMETERS = 1 << 24
FREE_PARAMETERS, FREE_UPDATES = 1 << 12, 1 << 20
"""So many numbers may come without a byte of payload, and 256 more with each."""


@dataclass(frozen=True)
class TensorCode:
    """How one tensor is coded: its quantization step and its probability model."""

    step: float
    model: Model


@dataclass(frozen=True)
class Coded:
    """A chunk, parsed.

    coding: BINARY16 or PARAMETRIC. bits: width of the symbols, MIN_BITS to MAX_BITS; 16 for BINARY16. tensors: how each
    one is coded; empty for BINARY16. payload: the coded numbers.
    """

    coding: int
    bits: int
    tensors: tuple[TensorCode, ...]
    payload: bytes


def encode(symbols: Symbols, offsets: Offsets | None = None) -> bytes:
    """Code a network's symbols, tensors in their order, into a chunk.

    offsets: those of the initialisation that the symbols are updates to, if they are.
    """
    tensors = [q.symbols for q in symbols.values()]
    if all(q.step == 0 for q in symbols.values()):
        return bytes([BINARY16]) + b"".join(t.astype("<u2").tobytes() for t in tensors)
    largest = max(int(np.abs(t).max(initial=0)) for t in tensors)
    bits = weight_models.bits_of(largest)
    if bits > MAX_BITS:
        raise ValueError(f"a symbol of magnitude {largest} takes {bits} bits, a file holds {MAX_BITS}")
    limit, spread = weight_models.limit_of(bits), [offsets[name] if offsets else None for name in symbols]
    models = [weight_models.fit_model(t, limit, o) for t, o in zip(tensors, spread, strict=True)]
    payload = weight_coder.encode(tensors, models, limit, spread)
    return _pack_table(bits, [(q.step, model) for q, model in zip(symbols.values(), models, strict=True)]) + payload


def _pack_table(bits: int, tensors: list[tuple[float, Model]]) -> bytes:
    contextual = any(model.context for _, model in tensors)
    out = bytes([CONTEXTUAL if contextual else PARAMETRIC, bits, len(tensors)])
    for step, model in tensors:
        shape = model.shape // 2 + 64 * model.context if contextual else model.shape
        out += struct.pack(">f", step)[:2] + bytes([shape, model.scale])
    return out


def parse(chunk: bytes) -> Coded:
    """Read a chunk's table. Raises ContainerError when it is damaged."""
    reader = Reader(chunk)
    coding = reader.byte()
    if coding == BINARY16:
        return Coded(coding, 16, (), chunk[1:])
    if coding not in (PARAMETRIC, CONTEXTUAL):
        raise ContainerError(f"damaged file: unknown coding {coding}")
    bits = reader.varint("the symbol width", MIN_BITS, MAX_BITS)
    tensors = []
    for _ in range(reader.varint("the number of tensors", 1, MAX_TENSORS)):
        step = struct.unpack(">f", reader.take(2) + b"\0\0")[0]
        if not 2.0**-100 <= step <= 2.0**100:
            raise ContainerError(f"damaged file: a quantization step of {step:g}")
        shape, scale = reader.take(2)
        model = Model(shape % 64 * 2, scale, shape // 64) if coding == CONTEXTUAL else Model(shape, scale)
        tensors.append(TensorCode(step, model))
    return Coded(PARAMETRIC, bits, tuple(tensors), chunk[reader.at :])


def check(coded: Coded, shapes: Shapes, updates: bool) -> None:
    """Raise ContainerError unless a chunk can hold tensors of these shapes; allocates nothing.

    updates: whether the numbers are updates to a learned initialisation.
    """
    parameters, payload = sum(math.prod(s) for s in shapes.values()), len(coded.payload)
    # Weights are never coded into less than this; updates of an initialisation may all be zero and take no byte.
    free = FREE_UPDATES if updates else FREE_PARAMETERS
    if parameters > min(MAX_PARAMETERS, free + 256 * payload):
        raise ContainerError(f"damaged file: {parameters} parameters in a payload of {payload} bytes")
    if coded.coding == BINARY16 and payload != 2 * parameters:
        raise ContainerError(f"damaged file: {payload} bytes for {parameters} 16-bit parameters")
    if coded.coding == PARAMETRIC and len(coded.tensors) != len(shapes):
        raise ContainerError(f"damaged file: {len(coded.tensors)} tensors, the network has {len(shapes)}")
    for code, (name, shape) in zip(coded.tensors, shapes.items(), strict=False):
        axes = {contexts.NONE: len(shape), contexts.SORTED: 2}.get(code.model.context, 3)
        if len(shape) != axes or (code.model.context and updates):
            kind = contexts.NAMES[code.model.context]
            raise ContainerError(f"damaged file: {name} is coded with contexts by {kind}, which it cannot have")


def decode(chunk: bytes, shapes: Shapes, offsets: Offsets | None = None) -> Symbols:
    """Decode the symbols of tensors of these shapes. Raises ContainerError.

    offsets: those of the initialisation that the symbols are updates to, if they are.
    """
    coded = parse(chunk)
    check(coded, shapes, offsets is not None)
    if coded.coding == BINARY16:
        tensors, steps = _binary16(coded.payload, shapes), [0.0] * len(shapes)
    else:
        models = [t.model for t in coded.tensors]
        spread, limit = [offsets[name] if offsets else None for name in shapes], weight_models.limit_of(coded.bits)
        tensors = weight_coder.decode(coded.payload, list(shapes.values()), models, limit, spread)
        steps = [t.step for t in coded.tensors]
    return {name: Quantized(symbols, step) for name, symbols, step in zip(shapes, tensors, steps, strict=True)}


def _binary16(payload: bytes, shapes: Shapes) -> list[np.ndarray]:
    flat = np.frombuffer(payload, "<u2").astype(np.int32)
    if not np.isfinite(flat.astype(np.uint16).view(np.float16)).all():
        raise ContainerError("damaged file: a parameter is not a finite number")
    flats = np.split(flat, np.cumsum([math.prod(shape) for shape in shapes.values()])[:-1])
    return [tensor.reshape(shape) for tensor, shape in zip(flats, shapes.values(), strict=True)]
