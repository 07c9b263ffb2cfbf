"""The page: what goes into it, in which order, and the template that it is poured into."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from coordcodec import __version__
from coordcodec_bench.curves import Curve, load
from coordcodec_bench.report import (
    bound_plots,
    machines,
    pictures,
    plots,
    previews,
    promises,
    tables,
    verdicts,
    words,
)
from coordcodec_bench.report.drawing import Picture, plain_settings
from coordcodec_bench.report.pictures import Gallery
from coordcodec_bench.report.previews import Preview
from coordcodec_bench.report.results import Comparison, Group, Series, read
from coordcodec_bench.report.tables import Table
from coordcodec_bench.report.verdicts import Verdicts

TEMPLATE = "page.html.j2"


@dataclass(frozen=True)
class Page:
    """A report: its text, its figures, and what it says in numbers."""

    html: str
    pictures: tuple[Picture, ...]
    rows: int
    failed: int
    disagreeing: tuple[str, ...]


@dataclass
class Compared:
    """One comparison in the page: its plots, its tables, and which files its means are of."""

    title: str
    counts: tuple[str, ...]
    left_out: str
    plot: Picture
    means: Table
    bd: Table | None
    anchor: str
    among: Picture | None = None
    bd_published: Table | None = None
    behind: bool = False
    sources: list[tuple[str, str]] = field(default_factory=list)
    above: bool = False


@dataclass
class Section:
    """All of one modality."""

    group: Group
    heading: str
    summary: str
    many: bool
    compared: list[Compared] = field(default_factory=list)
    times: list[Picture] = field(default_factory=list)
    tried: list[Picture] = field(default_factory=list)
    gallery: Gallery | None = None
    previews: list[Preview] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    verdicts: Verdicts | None = None

    @property
    def gaps(self) -> list[str]:
        """What is not shown, by reason."""
        reasons: dict[str, list[str]] = {}
        for item, reason in self.missing:
            reasons.setdefault(reason, []).append(item)
        return [f"{', '.join(items)}: {reason}" for reason, items in reasons.items()]

    @property
    def pictures(self) -> list[Picture]:
        """All figures, in the order of the page."""
        found: list[Picture] = []
        for c in self.compared:
            found += [p for p in (c.plot, c.among) if p is not None]
        found += [*self.times, *self.tried]
        if self.gallery is not None:
            found += [card.picture for s in (*self.gallery.best, *self.gallery.worst) for card in s.cards]
        return found + [preview.picture for preview in self.previews]


def make(results: Path, published: Path | None) -> Page:
    """The report of a folder of results. Raises FileError."""
    groups, speeds = read(results)
    promised = promises.read(results)
    curves = load(published)
    with plain_settings():
        sections = [_section(results, group, curves) for group in groups]
        bounded = {p.slug: bound_plots.all_of(p) for p in promised if not p.lossless}
    everything = [*(row for group in groups for row in group.rows), *(row for p in promised for row in p.rows)]
    counts = {status: sum(row["status"] == status for row in everything) for status in ("ok", "failed", "skipped")}
    html = _template().render(
        title="coordcodec beside other codecs",
        sections=sections,
        facts=tables.facts(everything),
        commands=[*map(tables.command, groups), *(c for p in promised for c in promises.commands(p))],
        promised=promised,
        promises=promises,
        bounded=bounded,
        counts=counts,
        inits=sorted({row["init"] for row in everything if row.get("init")}),
        speeds=machines.speed(speeds),
        tables=tables,
        machines=machines,
        words=words,
        made=time.strftime("%Y-%m-%d"),
        version=__version__,
    )
    figures = (*(p for section in sections for p in section.pictures), *(p for of in bounded.values() for p in of))
    disagreeing = tuple(name for section in sections if section.verdicts for name in section.verdicts.disagreeing)
    return Page(html, figures, len(everything), counts["failed"], disagreeing)


def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))


def _section(results: Path, group: Group, curves: Mapping[str, Curve]) -> Section:
    name = words.modality_name(group.modality)
    items = {item for series in group.series for item in series.asked}
    rates = ", ".join(words.plain(target) for target in group.targets)
    summary = f"{_count(len(items), 'file')}, {_count(len(group.series), 'codec')}, at {rates} {group.unit}"
    section = Section(group, name, summary, any(not series.own for series in group.series))
    slug = words.slug(group.modality)
    for number, comparison in enumerate(group.comparisons):
        section.compared.append(_compared(group, comparison, number, curves, f"{slug}-{number + 1}"))
    section.times = _times(group, slug)
    section.tried = [
        plots.tried(group, item, points, own, f"{slug}-draco-{k}-{words.slug(item)}")
        for k, (item, points, own) in enumerate(plots.tried_by_item(group), 1)
    ]
    if group.modality == "image":
        section.verdicts = verdicts.judged(group, curves)
    _show_files(results, section)
    return section


def _show_files(results: Path, section: Section) -> None:
    """Add what the compressed files hold: pictures side by side, or the plugin's previews."""
    group = section.group
    mine = group.main
    target = _middle(group, mine)
    if mine is None or target is None:
        return
    if group.modality != "image":
        section.previews, section.missing = previews.previews(results, group, mine, target)
        return
    baselines = {s.codec: s for s in group.series if not s.own and s.good(target)}
    order = list(dict.fromkeys(name for name in ("jpeg", "jpeg2000", *baselines) if name in baselines))[:2]
    if order:
        reference = baselines["jpeg2000"] if "jpeg2000" in baselines else baselines[order[0]]
        chosen = [mine, *(baselines[name] for name in order)]
        section.gallery = pictures.gallery(results, group, chosen, reference, target)
        section.missing = list(section.gallery.missing)


def _middle(group: Group, mine: Series | None) -> float | None:
    """The target rate that pictures are shown at: the middle one that ours have."""
    targets = [target for target in group.targets if mine is not None and mine.good(target)]
    return targets[len(targets) // 2] if targets else None


def _compared(group: Group, comparison: Comparison, number: int, curves: Mapping[str, Curve], name: str) -> Compared:
    total = len(comparison.files)
    counts = tuple(_over(f"{words.plain(t)} {group.unit}", len(c), total) for t, c in sorted(comparison.common.items()))
    few = ", ".join(s.label for s in comparison.series if s.asked == frozenset(comparison.files))
    title = "Rate and distortion" if number == 0 else f"With {few}, on {_count(total, 'file')}"
    anchor = tables.anchor_of(group, comparison)
    behind = verdicts.behind(group, comparison, curves)
    result = Compared(
        title,
        counts,
        _left_out(group, comparison) if number == 0 else "",
        plots.rate_distortion(group, comparison, behind.baselines, f"{name}-rate-distortion", f"{title}, means"),
        tables.means(group, comparison),
        tables.bd_rates(group, comparison),
        anchor.label if anchor else "",
        behind=bool(behind.baselines),
        sources=behind.sources,
        above=any(p.missed for points in comparison.points.values() for p in points),
    )
    if behind.others and any(series.own for series in comparison.series):
        others = {verdicts.curve_name(curve): curve for curve in behind.others}
        result.among = plots.among_published(group, comparison, others, f"{name}-published")
        result.bd_published = tables.bd_published(group, comparison, others)
    return result


def _times(group: Group, slug: str) -> list[Picture]:
    """Time against quality at each target rate, and against steps."""
    drawn = [
        plots.time_quality(group, comparison, target, f"{slug}-time-{words.slug(words.plain(target))}")
        for comparison in group.comparisons[:1]
        for target in sorted(comparison.common)
    ]
    drawn.append(plots.time_steps(group, f"{slug}-steps"))
    return [picture for picture in drawn if picture is not None]


def _left_out(group: Group, comparison: Comparison) -> str:
    """Which codecs the main plot lacks, and why."""
    absent = [s for s in group.series if s not in comparison.series and any(r["status"] == "ok" for r in s.rows)]
    shown = [s for other in group.comparisons[1:] for s in other.series]
    few = [f"{s.label} ({_count(len(s.asked), 'file')})" for s in absent if s in shown]
    none = [s.label for s in absent if s not in shown]
    told = [f"Not in it, being run on few files: {', '.join(few)}; see below."] if few else []
    told += [f"Not in it, sharing no scored file with the others: {', '.join(none)}."] if none else []
    return " ".join(told)


def _over(rate: str, common: int, total: int) -> str:
    return f"{rate}: {'' if common == total else f'{common} of '}{_count(total, 'file')}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
