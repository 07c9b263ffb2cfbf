"""A few threads that share a CPU's work in large pieces.

PyTorch's own threads meet at each of some eighty small operations of a step, waiting for one another in busy loops:
a neighbour on the machine then costs not its share of the time but a multiple of it. These meet once per step.

How the work is cut never depends on how many threads there are, and each thread computes with one thread of its own:
the same command gives the same bytes on a busy machine, on two cores and on eight.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")

PIECES = 4
"""Pieces into which work is cut at least, whatever the number of threads. Python's share of the work is serial: more
threads than this would queue for it."""


class Workers:
    """A context in which a CPU's cores belong to a few threads, and PyTorch's own are reduced to one.

    threads: how many, the calling one included; None: as many as PyTorch uses, at most PIECES. On another device
    there is only the calling one. pieces: into how many the work of a step is to be cut.
    """

    def __init__(self, device: torch.device, threads: int | None = None) -> None:
        self.device, self.threads = device, threads
        self.pieces = PIECES if device.type == "cpu" else 1
        self.count = 1
        self.pool: ThreadPoolExecutor | None = None
        self.outer_threads = 1

    def __enter__(self) -> Workers:
        if self.device.type == "cpu":
            self.outer_threads = torch.get_num_threads()
            self.count = min(self.threads or self.outer_threads, PIECES)
            torch.set_num_threads(1)
            if self.count > 1:
                # For each thread too: what MKL takes is a fact of the thread, and decides in which order it sums.
                self.pool = ThreadPoolExecutor(self.count - 1, initializer=torch.set_num_threads, initargs=(1,))
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool:
            self.pool.shutdown()
        if self.device.type == "cpu":
            torch.set_num_threads(self.outer_threads)
        self.pool, self.count = None, 1

    def start(self, work: Callable[[T], R], items: Sequence[T]) -> Callable[[], list[R]]:
        """Begin work(item) for every item; what is returned takes part in the work and gives the results in order."""
        if not self.pool:
            return lambda: [work(item) for item in items]
        results: dict[int, R] = {}
        numbers = itertools.count()

        def drain() -> None:
            while (number := next(numbers)) < len(items):
                results[number] = work(items[number])

        others = [self.pool.submit(drain) for _ in range(min(self.count, len(items)) - 1)]

        def finish() -> list[R]:
            drain()
            for other in others:
                other.result()
            return [results[number] for number in range(len(items))]

        return finish

    def later(self, work: Callable[[], R]) -> Future[R] | None:
        """Have work() done by the first thread that is free; None where there is only the calling one."""
        return self.pool.submit(work) if self.pool else None
