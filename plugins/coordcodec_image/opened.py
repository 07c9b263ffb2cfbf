"""Pictures that Pillow has opened already, as files, which are read with their transparency, palettes and depth."""

from __future__ import annotations

import io
from typing import Any

from coordcodec.errors import SignalError

_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16", "I;16B", "I;16L")
_CONVERT = {"RGBX": "RGB", "PA": "RGBA", "La": "LA", "RGBa": "RGBA"}


def is_pillow(source: object) -> bool:
    """Whether it is an image of Pillow, which need not be imported to know."""
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in type(source).__mro__)


def encoded(image: Any) -> bytes:
    """The image as a PNG: its present frame, as it lies. Raises SignalError for modes that are not read from files."""
    mode = str(image.mode)
    if mode in _CONVERT:
        image = image.convert(_CONVERT[mode])
    elif mode not in _MODES:
        raise SignalError(f"the image has the colour mode {mode}; convert it to one of {', '.join(_MODES[:6])} first")
    if mode == "I":
        low, high = image.getextrema()
        if low < 0 or high > 65535:
            raise SignalError(f"the image has numbers from {low} to {high}; 0 to 65535 are read")
        image = image.convert("I;16")
    buffer = io.BytesIO()
    try:
        image.save(buffer, "PNG", exif=b"")
    except Exception as error:  # noqa: BLE001  an image may be of a damaged file, which is read only now
        raise SignalError(f"the image cannot be read: {error}".splitlines()[0][:200]) from None
    return buffer.getvalue()
