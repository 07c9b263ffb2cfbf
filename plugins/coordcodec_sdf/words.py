"""Text as arrays: where its words are, which of them begin a line, what numbers they are."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError

Integers = NDArray[np.int64]
_BLOCK = 1 << 22
"""Bytes that are looked at together: what is computed of them stays in the processor's cache."""
_LONGEST = 1 << 26
_WORDS = {np.float64: "number", np.int64: "whole number"}
CUT_OFF = "it is cut off: it holds less than it declares; copy or export it again"
_NUMBER = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?(nan|inf|infinity)", re.IGNORECASE)
_WHOLE = re.compile(rb"[-+]?\d+")


def plain(data: bytes) -> bytes:
    """Text without a byte order mark, its lines ended by line feeds. Letters beyond ASCII stay whatever they are."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", "replace").encode("latin-1", "replace")
    data = data.removeprefix(b"\xef\xbb\xbf")
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def uncommented(text: bytes) -> bytes:
    """Text without what stands behind # in each line."""
    return re.sub(rb"#[^\n]*", b"", text) if b"#" in text else text


def shown(text: bytes) -> str:
    """A piece of a file, short and printable, for a message."""
    printable = text.decode("ascii", "backslashreplace").encode("unicode_escape").decode("ascii")
    return f"'{printable[:40]}...'" if len(printable) > 40 else f"'{printable}'"


def not_a(what: str, word: bytes) -> SignalError:
    """The error of a word that is no number, or no whole one."""
    return SignalError(f"{shown(word)} stands where a {what} is expected; repair or export it again")


@dataclass(frozen=True)
class Words:
    """The words of a text: (n,) where each begins and ends. What is not above a blank in ASCII separates them."""

    text: bytes
    chars: NDArray[np.uint8]
    starts: Integers
    ends: Integers

    @classmethod
    def of(cls, text: bytes) -> Words:
        """All words of a text. Raises SignalError for one that is too long."""
        if len(text) > _LONGEST:
            raise SignalError(
                f"it has a line of {len(text)} bytes, at most {_LONGEST} are read; write it in shorter ones"
            )
        chars = np.frombuffer(text, np.uint8)
        inside = np.zeros(len(chars) + 2, bool)
        np.greater(chars, 32, out=inside[1:-1])
        edges = np.flatnonzero(inside[1:] != inside[:-1])
        return cls(text, chars, edges[::2], edges[1::2])

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def heads(self) -> Integers:
        """The numbers of the words that begin a line."""
        behind = np.searchsorted(self.starts, np.flatnonzero(self.chars == ord("\n")))
        heads = np.append(0, behind)
        return heads[(np.diff(heads, append=len(self)) > 0)]

    def word(self, number: np.integer[Any] | int) -> bytes:
        """One of them."""
        return self.text[self.starts[number] : self.ends[number]]

    def line(self, head: np.integer[Any] | int) -> str:
        """The line that a word begins, for a message."""
        return shown(self.text[self.starts[head] :].split(b"\n", 1)[0].strip())

    def numbers(self, which: Integers, kind: Any = np.float64, ends: Integers | None = None) -> NDArray[Any]:
        """Some of the words as numbers: (k,) of `kind`, float64 or int64; what is too large becomes the largest.

        which: (k,), ascending. ends: (k,), where they end if it is earlier.
        Raises SignalError for a word that is no number.
        """
        if not len(which):
            return np.zeros(0, kind)
        marks = np.zeros(len(self.chars) + 1, np.int8)
        marks[self.starts[which]] = 1
        marks[self.ends[which] if ends is None else ends] -= 1
        kept = np.cumsum(marks[:-1], dtype=np.int8).view(bool)
        text = np.where(kept, self.chars, np.uint8(32)).tobytes()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", DeprecationWarning)  # what NumPy before 2.4 said
                found = np.fromstring(text, kind, sep=" ")
        except (ValueError, DeprecationWarning):
            found = np.zeros(0, kind)
        if len(found) != len(which):
            raise not_a(_WORDS[kind], self._no_number(which, kind, ends))
        return found

    def _no_number(self, which: Integers, kind: Any, ends: Integers | None) -> bytes:
        pattern = _WHOLE if kind is np.int64 else _NUMBER
        for number, end in zip(which, self.ends[which] if ends is None else ends, strict=True):
            if not pattern.fullmatch(self.text[self.starts[number] : end]):
                return self.word(number)
        return b""


def blocks(text: bytes) -> Iterator[Words]:
    """The words of whole lines, some millions of bytes at a time."""
    start = 0
    while start < len(text):
        end = text.find(b"\n", start + _BLOCK) + 1 or len(text)
        yield Words.of(text[start:end])
        start = end


@dataclass(frozen=True)
class Table:
    """Text that is all numbers.

    values: (n,) float64. heads: the numbers of those that begin a line. rest: the first word that is no number,
    behind which nothing was read.
    """

    values: NDArray[np.float64]
    heads: Integers
    rest: bytes = b""

    @classmethod
    def of(cls, text: bytes) -> Table:
        """All numbers up to the first word that is none."""
        values, heads, count, rest = [np.zeros(0)], [np.zeros(0, np.int64)], 0, b""
        for words in blocks(text):
            every = np.arange(len(words))
            try:
                values.append(words.numbers(every))
            except SignalError:
                stop = next(k for k in every if not _NUMBER.fullmatch(words.word(k)))
                values.append(words.numbers(every[:stop]))
                rest = words.word(stop)
            heads.append(words.heads[words.heads < len(values[-1])] + count)
            count += len(values[-1])
            if rest:
                break
        return cls(np.concatenate(values), np.concatenate(heads), rest)

    def begins_line(self, number: int, line: int) -> bool:
        """Whether a number begins a line, counted from 0; the end of all begins the line behind the last one."""
        if line < len(self.heads):
            return bool(self.heads[line] == number)
        return line == len(self.heads) and number == len(self.values)

    def lacking(self) -> SignalError:
        """The error of a file that holds fewer numbers than it declares."""
        return not_a("number", self.rest) if self.rest else SignalError(CUT_OFF)


def ranges(starts: Integers, counts: Integers) -> Integers:
    """The whole numbers from each start on, `counts` of them each, behind one another."""
    behind = np.cumsum(counts)
    return np.repeat(starts - behind + counts, counts) + np.arange(behind[-1] if len(behind) else 0)


def indices(numbers: NDArray[Any]) -> Integers:
    """Numbers of any kind as whole ones. Raises SignalError for those that are not whole."""
    whole = numbers.astype(np.int64)
    if numbers.dtype.kind == "f" and not (whole == numbers).all():
        raise not_a("whole number", f"{numbers[whole != numbers][0]:g}".encode())
    return whole
