"""A signal in a basis, to be rounded as coarsely as a size, a bound or nothing allows. Encoder only."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from coordcodec.clock import Progress
from coordcodec.data import Floats, Signal
from coordcodec.layers.detail.coding import Writer, shares_of
from coordcodec.layers.detail.estimate import bits_of, coded
from coordcodec.layers.detail.planes import Ints, basis_of
from coordcodec.layers.detail.quantize import COARSEST, FINEST, OCTAVE, SUB, scaled, step_of
from coordcodec.layers.detail.symbols import Detailed
from coordcodec.layers.detail.values import decoded, integers_of, predicted, rotate
from coordcodec.layers.protocol import Facts, Goal
from coordcodec.layers.threads import each
from coordcodec.recipe import Recipe
from coordcodec.specs import DetailSpec
from coordcodec.stream.grid import ready, warm

RATE = 640
"""What a bit weighs against squared error, in (step / 64)^2. The derivative of the distortion of uniform quantization
by its rate, at high rates, is 2 ln 2 / 12 step^2, or 473."""


_SLICE = 1 << 20
"""Coefficients that are computed with at a time, in float64."""


class DetailFitted:
    """See `coordcodec.layers.protocol.Continuous`. fineness: the code of the step, negative."""

    def __init__(
        self,
        signal: Signal,
        spec: DetailSpec,
        goal: Goal,
        recipe: Recipe,
        below: Floats | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.spec, self.progress, self.threads = spec, progress, recipe.threads
        self.rate = round(RATE * recipe.detail.rounding / 100)
        self.basis = basis_of(spec)
        integers = integers_of(signal, spec, below)
        self.integers = integers.copy() if spec.spacing else None
        rotate(spec, integers)
        if spec.basis == "identity":
            self.coefficients: list[Ints] = [predicted(spec, integers)]
        else:
            self.coefficients = self.basis.analyse(integers, overwrite=True)
        self.reach = [reach_of(plane) for plane in self.coefficients]
        self.bounds = -float(COARSEST), -1.0
        self.fineness = -float(FINEST)
        if recipe.detail.step is not None:
            self.fineness = -self.code_of(
                recipe.detail.step / abs(signal.sample_type.scale[0] if signal.sample_type else 1)
            )
        elif goal.bytes is not None:
            self.fineness = self._guess(8.0 * goal.bytes)

    def code_of(self, step: float) -> float:
        """The code of a step in values."""
        return float(1 + round(OCTAVE * math.log2(max(1.0, step / self.spec.unit[0] * (1 << self.spec.fraction)))))

    def symbols(self, fineness: float) -> Detailed:
        """Rounded as the coder's own lengths suggest, and coded."""
        code = round(-fineness)
        if self.spec.spacing:
            return self._bounded()
        if code == FINEST:
            return self._whole()
        return self._rounded(code)

    def _whole(self) -> Detailed:
        """Nothing is rounded."""
        planes = [np.asarray(plane, np.int32) for plane in self.coefficients]
        found = Detailed.of(FINEST, (0, 0, 0), planes)
        writer = Writer(self.spec, FINEST, b"", self.basis, self.progress, self.threads)
        writer.planes(planes)
        found.chunks = writer.finish((0, 0, 0))
        return found

    def _rounded(self, code: int, residual: bool = False) -> Detailed:
        steps = [step_of(code, plane.norm) for plane in self.basis.planes]
        shares = shares_of(self.spec, map(_nearly, self.coefficients, steps))
        most = [reach // step + 1 for reach, step in zip(self.reach, steps, strict=True)]
        writer = Writer(self.spec, code, shares, self.basis, self.progress, self.threads, most)
        planes = writer.planes(self.coefficients, self.rate, steps)
        points = points_of(self.coefficients, planes, steps)
        found = Detailed.of(code, points, planes)
        rest = None
        if residual:
            assert self.integers is not None
            rest = np.moveaxis(_spaced(self.integers - decoded(self.spec, found), self.spec.spacing), -1, 0)
            found = Detailed.of(code, points, planes, rest)
        found.chunks = writer.finish(points, rest)
        return found

    def _bounded(self) -> Detailed:
        """The step of the basis with which it and its residual take the fewest bytes."""
        best: dict[int, Detailed] = {}

        def size(code: int) -> int:
            if code not in best:
                best[code] = self._rounded(code, residual=True)
            return sum(map(len, best[code].chunks or ()))

        # The best base errs by a third to once the bound: steps of three to nine times it. Its size is flat there.
        middle = 1 + round(OCTAVE * math.log2(1.5 * self.spec.spacing * (1 << self.spec.fraction)))
        reach = OCTAVE // 2
        while (lowest := min((middle, max(1, middle - reach), middle + reach), key=size)) != middle:
            middle = lowest
        return best[middle]

    def _guess(self, target: float) -> float:
        """The fineness at which the estimate is `target` bits."""
        low, high = FINEST + 1, COARSEST
        while high - low > 1:
            middle = (low + high) // 2
            if self._estimate(middle) > target:
                low = middle
            else:
                high = middle
        return -float(high)

    def toward(self, fineness: float, ratio: float) -> float:
        """See `Continuous`: by the estimate, which errs alike at sizes near each other."""
        return self._guess(ratio * self._estimate(round(-fineness)))

    def _estimate(self, code: int) -> float:
        steps = [step_of(code, plane.norm) for plane in self.basis.planes]
        work = [(c[k : k + 1], step) for c, step in zip(self.coefficients, steps, strict=True) for k in range(len(c))]
        bits = each(lambda item: bits_of(*item), work, self.threads)
        return coded(sum(bits), sum(plane.size for plane in self.coefficients))

    def facts(self) -> Facts:
        """No steps were taken."""
        return Facts(0, 0, "cpu", "integer", 1, trained=False)

    def close(self) -> None:
        """See `Fit`."""


def get_ready(progress: Progress | None) -> None:
    """Compile the coder where it is not, once for all encodes, which takes some seconds."""
    if progress and not ready():
        progress("compile", 0, 0)
        warm()


def _spaced(error: NDArray[np.int64], spacing: int) -> NDArray[np.int32]:
    """The multiples of an odd spacing nearest to errors."""
    return np.asarray((error + spacing // 2) // spacing, np.int32)


def _nearly(coefficients: Ints, step: int) -> Ints:
    """About what becomes of coefficients: rounded up from two thirds of a step on. Nothing where none is coded."""
    return (np.abs(scaled(coefficients, step)) + SUB // 3) // SUB


def points_of(
    coefficients: Sequence[Ints], planes: Sequence[NDArray[np.int32]], steps: Sequence[int]
) -> tuple[int, int, int]:
    """Where coefficients of magnitude 1, 2, and 3 and above lie on average, see `quantize.restored`."""
    sums, counts = np.zeros(4), np.zeros(4)
    rows = [
        (found.reshape(-1), symbols.reshape(-1), step)
        for channels, plane, step in zip(coefficients, planes, steps, strict=True)
        for found, symbols in zip(channels, plane, strict=True)
    ]
    for flat, symbols, step in rows:
        for start in range(0, len(flat), _SLICE):
            magnitude = np.abs(symbols[start : start + _SLICE].astype(np.int32))
            here = np.flatnonzero(magnitude)
            magnitude = magnitude[here]
            parts = scaled(flat[start : start + _SLICE][here], step)
            error = np.abs(parts.astype(np.float64)) - SUB * magnitude.astype(np.float64)
            kind = np.minimum(magnitude, 3)
            sums += np.bincount(kind, error, 4)
            counts += np.bincount(kind, minlength=4)
    means = sums / np.maximum(counts, 1)
    first, second, third = (int(np.clip(np.rint(m), -60, 60)) for m in means[1:])
    return first, second, third


def reach_of(plane: Ints) -> int:
    """The largest magnitude of a plane."""
    return max((max(int(part.max()), -int(part.min())) for part in plane if part.size), default=0)
