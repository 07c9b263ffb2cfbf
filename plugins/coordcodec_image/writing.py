"""Arrays to image files, with what else the picture says."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from coordcodec.errors import ContainerError, RecipeError, reason
from coordcodec_image import pnm
from coordcodec_image.chunks import with_chunks
from coordcodec_image.extras import WORDS, described, texts
from coordcodec_image.holds import NETPBM, check_held, with_palette
from coordcodec_image.kinds import WRITTEN
from coordcodec_image.raster import Pixels

_HOLDS = {
    "PNG": dict.fromkeys(WORDS, 1 << 30),
    "JPEG": {"icc": 255 * 65519, "exif": 65527, "xmp": 65504, "text": 65533},
    "TIFF": dict.fromkeys(WORDS, 1 << 30),
    **dict.fromkeys(("WEBP", "AVIF"), dict.fromkeys(("icc", "exif", "xmp"), 1 << 30)),
}
"""The most bytes of each of the extras that a kind of file holds."""
_TAGS = {"Description": 270, "Software": 305, "Author": 315, "Copyright": 33432}
"""TIFF tags for the keywords of texts."""
_XMP = 700


def write_pixels(pixels: Pixels, target: BinaryIO, suffix: str, extras: Mapping[str, bytes] | None = None) -> None:
    """Encode an image as the kind of file that a suffix names; extras: see `coordcodec_image.extras`, checked.

    Warns, in one line, of extras that this kind does not hold. Raises RecipeError when it cannot hold the picture,
    ContainerError for extras that nothing can be made of.
    """
    from PIL import Image

    kind = WRITTEN.get(suffix)
    if kind is None:
        raise RecipeError(f"cannot write images as {suffix!r}; choose {', '.join(WRITTEN)}")
    check_held(pixels, kind, suffix)
    held = _held(kind, suffix, extras or {})
    if kind in NETPBM:
        target.write(pnm.written(pixels, pam=kind == "PAM"))
        return
    if pixels.dtype == np.uint16:
        target.write(_deep(pixels, kind, suffix, held))
        return
    buffer = io.BytesIO()
    squeezed = np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    image = with_palette(pixels) if kind == "GIF" and pixels.shape[2] > 1 else Image.fromarray(squeezed)
    options = _options(kind, held)
    if kind == "ICO":  # one picture of its own size, not smaller copies of it
        image, options = image.convert("RGBA"), {"sizes": [image.size]}
    try:
        image.save(buffer, format=kind, **options)
    except (OSError, ValueError, KeyError) as error:
        raise RecipeError(f"cannot write this picture as {suffix}: {_reason(error)}; .png holds it") from None
    except Exception as error:  # noqa: BLE001  forged tags
        raise ContainerError(f"not an image: what it says besides pixels cannot be written: {_reason(error)}") from None
    target.write(with_chunks(buffer.getvalue(), held) if kind == "PNG" else buffer.getbuffer())


def _held(kind: str, suffix: str, extras: Mapping[str, bytes]) -> dict[str, bytes]:
    most = _HOLDS.get(kind, {})
    held = {name: data for name, data in extras.items() if len(data) <= most.get(name, -1)}
    lost = [WORDS[name] for name in extras if name not in held]
    if "text" in held and kind != "PNG":
        known = {"Comment"} if kind == "JPEG" else set(_TAGS)
        lost += ["texts"] if {text.keyword for text in texts(held["text"])} - known else []
    if lost:
        warnings.warn(f"{suffix} does not hold all that the picture says; left out: {', '.join(lost)}", stacklevel=4)
    return held


def _options(kind: str, extras: Mapping[str, bytes]) -> dict[str, Any]:
    """How Pillow is to write a kind of file."""
    if kind == "PNG":
        return {}
    full = {"JPEG": 0, "AVIF": "4:4:4"}  # colours as fine as brightness
    options: dict[str, Any] = {"quality": 95, "subsampling": full[kind]} if kind in full else {}
    if kind == "WEBP":
        options = {"lossless": True, "exact": True}
    if "icc" in extras:
        options["icc_profile"] = extras["icc"]
    if kind == "TIFF":
        return {**options, **({"exif": tags} if (tags := _tags(extras)) else {})}
    if kind == "JPEG" and "text" in extras:
        comments = [text.text for text in texts(extras["text"]) if text.keyword == "Comment"]
        options |= {"comment": "\n".join(comments).encode()} if comments else {}
    exif = {"exif": b"Exif\0\0" + extras["exif"]} if "exif" in extras else {}
    return options | exif | ({"xmp": extras["xmp"]} if "xmp" in extras else {})


def _tags(extras: Mapping[str, bytes]) -> Any:
    """EXIF, XMP and texts as the tags of a TIFF. Raises ContainerError for what nothing can be made of."""
    from PIL import Image

    tags = Image.Exif()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own remarks on damage
        try:
            if "exif" in extras:
                given = Image.Exif()
                given.load(extras["exif"])
                tags.load(described(given))
        except Exception as error:  # noqa: BLE001  Pillow raises anything on forged bytes
            raise ContainerError(f"not an image: its exif cannot be read: {_reason(error)}") from None
    for text in texts(extras.get("text", b"")):
        if text.keyword in _TAGS and _TAGS[text.keyword] not in tags:
            tags[_TAGS[text.keyword]] = text.text
    if "xmp" in extras:
        tags[_XMP] = extras["xmp"]
    return tags


def _deep(pixels: Pixels, kind: str, suffix: str, extras: Mapping[str, bytes]) -> bytes:
    """The PNG or TIFF of a picture of 16 bits."""
    channels = pixels.shape[2]
    squeezed = np.ascontiguousarray(pixels[:, :, 0] if channels == 1 else pixels)
    if kind == "PNG":
        import imagecodecs

        return with_chunks(bytes(imagecodecs.png_encode(squeezed)), extras)
    import tifffile

    tags = _tags(extras)
    more: list[Any] = [(tag, 2, 0, value, True) for tag, value in tags.items() if isinstance(value, str)]
    more += [(_XMP, 1, len(extras["xmp"]), extras["xmp"], True)] if "xmp" in extras else []
    if set(tags) - {tag for tag, *_ in more}:
        warnings.warn(f"{suffix} of 16 bits is written with the texts of its EXIF only; .png holds all", stacklevel=4)
    buffer = io.BytesIO()
    how: dict[str, Any] = {"photometric": "rgb" if channels >= 3 else "minisblack", "iccprofile": extras.get("icc")}
    how |= {"extrasamples": ["unassalpha"] if channels in (2, 4) else None, "extratags": more}
    try:
        tifffile.imwrite(buffer, squeezed, metadata=None, software=False, **how)
    except Exception as error:  # noqa: BLE001  forged tags
        raise ContainerError(f"not an image: what it says besides pixels cannot be written: {_reason(error)}") from None
    return buffer.getvalue()


def _reason(error: Exception) -> str:
    return re.sub(r" <_io\.BytesIO object at \w+>", "", reason(error))  # Pillow names what it was given
