"""Symbols of SIRENs to the chunk of a section and back, and what `info` shows of it. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coordcodec.data import Symbols
from coordcodec.inits import Initialisation
from coordcodec.layers.protocol import Chunks
from coordcodec.layers.siren.order import canonical
from coordcodec.specs import SirenSpec
from coordcodec.stream import contexts, weights


def check(spec: SirenSpec, init: bytes, chunks: Chunks, cut: bool = False) -> None:
    """See `coordcodec.layers.protocol.Layer`."""
    weights.check(weights.parse(b"".join(chunks)), spec.tensors(), bool(init))


def encode(
    symbols: Symbols, spec: SirenSpec, init: Initialisation | None, below: Mapping[str, Any] | None = None
) -> Chunks:
    """See `coordcodec.layers.protocol.Layer`. Networks that stand alone have their neurons put into order."""
    half = all(q.step == 0 for q in symbols.values())
    ordered = symbols if init or half else canonical(spec, symbols)
    return (weights.encode(ordered, init.offsets() if init else None),)


def decode(
    chunks: Chunks, spec: SirenSpec, init: Initialisation | None, below: Mapping[str, Any] | None = None
) -> Symbols:
    """See `coordcodec.layers.protocol.Layer`."""
    return weights.decode(b"".join(chunks), spec.tensors(), init.offsets() if init else None)


def describe(spec: SirenSpec, init: bytes, chunks: Chunks) -> dict[str, Any]:
    """See `coordcodec.layers.protocol.Layer`."""
    coded = weights.parse(b"".join(chunks))
    table = zip(spec.shapes(), coded.tensors, strict=False)
    return {
        **spec.describe(),
        "parts": list(spec.partition.counts),
        "margin": spec.partition.margin,
        "gains": len(spec.gains),
        "coding": "binary16" if coded.coding == weights.BINARY16 else "range coder",
        "contexts": {name: contexts.NAMES[code.model.context] for name, code in table if code.model.context},
        "bits": coded.bits,
        "sections": {"tensors": 4 * len(coded.tensors), "payload": len(coded.payload)},
    }
