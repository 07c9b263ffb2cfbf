"""What each kind of picture file can hold: alpha, depth, colour and size. What it cannot is refused, not left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from coordcodec.errors import RecipeError
from coordcodec_image.raster import Pixels

NETPBM = ("PGM", "PPM", "PNM", "PAM")
_DEEP = ("PNG", "TIFF", *NETPBM)
_ALPHA = ("PNG", "TIFF", "WEBP", "AVIF", "GIF", "ICO", "PAM")
_SIDE = {"JPEG": 65500, "WEBP": 16383, "AVIF": 65536, "GIF": 65535, "ICO": 256}
"""The most pixels of a side."""
_COLOURS = 256


def check_held(pixels: Pixels, kind: str, suffix: str) -> None:
    """Raise RecipeError, with what does hold it, for a picture that this kind of file would hold in part."""
    height, width, channels = pixels.shape
    deep, alpha = pixels.dtype == np.uint16, channels in (2, 4)
    if deep and kind not in _DEEP:
        raise RecipeError(f"{suffix} holds 8 bits, this picture has 16; write .png or .tif")
    if alpha and kind not in _ALPHA:
        holds = ".png or .tif" if deep else ".png, .webp or .tif"
        raise RecipeError(f"{suffix} does not hold alpha, which this picture has; write {holds}")
    if channels > 2 and kind == "PGM":
        raise RecipeError(f"{suffix} holds grey, this picture has colours; write .ppm or .png")
    if max(height, width) > (most := _SIDE.get(kind, max(height, width))):
        raise RecipeError(
            f"{suffix} holds pictures of at most {most} pixels a side, this one has {width}x{height}; "
            "write .png or choose a smaller size"
        )


def with_palette(pixels: Pixels) -> Any:
    """An image of Pillow with a palette of exactly the colours of 8-bit pixels, one of them transparent or none.

    Raises RecipeError for more than 256 colours, for half-transparent pixels and for transparent ones of several
    colours.
    """
    from PIL import Image

    height, width, channels = pixels.shape
    opaque = np.full((height, width, 1), 255, np.uint8)
    colours = pixels[:, :, : 1 if channels < 3 else 3]
    whole = np.concatenate(
        [np.broadcast_to(colours, (height, width, 3)), pixels[:, :, -1:] if channels in (2, 4) else opaque], axis=2
    )
    found, index = np.unique(whole.view("<u4").reshape(-1), return_inverse=True)
    palette = found.view(np.uint8).reshape(-1, 4)
    clear = np.flatnonzero(palette[:, 3] < 255)
    if len(found) > _COLOURS or len(clear) > 1 or palette[clear, 3].any():
        raise RecipeError(
            f".gif holds {_COLOURS} colours, one of them transparent; this picture has {len(found)}, "
            f"{len(clear)} of them more or less transparent; write .png"
        )
    image = Image.fromarray(index.astype(np.uint8).reshape(height, width), "P")
    image.putpalette(palette[:, :3].tobytes())
    if len(clear):
        image.info["transparency"] = int(clear[0])
    return image
