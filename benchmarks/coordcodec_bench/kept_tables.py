"""Tables of the documentation about promises, ordinary rates, minutes of sound and the grid coder's speed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from coordcodec_bench import rows
from coordcodec_bench.report import promises
from coordcodec_bench.report.promises import Promised
from coordcodec_bench.report.tables import Table
from coordcodec_bench.rows import Row, load
from coordcodec_bench.sources import markdown, measured_with, whole

FINE = "fine"
"""The folder, in that of results, of rates at which little is lost."""


def _promised(results: Path, modality: str, lossless: bool) -> Promised:
    found = next(p for p in promises.read(results) if (p.modality, p.lossless) == (modality, lossless))
    whole(found.rows)
    return found


def bounds(results: Path) -> str:
    """Bytes of fields by codec and bound, a table for each field."""
    promised = _promised(results, "field", False)
    parts = []
    for item in promised.items:
        parts += [f"{_field_name(item)}:", markdown(promises.by_bound(promised, item))]
    return "\n\n".join([*parts, measured_with(promised.rows)])


def _field_name(item: str) -> str:
    """ "A1B_north_america.nc (variable air_temperature)" -> "A1B_north_america.nc, air_temperature"."""
    return item.replace(" (variable ", ", ").rstrip(")")


def lossless(modality: str) -> Callable[[Path], str]:
    """Total bytes of files without loss by codec, a table for each set of files."""

    def table(results: Path) -> str:
        promised = _promised(results, modality, True)
        parts = []
        for name, items in promises.sets(promised).items():
            parts += [f"{name}:", markdown(promises.totals(promised, items))]
        return "\n\n".join([*parts, measured_with(promised.rows)])

    return table


def long_sound(results: Path) -> str:
    """Minutes of stereo: times beside real time, and memory."""
    found = load(results / rows.LONG_SOUND, key=("seconds", "effort", "machine"))
    body = [
        (
            f"{row['seconds'] / 60:g}", f"{row['effort']}", f"{row['kbps']:.1f}", f"{row['snr_db']:.2f}",
            *(f"{row[f'{way}_times_real_time']:.2f} ({row['seconds'] / row[f'{way}_cpu_seconds']:.2f})"
              for way in ("encode", "decode")),
            *(f"{row[f'{way}_peak_mib']:,.0f}" for way in ("encode", "decode")),
        )
        for row in found
    ]  # fmt: skip
    head = ("minutes", "effort", "kbps", "SNR, dB", "encode, times real time", "decode, times real time",
            "encode, MiB", "decode, MiB")  # fmt: skip
    return f"{markdown(Table(head, tuple(body)))}\n\n{_where(found)}"


def grid(results: Path) -> str:
    """The grid coder's speed."""
    found = load(results / rows.GRID, key=("planes",))
    body = [
        (
            row["planes"], f"{row['coefficients']:,}", f"{row['decisions'] / row['coefficients']:.2f}",
            f"{8 * row['bytes'] / row['coefficients']:.2f}",
            *(f"{row[f'{way}_{what}_per_second'] / 1e6:.2f}"
              for what in ("coefficients", "decisions") for way in ("encode", "decode")),
        )
        for row in found
    ]  # fmt: skip
    head = ("planes", "coefficients", "decisions each", "bits each", "encode, M coefficients/s",
            "decode, M coefficients/s", "encode, M decisions/s", "decode, M decisions/s")  # fmt: skip
    return f"{markdown(Table(head, tuple(body)))}\n\n{_where(found)}"


def _where(found: list[Row]) -> str:
    def all_of(name: str) -> str:
        return ", ".join(dict.fromkeys(str(row[name]) for row in found if row.get(name)))

    return f"Measured {all_of('date')}, machine {all_of('machine')}, commit {all_of('commit')}."
