"""WAV and AIFF files as chunks, whatever their headers say of sizes; mended where libsndfile would stop or stay silent.

Resource Interchange File Format 1.0 (Microsoft), EBU Tech 3306 (RF64) and AIFF-C (Apple, 1991).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from coordcodec.errors import SignalError

UNKNOWN_SIZE = 0x7FFF0000
"""A program that writes into a pipe does not know how long its WAV will be, and says 2 or 4 GiB."""
_FORMS = {b"RIFF": b"WAVE", b"RIFX": b"WAVE", b"RF64": b"WAVE", b"BW64": b"WAVE", b"FORM": b"AIF"}
_SAMPLES = (b"data", b"SSND")
_PLAIN = (b"", b"NONE", b"sowt", b"twos", b"fl32", b"FL32", b"fl64", b"FL64")
"""Kinds of AIFF whose samples take the bytes that their depth says."""
_USUAL = frozenset(
    b"fmt  data fact LIST bext cue  smpl inst id3  ID3  JUNK junk PAD  PEAK ds64 iXML axml chna levl link afsp cart "
    b"acid strc minf elm1 umid _PMX DISP labl plst "
    b"COMM SSND FVER MARK INST MIDI AESD APPL COMT NAME AUTH (c)  ANNO CHAN".split(b" ")
) | {b"fmt ", b"cue ", b"id3 ", b"ID3 ", b"PAD ", b"(c) "}
"""Kinds that make sure of where a chunk begins, which an odd one before it without its pad byte leaves open."""


@dataclass(frozen=True)
class Chunk:
    """A chunk's kind, where its body begins, and how many bytes of it are there."""

    kind: bytes
    at: int
    size: int


@dataclass
class Chunks:
    """The chunks of a file. sound: the one of samples. remarks: what a user should know. odd: sizes that mislead."""

    data: bytes
    found: list[Chunk] = field(default_factory=list)
    sound: Chunk | None = None
    remarks: list[str] = field(default_factory=list)
    odd: bool = False

    @property
    def order(self) -> Literal["big", "little"]:
        """Of the bytes of numbers."""
        return "big" if self.data[:4] in (b"RIFX", b"FORM") else "little"

    def size_at(self, at: int, width: int = 4) -> int:
        """An unsigned number of the file."""
        return int.from_bytes(self.data[at : at + width], self.order)

    def body(self, kind: bytes) -> bytes:
        """What the first chunk of a kind holds; nothing without one."""
        return next((self.data[c.at : c.at + c.size] for c in self.found if c.kind == kind), b"")


def chunks_of(data: bytes) -> Chunks | None:
    """The chunks of a WAV or AIFF file; None for other files.

    Raises SignalError where samples are missing, or are in several places.
    """
    form = _FORMS.get(data[:4])
    if form is None or not data[8:12].startswith(form):
        return None
    chunks = Chunks(data, odd=data[:4] == b"BW64")
    at = 12
    for chunk in _walk(chunks):
        chunks.found.append(chunk)
        at = chunk.at + chunk.size
        if chunk.kind in (*_FORMS, *_SAMPLES) and chunks.sound:
            what = "several files joined" if chunk.kind in _FORMS else "its samples in several chunks"
            raise SignalError(f"holds {what}, of which one alone would be read; take them apart or convert it first")
        if chunk.kind in _SAMPLES:
            chunks.sound = chunk
    rest = data[at:].strip(b"\0")
    if chunks.sound and rest and len(data) - at > 1:
        chunks.remarks.append(f"{len(data) - at} bytes behind its samples are no chunk and are left out")
        chunks.odd = True
    if chunks.sound is None and len(data) > 12:
        raise SignalError("has no chunk of samples: it is cut off, or the sizes of its chunks are wrong")
    return chunks


def _walk(chunks: Chunks) -> Iterator[Chunk]:
    data, at, long_size = chunks.data, 12, 0
    while at + 8 <= len(data) and _is_kind(kind := data[at : at + 4]):
        size, body = chunks.size_at(at + 4), at + 8
        if kind == b"ds64":
            long_size = chunks.size_at(body + 8, 8)
        if kind in _SAMPLES and not (chunks.sound and size == 0):
            size = _size_of_samples(chunks, body, long_size if size == 0xFFFFFFFF and long_size else size)
        elif not chunks.sound and not _leads_on(data, body + size, size) and (end := _resynced(chunks, body)):
            chunks.remarks.append(f"its chunk {kind.decode('latin-1')!r} says {size} bytes but has {end - body}")
            chunks.odd, size = True, end - body
        yield Chunk(kind, body, min(size, len(data) - body))
        at = _next(chunks, body + size, size)


def _size_of_samples(chunks: Chunks, body: int, size: int) -> int:
    """The bytes of samples that are there. Raises SignalError where some are missing."""
    there, long_form = len(chunks.data) - body, chunks.data[:4] in (b"RF64", b"BW64")
    least = 8 if chunks.order == "big" and chunks.data[:4] == b"FORM" else 0
    if size <= least and there > size and not _ends_well(chunks.data, body + size, chunks.order):
        chunks.odd = True
        chunks.remarks.append(f"its header promises no samples; the {there - least} bytes that follow are read")
        return there
    if size <= there:
        return size
    if size < UNKNOWN_SIZE or (long_form and size < 1 << 62 and size != 0xFFFFFFFF):
        raise SignalError(f"is cut off: its header promises {size} bytes of samples, {there} are there")
    chunks.odd = chunks.odd or long_form
    return there


def _is_kind(kind: bytes) -> bool:
    return len(kind) == 4 and all(32 <= byte < 127 for byte in kind)


def _next(chunks: Chunks, end: int, size: int) -> int:
    """Where the chunk after one of this size begins: odd ones have a pad byte, which some writers forget."""
    data = chunks.data
    if size % 2 == 0 or end >= len(data) or data[end] == 0 or data[end + 1 : end + 5] in _USUAL:
        return end + size % 2
    if _is_kind(data[end : end + 4]):
        chunks.odd = True
        return end
    return end + 1


def _leads_on(data: bytes, end: int, size: int) -> bool:
    """Whether what follows a chunk may be another, or the end."""
    if end + size % 2 >= len(data):
        return end <= len(data)
    return any(_is_kind(data[at : at + 4]) for at in (end, end + size % 2))


def _resynced(chunks: Chunks, body: int) -> int:
    """Where the next chunk of samples or of their form begins that has a sane size; 0 if none is found."""
    for kind in (b"fmt ", b"COMM", *_SAMPLES):
        at = chunks.data.find(kind, body)
        if at > 0 and not any(c.kind == kind for c in chunks.found):
            size = chunks.size_at(at + 4)
            if at + 8 + size <= len(chunks.data) or size >= UNKNOWN_SIZE:
                return at
    return 0


def _ends_well(data: bytes, at: int, order: Literal["big", "little"]) -> bool:
    """Whether whole chunks follow up to the end of the file."""
    while at + 8 <= len(data) and _is_kind(data[at : at + 4]):
        size = int.from_bytes(data[at + 4 : at + 8], order)
        at += 8 + size + size % 2
    return at in (len(data), len(data) + 1)


def mended(chunks: Chunks) -> bytes:
    """The file as libsndfile reads it whole: all sizes right, odd chunks padded, nothing behind the samples."""
    _check_frames(chunks)
    if not chunks.odd or chunks.sound is None:
        return chunks.data
    form = chunks.data[:4] if chunks.data[:4] in (b"RIFX", b"FORM") else b"RIFF"
    body = chunks.data[8:12]
    for chunk in chunks.found:
        raw = chunks.data[chunk.at : chunk.at + chunk.size]
        if chunk.kind == b"COMM":
            raw = raw[:2] + _aiff_frames(chunks).to_bytes(4, "big") + raw[6:]
        if chunk.kind == b"SSND":
            raw = raw[:8].ljust(8, b"\0") + raw[8:]
        if chunk.kind != b"ds64":
            body += chunk.kind + len(raw).to_bytes(4, chunks.order) + raw + bytes(len(raw) % 2)
    return form + len(body).to_bytes(4, chunks.order) + body


def _aiff_frames(chunks: Chunks) -> int:
    """Samples per channel, by the bytes that there are; what the header says where they are coded."""
    common, said = chunks.body(b"COMM"), int.from_bytes(chunks.body(b"COMM")[2:6], "big")
    if chunks.sound is None or len(common) < 18 or common[18:22] not in _PLAIN:
        return said
    channels, depth = int.from_bytes(common[:2], "big"), int.from_bytes(common[6:8], "big")
    offset = int.from_bytes(chunks.data[chunks.sound.at : chunks.sound.at + 4], "big")
    whole = channels * ((depth + 7) // 8)
    return max(0, chunks.sound.size - 8 - offset) // whole if whole else said


def _check_frames(chunks: Chunks) -> None:
    """Say where a header counts other samples than its chunk has."""
    if chunks.sound is None or chunks.remarks:
        return
    if common := chunks.body(b"COMM"):
        said, there = int.from_bytes(common[2:6], "big"), _aiff_frames(chunks)
        if said != there:
            chunks.odd = True
            chunks.remarks.append(f"its header promises {said} samples, {there} are there")
        return
    about = chunks.body(b"fmt ")
    whole = int.from_bytes(about[12:14], chunks.order)
    plain = int.from_bytes(about[:2], chunks.order) in (1, 3, 0xFFFE)
    if plain and whole and chunks.sound.size % whole:
        chunks.remarks.append("its last sample is not whole and is left out")
