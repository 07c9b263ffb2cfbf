"""Image files to arrays, without silently losing bits, channels or orientation; `writing` has the way back."""

from __future__ import annotations

import re
import struct
import warnings

from coordcodec.errors import SignalError, reason
from coordcodec_image import pillow, pnm, tiff
from coordcodec_image.kinds import READ, kind_of
from coordcodec_image.raster import Picture

_DECODERS_OWN = (IndexError, KeyError, TypeError, AttributeError, ZeroDivisionError, UnicodeError, struct.error)


def read_picture(data: bytes, name: str) -> Picture:
    """Decode an image file, its EXIF orientation applied.

    Warns of what is not carried (further frames, damaged profiles) and of damage that a decoder could make something
    of. Raises SignalError for what cannot be read or would be wrong: other kinds of files, other modes (CMYK, LAB,
    floats), damage, sizes beyond `raster.MAX_PIXELS`.
    """
    if not data:
        raise SignalError(f"{name} is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the decoders' own remarks on size and damage; we raise or say it ourselves
        try:
            picture = _read(data)
        except SignalError as error:
            raise SignalError(f"{name} {error}") from None
        except _DECODERS_OWN:  # what they say speaks of the decoder
            raise SignalError(f"cannot read {name} as an image: it is damaged") from None
        except Exception as error:  # noqa: BLE001  decoders raise anything on damaged files
            raise SignalError(f"cannot read {name} as an image: {_reason(error)}") from None
    if picture.remarks:
        warnings.warn(f"{name}: {' and '.join(picture.remarks)} not carried", stacklevel=3)
    if picture.damage:
        warnings.warn(f"{name} is damaged, parts may be wrong: {picture.damage}", stacklevel=3)
    return picture


def _read(data: bytes) -> Picture:
    kind = kind_of(data)
    if kind is None:
        raise ValueError(f"it is none of {', '.join(READ)}")
    return tiff.read(data) if kind == "TIFF" else pnm.read(data) if kind == "PNM" else pillow.read(data, kind)


def _reason(error: Exception) -> str:
    return re.sub(r" <_io\.BytesIO object at \w+>", "", reason(error))  # Pillow names what it was given
