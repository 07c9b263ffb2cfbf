"""Image files to arrays and back, without silently losing bits, channels or orientation."""

from __future__ import annotations

import io
import re
import warnings
from functools import cache
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import RecipeError, SignalError, reason

MAX_PIXELS = 1 << 27
"""Pictures with more pixels are neither read nor written: 134 megapixels."""

Pixels = NDArray[np.unsignedinteger[Any]]
"""(height, width, channels) with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha) channels."""

_CONVERT = {"1": "L", "P": "RGB", "PA": "RGBA", "RGBX": "RGB", "YCbCr": "RGB", "La": "LA", "RGBa": "RGBA"}
_NATIVE = ("L", "LA", "RGB", "RGBA")
_ORIENTATION = 0x0112
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_pixels(data: bytes, name: str) -> Pixels:
    """Decode an image file, its EXIF orientation applied.

    Warns of what is not carried: colour profiles, further frames. Raises SignalError for what cannot be read or
    would be wrong: other modes (CMYK, LAB, floats), damage, sizes beyond MAX_PIXELS.
    """
    if not data:
        raise SignalError(f"{name} is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the decoders' own remarks on size and damage; we raise or say it ourselves
        try:
            deep = _read_tiff16(data) if data[:4] in _TIFF else None
            pixels, remarks = deep or _read_with_pillow(data)
        except SignalError as error:
            raise SignalError(f"{name} {error}") from None
        except Exception as error:  # noqa: BLE001  decoders raise anything on damaged files
            raise SignalError(f"cannot read {name} as an image: {_reason(error)}") from None
    if remarks:
        warnings.warn(f"{name}: {' and '.join(remarks)} not carried", stacklevel=3)
    return pixels


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise SignalError(f"declares {width}x{height} pixels, expected 1 to {MAX_PIXELS} in all")


def _remarks(profile: Any, frames: int) -> list[str]:
    remarks = ["its colour profile is"] if profile else []
    return [*remarks, f"all but the first of its {frames} frames are"] if frames > 1 else remarks


def _read_with_pillow(data: bytes) -> tuple[Pixels, list[str]]:
    from PIL import Image

    try:
        opened = Image.open(io.BytesIO(data))
    except Image.DecompressionBombError:
        raise SignalError(f"declares more than {MAX_PIXELS} pixels, the most that are read") from None
    with opened as image:
        _check_size(image.width, image.height)
        remarks = _remarks(image.info.get("icc_profile"), getattr(image, "n_frames", 1))
        if image.format == "PNG":
            Image.open(io.BytesIO(data)).verify()  # load() does not look at the checksums of the pixels
        image.load()
        # Asked for after loading: Pillow turns a TIFF while it loads, and then says so here.
        orientation = int(image.getexif().get(_ORIENTATION, 1) or 1)
        deep = image.format == "PNG" and data[24] == 16
        pixels: Pixels = _png16(image, data) if deep else _native(image)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return _upright(pixels, orientation), remarks


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


def _read_tiff16(data: bytes) -> tuple[Pixels, list[str]] | None:
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
        remarks = _remarks(page.tags.valueof(34675), len(opened.pages))
    return _upright(pixels, orientation), remarks


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation (Exif 2.32, tag 0x0112)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def write_pixels(pixels: Pixels, target: BinaryIO, suffix: str) -> None:
    """Encode an image as the kind of file that a suffix names. Raises RecipeError when that kind cannot hold it."""
    from PIL import Image

    Image.init()
    kind = Image.EXTENSION.get(suffix)
    if kind is None or kind not in Image.SAVE:
        raise RecipeError(f"cannot write images as {suffix!r}; choose .png, .tif, .jpg, .webp or .bmp")
    squeezed = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    if pixels.dtype == np.uint16:
        if kind == "PNG":
            import imagecodecs

            target.write(imagecodecs.png_encode(np.ascontiguousarray(squeezed)))
        elif kind == "TIFF":
            import tifffile

            extra = ["unassalpha"] if pixels.shape[2] in (2, 4) else None
            photometric = "rgb" if pixels.shape[2] >= 3 else "minisblack"
            tifffile.imwrite(target, squeezed, photometric=photometric, extrasamples=extra)
        else:
            raise RecipeError(f"{suffix} holds 8 bits, this picture has 16; write .png or .tif")
        return
    image = Image.fromarray(np.ascontiguousarray(squeezed))
    options = {"quality": 95} if kind in ("JPEG", "WEBP", "AVIF") else {}
    try:
        image.save(target, format=kind, **options)
    except (OSError, ValueError, KeyError) as error:
        raise RecipeError(f"cannot write this picture as {suffix}: {_reason(error)}; .png holds it") from None


def _reason(error: Exception) -> str:
    return re.sub(r" <_io\.BytesIO object at \w+>", "", reason(error))  # Pillow names what it was given
