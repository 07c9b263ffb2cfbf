"""The pages of an Ogg file (RFC 3533): its links one by one, and whether all of it is there."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from coordcodec.errors import SignalError

_SOUNDS = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_FIRST, _LAST = 2, 4


@dataclass(frozen=True)
class Page:
    """Where a page begins and ends, its flags, its stream and its number in it, and where its body begins."""

    at: int
    end: int
    flags: int
    stream: int
    number: int
    body: int


@dataclass
class Link:
    """A part of a file that is a file of its own: its streams follow each other, and none begins within it."""

    at: int
    sounds: int = 0
    last: dict[int, Page] = field(default_factory=dict)
    gaps: int = 0
    begun: bool = True

    @property
    def ended(self) -> bool:
        """Whether every stream has its end mark."""
        return all(page.flags & _LAST for page in self.last.values())


def links_of(data: bytes) -> tuple[list[bytes], list[str]]:
    """The links of a chained file, and remarks on what is missing. Raises SignalError for damage."""
    links: list[Link] = []
    end = 0
    junk = 0
    for page in _pages(data):
        junk, end = junk + page.at - end, page.end
        if page.flags & _FIRST and (not links or not links[-1].begun):
            links.append(Link(page.at))
        if not links:
            raise SignalError("is damaged: its first Ogg page does not begin a stream")
        _add(links[-1], page, data)
    if not links:
        raise SignalError("is cut off: its first Ogg page is not whole")
    if any(link.sounds > 1 for link in links):
        raise SignalError("holds several sounds at the same time; take one out first, for instance with ffmpeg -map")
    remarks = []
    if gaps := sum(link.gaps for link in links):
        remarks.append(f"pages are missing at {gaps} places of its Ogg stream, and their samples with them")
    if junk + len(data) - end:
        remarks.append(f"{junk + len(data) - end} bytes of it are no Ogg page and are left out")
    if not all(link.ended for link in links):
        remarks.append("its Ogg stream has no end mark and may be cut off")
    ends = [link.at for link in links[1:]] + [len(data)]
    return [_file(data[link.at : stop]) for link, stop in zip(links, ends, strict=True)], remarks


def _file(link: bytes) -> bytes:
    """A link as a file that libsndfile reads: FLAC comes out of its pages, for it stops amid those of others."""
    first = next(_pages(link))
    if link[first.body : first.body + 5] != _SOUNDS[2]:
        return link
    packets = _packets(link, first.stream)
    return next(packets)[9:] + b"".join(packets)  # RFC 9639, section 10.1


def _packets(data: bytes, stream: int) -> Iterator[bytes]:
    """The packets of a stream, which pages hold in segments of at most 255 bytes."""
    packet = b""
    for page in _pages(data):
        if page.stream != stream:
            continue
        at = page.body
        for size in data[page.at + 27 : page.body]:
            packet += data[at : at + size]
            at += size
            if size < 255:
                yield packet
                packet = b""


def _add(link: Link, page: Page, data: bytes) -> None:
    if page.flags & _FIRST:
        link.sounds += data[page.body : page.body + 8].startswith(_SOUNDS)
    else:
        link.begun = False
    before = link.last.get(page.stream)
    link.gaps += before is not None and page.number != before.number + 1 & 0xFFFFFFFF
    link.last[page.stream] = page


def _pages(data: bytes) -> Iterator[Page]:
    """All pages. Raises SignalError for one that is cut off or does not have its checksum."""
    at = data.find(b"OggS")
    while at >= 0:
        count = data[at + 26] if at + 27 <= len(data) else 0
        body = at + 27 + count
        end = body + sum(data[at + 27 : body])
        if at + 27 > len(data) or end > len(data):
            raise SignalError("is cut off: its last Ogg page is not whole")
        if _checksum(data[at:end]) != int.from_bytes(data[at + 22 : at + 26], "little"):
            raise SignalError("is damaged: an Ogg page does not have its checksum")
        stream, number = (int.from_bytes(data[at + k : at + k + 4], "little") for k in (14, 18))
        yield Page(at, end, data[at + 5], stream, number, body)
        at = data.find(b"OggS", end)


def _checksum(page: bytes) -> int:
    """The CRC-32 of a page with its own at zero: zlib's polynomial, the other way round, from zero."""
    mirrored = (page[:22] + bytes(4) + page[26:]).translate(_MIRRORED)
    return int(f"{zlib.crc32(mirrored, 0xFFFFFFFF) ^ 0xFFFFFFFF:032b}"[::-1], 2)
