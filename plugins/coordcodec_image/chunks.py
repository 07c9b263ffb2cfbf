"""PNG chunks for what a picture says besides its pixels (W3C PNG, third edition)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping

from coordcodec_image.extras import Text, texts

_HEADER = 33
"""Bytes of the signature and of IHDR, which comes first."""


def with_chunks(png: bytes, extras: Mapping[str, bytes]) -> bytes:
    """A PNG with a colour profile, EXIF, XMP and texts, each in its chunk."""
    return png[:_HEADER] + b"".join(_chunk(kind, body) for kind, body in _bodies(extras)) + png[_HEADER:]


def _bodies(extras: Mapping[str, bytes]) -> Iterator[tuple[bytes, bytes]]:
    if "icc" in extras:
        yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(extras["icc"], 9)
    if "exif" in extras:
        yield b"eXIf", extras["exif"]
    if "xmp" in extras:
        yield b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + extras["xmp"]
    for text in texts(extras.get("text", b"")):
        yield _text(text)


def _text(text: Text) -> tuple[bytes, bytes]:
    """In Latin-1 where that says it, else in UTF-8."""
    key = text.keyword.encode("latin-1", "replace").strip()[:79] or b"Comment"
    try:
        if not text.language and not text.translated:
            return b"tEXt", key + b"\0" + text.text.encode("latin-1")
    except UnicodeEncodeError:
        pass
    fields = (key, text.language.encode("ascii", "replace"), text.translated.encode())
    return b"iTXt", fields[0] + b"\0\0\0" + fields[1] + b"\0" + fields[2] + b"\0" + text.text.encode()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
