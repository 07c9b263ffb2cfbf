"""Result files as the tables of the documentation read them, and tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from coordcodec_bench.report import results as read
from coordcodec_bench.report import tables
from coordcodec_bench.report.results import Group
from coordcodec_bench.report.tables import Table
from coordcodec_bench.rows import Row

read_folder = cache(read.read)


def group_of(results: Path, modality: str) -> Group:
    """The rows of one modality."""
    return next(group for group in read_folder(results)[0] if group.modality == modality)


def speeds_in(results: Path) -> list[Row]:
    """The measurements of speed."""
    return read_folder(results)[1]


def whole(rows: Iterable[Row]) -> list[Row]:
    """Rows, none of which failed: it would otherwise drop out of a mean without a word."""
    rows = list(rows)
    failed = [row["file"] for row in rows if row["status"] != "ok"]
    assert not failed, f"these rows failed: {failed}"
    return rows


def measured_with(rows: Iterable[Any]) -> str:
    """When, on what and with what rows were measured, and the versions of the baselines."""
    rows = list(rows)
    facts = ", ".join(f"{name} {value}" for name, value in tables.facts(rows))
    versions = sorted({str(row["version"]) for row in rows if row.get("version") and row.get("effort") is None})
    return f"{facts[:1].upper()}{facts[1:]}." + (f" Others: {'; '.join(versions)}." if versions else "")


def markdown(table: Table) -> str:
    """A table in Markdown; rows to stress in bold."""
    lines = [_line(table.head), "|" + "---|" * len(table.head)]
    for place, row in enumerate(table.body):
        lines.append(_line(f"**{cell}**" if place in table.strong and cell else cell for cell in row))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
