"""Notices when a run has left its best loss for good."""

from __future__ import annotations

import math

MOST_SKIPPED = 10
"""So many steps in a row without a finite loss end a run."""
WINDOW, FAR, LONG = 50, 2.0, 4
"""A mean loss over so many steps is far off if it exceeds the best by this factor; so many in a row end a run."""


class Watchdog:
    """Sees the loss of every outer step, NaN for one that was skipped."""

    def __init__(self) -> None:
        self.skipped = self.far = 0
        self.losses: list[float] = []
        self.best = math.inf

    @property
    def worried(self) -> bool:
        """Whether the last steps were bad: no time to keep their state."""
        return bool(self.skipped or self.far)

    def complaint(self, loss: float) -> str:
        """What is wrong after this step, nothing as long as the run is well."""
        if math.isnan(loss):
            self.skipped += 1
            return f"{self.skipped} steps in a row had no finite loss" if self.skipped >= MOST_SKIPPED else ""
        self.skipped = 0
        self.losses.append(loss)
        if len(self.losses) < WINDOW:
            return ""
        mean = sum(self.losses) / WINDOW
        self.losses.clear()
        self.best = min(self.best, mean)
        self.far = self.far + 1 if mean > FAR * self.best else 0
        return f"for {LONG * WINDOW} steps the loss was more than {FAR:g} times its best" if self.far >= LONG else ""
