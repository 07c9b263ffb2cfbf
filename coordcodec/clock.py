"""How long an encoder may go on: until its time is over, or until somebody stops it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called now and then with a stage's name, the steps done and the steps in all, 0 if nobody knows."""


class OutOfTime(Exception):
    """Work that was given up because the time is over; what there is so far must do. Never leaves the encoder."""


class Clock:
    """Runs from when it is made, or told to begin.

    seconds: how long the whole work may take, >= 0; None: as long as it takes.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = math.inf if seconds is None else seconds
        self.began = time.monotonic()
        self.stopped = False

    def begin(self) -> None:
        """Start again from here."""
        self.began = time.monotonic()

    def stop(self) -> None:
        """Say that the work should end as soon as there is a result; may be called from a signal handler."""
        self.stopped = True

    @property
    def left(self) -> float:
        """The seconds that are left, >= 0; infinite without a limit, 0 once stopped."""
        return 0.0 if self.stopped else max(0.0, self.began + self.seconds - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return self.left == 0

    def spent(self, share: float) -> float:
        """How much of the first `share` of the time has gone, >= 0, 1 at its end; infinite once stopped."""
        if self.stopped or self.seconds == 0:
            return math.inf
        return (time.monotonic() - self.began) / (share * self.seconds)

    def affordable(self, wanted: int, seconds: float) -> int:
        """How many of the wanted steps of so many seconds each there is time for."""
        return min(wanted, int(min(self.left / max(seconds, 1e-9), 1e9)))
