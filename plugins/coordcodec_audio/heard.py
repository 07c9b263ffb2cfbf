"""What decoders print to standard error themselves, as remarks of ours."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator

_TURN = threading.Lock()
_THEIRS = re.compile(rb"(\[src/libmpg123/\S+\] )?(?P<kind>Warning|Note|warning|error): (?P<said>.*)")
MOST = 3


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """Takes what libmpg123 prints while it decodes: the list is filled when this ends, with at most MOST remarks.

    Whatever else is printed meanwhile, by other threads, is printed after all.
    """
    said: list[str] = []
    with _TURN, contextlib.ExitStack() as stack:
        try:
            real = os.dup(2)
        except OSError:  # there is no standard error, so nothing to hear
            yield said
            return
        stack.callback(os.close, real)
        file = stack.enter_context(tempfile.TemporaryFile())
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(real, 2)
            file.seek(0)
            said += _sorted(file.read(), real)


def _sorted(printed: bytes, real: int) -> list[str]:
    """The remarks of the decoder; all other lines go to where they were meant for."""
    said = dict[str, None]()
    for line in printed.splitlines(keepends=True):
        theirs = _THEIRS.match(line.strip())
        if theirs is None:
            with contextlib.suppress(OSError):
                os.write(real, line)
        elif theirs["kind"] != b"Note":
            said[theirs["said"].decode("ascii", "replace")[:100].rstrip("!. ")] = None
    return [f"its decoder found damage: {words}" for words in list(said)[:MOST]]
