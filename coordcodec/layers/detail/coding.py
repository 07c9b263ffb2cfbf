"""Symbols of a detail layer to chunks. `reading` is the way back.

Which planes a chunk holds, `tiles` says. The first begins with a head: the step's code (varint); where it is not 0 the
three points, signed bytes; for lapped cosines without `ends` a byte per plane, how many 64ths of the spectrum are
coded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.clock import Progress
from coordcodec.data import Symbols
from coordcodec.errors import ContainerError
from coordcodec.inits import Initialisation
from coordcodec.layers.detail.ends import found_in, of_rows
from coordcodec.layers.detail.ends import write as write_ends
from coordcodec.layers.detail.planes import Basis, basis_of
from coordcodec.layers.detail.quantize import COARSEST, FINEST, scaled
from coordcodec.layers.detail.symbols import Detailed
from coordcodec.layers.detail.tiles import PARTS, RESIDUAL, Chunk, Part, chunks_of
from coordcodec.layers.detail.walk import Walk
from coordcodec.layers.protocol import Chunks
from coordcodec.layers.threads import each
from coordcodec.numbers import Reader, varint
from coordcodec.specs import DetailSpec
from coordcodec.specs.detail import MODELS
from coordcodec.stream.grid import GridEncoder, GridState

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Head:
    """What stands before the chunks: the code of the step, the points, and the shares of lapped planes."""

    step: int
    points: tuple[int, int, int] = (0, 0, 0)
    shares: bytes = b""

    def pack(self) -> bytes:
        """Its bytes."""
        return varint(self.step) + (struct.pack("3b", *self.points) if self.step else b"") + self.shares

    @staticmethod
    def read(reader: Reader, spec: DetailSpec, planes: int) -> Head:
        """From the beginning of a payload. Raises ContainerError."""
        step = reader.varint("the step of a detail layer", FINEST, COARSEST)
        points = struct.unpack("3b", reader.take(3)) if step else (0, 0, 0)
        shares = reader.take(planes) if spec.basis == "lapped" and not spec.ends else b""
        if any(share > PARTS for share in shares):
            raise ContainerError(f"damaged file: {max(shares)} of {PARTS} parts of a spectrum")
        return Head(step, points, shares)


def shares_of(spec: DetailSpec, planes: Iterable[Ints]) -> bytes:
    """The share of each spectrum beyond which all is zero, in 64ths; nothing where rows have ends, or no spectrum."""
    found = list[int]()
    if spec.basis != "lapped" or spec.ends:
        return b""
    for plane in planes:
        used = np.flatnonzero(plane.any(axis=(0, 1)))
        found.append(-(-(int(used[-1]) + 1) * PARTS // plane.shape[-1]) if len(used) else 0)
    return bytes(found)


def encode(
    symbols: Symbols, spec: DetailSpec, init: Initialisation | None = None, below: Mapping[str, Any] | None = None
) -> Chunks:
    """See `coordcodec.layers.protocol.Layer`."""
    detailed = symbols if isinstance(symbols, Detailed) else Detailed(symbols)
    if detailed.chunks is not None:
        return detailed.chunks
    writer = Writer(spec, detailed.step, shares_of(spec, detailed.planes))
    writer.planes(detailed.planes)
    return writer.finish(detailed.points, detailed.residual)


class Writer:
    """Codes planes as they are, or rounds what it is given as its own lengths suggest.

    most: the largest magnitude in each plane, if it is known.
    """

    def __init__(
        self,
        spec: DetailSpec,
        step: int,
        shares: bytes = b"",
        basis: Basis | None = None,
        progress: Progress | None = None,
        threads: int | None = None,
        most: Sequence[int] = (),
    ) -> None:
        self.spec, self.step, self.shares, self.threads = spec, step, shares, threads
        basis = basis or basis_of(spec)
        self.walk, self.chunks = Walk(spec, basis, most), chunks_of(spec, basis.planes, shares)
        self.state = GridState(MODELS.index(spec.model))
        self.coded: list[bytes] = []
        self.progress, self.counted, self.lock = progress, 0, Lock()

    def planes(self, planes: Sequence[NDArray[Any]], rate: int | None = None, steps: Sequence[int] = ()) -> list[Ints]:
        """Code all planes; with a rate and the step of each they are coefficients, which are rounded first."""
        self._write([chunk for chunk in self.chunks if chunk.parts[0].plane != RESIDUAL], planes, rate, steps)
        return self.walk.coefficients

    def finish(self, points: tuple[int, int, int], residual: Ints | None = None) -> Chunks:
        """The chunks of the section."""
        if residual is not None:
            self._write([chunk for chunk in self.chunks if chunk.parts[0].plane == RESIDUAL], [residual], None, ())
        first, *others = self.coded
        return (Head(self.step, points, self.shares).pack() + first, *others)

    def _write(
        self, chunks: Sequence[Chunk], planes: Sequence[NDArray[Any]], rate: int | None, steps: Sequence[int]
    ) -> None:
        def code(chunk: Chunk) -> bytes:
            coder = GridEncoder(self.state.copy() if chunk.apart else self.state)
            ends: dict[int, Ints] = {}
            for part in chunk.parts:
                values, step = planes[part.plane], steps[part.plane] if steps else 1
                if self.spec.ends:
                    ends[part.plane] = found_in(values, part, step)
                self.walk.through(part, chunk.parts, _Writing(coder, values, rate, step, ends.get(part.plane)))
                self._report(prod(part.shape))
            return write_ends([*ends.values()]) + coder.finish() if ends else coder.finish()

        for _, alike in groupby(chunks, key=lambda chunk: (chunk.scale, chunk.apart)):
            self.coded += each(code, [*alike], self.threads)

    def _report(self, count: int) -> None:
        if self.progress:
            with self.lock:
                self.counted += count
                self.progress("code", self.counted, sum(prod(plane.shape) for plane in self.walk.planes))


@dataclass(frozen=True)
class _Writing:
    """Codes channels of a part: values are (channels, ...) of the whole plane, ends those of its groups of rows."""

    coder: GridEncoder
    values: NDArray[Any]
    rate: int | None
    step: int
    ends: Ints | None

    def __call__(self, part: Part, channel: int, guides: Mapping[str, Any] | None, zones: Any) -> Ints:
        given = np.ascontiguousarray(self.values[channel][part.inside])
        ends = None if self.ends is None else of_rows(self.ends[channel], part)
        if self.rate is not None:
            return self.coder.plane_rdo(scaled(given, self.step), self.rate, guides, zones, ends=ends)
        self.coder.plane(given, guides, zones, ends)
        return given
