"""The frames of an MP3 (ISO 11172-3, 2.4.1): how many there are, whatever its headers say, and where files are joined.

libsndfile believes the count in a Xing, Info or VBRI header, and stops there; without one it guesses from the first
frame. What it is given here are files whose header has the right count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from coordcodec.errors import SignalError

FRAME = 1152
"""Samples per channel of an MPEG-1 Layer III frame, the longest."""

ID3V1 = 128
"""Bytes of a tag at the end of a file."""

_KBPS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_HERTZ = (44100, 48000, 32000)
_LIKE = 0xFFFE0C00
"""Bits of a frame's head that stay the same in a file: sync, version, layer, sample rate."""
_NEAR = 3
"""Frames in a row that make sure of the first."""
_HEADERS = (b"Xing", b"Info", b"VBRI")


@dataclass
class Part:
    """Frames under one header.

    header: where it is, its size, and where the count of frames stands, 0 for none. frames: where they are, and sizes.
    """

    header: tuple[int, int, int] | None = None
    frames: list[tuple[int, int]] = field(default_factory=list)


def parts_of(data: bytes) -> tuple[list[bytes], list[str]]:
    """The files that an MP3 was joined of, each with a right count of its frames, and remarks.

    Other files come back as they are. Raises SignalError where frames are missing, or change their kind.
    """
    start = after_id3(data)
    parts, junk, last = _parted(data, start)
    frames = [frame for part in parts for frame in part.frames]
    if not frames and frame_of(data[start : start + 4]):
        raise SignalError("is cut off or damaged: no whole frame with samples is there")
    sure = any(part.header for part in parts) or 2 * sum(size for _, size in frames) > len(data) - start
    if not frames or not sure:  # no MP3, or one of a free bitrate
        return [data], []
    _check_kind(data, frames)
    cut = frame_of(data[last : last + 4]) is not None
    remarks = ["its last frame is cut off"] if cut else []
    if junk or not cut:
        junk += 0 if cut else _junk_behind(data, last)
    if junk:
        remarks.append(f"{junk} bytes amid or behind its frames are no sound and are left out")
    made = [_whole(data, part, remarks, cut) for part in parts if part.frames]
    tag = data[-ID3V1:] if data[-ID3V1:].startswith(b"TAG") else b""
    return [data[:start] + made[0] + tag, *made[1:]], remarks


def _junk_behind(data: bytes, at: int) -> int:
    """Bytes behind the last frame that belong to no tag."""
    at = _after_tag(data, at)
    rest = data[at:]
    tagged = any(mark in rest[:16] + rest[-256:] for mark in (b"APETAGEX", b"LYRICS"))
    return 0 if tagged or not rest.strip(b"\0") else len(rest)


def _parted(data: bytes, at: int) -> tuple[list[Part], int, int]:
    """Parts, the bytes between frames that are neither frames nor tags, and where the frames end."""
    parts, junk, end = [Part()], 0, at
    for found, size in _frames(data, at):
        junk += _no_tag(data, end, found)
        counted = _header(data, found, size)
        if counted is None:
            parts[-1].frames.append((found, size))
        elif parts[-1].header or parts[-1].frames:
            parts.append(Part((found, size, counted)))
        else:
            parts[-1].header = found, size, counted
        end = found + size
    return parts, junk, end


def _frames(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Where frames begin, and their sizes, past whatever lies between them."""
    sure = False
    while at + 4 <= len(data):
        at = _after_tag(data, at)
        found = frame_of(data[at : at + 4])
        if found and at + found[0] <= len(data) and (sure or _near(data, at)):
            yield at, found[0]
            at, sure = at + found[0], True
            continue
        sure, at = False, data.find(b"\xff", at + 1)
        if at < 0:
            return


def _near(data: bytes, at: int) -> bool:
    """Whether frames of one kind follow one another here, up to the end of the file if that is near."""
    kind = int.from_bytes(data[at : at + 4], "big") & _LIKE
    for _ in range(_NEAR):
        head = data[at : at + 4]
        if len(head) < 4 or _tag_size(data, at):
            return True
        found = frame_of(head)
        if found is None or int.from_bytes(head, "big") & _LIKE != kind:
            return False
        at += found[0]
    return True


def frame_of(head: bytes) -> tuple[int, int] | None:
    """Bytes and samples of the Layer III frame that begins with these four bytes."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, kbps, hertz = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3  # version 3: MPEG-1, 2: 2, 0: 2.5
    if version == 1 or kbps in (0, 15) or hertz == 3:
        return None
    rate = _HERTZ[hertz] >> (0, 0, 1, 0)[version] if version else _HERTZ[hertz] >> 2
    samples = FRAME if version == 3 else FRAME // 2
    bitrate = (_KBPS_1 if version == 3 else _KBPS_2)[kbps] * 1000
    return samples // 8 * bitrate // rate + (head[2] >> 1 & 1), samples


def _side_size(head: bytes) -> int:
    """Bytes between a frame's head and its samples."""
    mono, first = head[3] >> 6 == 3, head[1] & 8
    return (17 if mono else 32) if first else (9 if mono else 17)


def _header(data: bytes, at: int, size: int) -> int | None:
    """Where the count of frames stands in a frame that is a header, 0 if it has none; None for a frame of sound."""
    for skipped in (_side_size(data[at : at + 4]), _side_size(data[at : at + 4]) + 2):
        tag = at + 4 + skipped
        if data[tag : tag + 4] in _HEADERS[:2] and tag + 12 <= at + size:
            return tag + 8 if data[tag + 7] & 1 else 0
    return at + 36 + 14 if data[at + 36 : at + 40] == b"VBRI" else None


def _whole(data: bytes, part: Part, remarks: list[str], cut: bool) -> bytes:
    """A part as a file whose header has the right count. Raises SignalError where frames are missing."""
    count, found = len(part.frames), part.header
    said = int.from_bytes(data[found[2] : found[2] + 4], "big") if found and found[2] else None
    if said is not None and said > count + (not cut):  # some writers count the header
        raise SignalError(f"is cut off: its header promises {said} frames, {count} are there")
    if said is not None and said != count:
        remarks.append(f"its header promises {said} frames, {count} are there")
    body = b"".join(data[at : at + size] for at, size in part.frames)
    if not found or not found[2]:
        return _made_header(data, part.frames, count) + body
    at, size, counted = found
    head = bytearray(data[at : at + size])
    _put(head, counted - at, count)
    if head[counted - at - 14 : counted - at - 10] == b"VBRI":
        _put(head, counted - at - 4, size + len(body))
    elif head[counted - at - 1] & 2:
        _put(head, counted - at + 4, size + len(body))
    return bytes(head) + body


def _put(head: bytearray, at: int, number: int) -> None:
    head[at : at + 4] = number.to_bytes(4, "big")


def _made_header(data: bytes, frames: list[tuple[int, int]], count: int) -> bytes:
    """A frame that says how many others follow, like the largest of them, without a checksum of its own."""
    at, size = max(frames, key=lambda frame: frame[1])
    head = bytes([data[at], data[at + 1] | 1, data[at + 2], data[at + 3]])
    body = bytes(_side_size(head)) + b"Xing" + (1).to_bytes(4, "big") + count.to_bytes(4, "big")
    return (head + body).ljust(size, b"\0")


def _check_kind(data: bytes, frames: list[tuple[int, int]]) -> None:
    kinds = {(data[at + 1] & 0x18, data[at + 2] & 0x0C, data[at + 3] >> 6 == 3) for at, _ in frames}
    if len(kinds) > 1:
        raise SignalError("changes its sample rate or its channels on the way; take it apart or convert it first")


def _no_tag(data: bytes, at: int, end: int) -> int:
    """Bytes from one place to another that belong to no tag."""
    while size := _tag_size(data, at):
        at += size
    return max(0, end - at) if data[at:end].strip(b"\0") else 0


def _after_tag(data: bytes, at: int) -> int:
    while size := _tag_size(data, at):
        at += size
    return at


def _tag_size(data: bytes, at: int) -> int:
    """The bytes of a tag that begins here; 0 without one."""
    if data[at : at + 3] == b"ID3" and at + 10 <= len(data):
        size = 0
        for byte in data[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        return 10 + size + (10 if data[at + 5] & 0x10 else 0)
    if data[at : at + 3] == b"TAG" and len(data) - at >= 128:
        return 128
    if data[at : at + 8] == b"APETAGEX":
        return 32 + int.from_bytes(data[at + 12 : at + 16], "little")
    return 0


def after_id3(data: bytes) -> int:
    """Where an ID3v2 tag at the front of a file ends."""
    return _tag_size(data, 0) if data[:3] == b"ID3" else 0
