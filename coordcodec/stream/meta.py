"""Meta, the plugin's facts, as files hold them: keys and typed values."""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from typing import Any

from coordcodec.errors import ContainerError
from coordcodec.numbers import Reader, varint

MAX_META = 4096

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


def _read_value(reader: Reader, in_list: bool = False) -> Any:
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


def pack_meta(meta: Mapping[str, Any], free: Collection[str]) -> bytes:
    """The bytes of meta, without byte strings, which are side data, and without the keys that stand elsewhere.

    Raises ContainerError for more than a file holds.
    """
    items = [(k, v) for k, v in sorted(meta.items()) if k not in free and not isinstance(v, bytes)]
    packed = b"".join(_pack_text(key) + _pack_value(value) for key, value in items)
    if len(packed) > MAX_META:
        raise ContainerError(
            f"meta takes {len(packed)} bytes, a file holds {MAX_META}; keep only what write() needs, or give what is "
            "long as bytes"
        )
    return packed


def read_meta(raw: bytes) -> dict[str, Any]:
    """What `pack_meta` was given. Raises ContainerError."""
    reader, meta = Reader(raw), dict[str, Any]()
    while reader.at < len(raw):
        key = reader.text("a key in meta", MAX_META)
        if key in meta or key in ("shape", "channels"):
            raise ContainerError(f"damaged file: meta holds {key!r} twice")
        meta[key] = _read_value(reader)
    return meta
