"""Rotations across channels, in integers and exactly reversible: luma and chroma, mid and side, or fitted to a signal.

A plane rotation by an angle a is three shears, each an integer lifting step, so that even a fitted rotation gives
back the same integers. "fitted" and "opponent" are orthonormal up to rounding: equal steps in all channels give the
least squared error. For a lossy layer give samples with fraction bits, as for wavelets.

Sources: Malvar and Sullivan, "YCoCg-R: a color space with RGB reversibility and low dynamic range" (JVT-I014, 2003);
Daubechies and Sweldens, "Factoring wavelet transforms into lifting steps" (1998), section 7.3 (three shears).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]
"""int32 or int64."""

KINDS = ("identity", "midside", "ycocg", "opponent", "fitted")
BITS = 14
MAX_CHANNELS = 16

_OPPONENT = (-6786, -5207, -9459)
"""The turns to (1, 1, 1) / sqrt 3, (1, 0, -1) / sqrt 2 and (1, -2, 1) / sqrt 6, up to signs."""


@dataclass(frozen=True)
class Rotation:
    """A rotation of the last axis.

    kind: "identity"; "midside" (the first two channels) and "ycocg" (the first three) leave the others alone, as does
    "opponent" (orthonormal, the first three); "fitted" turns all channels by `turns`: for each pair of channels, in
    the order (0, 1), (0, 2), .., (1, 2), .., tan(half the angle) * 2^14, -2^14 to 2^14. Raises ValueError.
    """

    kind: str = "identity"
    turns: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown rotation {self.kind!r}; there are {', '.join(KINDS)}")
        if any(abs(turn) > 1 << BITS for turn in self.turns) or (self.turns and self.kind != "fitted"):
            raise ValueError("only a fitted rotation has turns, of at most 2^14")

    def forward(self, array: Ints) -> Ints:
        """The rotated channels of an int32 or int64 array (.., channels), in its own type.

        "midside" gives mean and difference, "ycocg" Y, Co and Cg of R, G and B; a fitted rotation should bring the
        channel of most energy first. Values are what they should be while sums of two |samples| fit the type (int64:
        2^45); beyond it they wrap, and the inverse still gives the samples back.
        """
        found = self._checked(array)
        if self.kind == "midside":
            _part(found, 0, 1)
        elif self.kind == "ycocg":
            _part(found, 2, 0)
            _part(found, 2, 1)
            found[..., :3] = found[..., [2, 0, 1]]
        for first, second, turn in self._planes(found.shape[-1]):
            _turn(found[..., first], found[..., second], turn)
        return found

    def inverse(self, array: Ints) -> Ints:
        """The array that `forward` was given: integer arithmetic alone."""
        found = self._checked(array)
        for first, second, turn in reversed(self._planes(found.shape[-1])):
            _turn(found[..., first], found[..., second], -turn)
        if self.kind == "midside":
            _join(found, 0, 1)
        elif self.kind == "ycocg":
            found[..., :3] = found[..., [1, 2, 0]]
            _join(found, 2, 1)
            _join(found, 2, 0)
        return found

    def _checked(self, array: Ints) -> Ints:
        """A copy, if it has as many channels as this rotation needs."""
        if array.dtype not in (np.int32, np.int64):
            raise ValueError(f"a rotation takes int32 or int64, not {array.dtype}")
        self.check(array.shape[-1] if array.ndim else 0)
        return array.copy()

    def check(self, channels: int) -> None:
        """Raise ValueError unless it takes so many channels."""
        least = {"identity": 0, "midside": 2}.get(self.kind, 3 if self.kind != "fitted" else 1)
        exact = self.kind != "fitted" or len(self.turns) == channels * (channels - 1) // 2
        if channels < least or not exact:
            raise ValueError(f"{self.kind} does not rotate {channels} channels")

    def _planes(self, channels: int) -> list[tuple[int, int, int]]:
        """The plane rotations in forward order: two channels and a turn."""
        turns = _OPPONENT if self.kind == "opponent" else self.turns
        if not turns:
            return []
        pairs = itertools.combinations(range(3 if self.kind == "opponent" else channels), 2)
        return [(*pair, turn) for pair, turn in zip(pairs, turns, strict=True)]


def fit_rotation(samples: NDArray[Any]) -> Rotation:
    """The rotation to the principal axes of (n, channels) samples, of any real type: encoder only.

    Falls back to identity for one channel and for more than 16.
    """
    channels = samples.shape[-1]
    if not 2 <= channels <= MAX_CHANNELS or len(samples) < 2:
        return Rotation()
    spread = np.atleast_2d(np.cov(samples.reshape(-1, channels).astype(np.float64), rowvar=False))
    return Rotation("fitted", turns_of(np.linalg.eigh(spread)[1].T[::-1]))


def turns_of(axes: NDArray[np.float64]) -> tuple[int, ...]:
    """The turns that bring a sample to these orthonormal axes (rows), up to signs: Givens rotations to a diagonal."""
    left = axes.T.copy()
    turns = []
    for first, second in itertools.combinations(range(len(left)), 2):
        above, below = left[first, first], left[second, first]
        angle = np.arctan2(-below, above) if above > 0 else np.arctan2(below, abs(above))
        turns.append(round(np.tan(angle / 2) * (1 << BITS)))
        cos, sin = np.cos(angle), np.sin(angle)
        left[[first, second]] = np.array([[cos, -sin], [sin, cos]]) @ left[[first, second]]
    return tuple(int(turn) for turn in turns)


def _part(array: Ints, mean: int, difference: int) -> None:
    """Turn two channels into their mean, rounded down from the second's side, and their difference."""
    array[..., difference] -= array[..., mean]
    array[..., mean] += array[..., difference] >> 1


def _join(array: Ints, mean: int, difference: int) -> None:
    array[..., mean] -= array[..., difference] >> 1
    array[..., difference] += array[..., mean]


def _turn(first: Ints, second: Ints, turn: int) -> None:
    """Three shears: (first, second) to (first cos - second sin, first sin + second cos), in place; -turn undoes it."""
    # The sine by whole numbers: 2 t / (1 + t^2). Rounded towards zero, so that -turn gives its negative.
    size = 1 << 2 * BITS
    sine = (2 * abs(turn) * size // (size + turn * turn)) * (1 if turn > 0 else -1)
    _shear(first, second, -turn)
    _shear(second, first, sine)
    _shear(first, second, -turn)


def _shear(target: Ints, source: Ints, factor: int) -> None:
    """target += round(factor * source / 2^14), to the nearest; the sign of the factor is applied last."""
    moved = (source.astype(np.int64) * abs(factor) + (1 << (BITS - 1))) >> BITS
    if factor > 0:
        np.add(target, moved, out=target, casting="unsafe")
    else:
        np.subtract(target, moved, out=target, casting="unsafe")
