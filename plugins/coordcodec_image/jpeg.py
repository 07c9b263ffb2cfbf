"""What libjpeg says of damaged data, which Pillow and imagecodecs keep to themselves: simplejpeg passes it on."""

from __future__ import annotations

import struct

_SKIPPED = frozenset({0x01, *range(0xD0, 0xD9)})
_LOSSLESS = (0xC3, 0xCB)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def damage(data: bytes) -> str:
    """libjpeg's warning about a JPEG that it can decode, such as "Corrupt JPEG data: ..."; empty if it has none."""
    import simplejpeg

    try:
        # As small as it gets: all of the data is decoded, but hardly any pixel.
        simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        return str(error)
    return ""


def header(data: bytes) -> tuple[int, int, int, int] | None:
    """The kind of a JPEG's frame (192 to 207, see ITU-T T.81, B.1), its bits, height and width; None if it has none."""
    at = 2
    while at + 10 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            bits, height, width = struct.unpack_from(">BHH", data, at + 4)
            return marker, bits, height, width
        at += 1 if marker == 0xFF else 2 if marker in _SKIPPED else 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def unreadable(data: bytes) -> str:
    """Why a JPEG is of a kind that Pillow does not read: its depth or process; empty for others."""
    kind, bits = (header(data) or (0, 8))[:2]
    if bits != 8:
        return f"has samples of {bits} bits, JPEG is read with 8; convert it first, for example to PNG"
    return "is a lossless JPEG; convert it first, for example to PNG" if kind in _LOSSLESS else ""
