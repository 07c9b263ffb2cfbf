"""Image files to arrays and back, without silently losing bits, channels or orientation."""

from __future__ import annotations

import io
import warnings
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import RecipeError, SignalError

MAX_PIXELS = 1 << 28
"""Pictures with more pixels are neither read nor written: 268 megapixels."""

Pixels = NDArray[np.unsignedinteger[Any]]
"""(height, width, channels) with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha) channels."""

_CONVERT = {"1": "L", "P": "RGB", "PA": "RGBA", "RGBX": "RGB", "YCbCr": "RGB", "La": "LA", "RGBa": "RGBA"}
_NATIVE = ("L", "LA", "RGB", "RGBA")
_ORIENTATION = 0x0112


def read_pixels(data: bytes, name: str) -> Pixels:
    """Decode an image file, its EXIF orientation applied.

    Warns of what is not carried: colour profiles, further frames. Raises SignalError for what cannot be read or
    would be wrong: other modes (CMYK, LAB, floats), damage, sizes beyond MAX_PIXELS.
    """
    from PIL import Image

    if not data:
        raise SignalError(f"{name} is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own remarks on size and damage; we raise or say it ourselves
        try:
            with Image.open(io.BytesIO(data)) as image:
                if image.width < 1 or image.height < 1 or image.width * image.height > MAX_PIXELS:
                    raise SignalError(
                        f"{name} declares {image.width}x{image.height} pixels, expected 1 to {MAX_PIXELS} in all"
                    )
                pixels, remarks = _decode(image, data, name)
        except SignalError:
            raise
        except Exception as error:  # noqa: BLE001  decoders raise anything on damaged files
            raise SignalError(f"cannot read {name} as an image: {_reason(error)}") from None
    if remarks:
        warnings.warn(f"{name}: {' and '.join(remarks)} not carried", stacklevel=3)
    return pixels


def _decode(image: Any, data: bytes, name: str) -> tuple[Pixels, list[str]]:
    remarks = ["its colour profile is"] if image.info.get("icc_profile") else []
    if getattr(image, "n_frames", 1) > 1:
        remarks.append(f"all but the first of its {image.n_frames} frames are")
    orientation = int(image.getexif().get(_ORIENTATION, 1) or 1)
    deep = _read_deep(image, data)
    if deep is not None:
        pixels: Pixels = deep
    else:
        mode = image.mode
        if mode == "P" and ("transparency" in image.info or image.palette.mode == "RGBA"):
            mode = "PA"
        if mode in ("L", "RGB") and "transparency" in image.info:
            image = image.convert(mode + "A")
        elif mode in _CONVERT:
            image = image.convert(_CONVERT[mode])
        if image.mode not in _NATIVE:
            raise SignalError(
                f"{name} has colour mode {image.mode}, expected grey, RGB or palette, with or without alpha; "
                "convert it first, for example to RGB"
            )
        image.load()
        pixels = np.asarray(image).astype(np.uint8, copy=False)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if 2 <= orientation <= 8:
        pixels = np.ascontiguousarray(_upright(pixels, orientation))
    return pixels, remarks


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation (Exif 2.32, tag 0x0112)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _read_deep(image: Any, data: bytes) -> NDArray[np.uint16] | None:
    """The pixels of a 16-bit PNG or TIFF, which Pillow would cut to 8 bits without a word; else None."""
    if image.format == "PNG" and data[24] == 16:
        import imagecodecs

        pixels = imagecodecs.png_decode(data)
        if "transparency" in image.info:
            # A colour key of a 16-bit PNG: this decoder leaves it out or applies it, by version.
            pixels = _keyed(pixels, image.info["transparency"])
        return np.asarray(pixels, dtype=np.uint16)
    if image.format == "TIFF" and max(image.tag_v2.get(258, (1,))) == 16 and image.tag_v2.get(339, (1,))[0] == 1:
        import tifffile

        if image.tag_v2.get(262) not in (1, 2):
            raise SignalError("a 16-bit TIFF that is neither grey nor RGB; convert it to RGB first")
        pixels = tifffile.imread(io.BytesIO(data), key=0)
        if image.tag_v2.get(284, 1) == 2 and pixels.ndim == 3:
            pixels = pixels.transpose(1, 2, 0)
        return np.asarray(pixels, dtype=np.uint16)
    if image.mode.startswith("I;16"):
        return np.asarray(image, dtype=np.uint16)
    return None


def _keyed(pixels: NDArray[Any], key: Any) -> NDArray[Any]:
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if pixels.shape[2] in (2, 4):
        return pixels
    opaque = (pixels != np.asarray(key, dtype=pixels.dtype)).any(axis=2, keepdims=True)
    return np.concatenate([pixels, opaque.astype(pixels.dtype) * np.iinfo(pixels.dtype).max], axis=2)


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
    return (str(error) or type(error).__name__).splitlines()[0]
