"""Signals that come while the command itself is still being imported, when an exception would show where.

`heed` comes before all other imports of the command, and `heed_no_more` behind them; from then on `interrupts` sees to
them.
"""

import os
import signal

_before: dict[int, object] = {}


def heed() -> None:
    """Let SIGINT, SIGTERM and SIGHUP end the process in one line, unless somebody else answers or ignores them."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is None or signal.getsignal(number) not in (signal.default_int_handler, signal.SIG_DFL):
            continue
        try:
            _before[number] = signal.signal(number, _end)
        except ValueError:  # not in the main thread, which alone is interrupted
            return


def heed_no_more() -> None:
    """Put things back as they were."""
    while _before:
        signal.signal(*_before.popitem())  # type: ignore[arg-type]


def _end(number: int, frame: object) -> None:
    os.write(2, b"interrupted: nothing was written\n")
    os._exit(128 + number)
