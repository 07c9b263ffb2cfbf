"""What the headers of sound files promise, read without decoding, so that a decoder's silence can be noticed.

libsndfile stops quietly where a file is cut off, and believes a header that gives a wrong length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError
from coordcodec_audio.chunks import chunks_of, mended
from coordcodec_audio.mpeg import after_id3, parts_of
from coordcodec_audio.ogg import links_of

_REFUSED = {b".snd": "AU", b"dns.": "AU", b"caff": "CAF", b"riff\x2e\x91\xcf\x11": "W64", b"MThd": "MIDI"}
"""Kinds of sound file by how they begin, which are not on the list."""


_FLAC = b"fLaC\0\0\0\x22"
"""How a FLAC file begins, up to the size of its STREAMINFO."""


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

    def readable(self, data: bytes, total: int = 0) -> bytes:
        """The file as libsndfile reads it to its real end: without a total, or this one, and of 8, 16 or 24 bits.

        Every frame says its own bits again, so that samples of 12 or 20 bits come out right all the same.
        """
        bits = (self.bits + 7) // 8 * 8
        field = bytearray(data[self.at + 12 : self.at + 18])  # rate and channels, 5 bits for bits - 1, 36 for the total
        field[0], field[1] = field[0] & 0xFE | bits - 1 >> 4, (bits - 1 & 15) << 4 | total >> 32
        return data[: self.at + 12] + field[:2] + (total & 0xFFFFFFFF).to_bytes(4, "big") + data[self.at + 18 :]

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
    at = after_id3(data)
    if data[at : at + 4] != b"fLaC":
        return
    at, last = at + 4, False
    while at + 4 <= len(data) and not last:
        kind, last, size = data[at] & 0x7F, data[at] > 0x7F, int.from_bytes(data[at + 1 : at + 4], "big")
        yield kind, data[at + 4 : at + 4 + size]
        at += 4 + size


def flac(data: bytes) -> Flac | None:
    """The STREAMINFO of a FLAC file, wherever among its metadata; None if it is no FLAC or has none."""
    at = after_id3(data) + 4
    for kind, block in flac_blocks(data):
        at += 4
        if kind == 0 and len(block) >= 34:
            bits = (int.from_bytes(block[12:14], "big") >> 4 & 31) + 1
            total = int.from_bytes(block[13:18], "big") & (1 << 36) - 1
            return Flac(at, total, bits, block[18:34])
        at += len(block)
    return None


def pieces_of(data: bytes) -> tuple[list[bytes], list[str]]:
    """A sound file as one or more that libsndfile reads to their real ends, and remarks on what was wrong with it.

    Raises SignalError for kinds of file that are not read, and where something is missing.
    """
    if chunks := chunks_of(data):
        whole = mended(chunks)
        return [whole], chunks.remarks
    if data[:4] == b"OggS":
        return links_of(data)
    if flac(data):
        return _flacs(data), []
    other = next((name for magic, name in _REFUSED.items() if data.startswith(magic)), None)
    if other:
        raise SignalError(f"is a {other} file; WAV, AIFF, FLAC, OGG and MP3 are read: convert it first")
    return parts_of(data) if data[:4] != b"fLaC" else ([data], [])


def _flacs(data: bytes) -> list[bytes]:
    """The FLAC files that one was joined of."""
    starts, at = [0], after_id3(data) + 4
    while (at := data.find(_FLAC, at)) >= 0:
        starts.append(at)
        at += 4
    return [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def is_mpeg(data: bytes) -> bool:
    """Whether a file is left to libmpg123: none of the others begins like this."""
    return data[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", b"OggS", b"fLaC") and flac(data) is None
