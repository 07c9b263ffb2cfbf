"""The integers of a box of samples, from the tiles that it needs alone: equal to that part of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.layers.detail.lapped import Lapped
from coordcodec.layers.detail.planes import LappedBasis, WaveletBasis, basis_of
from coordcodec.layers.detail.quantize import restored, step_of
from coordcodec.layers.detail.reading import Coded
from coordcodec.layers.detail.region import crop, inverse_region, support
from coordcodec.layers.detail.tiles import RESIDUAL, Part, Span, tiles_of
from coordcodec.layers.detail.values import finished, unpredict
from coordcodec.layers.protocol import Chunks
from coordcodec.layers.threads import each
from coordcodec.specs import DetailSpec
from coordcodec.specs.detail import SEGMENT


class Parts:
    """Integers of a section that is decoded tile by tile, when they are asked for. See `field.Integers`."""

    def __init__(self, spec: DetailSpec, chunks: Chunks, threads: int | None = None) -> None:
        self.spec, self.basis = spec, basis_of(spec)
        self.coded = Coded(spec, chunks, threads)
        self._predicted = [] if spec.predictor == "none" else tiles_of(spec)
        self._lock = Lock()

    def box(self, spans: Sequence[Span]) -> NDArray[np.int64]:
        """Raises ContainerError for damaged chunks."""
        spans = [*spans]
        if self.spec.spacing:
            self.coded.need({RESIDUAL: [tuple(spans)]})
        if isinstance(self.basis, WaveletBasis):
            found = self._wavelet(spans, self.basis)
        else:
            found = self._lapped(spans[0], self.basis) if isinstance(self.basis, LappedBasis) else self._identity(spans)
        residual = self.coded.walk.residual
        inside = (slice(None), *Part(RESIDUAL, tuple(spans)).inside)
        return finished(self.spec, found, None if residual is None else residual[inside])

    def _restored(self, plane: int, symbols: NDArray[np.int32]) -> NDArray[np.int64]:
        head = self.coded.head
        return restored(symbols, step_of(head.step, self.basis.planes[plane].norm), head.points)

    def _wavelet(self, spans: list[Span], basis: WaveletBasis) -> NDArray[Any]:
        wanted = support(basis.wavelet, spans)
        boxes = {
            k: [tuple(_inside(span, n) for span, n in zip(wanted[band], basis.planes[k].shape, strict=True))]
            for k, band in enumerate(basis.order)
        }
        self.coded.need(boxes)
        place = {band: k for k, band in enumerate(basis.order)}

        def channel(number: int) -> NDArray[Any]:
            planes = self.coded.walk.done
            bands = [self._restored(place[b], crop(planes[place[b]][number], box)) for b, box in enumerate(wanted)]
            return inverse_region(basis.wavelet, spans, bands)

        return np.stack([channel(k) for k in range(self.spec.channels)], -1)

    def _lapped(self, span: Span, basis: LappedBasis) -> NDArray[Any]:
        """From the segments that it touches and one more on both sides, whose edges nothing else reaches."""
        first, last = max(0, span[0] // SEGMENT - 1), min(len(self.spec.blocks), (span[1] - 1) // SEGMENT + 2)
        places, planes = basis.places[first:last], self.coded.walk.done
        self.coded.need({k: [tuple((0, n) for n in self.basis.planes[k].shape)] for k, _, _ in places})
        parts = [self._restored(k, planes[k][:, start:stop]).transpose(1, 2, 0) for k, start, stop in places]
        lapped = Lapped(min(self.spec.shape[0], last * SEGMENT) - first * SEGMENT, self.spec.blocks[first:last])
        start = span[0] - first * SEGMENT
        return np.rint(lapped.inverse(parts)[start : start + span[1] - span[0]]).astype(np.int64)

    def _identity(self, spans: list[Span]) -> NDArray[Any]:
        plane, box = self.coded.walk.done[0], tuple(spans)
        self.coded.need({0: [box]})
        with self._lock:
            tiles = [tile for tile in self._predicted if tile.touches(box)]
            each(lambda tile: unpredict(self.spec, plane, tile), tiles, self.coded.threads)
            self._predicted = [tile for tile in self._predicted if tile not in tiles]
        return np.moveaxis(plane[(slice(None), *Part(0, box).inside)], 0, -1)


def _inside(span: Span, n: int) -> Span:
    """A span along an axis; all of it where it crosses the seam of a circle."""
    return (0, n) if span[0] < 0 or span[1] > n else span
