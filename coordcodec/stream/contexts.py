"""Contexts: how large symbols will probably be, from those of their row or column that were coded before.

The inputs of a layer differ in how much they vary and how much they matter, its outputs as well; so do the magnitudes
in a weight's columns and rows. A file need not say by how much: the decoder knows all the symbols before. The symbols
of a tensor are coded in slices, row after row with a context per column or column after column with one per row, and
what a context has seen in the slices before decides the class of its symbol in the next (backward adaptation).
Biases in ascending order are a case of their own: the one before says where the next one begins.
`docs/format.md` defines it exactly.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

NONE, COLUMNS, ROWS, SORTED = 0, 1, 2, 3
"""What a context is of. COLUMNS and ROWS are also the axis of (boxes, rows, columns) along which slices follow; the
symbols (boxes, rows) of SORTED are coded as differences, none of which is negative."""
NAMES = "none", "columns", "rows", "differences"

PRIOR = 3
"""So many slices with the mean magnitude of them all are taken to have come before the first."""
THRESHOLDS = np.array([4870, 6888, 9741, 13777, 19483, 27554, 38967, 55108, 77935, 110217, 155871, 220435], np.int64)
"""2^16 times the ratios between which half octaves round to one another, from -8 to 4 of them: whole numbers, so that
decoders cannot differ."""
_LOWEST, _HALF_OCTAVE = -8, 4

Symbols = NDArray[np.int32]


def laid_out(symbols: Symbols, context: int) -> Symbols:
    """A tensor (boxes, rows, columns) as slices in the order in which they are coded: (slices, boxes, contexts)."""
    return np.moveaxis(symbols, context, 0)


def offsets(slices: Symbols) -> Symbols:
    """The offsets of the models' scales for all symbols of (slices, boxes, contexts), of that shape."""
    magnitudes = np.abs(slices.astype(np.int64))
    before = np.cumsum(magnitudes, axis=0) - magnitudes
    return _following(before, np.arange(len(slices))[:, None, None])


class Seen:
    """What contexts have seen of a tensor (boxes, rows, columns) while its slices are coded one by one."""

    def __init__(self, shape: tuple[int, ...], context: int) -> None:
        """Start before the first slice."""
        boxes, *sides = shape
        self.sums = np.zeros((boxes, sides[2 - context]), np.int64)
        self.count = 0

    def offsets(self) -> Symbols:
        """The offsets for the next slice, (boxes, contexts)."""
        return _following(self.sums, self.count)

    def add(self, one: Symbols) -> None:
        """Take note of a slice."""
        self.sums += np.abs(one)
        self.count += 1


def _following(sums: NDArray[np.int64], count: NDArray[np.int64] | int) -> Symbols:
    """The offsets behind `count` slices, which broadcasts to the sums of their magnitudes, (..., boxes, contexts)."""
    total = sums.sum(-1, keepdims=True)
    mine = (sums * (sums.shape[-1] * count) + PRIOR * total) << 16
    usual = (count + PRIOR) * total
    passed = np.count_nonzero(mine[..., None] >= THRESHOLDS * usual[..., None], axis=-1)
    return np.where(total > 0, _HALF_OCTAVE * (passed + _LOWEST), 0).astype(np.int32)


def differences(symbols: Symbols) -> Symbols:
    """Of the symbols of each box, (boxes, rows), from the one before or from 0."""
    return np.diff(symbols, axis=1, prepend=np.int32(0))


def choose(symbols: Symbols) -> int:
    """The context that saves most, as far as a Laplacian can tell."""
    if symbols.ndim == 2 and symbols.size and differences(symbols).min() >= 0:
        return SORTED
    if symbols.ndim != 3 or min(symbols.shape) < 1:
        return NONE
    best, choice = _laplacian(symbols, np.zeros(1, np.int32)), NONE
    for context in (COLUMNS, ROWS):
        slices = laid_out(symbols, context)
        bits = _laplacian(slices, offsets(slices))
        if bits < best:
            best, choice = bits, context
    return choice


def _laplacian(symbols: Symbols, spread: Symbols) -> float:
    """The bits of symbols with offsets of their scales, but for a constant."""
    octaves = np.broadcast_to(spread, symbols.shape) / 8
    mean = float((np.abs(symbols) / 2**octaves).mean())
    return symbols.size * math.log2(mean + 0.1) + float(octaves.sum())
