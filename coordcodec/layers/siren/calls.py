"""The loss as a quantizer calls it: counted, shown as progress, and given up when the time is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from coordcodec.clock import Clock, OutOfTime, Progress


class Calls:
    """A loss of parameters, or of their updates to `origin` where there is one, that counts its calls and reports them
    as progress.

    wanted: calls for each quantization if there is time. pace: seconds that a step of the fit took. Raises OutOfTime
    when the clock says so.
    """

    def __init__(
        self,
        loss: Callable[[Mapping[str, Any]], Any],
        origin: Mapping[str, Any],
        wanted: int,
        progress: Progress | None,
        clock: Clock,
        pace: float,
    ) -> None:
        self.loss, self.origin, self.wanted, self.progress = loss, origin, wanted, progress
        self.clock, self.pace = clock, pace
        self.total = self.done = self.budget = 0

    def restart(self) -> Calls:
        """Begin a quantization. There may be a second one, and a call costs about twice what a step of the fit does."""
        self.done, self.budget = 0, self.clock.affordable(self.wanted, 4 * self.pace)
        return self

    def __call__(self, params: Mapping[str, Any]) -> Any:
        """The loss on the next minibatch."""
        if self.clock.over:
            raise OutOfTime
        self.total += 1
        self.done += 1
        if self.progress and (self.done % 20 == 0 or self.done == self.budget):
            self.progress("quantize", self.done, max(self.budget, self.done))
        if self.origin:
            return self.loss({name: self.origin[name] + update for name, update in params.items()})
        return self.loss(params)
