"""A signal in a basis, to be rounded as coarsely as a size, a bound or nothing allows. Encoder only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.clock import Progress
from coordcodec.data import Floats, Grid, Signal
from coordcodec.layers.detail.coding import Writer, shares_of
from coordcodec.layers.detail.estimate import bits_of, coded
from coordcodec.layers.detail.fill import fill
from coordcodec.layers.detail.planes import Ints, basis_of
from coordcodec.layers.detail.quantize import COARSEST, FINEST, OCTAVE, SUB, scaled, step_of
from coordcodec.layers.detail.rotation import Rotation
from coordcodec.layers.detail.symbols import Detailed
from coordcodec.layers.detail.threads import each
from coordcodec.layers.detail.values import decoded, integers_of, predicted, values_of
from coordcodec.layers.protocol import Facts, Goal
from coordcodec.recipe import Recipe
from coordcodec.specs import DetailSpec
from coordcodec.stream.grid import ready, warm

RATE = 640
"""What a bit weighs against squared error, in (step / 64)^2. The derivative of the distortion of uniform quantization
by its rate, at high rates, is 2 ln 2 / 12 step^2, or 473."""


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
        self.integers = integers_of(filled(signal, below), spec)
        rotated = Rotation(spec.rotation, spec.turns).forward(self.integers << spec.fraction)
        if spec.basis == "identity":
            self.coefficients: list[Ints] = [predicted(spec, rotated)]
        else:
            self.coefficients = self.basis.analyse(rotated)
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
        parts = [scaled(c, step_of(code, p.norm)) for c, p in zip(self.coefficients, self.basis.planes, strict=True)]
        shares = shares_of(self.spec, [(np.abs(p) + SUB // 3) // SUB for p in parts])
        writer = Writer(self.spec, code, shares, self.basis, self.progress, self.threads)
        planes = writer.planes(parts, self.rate)
        points = points_of(parts, planes)
        found = Detailed.of(code, points, planes)
        rest = None
        if residual:
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
        norms = [plane.norm for plane in self.basis.planes]
        work = [*zip(self.coefficients, norms, strict=True)]
        bits = each(lambda item: bits_of(item[0], step_of(code, item[1])), work, self.threads)
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


def filled(signal: Signal, below: Floats | None = None) -> NDArray[np.float64]:
    """A signal's values less what lies below, (*shape, channels), smooth where none is known."""
    assert isinstance(signal.coords, Grid)
    values = values_of(signal, below)
    known = None if signal.mask is None else signal.mask.reshape(signal.coords.shape)
    return values if known is None else fill(values, known, signal.coords.periodic)


def _spaced(error: NDArray[np.int64], spacing: int) -> NDArray[np.int32]:
    """The multiples of an odd spacing nearest to errors."""
    return np.asarray((error + spacing // 2) // spacing, np.int32)


def points_of(parts: list[Any], planes: list[NDArray[np.int32]]) -> tuple[int, int, int]:
    """Where coefficients of magnitude 1, 2, and 3 and above lie on average, see `quantize.restored`."""
    sums, counts = np.zeros(4), np.zeros(4)
    for part, plane in zip(parts, planes, strict=True):
        magnitude = np.abs(plane).ravel()
        here = np.flatnonzero(magnitude)
        magnitude = magnitude[here]
        error = np.abs(part.ravel()[here].astype(np.float64)) - SUB * magnitude.astype(np.float64)
        kind = np.minimum(magnitude, 3)
        sums += np.bincount(kind, error, 4)
        counts += np.bincount(kind, minlength=4)
    means = sums / np.maximum(counts, 1)
    first, second, third = (int(np.clip(np.rint(m), -60, 60)) for m in means[1:])
    return first, second, third
