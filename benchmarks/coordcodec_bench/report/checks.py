"""Whether a row holds all that the report relies on: files of results may have been written by anyone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from coordcodec.errors import FileError
from coordcodec_bench.rows import Row

_STATES = ("ok", "failed", "skipped")


def checked(row: Row, path: Path) -> Row:
    """The row of a file of results as it is. Raises FileError if something is missing or of another kind."""
    for fault in _faults(row):
        shown = f"{row.get('codec')} on {row.get('file')}"
        raise FileError(
            f"{path}: the row of {shown} has {fault} {row.get(fault)!r}, which coordcodec bench does not write; "
            "measure it again, or remove the row"
        )
    return row


def _faults(row: Row) -> Iterator[str]:
    """The names of what is wrong."""
    yield from (name for name in ("file", "codec", "modality", "unit") if not isinstance(row.get(name), str))
    if row.get("status") not in _STATES:
        yield "status"
    good = row.get("status") == "ok"
    target: tuple[str, ...] = ("target_rate",)
    if "bound" in row:
        target = ()
        yield from ("bound",) if not isinstance(row["bound"], str) else ()
        yield from (name for name in ("max_error", "samples") if good and not is_number(row.get(name)))
    above = (*target, "rate", "bytes") if good else target
    yield from (name for name in above if not is_number(row.get(name)) or row[name] <= 0)
    if good:
        yield from (name for name in ("encode_seconds", "decode_seconds") if not is_number(row.get(name)))
        scores = row.get("scores")
        if not isinstance(scores, dict) or not all(v is None or is_number(v) for v in scores.values()):
            yield "scores"
    tried = row.get("tried", [])
    if not isinstance(tried, list) or not all(_is_point(point) for point in tried):
        yield "tried"


def is_number(value: object) -> bool:
    """Whether it is a finite number, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_point(value: object) -> bool:
    """Whether it is [bytes, score], the score perhaps None."""
    if not isinstance(value, list) or len(value) != 2:
        return False
    return is_number(value[0]) and (value[1] is None or is_number(value[1]))
