"""What a sound file says besides its samples: title, artist and the like, there and back.

As the byte string "tags": names and texts in UTF-8, each ended by a zero byte. Names are those of Vorbis comments.
WAV has them in a LIST chunk of the form INFO (Microsoft, "Multimedia Programming Interface and Data Specifications
1.0"), FLAC and Ogg as Vorbis comments (RFC 9639, section 8.6). Pictures and other chunks are not carried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coordcodec.errors import ContainerError
from coordcodec_audio import promises
from coordcodec_audio.chunks import chunks_of

NAME = "tags"
MOST = 1 << 20
"""Bytes of all tags that are kept."""
_INFO = {
    "INAM": "TITLE", "IART": "ARTIST", "IPRD": "ALBUM", "ICRD": "DATE", "ICMT": "COMMENT", "ICOP": "COPYRIGHT",
    "IGNR": "GENRE", "ITRK": "TRACKNUMBER", "ISFT": "SOFTWARE", "ILIC": "LICENSE",
}  # fmt: skip
_CHUNK = {name: kind for kind, name in _INFO.items()}
_VENDOR = b"coordcodec"
_COMMENTS = 4
"""The type of a FLAC's block of Vorbis comments."""
Tags = Sequence[tuple[str, str]]


def of_sound(data: bytes, opened: Any) -> Tags:
    """The tags of a sound file that soundfile has opened. What makes no sense is left out."""
    if data[:4] == b"RIFF":
        return list(_of_wav(data))
    if block := next((body for kind, body in promises.flac_blocks(data) if kind == _COMMENTS), b""):
        return list(_of_comments(block))
    names = [name.lower() for name in _CHUNK]
    return [(name.upper(), text) for name in names if (text := getattr(opened, name, ""))]


def packed(tags: Tags) -> bytes:
    """Tags as the byte string; empty if there are none, or too much of them."""
    named = [(re.sub("[^ -<>-}]", "", name).upper(), text.replace("\0", "")) for name, text in tags]
    data = b"".join(f"{name}\0{text}\0".encode("utf-8", "replace") for name, text in named if name and text)
    return data if len(data) <= MOST else b""


def checked(meta: Mapping[str, Any]) -> Tags:
    """The tags of a file's meta, which may be forged. Raises ContainerError."""
    data: object = meta.get(NAME, b"")
    if not isinstance(data, bytes) or len(data) > MOST:
        raise ContainerError(f"not a sound: its tags are {type(data).__name__}, expected at most {MOST} bytes")
    try:
        fields = data.decode("utf-8").split("\0")
    except UnicodeDecodeError:
        fields = ["damaged"]
    pairs = list(zip(fields[:-1:2], fields[1::2], strict=False))
    if fields[-1] or len(fields) % 2 == 0 or not all(re.fullmatch("[ -<>-}]+", name) for name, _ in pairs):
        raise ContainerError("not a sound: its tags are no pairs of names and texts")
    return pairs


def in_wav(wav: bytes, tags: Tags) -> bytes:
    """A WAV with tags behind its samples."""
    body = b"INFO"
    for name, text in tags:
        kind = _CHUNK.get(name, name)
        if _is_chunk(kind):
            raw = text.encode() + b"\0"
            body += kind.encode() + len(raw).to_bytes(4, "little") + raw + bytes(len(raw) % 2)
    if body == b"INFO":
        return wav
    whole = wav + bytes(len(wav) % 2) + b"LIST" + len(body).to_bytes(4, "little") + body
    return whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]


def not_in_wav(tags: Tags) -> list[str]:
    """The names of those that a WAV has no place for."""
    return [name for name, _ in tags if not _is_chunk(_CHUNK.get(name, name))]


def _is_chunk(kind: str) -> bool:
    return len(kind) == 4 and kind.isascii() and kind.isalnum()


def in_flac(flac: bytes, tags: Tags) -> bytes:
    """A FLAC with tags in place of those that it has."""
    comments = [f"{name}={text}".encode() for name, text in tags]
    body = len(_VENDOR).to_bytes(4, "little") + _VENDOR + len(comments).to_bytes(4, "little")
    body += b"".join(len(comment).to_bytes(4, "little") + comment for comment in comments)
    blocks = list(promises.flac_blocks(flac))
    at = 4 + sum(4 + len(block) for _, block in blocks)
    kept = [block for block in blocks if block[0] != _COMMENTS]
    kept.insert(1, (_COMMENTS, body))
    last = len(kept) - 1
    heads = (bytes([kind | (k == last) << 7]) + len(b).to_bytes(3, "big") + b for k, (kind, b) in enumerate(kept))
    return b"fLaC" + b"".join(heads) + flac[at:]


def _of_wav(data: bytes) -> Iterator[tuple[str, str]]:
    chunks = chunks_of(data)
    for chunk in chunks.found if chunks else ():
        if chunk.kind == b"LIST" and data[chunk.at : chunk.at + 4] == b"INFO":
            yield from _of_list(data[chunk.at + 4 : chunk.at + chunk.size])


def _of_list(body: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at + 8 <= len(body):
        kind, size = body[at : at + 4], int.from_bytes(body[at + 4 : at + 8], "little")
        if kind.isalnum():
            name = kind.decode("ascii").upper()
            yield _INFO.get(name, name), _text(body[at + 8 : at + 8 + size].split(b"\0")[0])
        at += 8 + size + size % 2


def _of_comments(block: bytes) -> Iterator[tuple[str, str]]:
    at = 4 + int.from_bytes(block[:4], "little")
    count = int.from_bytes(block[at : at + 4], "little")
    at += 4
    for _ in range(count):
        if at + 4 > len(block):
            return
        size = int.from_bytes(block[at : at + 4], "little")
        name, found, text = block[at + 4 : at + 4 + size].partition(b"=")
        at += 4 + size
        if found and name.isascii():
            yield name.decode("ascii"), _text(text)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
