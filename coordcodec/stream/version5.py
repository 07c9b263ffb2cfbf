"""Files of version 5: a header, then sections, each with a checksum of everything before it."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from coordcodec.errors import ContainerError, SignalError
from coordcodec.grid import Grid
from coordcodec.numbers import Reader, varint
from coordcodec.samples import DTYPES, MAX_UNIT, SampleType
from coordcodec.specs import pack_section, unpack_section
from coordcodec.stream import side
from coordcodec.stream.header import read_channels, read_dims, read_meta_of, read_modality, read_sides, whole_meta
from coordcodec.stream.meta import pack_meta
from coordcodec.stream.parts import CHECKSUM, MAGIC, Container, Promise, Section
from coordcodec.stream.sections import MASK, MORE, SIDE, add, add_chunks, read_chunks, read_sections

NUMBER = 5
"""What files say of their version."""
_GRID, _META, _PERIODIC, _SAMPLES, _PROMISE = 1, 2, 4, 8, 16
_ALL = 0x80
"""Set in the type of samples: one scale and one offset hold for all channels."""


def pack(front: bytes, sections: Sequence[Section]) -> bytes:
    """The bytes of a file, from what `pack_front` gives."""
    out = bytearray(front)
    for k, section in enumerate(sections):
        kind, head = pack_section(section.spec)
        more = MORE if k < len(sections) - 1 else 0
        if section.spec.chunked:
            add_chunks(out, kind, more, head, section.chunks)
        else:
            add(out, kind, head + b"".join(section.chunks), section.init, more)
    return bytes(out)


def pack_front(container: Container) -> tuple[bytes, int]:
    """The header, the mask and the side data; and how many of the bytes are those of mask and side data.

    Raises ContainerError for more than a file holds.
    """
    out = bytearray(_header(container))
    header = len(out)
    if container.mask:
        add(out, MASK, side.pack_mask(container.mask))
    blobs = {key: value for key, value in container.meta.items() if isinstance(value, bytes)}
    if blobs:
        add(out, SIDE, side.pack(blobs))
    return bytes(out), len(out) - header


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


def unpack(data: bytes, partial: bool = False) -> Container:
    """Parse a file whose magic and version are right. Raises ContainerError.

    partial: take the beginning of a file for what its whole chunks and layers say.
    """
    reader = Reader(data)
    reader.take(len(MAGIC) + 1)
    container = _read_header(reader)
    grid = None
    if container.meta["shape"]:
        grid = Grid(tuple(container.meta["shape"]), periodic=container.periodic)
    blobs, sizes = dict[str, Any](), dict[str, int]()
    mask, sections, before, more = None, list[Section](), 0, True
    for kind, init, follows, body in read_sections(reader, partial):
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
            if last:
                raise ContainerError("damaged file: a layer after the last")
            if body.cut and not spec.chunked:
                break
            end = len(data) if body.cut else reader.at - CHECKSUM
            chunks, cut = read_chunks(data[:end], len(chunk), body.cut) if spec.chunked else ((chunk,), False)
            if chunks:
                sections.append(Section(spec, chunks, init, cut))
    if sections and more and not partial:
        raise ContainerError("damaged or truncated file: a layer is missing")
    if partial and not sections:
        raise ContainerError(f"the first {len(data):,} bytes of the file hold no whole chunk of a layer; take more")
    if partial and (more or sections[-1].cut):
        container = replace(container, promise=None)
    return _checked(replace(container, sections=tuple(sections), mask=mask, sizes=sizes), blobs)


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
    modality, dims = read_modality(reader), read_dims(reader)
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
