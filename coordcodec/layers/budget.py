"""What decoding costs, known before the work: the same file is refused everywhere, whatever the machine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coordcodec.errors import DecodeLimit, RecipeError
from coordcodec.layers import layer_of
from coordcodec.layers.costs import Cost
from coordcodec.stream.container import Container

RATE = 2e10
"""Multiply-adds that count as a second."""
TIME_LIMIT = 600.0
"""Seconds that a decode may take by its estimate unless somebody says otherwise."""


@dataclass
class Budget:
    """An account of one decode. cost: of all layers. limit: in seconds; None: there is none. own: points of the
    signal's own grid. spent: multiply-adds so far, kept from call to call if `adds_up`."""

    cost: Cost
    limit: float | None
    own: int
    adds_up: bool = False
    spent: float = 0.0

    def check(self, points: int) -> float:
        """The multiply-adds of so many points more. Raises DecodeLimit where they are too many."""
        found = self.spent + self.cost.each * points
        seconds = (self.cost.once + found) / RATE
        if self.limit is not None and seconds > self.limit:
            raise DecodeLimit(
                f"decoding this takes about {_in_words(seconds)}, the limit is {_in_words(self.limit)}; "
                "allow more with --time-limit SECONDS or none (time_limit= in Python)"
            )
        return found

    def spend(self, points: int) -> None:
        """Note that so many points are evaluated. Raises as `check`."""
        found = self.check(points)
        self.spent = found if self.adds_up else 0.0

    def begun(self, options: Mapping[str, Any]) -> Budget:
        """The account of one more job, which adds up. Raises DecodeLimit if all of the grid is asked for, at its own
        size, and that is too much."""
        self.check(0 if any(value is not None for value in options.values()) else self.own)
        return Budget(self.cost, self.limit, self.own, adds_up=True)


def budget_of(container: Container, limit: float | None) -> Budget:
    """The budget of a file. Raises RecipeError for a limit that is no time."""
    if limit is not None and not (isinstance(limit, int | float) and 0 < limit < math.inf):
        raise RecipeError(f"a time limit is a number of seconds above 0, or none, got {limit!r}")
    own = math.prod(container.meta["shape"] or (0,))
    costs = [layer_of(s.spec).cost(s.spec, own) for s in container.sections]
    return Budget(Cost(sum(c.once for c in costs), sum(c.each for c in costs)), limit, own)


def _in_words(seconds: float) -> str:
    for size, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {name}"
    return f"{seconds:.3g} seconds"
