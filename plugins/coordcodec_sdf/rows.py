"""Rows of numbers and lists of numbers, in bytes or in text, of equal lengths or not."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError
from coordcodec_sdf.words import CUT_OFF, Integers, Table, ranges


@dataclass(frozen=True)
class Field:
    """A number of each row, or a list of them: `kind` and, of a list, the `count` before it are NumPy's type codes."""

    name: str
    kind: str
    count: str = ""


@dataclass(frozen=True)
class Column:
    """A field of all rows: values (n,) behind one another, and how many of them each row has (rows,)."""

    values: NDArray[Any]
    counts: Integers


class Bytes:
    """Numbers in binary. order: "<" or ">"."""

    def __init__(self, data: bytes, order: str) -> None:
        self.data, self.order = data, order
        self.cells: NDArray[Any] = np.frombuffer(data, np.uint8)

    def width(self, kind: str) -> int:
        """How many cells a number takes."""
        return np.dtype(kind).itemsize

    def decoded(self, cells: NDArray[Any], kind: str) -> NDArray[Any]:
        """Cells (..., k width) as numbers (..., k)."""
        return np.ascontiguousarray(cells).view(self.order + kind)

    def counter(self, kind: str) -> Callable[[int], int]:
        """What reads the whole number in some place."""
        data, size = self.data, self.width(kind)
        if kind == "u1":
            return data.__getitem__
        order, signed = "little" if self.order == "<" else "big", kind[0] == "i"
        return lambda at: int.from_bytes(data[at : at + size], order, signed=signed)  # type: ignore[arg-type]

    def lacking(self) -> SignalError:
        """The error of a file that ends too early."""
        return SignalError(CUT_OFF)


class Numbers:
    """Numbers in text."""

    def __init__(self, table: Table) -> None:
        self.cells: NDArray[Any] = table.values
        self.lacking = table.lacking

    def width(self, kind: str) -> int:
        """How many cells a number takes."""
        return 1

    def decoded(self, cells: NDArray[Any], kind: str) -> NDArray[Any]:
        """Cells (..., k) as numbers (..., k)."""
        return cells

    def counter(self, kind: str) -> Callable[[int], int]:
        """What reads the whole number in some place."""
        cells = self.cells
        return lambda at: int(value) if (value := cells[at]).is_integer() else -1


Cells = Bytes | Numbers
_MOST = 10_000_000


def read_rows(
    cells: Cells, start: int, rows: int, fields: list[Field], wanted: Container[str]
) -> tuple[dict[str, Column], int]:
    """The fields that are wanted of some rows, and where the cells behind all of them begin.

    Raises SignalError where there are fewer cells than that.
    """
    least = sum(cells.width(f.count or f.kind) for f in fields)
    if not rows or not fields:
        return {f.name: Column(np.zeros(0), np.zeros(0, np.int64)) for f in fields}, start
    if start + rows * least > len(cells.cells):
        raise cells.lacking()
    return _equal(cells, start, rows, fields, wanted) or _walked(cells, start, rows, fields, wanted)


def _equal(
    cells: Cells, start: int, rows: int, fields: list[Field], wanted: Container[str]
) -> tuple[dict[str, Column], int] | None:
    """The fields if all rows are laid out as the first one is."""
    at, places = start, []
    for field in fields:
        count = 1
        if field.count:
            place, at = at, at + cells.width(field.count)
            if at > len(cells.cells):
                raise cells.lacking()
            count = _checked(cells.counter(field.count)(place))
        places.append((field, at - start, count))
        at += count * cells.width(field.kind)
        if at > len(cells.cells):
            raise cells.lacking()
    width = at - start
    end = start + rows * width
    if end > len(cells.cells):
        return None
    grid = cells.cells[start:end].reshape(rows, width)
    columns = {}
    for field, place, count in places:
        if field.count:
            counts = cells.decoded(grid[:, place - cells.width(field.count) : place], field.count)
            if (counts != count).any():
                return None
        if field.name not in wanted:
            continue
        values = cells.decoded(grid[:, place : place + count * cells.width(field.kind)], field.kind)
        columns[field.name] = Column(values.reshape(-1), np.full(rows, count))
    return columns, end


def _walked(
    cells: Cells, start: int, rows: int, fields: list[Field], wanted: Container[str]
) -> tuple[dict[str, Column], int]:
    """The fields of rows of any lengths: they are walked through one by one to find where each begins."""
    kept = [f for f in fields if f.name in wanted]
    if rows > _MOST:
        raise SignalError(f"it has {rows} rows of unequal lengths, at most {_MOST} are read; simplify it first")
    steps = [
        (f.count and cells.counter(f.count), cells.width(f.count or f.kind), cells.width(f.kind), f in kept)
        for f in fields
    ]
    places, counts = array("q"), array("q")
    at, size = start, len(cells.cells)
    for _ in range(rows):
        for counter, width, item, keep in steps:
            if at + width > size:
                raise cells.lacking()
            place, count = at, 1
            at += width
            if counter:
                count = _checked(counter(place))
                place, at = at, at + count * item
                if at > size:
                    raise cells.lacking()
            if keep:
                places.append(place)
                counts.append(count)
    first, many = (np.array(x, dtype=np.int64).reshape(rows, len(kept)) for x in (places, counts))
    columns = {}
    for k, field in enumerate(kept):
        which = ranges(first[:, k], many[:, k] * cells.width(field.kind))
        columns[field.name] = Column(cells.decoded(cells.cells[which], field.kind), many[:, k])
    return columns, at


def _checked(count: int) -> int:
    if count < 0:
        raise SignalError("it is damaged: a list has a length that is no whole number from 0")
    return count
