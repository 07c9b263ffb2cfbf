"""Image files to arrays, without silently losing bits, channels or orientation; `writing` has the way back."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError, reason
from coordcodec_image import extras, pnm

MAX_PIXELS = 1 << 27
"""Pictures with more pixels are neither read nor written: 134 megapixels."""

Pixels = NDArray[np.unsignedinteger[Any]]
"""(height, width, channels) with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha) channels."""

_CONVERT = {"1": "L", "P": "RGB", "PA": "RGBA", "RGBX": "RGB", "YCbCr": "RGB", "La": "LA", "RGBa": "RGBA"}
_NATIVE = ("L", "LA", "RGB", "RGBA")
_ORIENTATION = 0x0112
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass
class Picture:
    """A picture file's contents.

    pixels: upright. extras: what else it says, see `coordcodec_image.extras`. remarks: what is not carried.
    """

    pixels: Pixels
    extras: dict[str, bytes] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def read_picture(data: bytes, name: str) -> Picture:
    """Decode an image file, its EXIF orientation applied.

    Warns of what is not carried: further frames, damaged profiles. Raises SignalError for what cannot be read or
    would be wrong: other modes (CMYK, LAB, floats), damage, sizes beyond MAX_PIXELS.
    """
    if not data:
        raise SignalError(f"{name} is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the decoders' own remarks on size and damage; we raise or say it ourselves
        try:
            deep = _read_tiff16(data) if data[:4] in _TIFF else _read_pnm16(data)
            picture = deep or _read_with_pillow(data)
        except SignalError as error:
            raise SignalError(f"{name} {error}") from None
        except Exception as error:  # noqa: BLE001  decoders raise anything on damaged files
            raise SignalError(f"cannot read {name} as an image: {_reason(error)}") from None
    if picture.remarks:
        warnings.warn(f"{name}: {' and '.join(picture.remarks)} not carried", stacklevel=3)
    return picture


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise SignalError(f"declares {width}x{height} pixels, expected 1 to {MAX_PIXELS} in all")


def _frames(count: int) -> list[str]:
    return [f"all but the first of its {count} frames are"] if count > 1 else []


def _read_pnm16(data: bytes) -> Picture | None:
    """A PGM or PPM of 16 bits; None for other files."""
    facts = pnm.header(data)
    if facts is None:
        return None
    _check_size(facts[0], facts[1])
    return Picture(pnm.read(data, facts))


def _read_with_pillow(data: bytes) -> Picture:
    from PIL import Image

    try:
        opened = Image.open(io.BytesIO(data))
    except Image.DecompressionBombError:
        raise SignalError(f"declares more than {MAX_PIXELS} pixels, the most that are read") from None
    with opened as image:
        _check_size(image.width, image.height)
        frames = _frames(getattr(image, "n_frames", 1))
        if image.format == "PNG":
            Image.open(io.BytesIO(data)).verify()  # load() does not look at the checksums of the pixels
        image.load()
        # Asked for after loading: Pillow turns a TIFF while it loads, and then says so here.
        orientation = int(image.getexif().get(_ORIENTATION, 1) or 1)
        deep = image.format == "PNG" and data[24] == 16
        pixels: Pixels = _png16(image, data) if deep else _native(image)
        said, lost = extras.of_picture(image)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return Picture(_upright(pixels, orientation), said, [*frames, *lost])


def _native(image: Any) -> Pixels:
    mode = image.mode
    if mode.startswith("I;16"):
        return np.asarray(image, dtype=np.uint16)
    if mode == "P" and ("transparency" in image.info or image.palette.mode == "RGBA"):
        mode = "PA"
    if mode in ("L", "RGB") and "transparency" in image.info:
        image = image.convert(mode + "A")
    elif mode in _CONVERT:
        image = image.convert(_CONVERT[mode])
    if image.mode not in _NATIVE:
        raise SignalError(
            f"has colour mode {image.mode}, expected grey, RGB or palette, with or without alpha; "
            "convert it first, for example to RGB"
        )
    return np.asarray(image).astype(np.uint8, copy=False)


def _png16(image: Any, data: bytes) -> NDArray[np.uint16]:
    """The pixels of a 16-bit PNG, which Pillow would cut to 8 bits without a word."""
    import imagecodecs

    pixels = np.asarray(imagecodecs.png_decode(data), dtype=np.uint16)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if "transparency" not in image.info or pixels.shape[2] in (2, 4):
        return pixels
    # A colour key, which this decoder leaves out.
    opaque = (pixels != np.asarray(image.info["transparency"], dtype=np.uint16)).any(axis=2, keepdims=True)
    return np.concatenate([pixels, opaque.astype(np.uint16) * np.uint16(0xFFFF)], axis=2)


@cache
def _tifffile() -> Any:
    import logging

    import tifffile

    logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what it finds odd, it raises too
    return tifffile


def _read_tiff16(data: bytes) -> Picture | None:
    """The first page of a 16-bit TIFF, which Pillow reads in part and cuts to 8 bits; None for other TIFFs."""
    tifffile = _tifffile()
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        page = opened.pages.first
        if page.dtype != np.uint16:
            return None
        _check_size(page.imagewidth, page.imagelength)
        kind = page.photometric
        if kind not in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB) or page.imagedepth != 1:
            raise SignalError("is a 16-bit TIFF that is neither grey nor RGB; convert it first, for example to RGB")
        if page.samplesperpixel != (1 if kind == tifffile.PHOTOMETRIC.MINISBLACK else 3) + len(page.extrasamples):
            raise SignalError(f"is a 16-bit TIFF with {page.samplesperpixel} samples per pixel; convert it first")
        if len(page.extrasamples) > 1:
            raise SignalError("is a 16-bit TIFF with more than one channel beyond its colours; convert it first")
        shape = (page.imagelength, page.imagewidth)
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
            pixels = page.asarray().reshape(-1, *shape).transpose(1, 2, 0)
        else:
            pixels = page.asarray().reshape(*shape, -1)
        orientation = int(page.tags.valueof(_ORIENTATION, 1) or 1)
        frames = _frames(len(opened.pages))
        said, lost = extras.of_tiff(data, page.tags.valueof(34675))
    return Picture(_upright(pixels, orientation), said, [*frames, *lost])


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation (Exif 2.32, tag 0x0112)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _reason(error: Exception) -> str:
    return re.sub(r" <_io\.BytesIO object at \w+>", "", reason(error))  # Pillow names what it was given
