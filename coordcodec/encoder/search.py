"""Meet a score: find the size of the smallest file that reaches it, in a few fits.

Scores are in decibels here, more is better. Over the logarithm of the size they are nearly straight, and a fit with
little effort has nearly the slope of one with more: it finds the neighbourhood, few full fits then the place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

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
class Trial(Generic[Made]):
    """A file of so many bytes, and the score that it reached in decibels."""

    made: Made
    size: int
    reached: float


class Trials(Protocol[Made]):
    """What makes the files of a search, each of at most so many bytes.

    has_quick: whether there are trials of little effort that take less time than full ones. over: whether to end with
    what there is.
    """

    has_quick: bool

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        ...

    def quick(self, size: int) -> Trial[Made]:
        """A file made with little effort."""
        ...

    def full(self, size: int) -> Trial[Made]:
        """A file made with all the effort that was asked for."""
        ...


class ScoreSearch(Generic[Made]):
    """The smallest file found that reaches a goal; where none does, the best.

    goal: the score in decibels. bounds: the least and the most bytes that a file may be given.
    """

    def __init__(self, goal: float, bounds: tuple[int, int], trials: Trials[Made]) -> None:
        self.goal, self.bounds, self.trials = goal, bounds, trials
        self.rough, self.fine = _Curve(), _Curve()
        self.done: list[Trial[Made]] = []

    def run(self, start: int) -> Trial[Made]:
        """Search. start: the size in bytes to try first."""
        size = self._within(start)
        if self.trials.has_quick:
            size = self._neighbourhood(size)
        if not (self.done and self.trials.over):
            self._place(size)
        return self._best()

    def _within(self, size: float) -> int:
        return int(min(max(size, self.bounds[0]), self.bounds[1]))

    def _neighbourhood(self, size: int) -> int:
        """Where full trials should begin, by quick ones."""
        for _ in range(QUICK):
            self.done.append(self.trials.quick(size))
            if self.trials.over:
                break
            reached = self.done[-1].reached
            self.rough.add(size, reached)
            size, last = self._within(self.rough.solve(self.goal, self.rough.slope(self.goal))), size
            if abs(reached - self.goal) < NEAR or size == last:
                break
        return size

    def _place(self, size: int) -> None:
        """Full trials, from a size on."""
        goal, bounds = self.goal, self.bounds
        below, above = bounds[0] - 1, bounds[1] + 1  # too small for the goal, and enough or beyond all bounds
        for _ in range(FULL):
            self.done.append(self.trials.full(size))
            reached = self.done[-1].reached
            self.fine.add(size, reached)
            if self.trials.over or goal <= reached <= goal + ABOVE:
                break
            below, above = (max(below, size), above) if reached < goal else (below, min(above, size))
            both = self.fine if len(self.fine.points) > 1 else self.rough
            size = self._within(self.fine.solve(goal + MARGIN, both.slope(goal) if both.points else SLOPES[1]))
            if not below < size < above:  # fits scatter
                size = _further(below, above, bounds, len(self.fine.points))
            if above - below < 2 or not below < size < above:
                break

    def _best(self) -> Trial[Made]:
        enough = [trial for trial in self.done if trial.reached >= self.goal]
        return min(enough, key=lambda trial: trial.size) if enough else max(self.done, key=lambda trial: trial.reached)


def _further(below: int, above: int, bounds: tuple[int, int], count: int) -> int:
    """The middle of what is left, or ever longer steps where one end was not met."""
    if above > bounds[1]:
        return min(math.ceil(below * 2 ** (count / 8)), bounds[1])
    if below < bounds[0]:
        return max(int(above / 2 ** (count / 8)), bounds[0])
    return round(math.sqrt(below * above))
