"""Sections of version 5: how they are framed, and the checksums that run through them and their chunks."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from coordcodec.errors import ContainerError
from coordcodec.numbers import Reader, varint
from coordcodec.specs import INIT_BYTES
from coordcodec.stream.parts import CHECKSUM, MAX_CHUNK, MAX_CHUNKS, MAX_SECTIONS

_NAMED, MORE = 1, 2
MASK, SIDE = 1, 2
"""The kinds of section that are no layers; those of layers are numbered in `coordcodec.specs`."""
SECTION_BYTES = 1 + 1 + 4 + CHECKSUM
"""Bytes of a section outside its body, and without the name of an initialisation: the length of the body takes at most
four as long as that has less than 256 MiB."""


def add(out: bytearray, kind: int, body: bytes, init: bytes = b"", more: int = 0) -> None:
    """A section at the end of a file's beginning. more: MORE where another layer follows."""
    out += varint(kind) + bytes([bool(init) | more]) + init + varint(len(body)) + body
    out += zlib.crc32(out).to_bytes(CHECKSUM, "little")


def add_chunks(out: bytearray, kind: int, more: int, head: bytes, chunks: Sequence[bytes]) -> None:
    """A section of chunks: how many, then of each the length, itself and, but for the last, a checksum."""
    parts = [varint(len(chunk)) + chunk for chunk in chunks]
    head += varint(len(chunks))
    length = len(head) + sum(map(len, parts)) + CHECKSUM * (len(parts) - 1)
    out += varint(kind) + bytes([more]) + varint(length) + head
    checksum = zlib.crc32(out)
    for part in parts:
        checksum = zlib.crc32(part, checksum)
        end = checksum.to_bytes(CHECKSUM, "little")
        checksum = zlib.crc32(end, checksum)
        out += part + end


class Body(bytes):
    """A section's body. cut: whether the file ends before it does."""

    cut = False


def read_chunks(data: bytes, length: int, cut: bool) -> tuple[tuple[bytes, ...], bool]:
    """The chunks of a section whose last bytes, so many of them, end a file's beginning, and whether some are missing.

    cut: take as many as are whole.
    """
    reader, found = Reader(data), list[bytes]()
    reader.at = done = len(data) - length
    count, checksum = reader.varint("the number of chunks", 1, MAX_CHUNKS), zlib.crc32(data[:done])
    for k in range(count):
        try:
            chunk = reader.take(reader.varint("the length of a chunk", 0, MAX_CHUNK if cut else length))
            checksum, done = zlib.crc32(data[done : reader.at], checksum), reader.at
            end = k == count - 1 and not cut  # where the section's own checksum stands
            wrong = not end and checksum != int.from_bytes(reader.take(CHECKSUM), "little")
        except ContainerError:
            if cut:
                return tuple(found), True
            raise
        if wrong:
            raise ContainerError("damaged file: a chunk's checksum does not match")
        found.append(chunk)
    if reader.at != len(data):
        raise ContainerError(f"damaged file: {len(data) - reader.at} bytes after the last chunk of a section")
    return tuple(found), False


def read_sections(reader: Reader, partial: bool) -> Iterator[tuple[int, bytes, bool, Body]]:
    """Kind, name of the initialisation, whether another layer follows, and body of each section, verified.

    partial: the last one may be cut, and is not verified then.
    """
    data, checksum, done = memoryview(reader.data), 0, 0
    for _ in range(MAX_SECTIONS):
        if reader.at == len(data):
            return
        kind = reader.varint("the kind of a section", 0, 2**32)
        flags = reader.byte()
        if flags & ~(_NAMED | MORE) or (flags and kind <= SIDE):
            raise ContainerError(f"damaged file: a section of kind {kind} with flags {flags:#x}")
        init, more = reader.take(INIT_BYTES) if flags & _NAMED else b"", kind <= SIDE or bool(flags & MORE)
        length = reader.varint("the length of a section", 0, MAX_CHUNK if partial else len(reader.data))
        if partial and length + CHECKSUM > len(data) - reader.at:
            body = Body(reader.data[reader.at :])
            body.cut, reader.at = True, len(data)
            yield kind, init, more, body
            return
        body = Body(reader.take(length))
        checksum, done = zlib.crc32(data[done : reader.at], checksum), reader.at
        if checksum != int.from_bytes(reader.take(CHECKSUM), "little"):
            raise ContainerError("damaged or truncated file: a section's checksum does not match")
        yield kind, init, more, body
    if reader.at < len(data):
        raise ContainerError(f"damaged file: more than {MAX_SECTIONS} sections")
