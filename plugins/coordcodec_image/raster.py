"""What the readers of pictures share: the picture, its limits, levels, alpha and orientation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError

MAX_PIXELS = 1 << 27
"""Pictures with more pixels are neither read nor written: 134 megapixels."""
_AT_ONCE = 1 << 20
"""Pixels that are converted at once, to bound memory."""
ORIENTATION = 0x0112
"""The tag of TIFF and EXIF that says how pixels are turned."""
OTHER_FRAMES = "all but the first of its frames are"
OTHER_PAGES = "all but the first of its pages are"
UNNAMED = "a channel beyond its colours that its file does not call alpha is"

Pixels = NDArray[np.unsignedinteger[Any]]
"""(height, width, channels) with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha) channels."""


@dataclass
class Picture:
    """A picture file's contents.

    pixels: upright, uint8 or uint16, alpha not multiplied into the colours.
    extras: what else it says, see `coordcodec_image.extras`.
    remarks: what is not carried, each to be followed by "not carried".
    damage: what a decoder says of damaged data that it made something of.
    """

    pixels: Pixels
    extras: dict[str, bytes] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    damage: str = ""


def check_size(width: int, height: int) -> None:
    """Raise SignalError unless a picture has 1 to MAX_PIXELS pixels."""
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise SignalError(f"declares {width}x{height} pixels, expected 1 to {MAX_PIXELS} in all")


def rescaled(values: NDArray[Any], peak: int) -> Pixels:
    """Whole numbers of 0 to peak (1 to 65535) as uint8 of 0 to 255, or where peak is above 255 as uint16 of 0 to 65535.

    Rounded to the nearest, so that no two become one. values: uint8 or uint16, none above peak.
    """
    kind: type[np.uint8 | np.uint16] = np.uint8 if peak <= 255 else np.uint16
    most = int(np.iinfo(kind).max)
    if peak == most:
        return values.astype(kind, copy=False)
    levels = (np.arange(peak + 1, dtype=np.uint64) * most + peak // 2) // peak
    found: Pixels = levels.astype(kind)[values]
    return found


def straight(pixels: Pixels) -> Pixels:
    """Pixels whose last channel is alpha and whose colours are multiplied by it, with the colours divided by it.

    Colours above alpha, which no multiplication gives, become the largest.
    """
    peak = np.iinfo(pixels.dtype).max
    found = pixels.copy()
    band = max(1, _AT_ONCE // pixels.shape[1])
    for top in range(0, len(pixels), band):
        part = pixels[top : top + band]
        gain = peak / np.maximum(part[:, :, -1:], 1)
        found[top : top + band, :, :-1] = np.minimum(np.rint(part[:, :, :-1] * gain), peak)
    return found


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation (Exif 2.32, tag 0x0112)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
