"""SIGINT, SIGTERM and SIGHUP end a command alike: in one line, and with an exit code that tells which it was."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from coordcodec.cli import streams

NUMBERS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Heeded:
    """The signals that were met.

    last: the newest of them. ready: whether all is imported that a command begins with.
    """

    def __init__(self) -> None:
        self.last = int(signal.SIGINT)
        self.ready = False

    @property
    def exit_code(self) -> int:
        """What shells expect of a program that a signal ended: 128 and its number."""
        return 128 + self.last

    def end(self) -> None:
        """End the command: at once while it has only begun, otherwise by KeyboardInterrupt."""
        if not self.ready:  # an exception can get lost in the middle of an import
            streams.tell("interrupted: nothing was written")
            os._exit(self.exit_code)
        raise KeyboardInterrupt

    @contextmanager
    def calling(self, action: Callable[[], None]) -> Iterator[None]:
        """Answer the signals inside with an action; those that are ignored, as under nohup, stay so.

        Elsewhere than in the main thread nothing changes.
        """

        def answer(number: int, frame: object) -> None:
            self.last = number
            action()

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in NUMBERS}
        for number, old in before.items():
            if old is not signal.SIG_IGN:
                signal.signal(number, answer)
        try:
            yield
        finally:
            for number, old in before.items():
                if old is not None:
                    signal.signal(number, old)

    def lost(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Send a signal again whose exception met code that none can leave, such as a destructor."""
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            again = threading.Timer(0.05, os.kill, (os.getpid(), self.last))
            again.daemon = True
            again.start()
        else:
            sys.__unraisablehook__(unraisable)


HEEDED = Heeded()


@contextmanager
def heeded() -> Iterator[Heeded]:
    """Let the signals end the command inside."""
    HEEDED.last, HEEDED.ready = int(signal.SIGINT), False
    with HEEDED.calling(HEEDED.end), _hook(HEEDED):
        yield HEEDED


@contextmanager
def _hook(found: Heeded) -> Iterator[None]:
    before, sys.unraisablehook = sys.unraisablehook, found.lost
    try:
        yield
    finally:
        sys.unraisablehook = before
