"""What lies in a folder of results: checked rows, the series they form, and means that compare like with like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import Any

from coordcodec.errors import FileError, UnknownName
from coordcodec.plugins import installed
from coordcodec_bench import ours, rows
from coordcodec_bench.baselines import baselines_of
from coordcodec_bench.report.checks import checked
from coordcodec_bench.report.words import codec_name
from coordcodec_bench.rows import Row

FEW = 0.5
"""A codec that was asked for a smaller share of the files is compared by itself, lest the others' means shrink too."""
ORDER = ("image", "sdf", "audio", "climate", "field")
"""Of modalities in a report."""


@dataclass(frozen=True)
class Series:
    """All rows of one codec as it was run: at one effort, with one seed, on one device."""

    label: str
    codec: str
    rows: tuple[Row, ...]

    @property
    def family(self) -> str:
        """The codec's name without its options."""
        return self.codec.partition(":")[0]

    @property
    def own(self) -> bool:
        """Whether it is one of this package's."""
        return self.family in ours.OURS

    @cached_property
    def asked(self) -> frozenset[str]:
        """The files that it was run on, or should have been."""
        return frozenset(item_of(row) for row in self.rows)

    def good(self, target: float) -> dict[str, Row]:
        """Its measurements at a target rate, by item."""
        return {item_of(row): row for row in rows.good(self.rows) if row["target_rate"] == target}


def main_of(series: Sequence[Series]) -> Series | None:
    """Ours without options, or else the first of ours; None if there is none."""
    return next((s for s in series if s.codec == "ours"), next((s for s in series if s.own), None))


def item_of(row: Row) -> str:
    """What was compressed: the file, and how it was read if it was told how."""
    return f"{row['file']} ({row['options']})" if row.get("options") else str(row["file"])


@dataclass(frozen=True)
class Point:
    """Means over the files that all codecs of a comparison have at a target rate. missed: files above the target."""

    target: float
    rate: float
    score: float
    encode_seconds: float
    decode_seconds: float
    missed: int


@dataclass(frozen=True)
class Comparison:
    """Codecs on the same files.

    files: those that any of them was asked for. common: by target rate those that all of them have, of which the
    points, by label, are means.
    """

    series: tuple[Series, ...]
    files: tuple[str, ...]
    common: Mapping[float, frozenset[str]]
    points: Mapping[str, tuple[Point, ...]]


@dataclass(frozen=True)
class Group:
    """All rows of one modality. score: the main score's name; falling: smaller is better."""

    modality: str
    unit: str
    score: str
    falling: bool
    rows: tuple[Row, ...]

    @cached_property
    def series(self) -> tuple[Series, ...]:
        """What was run, ours first."""
        return series_of(self.rows)

    @property
    def main(self) -> Series | None:
        """The codec that the report is about: ours, if possible without any options."""
        return main_of(self.series)

    @cached_property
    def targets(self) -> tuple[float, ...]:
        """The target rates, ascending."""
        return tuple(sorted({row["target_rate"] for row in self.rows}))

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """First the codecs that were run on most files; then, for those run on few, all codecs on those few."""
        ran = [s for s in self.series if any(row["status"] != "skipped" for row in s.rows)]
        if not ran:
            return ()
        most = max(len(s.asked) for s in ran)
        many = [s for s in ran if len(s.asked) >= FEW * most]
        found = [self._compare(many)]
        for asked in sorted({s.asked for s in ran if s not in many}, key=lambda files: (-len(files), sorted(files))):
            found.append(self._compare([s for s in ran if s.asked >= asked], asked))
        return tuple(comparison for comparison in found if comparison.points)

    def _compare(self, series: Sequence[Series], among: frozenset[str] | None = None) -> Comparison:
        files = among if among is not None else frozenset().union(*(s.asked for s in series))
        common: dict[float, frozenset[str]] = {}
        points: dict[str, list[Point]] = {}
        for target in self.targets:
            there = {s.label: self._scored(s, target) for s in series}
            there = {label: found for label, found in there.items() if found}
            if not there:
                continue
            shared = files.intersection(*there.values())
            common[target] = shared
            for label, found in there.items():
                if shared:
                    points.setdefault(label, []).append(self._point(target, [found[file] for file in sorted(shared)]))
        compared = tuple(s for s in series if s.label in points)
        return Comparison(compared, tuple(sorted(files)), common, {k: tuple(v) for k, v in points.items()})

    def _scored(self, series: Series, target: float) -> dict[str, Row]:
        return {file: row for file, row in series.good(target).items() if row["scores"].get(self.score) is not None}

    def _point(self, target: float, found: Sequence[Row]) -> Point:
        return Point(
            target,
            mean(row["rate"] for row in found),
            mean(row["scores"][self.score] for row in found),
            mean(row["encode_seconds"] for row in found),
            mean(row["decode_seconds"] for row in found),
            sum(bool(row.get("missed")) for row in found),
        )


def read(results: Path) -> tuple[list[Group], list[Row]]:
    """The rows of a folder by modality, and the measurements of speed.

    Raises FileError when there are none, or for rows that are none of `coordcodec_bench.rows`.
    """
    if not results.is_dir():
        raise FileError(f"there is no folder {results}; give the one that coordcodec bench wrote with -o")
    found: list[Row] = []
    for path in sorted(results.glob(f"*{rows.SUFFIX}")):
        if path.name not in rows.APART and not path.name.startswith(rows.PROMISES):
            found += loaded(path)
    if not found and not any(results.glob(f"{rows.PROMISES}*{rows.SUFFIX}")):
        raise FileError(f"there are no results in {results}; make some: coordcodec bench FOLDER -o {results}")
    modalities = sorted({row["modality"] for row in found}, key=lambda name: (*place_in(name, ORDER), name))
    groups = [_group([row for row in found if row["modality"] == modality]) for modality in modalities]
    return groups, _speeds(results / rows.SPEED)


def loaded(path: Path) -> list[Row]:
    """The rows of a file. Raises FileError for what cannot be read, and for rows that a run does not write."""
    try:
        return [checked(row, path) for row in rows.load(path)]
    except FileError:
        raise
    except (OSError, UnicodeDecodeError, TypeError) as error:  # TypeError: a list where a row has a name or a number
        raise FileError(f"cannot read {path}: {error}; mend it or choose another folder") from None


def _group(found: list[Row]) -> Group:
    modality = found[0]["modality"]
    baselines = baselines_of(modality)
    if baselines is not None:
        return Group(modality, found[0]["unit"], baselines.main_score, baselines.falling, tuple(found))
    score = _main_score(modality, found)
    by_rate = sorted((row["rate"], row["scores"][score]) for row in rows.good(found) if row["scores"].get(score))
    falling = bool(by_rate) and by_rate[-1][1] < by_rate[0][1]  # more bytes are better, whatever the score's name
    return Group(modality, found[0]["unit"], score, falling, tuple(found))


def _main_score(modality: str, found: Iterable[Row]) -> str:
    """The modality's; where its plugin is missing, the first that the rows have."""
    try:
        return installed().modalities.get(modality).main_score
    except UnknownName:
        return next((name for row in rows.good(found) for name in row["scores"]), "score")


def series_of(found: Iterable[Row]) -> tuple[Series, ...]:
    """Rows by codec, effort, seed and device, ours first."""
    runs: dict[tuple[Any, ...], list[Row]] = {}
    for row in found:
        runs.setdefault((row["codec"], row.get("effort"), row.get("seed"), row.get("device")), []).append(row)
    series = []
    for run, members in runs.items():
        others = [other for other in runs if other[0] == run[0]]
        told = [
            f"{name} {run[k]}" if name else str(run[k])
            for k, name in ((1, "effort"), (2, "seed"), (3, ""))
            if len({other[k] for other in others}) > 1
        ]
        series.append(Series(", ".join([codec_name(run[0]), *told]), run[0], tuple(members)))
    families = tuple(ours.OURS)
    return tuple(sorted(series, key=lambda s: (*place_in(s.family, families), s.codec != s.family, s.label.lower())))


def place_in(name: str, order: Sequence[str]) -> tuple[int]:
    """Where a name stands in an order; behind all others if it is not in it."""
    return (order.index(name) if name in order else len(order),)


def _speeds(path: Path) -> list[Row]:
    """What coordcodec_bench.speed has measured, a row per machine and device."""
    found = rows.load(path, key=("machine", "device"))
    return [facts for facts in found if isinstance(facts.get("rows"), list)]
