"""Meet a size from below: how finely to quantize, so that the real file just fits, header and checksum included."""

from __future__ import annotations

import math

from coordcodec.clock import Clock
from coordcodec.data import Symbols
from coordcodec.encoder.plan import Plan
from coordcodec.errors import RecipeError
from coordcodec.layers.protocol import Continuous, Drafted, Fitted

_AIM, _TOLERANCE = 0.988, 0.006
"""The final symbols may take a little more than a draft: aim for this share of the target, this closely."""
_LEAST = 0.97
"""A result below this share of the target is worth another try."""
_ATTEMPTS = 9
_TRIALS = 10
"""How many sizes are tried at most where the size follows the step closely."""
_NEAR, _FEW = 0.008, 20
"""A share of the target and a number of bytes: what is no further below it is near enough."""


def _crossing(tried: list[tuple[float, float]], goal: float) -> float | None:
    """Where a line through the nearest trials below and above a goal meets it; None without both."""
    below = [trial for trial in tried if trial[1] <= goal]
    above = [trial for trial in tried if trial[1] > goal]
    if not below or not above:
        return None
    (left, low), (right, high) = max(below, key=lambda t: t[1]), min(above, key=lambda t: t[1])
    return left + (right - left) * (goal - low) / (high - low)


class RateControl:
    """The search for the fineness at which a plan's file takes its target.

    plan: makes the files. fitted: makes the symbols. clock: says when to end with what there is; what is quantized
    then is plain rounding, no match for anything before.
    """

    def __init__(self, plan: Plan, fitted: Fitted, clock: Clock) -> None:
        self.plan, self.fitted, self.clock = plan, fitted, clock

    def run(self) -> tuple[Symbols, float]:
        """The symbols whose file takes at most the target and, where that is possible, not much less; their fineness.

        Without a target those of the fineness that the fit suggests.
        """
        fitted, target = self.fitted, self.plan.target
        if target is None:
            return fitted.symbols(fitted.fineness), fitted.fineness
        if isinstance(fitted, Continuous):
            return self._closed_in(fitted, target)
        if fitted.slope != 0:
            return self._quantized(fitted, target)
        return fitted.symbols(fitted.fineness), fitted.fineness

    def _quantized(self, fitted: Drafted, target: int) -> tuple[Symbols, float]:
        """The symbols of a quantizer, which takes its time: drafts say where to begin."""
        fineness = self._drafted(fitted, target)
        best: tuple[int, Symbols, float] | None = None
        for attempt in range(_ATTEMPTS):
            symbols = fitted.symbols(fineness)
            if best and self.clock.over:
                break
            taken = self.plan.size(symbols)
            if taken <= target and (best is None or taken > best[0]):
                best = (taken, symbols, fineness)
            if best and (taken > target or taken >= self._share(_LEAST, target) or attempt == 2):
                break
            moved = fineness + (self._share(0.99, target) - taken) / fitted.slope
            if taken > target:  # ever larger steps down: the coarsest grid always fits
                moved = min(moved, fineness - 0.03 * 2**attempt)
            moved = self._within(moved)
            if moved == fineness:
                break
            fineness = moved
        if best is None:
            raise RecipeError(
                f"this quantizer made no file of at most {target} bytes; use another one or a larger target"
            )
        return best[1], best[2]

    def _closed_in(self, fitted: Continuous, target: int) -> tuple[Symbols, float]:
        """The symbols of the largest file found that takes at most the target, and no less than a little below it."""
        low, high = fitted.bounds
        fineness, tried = self._within(fitted.fineness), list[tuple[float, float]]()
        best: tuple[int, Symbols, float] | None = None
        for _ in range(_TRIALS):
            symbols = fitted.symbols(fineness)
            taken = self.plan.size(symbols)
            if taken <= target:
                low = fineness
                best = (taken, symbols, fineness) if best is None or taken > best[0] else best
                if taken >= target - max(_NEAR * target, _FEW):
                    break
            else:
                high = fineness
            if high - low <= 1 or (best and self.clock.over):
                break
            tried.append((fineness, math.log2(taken)))
            goal = math.log2(target * (1 - _NEAR / 2))
            wanted = _crossing(tried, goal) or fitted.toward(fineness, 2 ** (goal - tried[-1][1]))
            fineness = float(min(max(round(wanted), low + 1), high - 1))
        if best is None:
            raise RecipeError(f"the coarsest steps take more than {target} bytes; use a larger target")
        return best[1], best[2]

    def _share(self, share: float, target: int) -> float:
        """A share of the target; what no fineness changes is there in full."""
        ballast = self.plan.frame.ballast
        return ballast + share * (target - ballast)

    def _within(self, fineness: float) -> float:
        lowest, highest = self.fitted.bounds
        return min(max(fineness, lowest), highest)

    def _drafted(self, fitted: Drafted, target: int) -> float:
        """The fineness at which a draft takes just less than the target."""
        fineness, (low, high) = fitted.fineness, fitted.bounds
        for _ in range(12):
            taken = self.plan.size(fitted.draft(fineness))
            if taken > self._share(_AIM + _TOLERANCE, target):
                high = fineness
            elif taken < self._share(_AIM - _TOLERANCE, target):
                low = fineness
            else:
                break
            guess = fineness + (self._share(_AIM, target) - taken) / fitted.slope
            fineness = guess if low < guess < high else (low + high) / 2
            if high - low < 0.01:
                return low
        return fineness
