"""What a picture file says besides its pixels: colour profile, EXIF, XMP and texts, as byte strings by name.

| name | what it is |
|---|---|
| icc | an ICC profile |
| exif | an EXIF block, a small TIFF, whose orientation is 1: pixels are read upright |
| xmp | an XMP packet |
| text | texts by keyword: keyword, text, language and translated keyword in UTF-8, each ended by a zero byte |
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordcodec.errors import ContainerError

WORDS = {"icc": "colour profile", "exif": "EXIF", "xmp": "XMP", "text": "texts"}
"""The names, and what people call them."""
MOST = {"icc": 1 << 24, "exif": 1 << 22, "xmp": 1 << 22, "text": 1 << 22}
"""Bytes of each that are kept."""
_DESCRIBING = (270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 33432)
"""TIFF tags that say nothing of how pixels are stored: description, maker, resolution, software, date, artist ..."""
_FOLDERS = (0x8769, 0x8825)
"""EXIF and GPS."""
_PREFIX = b"Exif\0\0"
_ORIENTATION = 0x0112
_XMP = 700
_BIG = b"+\0", b"\0+"
"""What makes a TIFF a BigTIFF."""
_TURNED = re.compile(rb"""(<tiff:Orientation>|tiff:Orientation\s*=\s*["'])\s*[2-8]""")


@dataclass(frozen=True)
class Text:
    """A text of a PNG (W3C PNG, 11.3.3). language, translated: of an international one."""

    keyword: str
    text: str
    language: str = ""
    translated: str = ""


def of_picture(image: Any) -> tuple[dict[str, bytes], list[str]]:
    """What an image that Pillow has loaded says besides its pixels, and what of it is not carried, in words."""
    found = {"icc": image.info.get("icc_profile"), "xmp": image.info.get("xmp"), "exif": image.info.get("exif")}
    if "Raw profile type exif" in image.info:  # as ImageMagick writes it
        found |= {"exif": image.getexif().tobytes()}
    texts = [
        _text(key, value) for key, value in getattr(image, "text", {}).items() if not key.startswith("Raw profile")
    ]
    packets = [t.text.encode() for t in texts if t.keyword == "XML:com.adobe.xmp"]
    texts = [t for t in texts if t.keyword != "XML:com.adobe.xmp"]
    found["xmp"] = found["xmp"] or (packets[0] if packets else None)
    comment = image.info.get("comment")
    if isinstance(comment, bytes | str) and not texts:
        texts.append(_text("Comment", comment.decode("utf-8", "replace") if isinstance(comment, bytes) else comment))
    return kept({**found, "text": packed(texts)})


def of_tiff(data: bytes, profile: Any) -> tuple[dict[str, bytes], list[str]]:
    """The same of a TIFF, whose colour profile is known."""
    from PIL import Image

    exif, xmp = Image.Exif(), None
    try:
        if data[2:4] in _BIG:  # has another header than the EXIF that Exif.load is for
            with Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
                exif = image.getexif()
                said = described(exif)
        else:
            exif.load(data)
            said = described(exif)
        xmp = exif.get(_XMP)
    except Exception:  # noqa: BLE001  Pillow raises anything on tags that it does not understand
        said = b"damaged"
    return kept({"exif": said, "icc": profile, "xmp": xmp})


def kept(given: Mapping[str, Any]) -> tuple[dict[str, bytes], list[str]]:
    """Those of byte strings by name that can be kept, and what cannot, in words."""
    found, remarks = dict[str, bytes](), list[str]()
    for name, value in given.items():
        if not value:
            continue
        data = value.encode() if isinstance(value, str) else bytes(value) if isinstance(value, bytes) else b""
        data = upright(data.removeprefix(_PREFIX)) if name == "exif" else data
        data = _TURNED.sub(rb"\g<1>1", data) if name == "xmp" else data
        try:
            _check(name, data)
            found[name] = data
        except ContainerError:
            remarks.append(f"its {WORDS[name]} (damaged or too long) {'are' if name == 'text' else 'is'}")
    return found, remarks


def checked(meta: Mapping[str, Any]) -> dict[str, bytes]:
    """Those of a file's meta, which may be forged. Raises ContainerError."""
    found = {name: meta[name] for name in WORDS if name in meta}
    for name, data in found.items():
        _check(name, data)
    return found


def _check(name: str, data: object) -> None:
    if not isinstance(data, bytes) or len(data) > MOST[name] or not data:
        raise ContainerError(f"not an image: its {name} is {type(data).__name__}, expected 1 to {MOST[name]} bytes")
    if name == "icc" and (len(data) < 128 or data[36:40] != b"acsp"):
        raise ContainerError("not an image: its icc is no colour profile")
    if name == "exif" and (len(data) < 14 or data[:4] not in (b"II*\0", b"MM\0*")):
        raise ContainerError("not an image: its exif is no EXIF block")
    if name == "text":
        texts(data)


def described(exif: Any) -> bytes:
    """The tags of a TIFF, as Pillow gives them, that say nothing of how pixels are stored, as an EXIF block."""
    from PIL import Image

    clean = Image.Exif()
    for tag in _DESCRIBING:
        if tag in exif:
            clean[tag] = exif[tag]
    for tag in _FOLDERS:
        if folder := exif.get_ifd(tag):
            clean[tag] = dict(folder)
    return bytes(clean.tobytes()) if len(clean) else b""


def upright(exif: bytes) -> bytes:
    """An EXIF block with an orientation of 1, if it has one: the pixels are turned already."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 8:
        return exif
    (at,) = struct.unpack_from(f"{order}I", exif, 4)
    if at + 2 > len(exif):
        return exif
    (count,) = struct.unpack_from(f"{order}H", exif, at)
    for entry in range(at + 2, min(at + 2 + 12 * count, len(exif) - 11), 12):
        if struct.unpack_from(f"{order}HH", exif, entry) == (_ORIENTATION, 3):
            return exif[: entry + 8] + struct.pack(f"{order}H", 1) + exif[entry + 10 :]
    return exif


def _text(keyword: Any, value: Any) -> Text:
    language, translated = getattr(value, "lang", "") or "", getattr(value, "tkey", "") or ""
    fields = (v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in (language, translated))
    return Text(str(keyword), str(value), *fields)


def packed(texts: Sequence[Text]) -> bytes:
    """Texts as the byte string "text"."""
    fields = [field for t in texts for field in (t.keyword, t.text, t.language, t.translated)]
    return b"".join(field.replace("\0", "").encode("utf-8", "replace") + b"\0" for field in fields)


def texts(data: bytes) -> list[Text]:
    """What `packed` was given. Raises ContainerError for anything else."""
    try:
        fields = data.decode("utf-8").split("\0")
    except UnicodeDecodeError:
        fields = ["damaged"]
    if fields.pop() or len(fields) % 4:
        raise ContainerError("not an image: its text is no sequence of texts")
    return [Text(*fields[k : k + 4]) for k in range(0, len(fields), 4)]
