"""What was measured of promises: bytes against the largest error, and files without loss, as tables and plots."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean

from coordcodec_bench import rows
from coordcodec_bench.keepers import named
from coordcodec_bench.report import tables, words
from coordcodec_bench.report.results import ORDER, Series, item_of, loaded, main_of, series_of
from coordcodec_bench.report.tables import Table, range_of
from coordcodec_bench.rows import LOSSLESS, Row


@dataclass(frozen=True)
class Promised:
    """The rows of one modality that lose nothing, or of those that keep a largest error."""

    modality: str
    lossless: bool
    rows: tuple[Row, ...]

    @property
    def heading(self) -> str:
        """What it is about."""
        name = words.modality_name(self.modality)
        return f"{name} without loss" if self.lossless else f"{name} within a largest error"

    @property
    def slug(self) -> str:
        """Its name in addresses and names of files."""
        return f"{words.slug(self.modality)}-{'lossless' if self.lossless else 'bounds'}"

    @cached_property
    def series(self) -> tuple[Series, ...]:
        """What was run, ours first."""
        return series_of(self.rows)

    @cached_property
    def items(self) -> tuple[str, ...]:
        """What was compressed."""
        return tuple(dict.fromkeys(item_of(row) for row in self.rows))

    def of(self, item: str) -> list[tuple[Series, dict[str, Row]]]:
        """What each codec made of an item, by promise, the widest bound first."""
        found = []
        for series in self.series:
            good = [row for row in rows.good(series.rows) if item_of(row) == item]
            if good:
                good = sorted(good, key=lambda row: -row["max_error"])
                found.append((series, {row["bound"]: row for row in good}))
        return found

    def bounds(self, item: str) -> list[str]:
        """The promises of an item, the widest first."""
        found = {bound: row["max_error"] for _, by in self.of(item) for bound, row in by.items()}
        return sorted(found, key=lambda bound: -found[bound])

    @property
    def failed(self) -> Table | None:
        """What there is no file of, and why."""
        body = tuple(
            (item_of(row), series.label, row["bound"], str(row.get("reason") or "no reason given"))
            for series in self.series
            for row in series.rows
            if row["status"] != "ok"
        )
        return Table(("file", "codec", "promise", "reason"), body) if body else None


def read(results: Path) -> list[Promised]:
    """All of a folder. Raises FileError for what cannot be read."""
    found: dict[tuple[int, str, bool], list[Row]] = {}
    for path in sorted(results.glob(f"{rows.PROMISES}*{rows.SUFFIX}")):
        for row in loaded(path):
            modality, lossless = row["modality"], row["bound"] == LOSSLESS
            place = ORDER.index(modality) if modality in ORDER else len(ORDER)
            found.setdefault((place, modality, lossless), []).append(row)
    return [Promised(modality, lossless, tuple(of)) for (_, modality, lossless), of in sorted(found.items())]


def by_bound(promised: Promised, item: str) -> Table:
    """Bytes of an item by codec and bound, and the mean times."""
    bounds = promised.bounds(item)
    chosen = promised.of(item)
    body = []
    for series, by in chosen:
        times = (mean(row[name] for row in by.values()) for name in ("encode_seconds", "decode_seconds"))
        sizes = (f"{by[bound]['bytes']:,}" if bound in by else "–" for bound in bounds)
        body.append((series.label, *sizes, *map(words.seconds, times)))
    head = ("codec", *map(spaced, bounds), "encode, s", "decode, s")
    return Table(head, tuple(body), _strong([series for series, _ in chosen]))


def commands(promised: Promised) -> list[str]:
    """The commands that measure these rows again, one for each way in which files were read and folder."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in promised.rows:
        file = "" if promised.lossless else row["file"]
        found.setdefault((str(row.get("folder") or "FOLDER"), file, str(row.get("options") or "")), []).append(row)
    told = []
    for (folder, file, options), of in found.items():
        bounds = ["--lossless"] if promised.lossless else ["--max-errors", ",".join({row["bound"]: 0 for row in of})]
        parts = ["coordcodec", "bench", folder, "--modality", promised.modality, *tables.options_of(options)]
        parts += [*(["--only", file] if file else []), *bounds]
        told.append(shlex.join([*parts, "--codecs", ",".join({row["codec"]: 0 for row in of}), "-o", "RESULTS"]))
    return told


def sets(promised: Promised) -> dict[str, list[str]]:
    """Items that were measured together: by their folder, and the bits of their samples where these differ."""
    found: dict[tuple[str, int], list[str]] = {}
    for row in rows.good(promised.rows):
        key = (str(row.get("folder") or ""), _bits(row))
        if item_of(row) not in found.setdefault(key, []):
            found[key].append(item_of(row))
    several = len({bits for _, bits in found}) > 1
    return {f"{folder}, {bits} bits" if several else folder: items for (folder, bits), items in found.items()}


def _bits(row: Row) -> int:
    """Bits of a sample; a sound of 24 is held in 32."""
    raw = round(8 * (row.get("raw_bytes") or 0) / max(row["samples"], 1))
    return 24 if raw == 32 and row["modality"] == "audio" else raw


def totals(promised: Promised, items: Sequence[str]) -> Table:
    """Bytes of all items that every codec has, bits per sample, and the mean times."""
    by_series = {s.label: {item_of(row): row for row in rows.good(s.rows)} for s in promised.series}
    chosen = [s for s in promised.series if any(item in by_series[s.label] for item in items)]
    common = [item for item in items if all(item in by_series[s.label] for s in chosen)]
    main = main_of(chosen)
    ours = _total(by_series[main.label], common) if main else 0
    body = []
    for series in chosen:
        of = [by_series[series.label][item] for item in common]
        size = _total(by_series[series.label], common)
        beside = "–" if series is main or not ours else words.signed(100 * (size / ours - 1), ".1f", "%")
        bits = 8 * size / max(sum(row["samples"] for row in of), 1)
        times = (mean(row[name] for row in of) for name in ("encode_seconds", "decode_seconds"))
        body.append((series.label, f"{len(of)}", f"{size:,}", f"{bits:.3f}", beside, *map(words.seconds, times)))
    head = ("codec", "files", "bytes", "bits per sample", "beside ours", "encode, s", "decode, s")
    return Table(head, tuple(body), _strong(chosen))


def _total(by: Mapping[str, Row], items: Sequence[str]) -> int:
    return sum(by[item]["bytes"] for item in items)


def by_file(promised: Promised, items: Sequence[str]) -> Table:
    """Bytes without loss, a file per row and a codec per column."""
    by_series = {s.label: {item_of(row): row for row in rows.good(s.rows)} for s in promised.series}
    body = []
    for item in items:
        found = (by_series[series.label].get(item) for series in promised.series)
        body.append((item, *(f"{row['bytes']:,}" if row else "–" for row in found)))
    return Table(("file", *(series.label for series in promised.series)), tuple(body))


def every_row(promised: Promised) -> Table:
    """All that was measured."""
    head = ("file", "codec", "promise", "bytes", "largest error", "of the bound", "RMSE", "encode, s", "decode, s",
            "memory, MiB", "setting")  # fmt: skip
    body = []
    for series in promised.series:
        for row in rows.good(series.rows):
            worst, bound = row["scores"]["max_error"], row["max_error"]
            body.append((
                item_of(row), series.label, spaced(row["bound"]), f"{row['bytes']:,}", words.number(worst),
                f"{100 * worst / bound:.2f} %" if bound else "–", words.number(row["scores"]["rmse"]),
                words.seconds(row["encode_seconds"]), words.seconds(row["decode_seconds"]),
                words.plain(round(row["peak_memory_mib"])) if row.get("peak_memory_mib") else "–",
                str(row.get("setting") or ""),
            ))  # fmt: skip
    return Table(head, tuple(body))


def versions(promised: Promised) -> Table:
    """Each codec's version, and how it was run."""
    body = []
    for series in promised.series:
        good = rows.good(series.rows)
        keeper = named(promised.modality, LOSSLESS if promised.lossless else "").get(series.codec)
        note = keeper.note if keeper else range_of(str(row.get("setting") or "") for row in good)
        body.append((series.label, range_of(str(row.get("version") or "") for row in good), note))
    return Table(("codec", "version", "how it was run"), tuple(body), _strong(promised.series))


def parted(bound: str) -> tuple[str, str]:
    """The number of a promise, and its unit: "0.5K" -> ("0.5", "K")."""
    found = re.fullmatch(r"([0-9.]+(?:e[+-]?[0-9]+)?)\s*(.*)", bound, re.IGNORECASE)
    return (found[1], found[2]) if found else (bound, "")


def spaced(bound: str) -> str:
    """A promise with a space before its unit: "0.5K" -> "0.5 K"."""
    return "\N{NO-BREAK SPACE}".join(filter(None, parted(bound)))


def _strong(series: Sequence[Series]) -> tuple[int, ...]:
    return tuple(k for k, s in enumerate(series) if s is main_of(series))
