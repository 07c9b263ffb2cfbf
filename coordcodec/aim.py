"""Meet a score: find the size of the smallest file that reaches it, in a few fits.

Scores are in decibels here, more is better. Over the logarithm of the size they are nearly straight, and a fit with
little effort has nearly the slope of one with more: it finds the neighbourhood, few full fits then the place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Made = TypeVar("Made")

SLOPES = 1.0, 2.5, 8.0
"""Decibels per octave of the size: the least, the usual and the most that is believed."""
FURTHEST = 3.0
"""Octaves of one step, at most: a slope that was only guessed must not lead to a network of millions of parameters."""
CLOSE = 0.2
"""Sizes so many octaves apart tell as much of the slope as was known before."""
QUICK, FULL = 3, 5
"""Fits of each kind, at most."""
NEAR = 0.6
"""A quick fit this close, in decibels, has found the neighbourhood."""
ABOVE = 0.1
"""A file is good enough if its score is above the goal by at most so many decibels."""
MARGIN = 0.04
"""What is aimed for above the goal: fits scatter."""


def decibels(score: float, falling: bool) -> float:
    """A score as decibels of which more is better; falling: whether less is better, as for distances."""
    return -20 * math.log10(max(score, 1e-30)) if falling else score


@dataclass
class _Curve:
    """What sizes reached."""

    points: list[tuple[float, float]] = field(default_factory=list)

    def add(self, size: int, reached: float) -> None:
        self.points.append((math.log2(size), reached))

    def slope(self, goal: float) -> float:
        near = sorted(self.points, key=lambda point: abs(point[1] - goal))
        (x, y), (other_x, other_y) = (near + near)[:2]
        apart = x - other_x
        # Of two points close together the scatter says more than the slope does.
        found = ((y - other_y) * apart + SLOPES[1] * CLOSE**2) / (apart**2 + CLOSE**2)
        return min(max(found, SLOPES[0]), SLOPES[2])

    def solve(self, goal: float, slope: float) -> float:
        """The size, not rounded, that should reach the goal."""
        x, y = min(self.points, key=lambda point: abs(point[1] - goal))
        return float(2 ** (x + min(max((goal - y) / slope, -FURTHEST), FURTHEST)))


@dataclass(frozen=True)
class Shot(Generic[Made]):
    """A file of so many bytes, and the score that it reached in decibels."""

    made: Made
    size: int
    reached: float


def meet(
    goal: float,
    start: int,
    bounds: tuple[int, int],
    quick: Callable[[int], Shot[Made]] | None,
    full: Callable[[int], Shot[Made]],
    over: Callable[[], bool],
) -> Shot[Made]:
    """The smallest file found that reaches the goal; where none does, the best.

    start: the size in bytes to try first. bounds: the least and the most that a file may be given.
    full, quick: make a file of at most so many bytes, quick with little effort; None if that would take as long.
    over: whether to end with what there is.
    """

    def within(size: float) -> int:
        return int(min(max(size, bounds[0]), bounds[1]))

    rough, fine = _Curve(), _Curve()
    shots: list[Shot[Made]] = []
    size = within(start)
    for _ in range(QUICK if quick else 0):
        assert quick
        shots.append(quick(size))
        if over():
            return _best(shots, goal)
        rough.add(size, shots[-1].reached)
        near = abs(shots[-1].reached - goal) < NEAR
        size, last = within(rough.solve(goal, rough.slope(goal))), size
        if near or size == last:
            break
    below, above = bounds[0] - 1, bounds[1] + 1  # too small for the goal, and enough or beyond all bounds
    for _ in range(FULL):
        shots.append(full(size))
        reached = shots[-1].reached
        fine.add(size, reached)
        if over() or goal <= reached <= goal + ABOVE:
            break
        below, above = (max(below, size), above) if reached < goal else (below, min(above, size))
        both = fine if len(fine.points) > 1 else rough
        size = within(fine.solve(goal + MARGIN, both.slope(goal) if both.points else SLOPES[1]))
        if not below < size < above:  # fits scatter
            size = _further(below, above, bounds, len(fine.points))
        if above - below < 2 or not below < size < above:
            break
    return _best(shots, goal)


def _further(below: int, above: int, bounds: tuple[int, int], count: int) -> int:
    """The middle of what is left, or ever longer steps where one end was not met."""
    if above > bounds[1]:
        return min(math.ceil(below * 2 ** (count / 8)), bounds[1])
    if below < bounds[0]:
        return max(int(above / 2 ** (count / 8)), bounds[0])
    return round(math.sqrt(below * above))


def _best(shots: list[Shot[Made]], goal: float) -> Shot[Made]:
    enough = [shot for shot in shots if shot.reached >= goal]
    return min(enough, key=lambda shot: shot.size) if enough else max(shots, key=lambda shot: shot.reached)
