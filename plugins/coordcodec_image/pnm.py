"""PGM and PPM of 16 bits (Netpbm), which Pillow refuses or cuts to 8 bits without a word."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError

_HEAD = re.compile(rb"P([56])" + 3 * rb"(?:\s|#[^\n\r]*[\n\r])+(\d{1,10})" + rb"(?:#[^\n\r]*[\n\r])?\s")


def header(data: bytes) -> tuple[int, int, int, int, int] | None:
    """Width, height, channels, peak and where the pixels begin, of a binary PGM or PPM of 16 bits; None for others."""
    found = _HEAD.match(data[:4096])
    if not found:
        return None
    kind, width, height, peak = (int(number) for number in found.groups())
    return (width, height, 1 if kind == 5 else 3, peak, found.end()) if 256 <= peak <= 65535 else None


def read(data: bytes, facts: tuple[int, int, int, int, int]) -> NDArray[np.uint16]:
    """(height, width, channels); those with a peak below 65535 are scaled to it, as they are shown."""
    width, height, channels, peak, at = facts
    size = 2 * width * height * channels
    if len(data) - at < size:
        raise SignalError(f"is cut off: its header promises {size} bytes of pixels, {len(data) - at} are there")
    pixels = np.frombuffer(data, ">u2", size // 2, at).reshape(height, width, channels)
    if int(pixels.max()) > peak:
        raise SignalError(f"has pixels above {peak}, the most that its header allows")
    if peak < 65535:
        return ((pixels.astype(np.uint32) * 65535 + peak // 2) // peak).astype(np.uint16)
    return pixels.astype(np.uint16)


def written(pixels: NDArray[Any]) -> bytes:
    """The bytes of a PGM or PPM of (height, width, 1 or 3) uint16."""
    height, width, channels = pixels.shape
    kind = 5 if channels == 1 else 6
    return f"P{kind}\n{width} {height}\n65535\n".encode() + pixels.astype(">u2").tobytes()
