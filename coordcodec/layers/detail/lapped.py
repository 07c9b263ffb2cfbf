"""Lapped cosines (MDCT) along time, with blocks of 64 to 4096 samples that may change from segment to segment.

A block of N samples gives N coefficients. At each edge between two blocks the signal is folded over a slope as long
as the smaller one of them, centred on the edge, and each block then takes an orthonormal DCT-IV: together the MDCT
with windows that are flat where a long block meets a short one. Nothing is folded at the two ends. The basis is
orthonormal, so an error has the same energy in coefficients as in samples. Floats: equal to about 1e-15 of the
signal, not to the bit, everywhere.

Sources: Princen, Johnson and Bradley, "Subband/transform coding using filter bank designs based on time domain aliasing
cancellation" (1987); Edler, "Coding of audio signals with overlapping block transform and adaptive window functions"
(1989); Malvar, "Lapped transforms for efficient transform/subband coding" (1990).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCKS = (64, 128, 256, 512, 1024, 2048, 4096)
WINDOWS = ("sine", "power")
_BATCH = 1 << 19  # samples that are transformed at once


@dataclass(frozen=True)
class Lapped:
    """A transform of signals of one length.

    n: samples, 1 or more. sizes: the block size of each segment, out of `BLOCKS`; one for each `segment` samples begun.
    segment: samples, a multiple of each size. window: the slope, "sine" or "power" (sin(pi/2 sin^2), steeper).
    The last segment ends with its last block begun, and what is beyond the signal counts as zero. Raises ValueError.
    """

    n: int
    sizes: tuple[int, ...]
    segment: int = 16384
    window: str = "sine"

    def __post_init__(self) -> None:
        if self.n < 1 or self.segment < 1:
            raise ValueError("a lapped transform takes one sample or more")
        if len(self.sizes) != -(-self.n // self.segment):
            raise ValueError(f"expected {-(-self.n // self.segment)} block sizes, not {len(self.sizes)}")
        if any(size not in BLOCKS or self.segment % size for size in set(self.sizes)):
            raise ValueError(f"block sizes are {BLOCKS} and divide the segment of {self.segment}")
        if self.window not in WINDOWS:
            raise ValueError(f"unknown window {self.window!r}; there are {', '.join(WINDOWS)}")

    def shapes(self) -> list[tuple[int, int]]:
        """Per segment, the number of blocks and their size."""
        last = len(self.sizes) - 1
        whole = [(self.segment // size, size) for size in self.sizes[:last]]
        left = self.n - last * self.segment
        return [*whole, (-(-left // self.sizes[last]), self.sizes[last])]

    def forward(self, signal: NDArray[Any]) -> list[Floats]:
        """Per segment, coefficients of shape (blocks, size, channels), float64, of a real (n, channels) signal."""
        if signal.shape[0] != self.n or signal.ndim != 2:
            raise ValueError(f"expected {self.n} samples and a channel axis, not {signal.shape}")
        shapes = self.shapes()
        padded = np.zeros((sum(blocks * size for blocks, size in shapes), signal.shape[1]))
        padded[: self.n] = signal
        self._fold(padded, 1.0)
        return [
            block
            for start, stop, count, size in self._runs()
            for block in np.split(_cosines(padded[start:stop], size), count)
        ]

    def inverse(self, planes: Sequence[NDArray[Any]]) -> Floats:
        """The (n, channels) signal of these coefficients."""
        shapes = self.shapes()
        if [plane.shape[:2] for plane in planes] != shapes or any(plane.ndim != 3 for plane in planes):
            raise ValueError("these are not the planes of this transform")
        channels = planes[0].shape[2]
        signal = np.empty((sum(blocks * size for blocks, size in shapes), channels))
        first = 0
        for start, stop, count, size in self._runs():
            run = np.concatenate([plane.reshape(-1, channels) for plane in planes[first : first + count]])
            signal[start:stop] = _cosines(run, size).reshape(-1, channels)
            first += count
        self._fold(signal, -1.0)
        return signal[: self.n]

    def _runs(self) -> Iterator[tuple[int, int, int, int]]:
        """Start, stop, number of segments and block size of runs of equal segments, of bounded length."""
        shapes, first = self.shapes(), 0
        most = max(1, _BATCH // self.segment)
        while first < len(shapes):
            count = 1
            while count < most and first + count < len(shapes) and shapes[first + count] == shapes[first]:
                count += 1
            blocks, size = shapes[first]
            start = first * self.segment
            yield start, start + count * blocks * size, count, size
            first += count

    def _fold(self, signal: Floats, way: float) -> None:
        """Rotate the samples on both sides of each edge into each other; way -1 undoes it."""
        for first, (blocks, size) in enumerate(self.shapes()):
            start = first * self.segment
            if first:
                slope = min(size, self.sizes[first - 1])
                _rotate(signal, start, 1, slope, slope, way, self.window)
            _rotate(signal, start + size, blocks - 1, size, size, way, self.window)


def _rotate(signal: Floats, edge: int, count: int, apart: int, slope: int, way: float, window: str) -> None:
    """Fold at `count` edges, the first at `edge`, each over `slope` samples of which half lie before it."""
    half, channels = slope // 2, signal.shape[1]
    rise, fall = _slope(slope, window)
    blocks = signal[edge - half : edge - half + count * apart].reshape(count, apart, channels)
    before, after = blocks[:, half - 1 :: -1], blocks[:, half:slope]
    turned = rise * after + way * fall * before
    before *= rise
    before -= way * fall * after
    after[:] = turned


@lru_cache(maxsize=32)
def _slope(length: int, window: str) -> tuple[Floats, Floats]:
    """The window at the samples after an edge, nearest first, and at their mirror images before it."""
    place = (np.arange(length // 2) + 0.5) / length + 0.5
    if window == "power":
        place = np.sin(np.pi / 2 * place) ** 2
    return np.sin(np.pi / 2 * place)[:, None], np.cos(np.pi / 2 * place)[:, None]


@lru_cache(maxsize=16)
def _twist(size: int) -> NDArray[np.complex128]:
    return np.asarray(np.exp(-1j * np.pi * (8 * np.arange(size // 2) + 1) / (8 * size)))


def _cosines(signal: Floats, size: int) -> Floats:
    """The orthonormal DCT-IV, its own inverse, of each block: (blocks, size, channels) of (blocks * size, channels)."""
    blocks = signal.reshape(-1, size, signal.shape[1]).transpose(0, 2, 1)
    twist = _twist(size)
    packed = np.empty((*blocks.shape[:2], size // 2), np.complex128)
    packed.real, packed.imag = blocks[..., ::2], blocks[..., ::-2]
    packed *= twist
    packed = np.fft.fft(packed)
    packed *= twist * np.sqrt(2 / size)
    found = np.empty((blocks.shape[0], size, blocks.shape[1]))
    found[:, ::2] = packed.real.transpose(0, 2, 1)
    found[:, ::-2] = -packed.imag.transpose(0, 2, 1)
    return found
