"""Pictures that Pillow opens: PNG, JPEG, WebP, BMP, GIF, AVIF and ICO.

Where Pillow would leave out a part of what a file says, imagecodecs decodes the pixels: PNG, whose rows it fills where
they are missing and whose 16 bits it cuts, and AVIF of more than 8 bits.
"""

from __future__ import annotations

import io
import logging
import struct
from functools import cache
from typing import Any

import numpy as np

from coordcodec.errors import SignalError
from coordcodec_image import extras, jpeg
from coordcodec_image.raster import (
    MAX_PIXELS,
    ORIENTATION,
    OTHER_FRAMES,
    Picture,
    Pixels,
    check_size,
    rescaled,
    upright,
)

_CONVERT = {"1": "L", "P": "RGB", "PA": "RGBA", "RGBX": "RGB", "YCbCr": "RGB", "La": "LA", "RGBa": "RGBA"}
_NATIVE = ("L", "LA", "RGB", "RGBA")
_BITFIELDS = (3, 6)
_PRIMARIES, _CURVES = (1, 2, 5, 6), (1, 2, 6, 13, 14, 15)
"""Code points of colours that are shown as sRGB is: BT.709, BT.601, or not said."""


def read(data: bytes, kind: str) -> Picture:
    """The first frame of a file of a kind that Pillow knows by this name. Raises SignalError."""
    if kind == "JPEG" and (why := jpeg.unreadable(data)):
        raise SignalError(why)
    with _opened(data, kind) as image:
        check_size(image.width, image.height)
        if kind == "PNG":
            _opened(data, kind).verify()  # load() does not look at the checksums of the pixels
        image.load()
        orientation = _orientation(image)
        deep = _avif_bits(data) if kind == "AVIF" else 8
        pixels: Pixels = _png(image, data) if kind == "PNG" else _avif(data, deep) if deep > 8 else _native(image)
        said, lost = extras.of_picture(image)
        remarks = [OTHER_FRAMES] if _has_more(image, data, kind) else []
        if _has_other_colours(data, kind):
            remarks.append("its description of colours (such as BT.2020, PQ or HLG) is")
        if kind == "BMP" and image.mode == "RGB" and _bmp_alpha(data):
            remarks.append("its alpha is")
        damage = jpeg.damage(data) if kind == "JPEG" else _beyond_palette(image)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return Picture(upright(pixels, orientation), said, [*remarks, *lost], damage)


def _opened(data: bytes, kind: str) -> Any:
    """A picture opened by Pillow as this kind and no other: some of its readers start other programs."""
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(io.BytesIO(data), formats=(kind,))
    except KeyError:
        raise SignalError(f"is of kind {kind}, which the installed Pillow does not read; install a later one") from None
    except Image.DecompressionBombError:
        raise SignalError(f"declares more than {MAX_PIXELS} pixels, the most that are read") from None
    except UnidentifiedImageError:
        raise ValueError(f"it is a damaged {kind}, or one of a kind that is not read") from None


def _orientation(image: Any) -> int:
    """How pixels are turned; 1, as they are, where nothing can be made of the EXIF block, which is said as lost."""
    try:
        return int(image.getexif().get(ORIENTATION, 1) or 1)
    except Exception:  # noqa: BLE001  Pillow raises anything on forged bytes
        return 1


def _has_more(image: Any, data: bytes, kind: str) -> bool:
    """Whether there are further frames; they are not counted, which takes long where there are many."""
    if kind != "GIF":
        return int(getattr(image, "n_frames", 1)) > 1
    with _opened(data, kind) as again:
        try:
            again.seek(1)
        except EOFError:
            return False
    return True


def _beyond_palette(image: Any) -> str:
    """Says so where pixels name colours that a palette does not have, which decoders make black."""
    if image.mode != "P":
        return ""
    named, clear = np.asarray(image), image.info.get("transparency")
    named = named[named != clear] if isinstance(clear, int) else named
    count = len(image.palette.palette) // len(image.palette.mode)
    return f"it has colours beyond the {count} of its palette" if named.size and named.max() >= count else ""


def _native(image: Any) -> Pixels:
    mode = image.mode
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


@cache
def _imagecodecs() -> Any:
    import imagecodecs

    logging.getLogger("imagecodecs").addHandler(logging.NullHandler())  # what libpng finds odd; damage it raises
    return imagecodecs


def _png(image: Any, data: bytes) -> Pixels:
    """Pixels of any PNG in its own depth, at least 8 bits; palettes and transparent colours applied."""
    pixels: Pixels = _imagecodecs().png_decode(data)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    key = image.info.get("transparency")
    if key is None or pixels.shape[2] in (2, 4):
        return pixels
    # A transparent colour, which earlier releases of this decoder leave out; of its bits those of a sample count.
    most = (1 << data[24]) - 1
    opaque = (pixels != rescaled(np.atleast_1d(key).astype(np.uint16) & np.uint16(most), most)).any(2, keepdims=True)
    return np.concatenate([pixels, opaque * pixels.dtype.type(np.iinfo(pixels.dtype).max)], axis=2)


def _avif_bits(data: bytes) -> int:
    """The bits of an AVIF's samples, from the configuration of its decoder (AV1 in ISOBMFF, 2.3)."""
    at = data.find(b"av1C")
    if at < 0 or at + 7 > len(data):
        return 8
    flags = data[at + 6]
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10


def _avif(data: bytes, bits: int) -> Pixels:
    pixels = _imagecodecs().avif_decode(data, index=0)
    if pixels.dtype != np.uint16 or int(pixels.max()) >= 1 << bits:
        raise SignalError(f"is an AVIF of {bits} bits that cannot be read; convert it first, for example to PNG")
    return rescaled(pixels, (1 << bits) - 1)


def _has_other_colours(data: bytes, kind: str) -> bool:
    """Whether code points say of a PNG or AVIF other primaries or transfer curves than those of sRGB (ITU-T H.273)."""
    mark, numbers = {"PNG": (b"cICP", ">BB"), "AVIF": (b"colrnclx", ">HH")}.get(kind, (b"", ""))
    at = data[: 1 << 16].find(mark) if mark else -1
    if at < 0 or at + len(mark) + 4 > len(data):
        return False
    primaries, curve = struct.unpack_from(numbers, data, at + len(mark))
    return primaries not in _PRIMARIES or curve not in _CURVES


def _bmp_alpha(data: bytes) -> bool:
    """Whether a BMP has a mask for alpha, which Pillow leaves out at 16 bits."""
    if len(data) < 70:
        return False
    (size,) = struct.unpack_from("<I", data, 14)
    bits, compression = struct.unpack_from("<HI", data, 28)
    return size >= 56 and bits in (16, 32) and compression in _BITFIELDS and any(data[66:70])
