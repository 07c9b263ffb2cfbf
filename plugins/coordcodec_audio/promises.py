"""What the headers of sound files promise, read without decoding, so that a decoder's silence can be noticed.

libsndfile stops quietly where a file is cut off, and believes a header that gives a wrong length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError

UNKNOWN_SIZE = 0x7FFF0000
"""A program that writes into a pipe does not know how long its WAV will be, and says 2 or 4 GiB."""

MP3_FRAME = 1152
"""Samples per channel of an MPEG-1 Layer III frame, the longest."""

_KBPS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_HERTZ = (44100, 48000, 32000)


@dataclass(frozen=True)
class Flac:
    """A FLAC's STREAMINFO block (RFC 9639, section 8.2).

    at: where it begins in the file. total: samples per channel, 0 if not said. bits: per sample.
    md5: of all samples as little-endian integers; zeros if not said.
    """

    at: int
    total: int
    bits: int
    md5: bytes

    def readable(self, data: bytes) -> bytes:
        """The file as libsndfile reads it to its real end: without a total, and of 8, 16 or 24 bits.

        Every frame says its own bits again, so that samples of 12 or 20 bits come out right all the same.
        """
        bits = (self.bits + 7) // 8 * 8
        field = bytearray(data[self.at + 12 : self.at + 18])  # rate and channels, 5 bits for bits - 1, 36 for the total
        field[0], field[1] = field[0] & 0xFE | bits - 1 >> 4, (bits - 1 & 15) << 4
        return data[: self.at + 12] + bytes([*field[:2], 0, 0, 0, 0]) + data[self.at + 18 :]

    def check(self, digest: bytes, count: int) -> str | None:
        """Compare what was decoded with what was promised; returns a remark on a wrong total.

        Raises SignalError when samples are wrong or missing.
        """
        known = any(self.md5)
        if self.bits not in (8, 16, 24, 32) and not known:
            raise SignalError(
                f"is a FLAC of {self.bits} bits without the MD5 that would prove it read right; convert it"
            )
        if known and digest != self.md5:
            raise SignalError("is damaged: its samples do not have the MD5 that its header gives")
        if count < self.total and not known:
            raise SignalError(f"is cut off: its header promises {self.total} samples, {count} are there")
        return f"its header promises {self.total} samples, {count} are there" if self.total not in (0, count) else None


class Digest:
    """The MD5 of samples as FLAC defines it."""

    def __init__(self, bits: int) -> None:
        self.bits, self._md5 = bits, hashlib.md5(usedforsecurity=False)

    def add(self, samples: NDArray[Any]) -> None:
        """Take in (n, c) float32 samples, multiples of 2^(1 - bits)."""
        integers = np.rint(samples.astype(np.float64) * 2.0 ** (self.bits - 1)).astype("<i4")
        self._md5.update(integers.reshape(-1, 1).view(np.uint8)[:, : (self.bits + 7) // 8].tobytes())

    def finish(self) -> bytes:
        """The sixteen bytes."""
        return self._md5.digest()


def flac_blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The metadata blocks of a FLAC file, type and body; none of other files."""
    at = _after_id3(data)
    if data[at : at + 4] != b"fLaC":
        return
    at, last = at + 4, False
    while at + 4 <= len(data) and not last:
        kind, last, size = data[at] & 0x7F, data[at] > 0x7F, int.from_bytes(data[at + 1 : at + 4], "big")
        yield kind, data[at + 4 : at + 4 + size]
        at += 4 + size


def flac(data: bytes) -> Flac | None:
    """The STREAMINFO of a FLAC file, wherever among its metadata; None if it is no FLAC or has none."""
    at = _after_id3(data) + 4
    for kind, block in flac_blocks(data):
        at += 4
        if kind == 0 and len(block) >= 34:
            bits = (int.from_bytes(block[12:14], "big") >> 4 & 31) + 1
            total = int.from_bytes(block[13:18], "big") & (1 << 36) - 1
            return Flac(at, total, bits, block[18:34])
        at += len(block)
    return None


def check_chunks(data: bytes) -> None:
    """Raise SignalError if a WAV or AIFF has fewer bytes of samples than it says."""
    if data[:4] not in (b"RIFF", b"RIFX", b"RF64", b"FORM"):
        return
    order: Literal["big", "little"] = "big" if data[:4] in (b"RIFX", b"FORM") else "little"
    at, long_size = 12, 0
    while at + 8 <= len(data):
        kind = data[at : at + 4]
        size = int.from_bytes(data[at + 4 : at + 8], order)
        if kind == b"ds64":  # RF64 (EBU Tech 3306): sizes of 64 bits
            long_size = int.from_bytes(data[at + 16 : at + 24], "little")
        if kind in (b"data", b"SSND"):
            size = long_size if size == 0xFFFFFFFF and long_size else size
            there = len(data) - at - 8
            if size > there and (long_size or size < UNKNOWN_SIZE):
                raise SignalError(f"is cut off: its header promises {size} bytes of samples, {there} are there")
            return
        at += 8 + size + size % 2


def check_ogg(data: bytes) -> str | None:
    """A remark on an Ogg file whose last page is not marked as the last; SignalError if that page is cut off."""
    if data[:4] != b"OggS":
        return None
    at = data.rfind(b"OggS")
    page = data[at:]
    head = 27 + page[26] if len(page) > 26 else 27
    if len(page) < head + sum(page[27:head]):
        raise SignalError("is cut off: its last Ogg page is not whole")
    return None if page[5] & 4 else "its Ogg stream has no end mark and may be cut off"


def mp3_samples(data: bytes) -> int | None:
    """Samples per channel of an MP3 without a length header, by walking its frames; None for other files.

    libsndfile guesses the length of such a file from its first frame, and stops there.
    """
    at = _after_id3(data)
    if any(tag in data[at : at + 300] for tag in (b"Xing", b"Info", b"VBRI")):
        return None
    count = 0
    while (frame := _mp3_frame(data[at : at + 4])) is not None:
        size, samples = frame
        if at + size > len(data):
            break
        at, count = at + size, count + samples
    return count or None


def _mp3_frame(head: bytes) -> tuple[int, int] | None:
    """Bytes and samples of the Layer III frame that begins with these four bytes (ISO 11172-3, 2.4.1.3)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, kbps, hertz = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3  # version 3: MPEG-1, 2: 2, 0: 2.5
    if version == 1 or kbps in (0, 15) or hertz == 3:
        return None
    rate = _HERTZ[hertz] >> (0, 0, 1, 0)[version] if version else _HERTZ[hertz] >> 2
    samples = MP3_FRAME if version == 3 else MP3_FRAME // 2
    bitrate = (_KBPS_1 if version == 3 else _KBPS_2)[kbps] * 1000
    return samples // 8 * bitrate // rate + (head[2] >> 1 & 1), samples


def _after_id3(data: bytes) -> int:
    """Where an ID3v2 tag at the front of a file ends."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size + (10 if data[5] & 0x10 else 0)
