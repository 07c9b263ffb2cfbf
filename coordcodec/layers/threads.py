"""The same work for many things, in a few threads; compiled kernels run beside each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")
MOST = 16
"""Threads at most; each holds a tile and a coder's state."""


def usable(threads: int | None = None) -> int:
    """The threads to use: those asked for, or as many as there are processors to run on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return threads or cores


def each(work: Callable[[_T], _R], things: Sequence[_T], threads: int | None = None) -> list[_R]:
    """Do the work for each thing; what it gives, in order. threads: None: as many as there are processors to run on."""
    count = min(usable(threads), MOST, len(things))
    if count < 2:
        return [*map(work, things)]
    with ThreadPoolExecutor(count) as pool:
        return [*pool.map(work, things)]
