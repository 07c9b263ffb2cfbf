"""Symbols to a whole file and back: the tensor table, the coding of the payload, the checks on both."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from coordcodec.data import Quantized, Symbols
from coordcodec.errors import ContainerError
from coordcodec.stream import contexts, weight_coder, weight_models
from coordcodec.stream.container import BINARY16, MAX_PARAMETERS, PARAMETRIC, Container, TensorCode, pack

Shapes = Mapping[str, tuple[int, ...]]
Offsets = Mapping[str, weight_models.Offsets]
"""For each tensor by how much the scale of a symbol's model differs, in the tensor's shape without the parts' axis."""

FREE_PARAMETERS, FREE_UPDATES = 1 << 12, 1 << 20
"""So many numbers may come without a byte of payload, and 256 more with each."""


@dataclass(frozen=True)
class Header:
    """What a file says besides its tensors; see `coordcodec.stream.container.Container` for the fields."""

    modality: str
    dims: int
    meta: Mapping[str, Any]
    parts: tuple[int, ...]
    network: tuple[int, bytes]
    margin: int = 0
    gains: bytes = b""
    init: bytes = b""


def write(header: Header, symbols: Symbols, offsets: Offsets | None = None) -> bytes:
    """Code a network's symbols, tensors in their order, into the bytes of a file.

    offsets: those of the initialisation that the header names, if it names one.
    """
    tensors = [q.symbols for q in symbols.values()]
    if all(q.step == 0 for q in symbols.values()):
        payload = b"".join(t.astype("<u2").tobytes() for t in tensors)
        return _pack(header, BINARY16, 16, (), payload)
    largest = max(int(np.abs(t).max(initial=0)) for t in tensors)
    bits = weight_models.bits_of(largest)
    if bits > weight_models.MAX_BITS:
        raise ValueError(f"a symbol of magnitude {largest} takes {bits} bits, a file holds {weight_models.MAX_BITS}")
    limit, spread = weight_models.limit_of(bits), [offsets[name] if offsets else None for name in symbols]
    models = [weight_models.fit_model(t, limit, o) for t, o in zip(tensors, spread, strict=True)]
    payload = weight_coder.encode(tensors, models, limit, spread)
    table = tuple(TensorCode(q.step, model) for q, model in zip(symbols.values(), models, strict=True))
    return _pack(header, PARAMETRIC, bits, table, payload)


def side_bytes(header: Header, shapes: Shapes, half: bool) -> int:
    """The bytes of everything but the payload. half: parameters as 16-bit floats, which need no tensor table."""
    table = () if half else tuple(TensorCode(1.0, weight_models.Model(32, 0)) for _ in shapes)
    return len(_pack(header, BINARY16 if half else PARAMETRIC, 8, table, b""))


def _pack(header: Header, coding: int, bits: int, table: tuple[TensorCode, ...], payload: bytes) -> bytes:
    h = header
    facts = (h.modality, h.dims, h.meta, h.parts, h.margin, h.gains, h.network)
    return pack(Container(*facts, coding, bits, table, payload, h.init))


def check(container: Container, shapes: Shapes) -> None:
    """Raise ContainerError unless the payload can hold tensors of these shapes; allocates nothing."""
    parameters, payload = sum(math.prod(s) for s in shapes.values()), len(container.payload)
    # Weights are never coded into less than this; updates of an initialisation may all be zero and take no byte.
    free = FREE_UPDATES if container.init else FREE_PARAMETERS
    if parameters > min(MAX_PARAMETERS, free + 256 * payload):
        raise ContainerError(f"damaged file: {parameters} parameters in a payload of {payload} bytes")
    if container.coding == BINARY16 and payload != 2 * parameters:
        raise ContainerError(f"damaged file: {payload} bytes for {parameters} 16-bit parameters")
    if container.coding == PARAMETRIC and len(container.tensors) != len(shapes):
        raise ContainerError(f"damaged file: {len(container.tensors)} tensors, the network has {len(shapes)}")
    for code, (name, shape) in zip(container.tensors, shapes.items(), strict=False):
        axes = {contexts.NONE: len(shape), contexts.SORTED: 2}.get(code.model.context, 3)
        if len(shape) != axes or (code.model.context and container.init):
            kind = contexts.NAMES[code.model.context]
            raise ContainerError(f"damaged file: {name} is coded with contexts by {kind}, which it cannot have")


def read(container: Container, shapes: Shapes, offsets: Offsets | None = None) -> Symbols:
    """Decode the symbols of tensors of these shapes. Raises ContainerError.

    offsets: those of the initialisation that the file names, if it names one.
    """
    check(container, shapes)
    if container.coding == BINARY16:
        flat = np.frombuffer(container.payload, "<u2").astype(np.int32)
        if not np.isfinite(flat.astype(np.uint16).view(np.float16)).all():
            raise ContainerError("damaged file: a parameter is not a finite number")
        flats = np.split(flat, np.cumsum([math.prod(shape) for shape in shapes.values()])[:-1])
        tensors = [tensor.reshape(shape) for tensor, shape in zip(flats, shapes.values(), strict=True)]
        steps = [0.0] * len(tensors)
    else:
        models = [t.model for t in container.tensors]
        spread, limit = [offsets[name] if offsets else None for name in shapes], weight_models.limit_of(container.bits)
        tensors = weight_coder.decode(container.payload, list(shapes.values()), models, limit, spread)
        steps = [t.step for t in container.tensors]
    return {name: Quantized(symbols, step) for name, symbols, step in zip(shapes, tensors, steps, strict=True)}
