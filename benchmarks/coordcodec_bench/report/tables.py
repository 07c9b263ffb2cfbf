"""The tables of the report: means, Bjøntegaard rates, every row, what failed, what was measured with."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from coordcodec_bench import rows
from coordcodec_bench.baselines import baselines_of
from coordcodec_bench.curves import Curve
from coordcodec_bench.report import words
from coordcodec_bench.report.bd import bd_text
from coordcodec_bench.report.results import Comparison, Group, Point, Series, item_of, main_of
from coordcodec_bench.rows import Row

FIRST = ("jpeg", "draco", "mp3", "zfp")
"""What others are measured against, each modality's oldest; else the first baseline there is."""


@dataclass(frozen=True)
class Table:
    """head: names of the columns. body: rows of texts, the first of each its name. strong: places of rows to stress."""

    head: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]
    strong: tuple[int, ...] = ()


def means(group: Group, comparison: Comparison) -> Table:
    """The points of the plot: a row per codec, the mean score and rate at each target rate that has any."""
    targets = sorted({point.target for points in comparison.points.values() for point in points})
    body = []
    for series in comparison.series:
        points = {point.target: point for point in comparison.points[series.label]}
        body.append((series.label, *(_point(points.get(target), group) for target in targets)))
    head = ("codec", *(f"{words.plain(target)} {group.unit}" for target in targets))
    return Table(head, tuple(body), _own(comparison.series))


def _point(point: Point | None, group: Group) -> str:
    if point is None:
        return "–"
    mark = "†" if point.missed else ""
    return f"{words.number(point.score, group.score)} at {words.rate(point.rate, group.unit)}{mark}"


def anchor_of(group: Group, comparison: Comparison) -> Series | None:
    """The baseline that all are measured against."""
    others = [series for series in comparison.series if not series.own]
    baselines = baselines_of(group.modality)
    order = [*FIRST, *(baselines.codecs if baselines else ())]
    return min(others, key=lambda s: order.index(s.codec) if s.codec in order else len(order), default=None)


def bd_rates(group: Group, comparison: Comparison) -> Table | None:
    """Every codec's Bjøntegaard rate against the first baseline and against ours; None where there is none to tell."""
    columns = dict[str, list[str]]()
    for anchor in (anchor_of(group, comparison), main_of(comparison.series)):
        if anchor is None:
            continue
        base = _curve(comparison, anchor)
        cells = ["–" if s is anchor else bd_text(base, _curve(comparison, s), group) for s in comparison.series]
        if set(cells) != {"–"}:
            columns[f"against {anchor.label}"] = cells
    body = tuple(zip((s.label for s in comparison.series), *columns.values(), strict=True))
    return Table(("codec", *columns), body, _own(comparison.series)) if columns else None


def bd_published(group: Group, comparison: Comparison, curves: Mapping[str, Curve]) -> Table | None:
    """The Bjøntegaard rate of the codec that the report is about against published curves, by label."""
    main = main_of(comparison.series)
    if main is None:
        return None
    found = [(label, bd_text(curve.points, _curve(comparison, main), group)) for label, curve in curves.items()]
    body = tuple(row for row in found if row[1] != "–")
    return Table(("published curve", f"{main.label} against it"), body) if body else None


def _curve(comparison: Comparison, series: Series) -> list[tuple[float, float]]:
    return [(point.rate, point.score) for point in comparison.points[series.label]]


def by_file(group: Group, target: float) -> Table:
    """Every file at a target rate: a column per codec, score and bytes."""
    found = [(series, series.good(target)) for series in group.series]
    found = [(series, good) for series, good in found if good]
    items = sorted({item for _, good in found for item in good})
    body = []
    for item in items:
        cells = []
        for _, good in found:
            row = good.get(item)
            mark = "†" if row and row.get("missed") else ""
            score = words.number(row["scores"].get(group.score), group.score) if row else ""
            cells.append(f"{score} · {row['bytes']:,}{mark}" if row else "–")
        body.append((item, *cells))
    return Table(("file", *(series.label for series, _ in found)), tuple(body))


def every_row(group: Group) -> Table:
    """All that was measured of every file, codec and rate."""
    scores = list(dict.fromkeys(name for row in rows.good(group.rows) for name in row["scores"]))
    head = ("file", "codec", f"target, {group.unit}", "bytes", f"rate, {group.unit}", *map(words.score_name, scores))
    head += ("encode, s", "decode, s", "memory, MiB", "steps", "setting")
    body = []
    for series in group.series:
        for row in sorted(rows.good(series.rows), key=lambda r: (r["target_rate"], item_of(r))):
            values = (words.number(row["scores"].get(name), name) for name in scores)
            body.append((
                item_of(row), series.label, words.plain(row["target_rate"]), f"{row['bytes']:,}",
                words.rate(row["rate"], group.unit) + ("†" if row.get("missed") else ""), *values,
                words.seconds(row["encode_seconds"]), words.seconds(row["decode_seconds"]),
                words.plain(round(row["peak_memory_mib"])) if row.get("peak_memory_mib") else "–",
                words.plain(row["steps"]) if row.get("steps") else "", str(row.get("setting") or ""),
            ))  # fmt: skip
    return Table(head, tuple(body))


def failures(group: Group) -> Table | None:
    """Each row that failed, with its reason."""
    body = [
        (item_of(row), series.label, f"{words.plain(row['target_rate'])} {group.unit}", _reason(row))
        for series in group.series
        for row in series.rows
        if row["status"] == "failed"
    ]
    return Table(("file", "codec", "target", "reason"), tuple(body)) if body else None


def _reason(row: Row) -> str:
    return str(row.get("reason") or "no reason given")


def skipped(group: Group) -> Table | None:
    """Codecs that are not installed: how many rows that leaves out, and why."""
    counts: dict[tuple[str, str], int] = {}
    for series in group.series:
        for row in series.rows:
            if row["status"] == "skipped":
                key = (series.label, _reason(row))
                counts[key] = counts.get(key, 0) + 1
    body = tuple((label, str(count), reason) for (label, reason), count in counts.items())
    return Table(("codec", "rows", "reason"), body) if body else None


def versions(group: Group) -> Table:
    """What exactly was run: each codec's version, and the settings its files were made with."""
    body = []
    baselines = baselines_of(group.modality)
    for series in group.series:
        good = rows.good(series.rows)
        if good:
            baseline = baselines.codecs.get(series.codec) if baselines else None
            note = baseline.note if baseline is not None else range_of(str(r.get("setting") or "") for r in good)
            body.append((series.label, range_of(str(r.get("version") or "") for r in good), note))
    return Table(("codec", "version", "how it was run"), tuple(body), _own(group.series))


def range_of(values: Iterable[str]) -> str:
    """Different values, the first few of them."""
    found = list(dict.fromkeys(value for value in values if value))
    return "; ".join(found[:4]) + (f"; and {len(found) - 4} others" if len(found) > 4 else "")


def command(group: Group) -> str:
    """The command that measures these rows again, put together from them."""
    plain = list(dict.fromkeys(series.codec for series in group.series))
    parts = ["coordcodec", "bench", range_of(str(row.get("folder") or "FOLDER") for row in group.rows[:1])]
    parts += ["--modality", group.modality, "--rates", ",".join(f"{target:g}" for target in group.targets)]
    parts += ["--codecs", ",".join(plain)]
    own = [row for row in group.rows if row.get("effort") is not None and ":effort" not in row["codec"]]
    for name in ("effort", "seed", "device"):
        values = {str(row.get(name)) for row in own}
        parts += [f"--{name}", values.pop().partition(":")[0]] if len(values) == 1 else []
    reading = {str(row.get("options") or "") for row in group.rows}
    parts += options_of(reading.pop()) if len(reading) == 1 else []
    return shlex.join([*parts, "-o", "RESULTS"])


def options_of(reading: str) -> list[str]:
    """How a file was read, as the arguments of a command: "variable z" -> ["--variable", "z"]."""
    parts = [option.partition(" ") for option in reading.split(", ")]
    return [word for name, _, value in parts if value for word in (f"--{name.replace('_', '-')}", value)]


def facts(found: Sequence[Row]) -> list[tuple[str, str]]:
    """Where and when rows were measured: names and values, for the head of the report."""

    def all_of(name: str) -> str:
        return range_of(str(row[name]) for row in found if row.get(name) is not None)

    dates = sorted(str(row["date"]) for row in found if row.get("date"))
    span = "" if not dates else dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    commits = all_of("commit")
    version = all_of("coordcodec") + (f" (commit {commits})" if commits else "")
    named = (
        ("measured", span), ("machine", all_of("machine")), ("device", all_of("fitted_on") or all_of("device")),
        ("threads", all_of("threads")), ("coordcodec", version), ("torch", all_of("torch")), ("seed", all_of("seed")),
    )  # fmt: skip
    return [(name, value) for name, value in named if value]


def _own(series: Sequence[Series]) -> tuple[int, ...]:
    return tuple(k for k, s in enumerate(series) if s is main_of(series))
