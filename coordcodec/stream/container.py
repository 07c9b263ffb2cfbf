"""The file: magic, version, header, tensor table, payload, checksum. `docs/format.md` is its law.

Everything that is read here is hostile: each number is checked against its limit before anything is
allocated, and whatever is wrong raises ContainerError.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordcodec.data import MAX_CHANNELS, MAX_DIMS, check_meta
from coordcodec.errors import ContainerError, SignalError
from coordcodec.stream.weight_models import MAX_BITS, MIN_BITS, Model

MAGIC = b"CCDC"
VERSION = 4
"""The newest version; a file says the lowest one that describes it."""
SUFFIX = ".ccdc"

BINARY16, PARAMETRIC = 0, 1
"""Codings of the payload: IEEE binary16 numbers as they are, or range-coded symbols."""
_CONTEXTUAL = 2
"""What stands in the file for PARAMETRIC where a model has contexts: since version 4."""

MAX_POINTS = 1 << 40
MAX_META = 4096
MAX_SPEC = 255
MAX_TENSORS = 64
MAX_PARTS = 1 << 16
MAX_PARAMETERS = 1 << 24

MAX_MARGIN = 127
INIT_BYTES = 8

_GRID, _PARTS, _META, _MARGIN, _GAINS, _INIT = 1, 2, 4, 8, 16, 32
_SINCE = {1: _GRID | _PARTS | _META, 2: _MARGIN | _GAINS, 3: _INIT}
"""The flags that versions added."""


@dataclass(frozen=True)
class TensorCode:
    """How one tensor is coded: its quantization step and its probability model."""

    step: float
    model: Model


@dataclass(frozen=True)
class Container:
    """A file, parsed.

    modality: name of the plugin that reads and writes this kind of data.
    dims: dimension d of the coordinates.
    meta: the plugin's facts, with "shape" (list of int, empty for scattered points) and "channels".
    parts: boxes per axis into which the domain is cut, (d,).
    margin, gains: see `coordcodec.partition`; a byte of gain per box, or none.
    network: kind of network and its specification, which only the room `inr` understands.
    coding: BINARY16 or PARAMETRIC.
    bits: width of the symbols, MIN_BITS to MAX_BITS; 16 for BINARY16.
    tensors: the tensor table; empty for BINARY16.
    payload: the coded tensors.
    init: the first 8 bytes of the SHA-256 of the initialisation that the tensors are updates to, or none.
    """

    modality: str
    dims: int
    meta: Mapping[str, Any]
    parts: tuple[int, ...]
    margin: int
    gains: bytes
    network: tuple[int, bytes]
    coding: int
    bits: int
    tensors: tuple[TensorCode, ...]
    payload: bytes
    init: bytes = b""


class _Reader:
    """Takes numbers off the front of a buffer; running out of bytes is a ContainerError."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise ContainerError("truncated file: the header runs past its end")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self, what: str, lowest: int, highest: int) -> int:
        value, shift = 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift > 63:
                raise ContainerError(f"damaged file: the number for {what} does not end")
        if not lowest <= value <= highest:
            raise ContainerError(f"damaged file: {what} is {value}, expected {lowest} to {highest}")
        return value

    def text(self, what: str, longest: int) -> str:
        try:
            return self.take(self.varint(f"the length of {what}", 0, longest)).decode("utf-8")
        except UnicodeDecodeError:
            raise ContainerError(f"damaged file: {what} is not UTF-8") from None


def varint(value: int) -> bytes:
    """An unsigned integer in base 128, least significant group first, high bit set on all bytes but the last."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, what: str, lowest: int, highest: int) -> tuple[int, bytes]:
    """The unsigned integer at the front of `data`, and what follows it. Raises ContainerError."""
    reader = _Reader(data)
    return reader.varint(what, lowest, highest), data[reader.at :]


# A value in meta: a type byte, then the value.
_FALSE, _TRUE, _INT, _FLOAT32, _FLOAT64, _TEXT, _LIST = range(7)


def _pack_value(value: Any) -> bytes:
    if isinstance(value, bool):
        return bytes([_TRUE if value else _FALSE])
    if isinstance(value, int):
        return bytes([_INT]) + varint(2 * value if value >= 0 else -2 * value - 1)
    if isinstance(value, float):
        single = abs(value) < 3e38 and struct.unpack("<f", struct.pack("<f", value))[0] == value
        return bytes([_FLOAT32]) + struct.pack("<f", value) if single else bytes([_FLOAT64]) + struct.pack("<d", value)
    if isinstance(value, str):
        return bytes([_TEXT]) + _pack_text(value)
    return bytes([_LIST]) + varint(len(value)) + b"".join(_pack_value(v) for v in value)


def _pack_text(text: str) -> bytes:
    raw = text.encode("utf-8")
    return varint(len(raw)) + raw


def _read_value(reader: _Reader, in_list: bool = False) -> Any:
    kind = reader.byte()
    if kind in (_FALSE, _TRUE):
        return kind == _TRUE
    if kind == _INT:
        folded = reader.varint("a number in meta", 0, 2**64 - 1)
        return folded // 2 if folded % 2 == 0 else -(folded // 2) - 1
    if kind == _FLOAT32:
        return struct.unpack("<f", reader.take(4))[0]
    if kind == _FLOAT64:
        return struct.unpack("<d", reader.take(8))[0]
    if kind == _TEXT:
        return reader.text("a text in meta", MAX_META)
    if kind == _LIST and not in_list:
        return [_read_value(reader, in_list=True) for _ in range(reader.varint("a list in meta", 0, MAX_META))]
    raise ContainerError(f"damaged file: meta holds a value of unknown type {kind}")


def _pack_meta(meta: Mapping[str, Any]) -> bytes:
    items = [(k, v) for k, v in sorted(meta.items()) if k not in ("shape", "channels")]
    return b"".join(_pack_text(key) + _pack_value(value) for key, value in items)


def _read_meta(raw: bytes) -> dict[str, Any]:
    reader, meta = _Reader(raw), {}
    while reader.at < len(raw):
        key = reader.text("a key in meta", MAX_META)
        if key in meta or key in ("shape", "channels"):
            raise ContainerError(f"damaged file: meta holds {key!r} twice")
        meta[key] = _read_value(reader)
    return meta


def pack(container: Container) -> bytes:
    """The bytes of a file. Raises ContainerError for what a file cannot hold (meta or network too large)."""
    meta = _pack_meta(container.meta)
    shape: Sequence[int] = container.meta["shape"]
    kind, spec = container.network
    if len(meta) > MAX_META:
        raise ContainerError(f"meta takes {len(meta)} bytes, a file holds {MAX_META}; keep only what write() needs")
    whole = all(n == 1 for n in container.parts)
    flags = (_GRID if shape else 0) | (0 if whole else _PARTS) | (_META if meta else 0)
    flags |= (_MARGIN if container.margin else 0) | (_GAINS if container.gains else 0)
    flags |= _INIT if container.init else 0
    version = max(version for version, added in _SINCE.items() if version == 1 or flags & added)
    contextual = any(tensor.model.context for tensor in container.tensors)
    version = 4 if contextual else version
    name = container.modality.encode("ascii")
    out = bytearray(MAGIC)
    out += bytes([version, flags, len(name)]) + name + bytes([container.dims])
    out += b"".join(varint(n) for n in shape)
    out += bytes([container.meta["channels"]])
    out += b"" if whole else b"".join(varint(n) for n in container.parts)
    out += bytes([container.margin] if container.margin else []) + container.gains + container.init
    out += varint(len(meta)) + meta if meta else b""
    out += bytes([kind, len(spec)]) + spec
    out += bytes([_CONTEXTUAL if contextual else container.coding])
    if container.coding == PARAMETRIC:
        out += bytes([container.bits, len(container.tensors)])
        for step, model in ((tensor.step, tensor.model) for tensor in container.tensors):
            shape_code = model.shape // 2 + 64 * model.context if contextual else model.shape
            out += struct.pack(">f", step)[:2] + bytes([shape_code, model.scale])
    out += container.payload
    data = bytes(out) + zlib.crc32(out).to_bytes(4, "little")
    unpack(data)  # what cannot be read back must never be written
    return data


def unpack(data: bytes) -> Container:
    """Parse a file.

    Raises ContainerError when `data` is not one: other magic, newer version, damage, truncation, numbers
    beyond their limits.
    """
    if len(data) < len(MAGIC) + 5 or data[: len(MAGIC)] != MAGIC:
        raise ContainerError(f"not a coordcodec file: expected it to begin with {MAGIC!r}, got {bytes(data[:4])!r}")
    if data[4] > VERSION:
        raise ContainerError(
            f"written by a newer coordcodec (format {data[4]}, this one reads up to {VERSION}); "
            "upgrade: pip install -U coordcodec"
        )
    if data[4] < 1:
        raise ContainerError(f"damaged file: there is no format {data[4]}")
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise ContainerError("damaged or truncated file: the checksum does not match")
    reader = _Reader(data[:-4])
    version = reader.take(len(MAGIC) + 1)[-1]
    return _read_body(reader, version)


def _read_body(reader: _Reader, version: int) -> Container:
    flags = reader.byte()
    if flags & ~sum(added for since, added in _SINCE.items() if since <= version):
        raise ContainerError(f"damaged file: unknown flags {flags:#x}")
    modality = reader.text("the modality", 32)
    dims = reader.varint("the number of dimensions", 1, MAX_DIMS)
    shape = [reader.varint("the grid's size", 1, MAX_POINTS) for _ in range(dims)] if flags & _GRID else []
    if math.prod(shape) > MAX_POINTS:
        raise ContainerError(f"damaged file: a grid of shape {shape} exceeds {MAX_POINTS} points")
    channels = reader.byte()
    if not 1 <= channels <= MAX_CHANNELS:
        raise ContainerError(f"damaged file: {channels} channels, expected 1 to {MAX_CHANNELS}")
    parts = [reader.varint("the number of parts", 1, MAX_PARTS) if flags & _PARTS else 1 for _ in range(dims)]
    if math.prod(parts) > MAX_PARTS:
        raise ContainerError(f"damaged file: {parts} parts exceed {MAX_PARTS}")
    margin = reader.varint("the margin", 1, MAX_MARGIN) if flags & _MARGIN else 0
    gains = reader.take(math.prod(parts)) if flags & _GAINS else b""
    init = reader.take(INIT_BYTES) if flags & _INIT else b""
    extra = _read_meta(reader.take(reader.varint("the length of meta", 1, MAX_META))) if flags & _META else {}
    try:
        meta = check_meta({**extra, "shape": shape, "channels": channels})
    except SignalError as error:
        raise ContainerError(f"damaged file: {error}") from None
    kind = reader.byte()
    spec = reader.take(reader.byte())
    coding, bits, tensors = _read_table(reader, version)
    payload = reader.take(len(reader.data) - reader.at)
    network = (kind, spec)
    return Container(modality, dims, meta, tuple(parts), margin, gains, network, coding, bits, tensors, payload, init)


def _read_table(reader: _Reader, version: int) -> tuple[int, int, tuple[TensorCode, ...]]:
    coding = reader.byte()
    if coding == BINARY16:
        return coding, 16, ()
    contextual = coding == _CONTEXTUAL and version >= 4
    if coding != PARAMETRIC and not contextual:
        raise ContainerError(f"damaged file: unknown coding {coding}")
    bits = reader.varint("the symbol width", MIN_BITS, MAX_BITS)
    count = reader.varint("the number of tensors", 1, MAX_TENSORS)
    tensors = []
    for _ in range(count):
        step = struct.unpack(">f", reader.take(2) + b"\0\0")[0]
        if not 2.0**-100 <= step <= 2.0**100:
            raise ContainerError(f"damaged file: a quantization step of {step:g}")
        shape, scale = reader.take(2)
        model = Model(shape % 64 * 2, scale, shape // 64) if contextual else Model(shape, scale)
        tensors.append(TensorCode(step, model))
    return PARAMETRIC, bits, tuple(tensors)
