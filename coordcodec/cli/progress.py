"""While a command works: the progress bar, and what a signal does then."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from coordcodec.cli.interrupts import HEEDED
from coordcodec.clock import Clock


@contextmanager
def stopping(clock: Clock, wanted: bool) -> Iterator[None]:
    """If wanted, the first signal inside, such as Ctrl-C, stops the clock; a second one interrupts as usual."""
    if not wanted:
        yield
        return

    def stop() -> None:
        if clock.stopped:
            raise KeyboardInterrupt
        clock.stop()

    with HEEDED.calling(stop):
        yield


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """A progress bar on a terminal's standard error, nothing elsewhere. A total of 0 is one that nobody knows."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description:9}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("start", total=None)
        stage = ""

        def report(name: str, done: int, total: int) -> None:
            nonlocal stage
            if name != stage:
                stage = name
                bar.reset(task, description=name, total=total or None)
            bar.update(task, completed=done, total=total or None)

        yield report
