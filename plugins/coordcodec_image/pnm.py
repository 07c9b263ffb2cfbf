"""PBM, PGM, PPM and PAM of any depth (Netpbm), which Pillow refuses, cuts to 8 bits or reads in part without a word.

Read here and not by netpbmfile, which leaves out words that are no numbers and does not look at the largest value. The
format is that of Netpbm's manual pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError
from coordcodec_image.raster import OTHER_FRAMES, UNNAMED, Picture, Pixels, check_size, rescaled

_GAP = rb"(?:\s|#[^\n\r]*[\n\r])+"
_NUMBER = _GAP + rb"(\d{1,10})"
_HEAD = re.compile(rb"P(?:([14])" + 2 * _NUMBER + rb"|([2356])" + 3 * _NUMBER + rb")(?:#[^\n\r]*[\n\r])?\s")
_PAM = re.compile(rb"P7[ \t\r]*\n((?:[^\n]*\n)*?)\s*ENDHDR[ \t\r]*\n")
_TUPLES = {"BLACKANDWHITE": 1, "GRAYSCALE": 1, "RGB": 3}


@dataclass(frozen=True)
class _Header:
    """kind: the digit of the magic number. samples: per pixel. channels: those that are read. at: the first byte."""

    kind: int
    width: int
    height: int
    samples: int
    channels: int
    peak: int
    at: int


def read(data: bytes) -> Picture:
    """The first picture of a file that begins with P1 to P7; pixels of other depths are scaled to 8 or 16 bits.

    Raises SignalError.
    """
    if data[:2] in (b"Pf", b"PF"):
        raise SignalError("has floating-point samples, expected whole numbers; scale and convert it first")
    facts = _pam(data) if data[:2] == b"P7" else _pnm(data)
    check_size(facts.width, facts.height)
    if not 1 <= facts.peak <= 65535:
        raise SignalError(f"has a largest value of {facts.peak} in its header, expected 1 to 65535")
    values, end = _plain(data, facts) if facts.kind < 4 else _raw(data, facts)
    if int(values.max()) > facts.peak:
        raise SignalError(f"has pixels above {facts.peak}, the most that its header allows")
    if facts.kind in (1, 4):
        values = 1 - values
    remarks = [UNNAMED] if facts.samples > facts.channels else []
    if rest := data[end : end + 4096].strip():
        remarks.append(OTHER_FRAMES if re.match(rb"P[1-7]\s", rest) else "what stands behind its pixels is")
    return Picture(rescaled(values[:, :, : facts.channels], facts.peak), remarks=remarks)


def _pnm(data: bytes) -> _Header:
    found = _HEAD.match(data[:4096])
    if not found:
        raise SignalError("has a damaged PNM header")
    kind, *numbers = (int(number) for number in found.groups() if number is not None)
    channels = 3 if kind in (3, 6) else 1
    return _Header(kind, numbers[0], numbers[1], channels, channels, numbers[2] if len(numbers) > 2 else 1, found.end())


def _pam(data: bytes) -> _Header:
    found = _PAM.match(data[:4096])
    if not found:
        raise SignalError("has a damaged PAM header")
    facts = dict[str, str]()
    for line in found.group(1).decode("latin-1").splitlines():
        key, _, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            facts[key] = f"{facts.get(key, '')} {value}".strip()
    try:
        width, height, samples, peak = (int(facts[key]) for key in ("WIDTH", "HEIGHT", "DEPTH", "MAXVAL"))
    except (KeyError, ValueError):
        raise SignalError("has a PAM header without WIDTH, HEIGHT, DEPTH or MAXVAL") from None
    said = facts.get("TUPLTYPE", "")
    name = said.removesuffix("_ALPHA")
    if said and name not in _TUPLES:
        raise SignalError(f"has tuples of type {said[:40]!r}, expected {', '.join(_TUPLES)}, with or without _ALPHA")
    channels = _TUPLES[name] + (said != name) if said else 1 if samples < 3 else 3
    if not channels <= samples <= 8:
        raise SignalError(f"has {samples} samples per pixel, expected {channels}{f' for {said}' if said else ' to 8'}")
    return _Header(7, width, height, samples, channels, peak, found.end())


def _raw(data: bytes, facts: _Header) -> tuple[NDArray[Any], int]:
    """(height, width, samples), and where they end."""
    deep = np.dtype(">u2" if facts.peak > 255 else "u1")
    row = (facts.width + 7) // 8 if facts.kind == 4 else facts.width * facts.samples
    size = facts.height * row * deep.itemsize
    at = facts.at
    if data[at - 1 : at + 1] == b"\r\n" and len(data) - at == size + 1:  # a header with line ends of Windows
        at += 1
    if len(data) - at < size:
        raise SignalError(f"is cut off: its header promises {size} bytes of pixels, {len(data) - at} are there")
    values = np.frombuffer(data, deep, facts.height * row, at).reshape(facts.height, row)
    values = np.unpackbits(values, axis=1, count=facts.width) if facts.kind == 4 else values
    return values.reshape(facts.height, facts.width, facts.samples), at + size


def _plain(data: bytes, facts: _Header) -> tuple[NDArray[Any], int]:
    """The same of numbers that are written out."""
    text = re.sub(rb"#[^\n\r]*", b"", data[facts.at :])
    count = facts.height * facts.width * facts.samples
    if not re.fullmatch(rb"[01\s]*" if facts.kind == 1 else rb"[\d\s]*", text):
        raise SignalError("has something else than whole numbers among its pixels")
    if facts.kind == 1:
        digits = np.frombuffer(text, np.uint8)
        values = digits[digits > 32] - ord("0")
    elif len(text) < 2 * count - 1:
        values = np.zeros(0, np.uint8)
    else:  # float32 has all numbers up to 2^24, and larger ones stay too large
        values = np.minimum(np.fromstring(text, np.float32, count, sep=" "), 65536).astype(np.int32)
    if len(values) < count:
        raise SignalError(f"is cut off: its header promises {count} numbers")
    return values[:count].reshape(facts.height, facts.width, facts.samples), len(data)


def written(pixels: Pixels, *, pam: bool) -> bytes:
    """The bytes of a PGM or PPM of (height, width, 1 or 3) uint8 or uint16, or of a PAM of 1 to 4 channels."""
    height, width, channels = pixels.shape
    peak = np.iinfo(pixels.dtype).max
    name = ("GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA")[channels - 1]
    head = f"P{5 if channels == 1 else 6}\n{width} {height}\n{peak}\n"
    if pam:
        head = f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {channels}\nMAXVAL {peak}\nTUPLTYPE {name}\nENDHDR\n"
    return head.encode() + pixels.astype(pixels.dtype.newbyteorder(">"), copy=False).tobytes()
