"""Standard streams as they may be: closed, full, gone, or shown on a terminal that obeys what it is sent."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from coordcodec.errors import FileError, WriteError, reason
from coordcodec.files import read_stream

_NAMES = ("stdin", "stdout", "stderr")


def mend() -> None:
    """Put the null device where a standard stream is closed, so that no file takes its place."""
    for number, name in enumerate(_NAMES):
        if getattr(sys, name) is None:
            with suppress(OSError):
                os.fstat(number)
                continue
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115  as good as closed, and print() knows it


def printable(text: str) -> str:
    """The text with everything escaped that a terminal obeys or cannot show: ESC, newlines, halves of surrogates."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def say(text: str = "", *, end: str = "\n") -> None:
    """Print lines on standard output. Raises WriteError when it fails, BrokenPipeError when nobody reads it."""
    with _output() as stream:
        _print(text, stream, end)
        stream.flush()


@contextmanager
def _output() -> Iterator[TextIO]:
    """Standard output, to be written and flushed inside."""
    if sys.stdout is None:
        raise WriteError("cannot write to standard output: it is closed")
    try:
        yield sys.stdout
    except BrokenPipeError:
        raise
    except OSError as error:
        silence(sys.stdout)
        raise WriteError(f"cannot write to standard output: {reason(error)}") from None


def tell(text: str) -> None:
    """Print lines on standard error, if it can be written."""
    try:
        _print(text, sys.stderr, "\n")
        sys.stderr.flush()
    except OSError:
        silence(sys.stderr)


def _print(text: str, stream: TextIO, end: str) -> None:
    shown = "\n".join(map(printable, text.split("\n"))) + end
    encoding = stream.encoding or "utf-8"
    stream.write(shown.encode(encoding, "backslashreplace").decode(encoding))


def silence(stream: TextIO) -> None:
    """Let a stream that failed lead nowhere, so that Python does not try it again at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def take() -> bytes:
    """All of standard input. Raises FileError when it is closed, unreadable or too long."""
    if sys.stdin is None:
        raise FileError("cannot read standard input: it is closed")
    try:
        return read_stream(sys.stdin.buffer, "standard input")
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot read standard input: {reason(error)}") from None


def give(data: bytes) -> None:
    """Write bytes to standard output. Raises as `say` does."""
    with _output() as stream:
        stream.buffer.write(data)
        stream.buffer.flush()
