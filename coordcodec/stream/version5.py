"""Files of version 5: a header, then sections, each with a checksum of everything before it."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from coordcodec.errors import ContainerError, SignalError
from coordcodec.grid import Grid
from coordcodec.numbers import Reader, varint
from coordcodec.samples import DTYPES, MAX_UNIT, SampleType
from coordcodec.specs import INIT_BYTES, pack_section, unpack_section
from coordcodec.stream import side
from coordcodec.stream.header import read_channels, read_dims, read_meta_of, read_sides, whole_meta
from coordcodec.stream.meta import pack_meta
from coordcodec.stream.parts import CHECKSUM, MAGIC, MAX_CHUNKS, MAX_SECTIONS, Container, Promise, Section

NUMBER = 5
"""What files say of their version."""
_GRID, _META, _PERIODIC, _SAMPLES, _PROMISE = 1, 2, 4, 8, 16
_ALL = 0x80
"""Set in the type of samples: one scale and one offset hold for all channels."""
_NAMED, _MORE = 1, 2
MASK, SIDE = 1, 2
"""The kinds of section that are no layers; those of layers are numbered in `coordcodec.specs`."""
SECTION_BYTES = 1 + 1 + 4 + CHECKSUM
"""Bytes of a section outside its body, and without the name of an initialisation: the length of the body takes at most
four as long as that has less than 256 MiB."""


def pack(front: bytes, sections: Sequence[Section]) -> bytes:
    """The bytes of a file, from what `pack_front` gives."""
    out = bytearray(front)
    for k, section in enumerate(sections):
        kind, head = pack_section(section.spec)
        more = _MORE if k < len(sections) - 1 else 0
        if section.spec.chunked:
            _add_chunks(out, kind, more, head, section.chunks)
        else:
            _add(out, kind, head + b"".join(section.chunks), section.init, more)
    return bytes(out)


def pack_front(container: Container) -> tuple[bytes, int]:
    """The header, the mask and the side data; and how many of the bytes are those of mask and side data.

    Raises ContainerError for more than a file holds.
    """
    out = bytearray(_header(container))
    header = len(out)
    if container.mask:
        _add(out, MASK, side.pack_mask(container.mask))
    blobs = {key: value for key, value in container.meta.items() if isinstance(value, bytes)}
    if blobs:
        _add(out, SIDE, side.pack(blobs))
    return bytes(out), len(out) - header


def _add(out: bytearray, kind: int, body: bytes, init: bytes = b"", more: int = 0) -> None:
    out += varint(kind) + bytes([bool(init) | more]) + init + varint(len(body)) + body
    out += zlib.crc32(out).to_bytes(CHECKSUM, "little")


def _add_chunks(out: bytearray, kind: int, more: int, head: bytes, chunks: Sequence[bytes]) -> None:
    """A section of chunks: how many, then of each the length, itself and, but for the last, a checksum."""
    parts = [varint(len(chunk)) + chunk for chunk in chunks]
    head += varint(len(chunks))
    length = len(head) + sum(map(len, parts)) + CHECKSUM * (len(parts) - 1)
    out += varint(kind) + bytes([more]) + varint(length) + head
    for part in parts:
        out += part + zlib.crc32(out + part).to_bytes(CHECKSUM, "little")


def _header(container: Container) -> bytes:
    meta, name = pack_meta(container.meta, container.free), container.modality.encode("ascii")
    shape, circles = container.meta["shape"], sum(1 << k for k, p in enumerate(container.periodic) if p)
    flags = (_GRID if shape else 0) | (_META if meta else 0) | (_PERIODIC if circles else 0)
    flags |= (_SAMPLES if container.samples else 0) | (_PROMISE if container.promise else 0)
    out = MAGIC + bytes([NUMBER, flags, len(name)]) + name + bytes([container.dims])
    out += b"".join(varint(n) for n in shape) + (bytes([circles]) if circles else b"")
    out += bytes([container.meta["channels"]])
    out += _pack_samples(container.samples) if container.samples else b""
    out += _pack_promise(container.promise) if container.promise else b""
    return out + (varint(len(meta)) + meta if meta else b"")


def _pack_samples(samples: SampleType) -> bytes:
    pairs = set(zip(samples.scale, samples.offset, strict=True))
    one = len(pairs) == 1
    numbers = [*samples.scale[:1], *samples.offset[:1]] if one else [*samples.scale, *samples.offset]
    unit = samples.unit.encode("utf-8")
    kind = DTYPES.index(samples.dtype) | (_ALL if one else 0)
    return bytes([kind]) + struct.pack(f"<{len(numbers)}d", *numbers) + bytes([len(unit)]) + unit


def _read_samples(reader: Reader, channels: int) -> SampleType:
    kind = reader.byte()
    count = 1 if kind & _ALL else channels
    numbers = struct.unpack(f"<{2 * count}d", reader.take(16 * count))
    unit = reader.text("the unit", MAX_UNIT)
    if kind & ~_ALL >= len(DTYPES):
        raise ContainerError(f"damaged file: samples of an unknown type {kind & ~_ALL}")
    times = channels if kind & _ALL else 1
    try:
        return SampleType(DTYPES[kind & ~_ALL], numbers[:count] * times, numbers[count:] * times, unit)
    except SignalError as error:
        raise ContainerError(f"damaged file: {error}") from None


def _pack_promise(promise: Promise) -> bytes:
    return b"\0" if promise.max_error is None else b"\1" + struct.pack("<d", promise.max_error)


def _read_promise(reader: Reader) -> Promise:
    kind = reader.byte()
    if kind == 0:
        return Promise()
    if kind != 1:
        raise ContainerError(f"damaged file: an unknown promise {kind}")
    (error,) = struct.unpack("<d", reader.take(8))
    if not 0 < error < math.inf:
        raise ContainerError(f"damaged file: a largest error of {error:g}, expected a finite number above 0")
    return Promise(error)


def unpack(data: bytes) -> Container:
    """Parse a file whose magic and version are right. Raises ContainerError."""
    reader = Reader(data)
    reader.take(len(MAGIC) + 1)
    container = _read_header(reader)
    grid = None
    if container.meta["shape"]:
        grid = Grid(tuple(container.meta["shape"]), periodic=container.periodic)
    blobs, sizes = dict[str, Any](), dict[str, int]()
    mask, sections, before, more = None, list[Section](), 0, True
    for kind, init, follows, body in _sections(reader):
        if kind == before or kind < before <= SIDE or (sections and kind <= SIDE):
            raise ContainerError(f"damaged file: a section of kind {kind} twice or out of order")
        before, more, last = max(kind, before), follows, not more
        if kind == MASK:
            mask, sizes["mask"] = side.read_mask(body, grid), len(body)
        elif kind == SIDE:
            blobs, sizes["side_data"] = side.read(body), len(body)
        else:
            shape, channels = tuple(container.meta["shape"]), container.meta["channels"]
            spec, chunk = unpack_section(kind, body, container.dims, shape, channels, container.periodic)
            chunks = _chunks(data[: reader.at - CHECKSUM], len(chunk)) if spec.chunked else (chunk,)
            if last:
                raise ContainerError("damaged file: a layer after the last")
            sections.append(Section(spec, chunks, init))
    if sections and more:
        raise ContainerError("damaged or truncated file: a layer is missing")
    return _checked(replace(container, sections=tuple(sections), mask=mask, sizes=sizes), blobs)


def _chunks(data: bytes, length: int) -> tuple[bytes, ...]:
    """The chunks of a section whose last bytes, so many of them, end a file's beginning."""
    reader, found = Reader(data), list[bytes]()
    reader.at = done = len(data) - length
    count, checksum = reader.varint("the number of chunks", 1, MAX_CHUNKS), zlib.crc32(data[:done])
    for k in range(count):
        found.append(reader.take(reader.varint("the length of a chunk", 0, length)))
        if k < count - 1:
            checksum, done = zlib.crc32(data[done : reader.at], checksum), reader.at
            if checksum != int.from_bytes(reader.take(CHECKSUM), "little"):
                raise ContainerError("damaged file: a chunk's checksum does not match")
    if reader.at != len(data):
        raise ContainerError(f"damaged file: {len(data) - reader.at} bytes after the last chunk of a section")
    return tuple(found)


def _checked(container: Container, blobs: dict[str, Any]) -> Container:
    if not container.sections:
        raise ContainerError("damaged or truncated file: it has no layer")
    if container.promise and not all(section.spec.exact for section in container.sections):
        raise ContainerError("damaged file: its promise rests on a layer that cannot keep any")
    if set(blobs) & set(container.meta):
        raise ContainerError(f"damaged file: meta and side data hold {sorted(set(blobs) & set(container.meta))[0]!r}")
    return replace(container, meta=whole_meta({**container.meta, **blobs}, container.free)) if blobs else container


def _read_header(reader: Reader) -> Container:
    flags = reader.byte()
    if flags & ~(_GRID | _META | _PERIODIC | _SAMPLES | _PROMISE):
        raise ContainerError(f"damaged file: unknown flags {flags:#x}")
    modality, dims = reader.text("the modality", 32), read_dims(reader)
    shape = read_sides(reader, dims) if flags & _GRID else []
    periodic = _read_periodic(reader, dims, shape) if flags & _PERIODIC else ()
    channels = read_channels(reader)
    if flags & _PROMISE and not flags & _SAMPLES:
        raise ContainerError("damaged file: a promise without the type of the samples")
    samples = _read_samples(reader, channels) if flags & _SAMPLES else None
    promise = _read_promise(reader) if flags & _PROMISE else None
    free: dict[str, Any] = {"shape": shape, "channels": channels, **({"periodic": list(periodic)} if periodic else {})}
    extra = read_meta_of(reader) if flags & _META else {}
    if set(extra) & set(free):
        raise ContainerError(f"damaged file: meta holds {sorted(set(extra) & set(free))[0]!r} twice")
    meta = whole_meta(extra, free)
    return Container(modality, dims, meta, (), periodic, None, samples, promise)


def _read_periodic(reader: Reader, dims: int, shape: list[int]) -> tuple[bool, ...]:
    circles = reader.byte()
    periodic = tuple(bool(circles >> k & 1) for k in range(dims))
    if not shape or not circles or circles >> dims or any(p and n < 2 for p, n in zip(periodic, shape, strict=True)):
        raise ContainerError(f"damaged file: periodic axes {circles:#x} of a grid of shape {shape}")
    return periodic


def _sections(reader: Reader) -> Iterator[tuple[int, bytes, bool, bytes]]:
    """Kind, name of the initialisation, whether another layer follows, and body of each section, verified."""
    data, checksum, done = memoryview(reader.data), 0, 0
    for _ in range(MAX_SECTIONS):
        if reader.at == len(data):
            return
        kind = reader.varint("the kind of a section", 0, 2**32)
        flags = reader.byte()
        if flags & ~(_NAMED | _MORE) or (flags and kind <= SIDE):
            raise ContainerError(f"damaged file: a section of kind {kind} with flags {flags:#x}")
        init, more = reader.take(INIT_BYTES) if flags & _NAMED else b"", kind <= SIDE or bool(flags & _MORE)
        body = reader.take(reader.varint("the length of a section", 0, len(reader.data)))
        checksum, done = zlib.crc32(data[done : reader.at], checksum), reader.at
        if checksum != int.from_bytes(reader.take(CHECKSUM), "little"):
            raise ContainerError("damaged or truncated file: a section's checksum does not match")
        yield kind, init, more, body
    if reader.at < len(data):
        raise ContainerError(f"damaged file: more than {MAX_SECTIONS} sections")
