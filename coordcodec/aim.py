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
        return float(2 ** min(x + (goal - y) / slope, 60))


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
    quick: Callable[[int], float] | None,
    full: Callable[[int], Shot[Made]],
    over: Callable[[], bool],
) -> Shot[Made]:
    """The smallest file found that reaches the goal; where none does, the best.

    start: the size in bytes to try first. bounds: the least and the most that a file may be given.
    quick: what a file of at most so many bytes reaches, about; None if it would take as long as `full`.
    over: whether to end with what there is.
    """

    def within(size: float) -> int:
        return int(min(max(size, bounds[0]), bounds[1]))

    rough, fine = _Curve(), _Curve()
    size = within(start)
    for _ in range(QUICK if quick else 0):
        assert quick
        rough.add(size, quick(size))
        if abs(rough.points[-1][1] - goal) < NEAR or over():
            break
        size, last = within(rough.solve(goal, rough.slope(goal))), size
        if size == last:
            break
    if rough.points:
        size = within(rough.solve(goal, rough.slope(goal)))
    best: Shot[Made] | None = None
    below, above = bounds[0] - 1, bounds[1] + 1  # too small for the goal, and enough or beyond all bounds
    for _ in range(FULL):
        shot = full(size)
        fine.add(size, shot.reached)
        if best is None or _better(shot, best, goal):
            best = shot
        if over() or goal <= shot.reached <= goal + ABOVE:
            break
        if shot.reached < goal:
            below = max(below, size)
        else:
            above = min(above, size)
        both = fine if len(fine.points) > 1 else rough
        size = within(fine.solve(goal + MARGIN, both.slope(goal) if both.points else SLOPES[1]))
        if not below < size < above:  # fits scatter
            size = _further(below, above, bounds, len(fine.points))
        if above - below < 2 or not bounds[0] <= size <= bounds[1] or not below < size < above:
            break
    assert best is not None
    return best


def _further(below: int, above: int, bounds: tuple[int, int], count: int) -> int:
    """The middle of what is left, or ever longer steps where one end was not met."""
    if above > bounds[1]:
        return min(math.ceil(below * 2 ** (count / 8)), bounds[1])
    if below < bounds[0]:
        return max(int(above / 2 ** (count / 8)), bounds[0])
    return round(math.sqrt(below * above))


def _better(shot: Shot[Made], best: Shot[Made], goal: float) -> bool:
    if shot.reached >= goal:
        return best.reached < goal or shot.size < best.size
    return best.reached < goal and shot.reached > best.reached
