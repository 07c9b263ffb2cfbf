"""A few threads that share a CPU's work in large pieces.

PyTorch's own threads meet at each of some eighty small operations of a step, waiting for one another in busy loops:
a neighbour on the machine then costs not its share of the time but a multiple of it. These meet once per step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")

MOST_WORKERS = 4
"""Python's share of the work is serial: more threads than this would queue for it."""


class Workers:
    """A context in which a CPU's cores belong to a few threads, and PyTorch's own are reduced.

    On another device there are none, and everything runs where it is called.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.count = 1
        self.pool: ThreadPoolExecutor | None = None
        self.outer_threads = 1

    def __enter__(self) -> Workers:
        if self.device.type == "cpu":
            self.outer_threads = torch.get_num_threads()
            self.count = min(self.outer_threads, MOST_WORKERS)
            each = max(1, self.outer_threads // self.count)
            torch.set_num_threads(each)
            # For each of them too: what MKL takes is a fact of the thread, and decides in which order it sums. Without
            # this, equal seeds give unequal bytes on a busy machine.
            self.pool = ThreadPoolExecutor(self.count, initializer=torch.set_num_threads, initargs=(each,))
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool:
            self.pool.shutdown()
            self.pool, self.count = None, 1
            torch.set_num_threads(self.outer_threads)

    def start(self, work: Callable[[T], R], items: Sequence[T]) -> Callable[[], list[R]]:
        """Begin work(item) for every item; what is returned waits for the results, in order."""
        if not self.pool:
            return lambda: [work(item) for item in items]
        # The calling thread is one of the workers: it would only wait.
        others = [self.pool.submit(work, item) for item in items[1:]]
        return lambda: [work(item) for item in items[:1]] + [other.result() for other in others]

    def later(self, work: Callable[[], R]) -> Future[R] | None:
        """Have work() done by the first thread that is free; None where there are no threads."""
        return self.pool.submit(work) if self.pool else None
