"""The plots: rate and distortion, time and quality, time and steps, Draco's points and their hull."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coordcodec_bench import rows
from coordcodec_bench.curves import Curve
from coordcodec_bench.report import words
from coordcodec_bench.report.drawing import INK, OURS, Picture, finish, look, new_figure
from coordcodec_bench.report.labels import beside, ends
from coordcodec_bench.report.results import Comparison, Group, Series, item_of, main_of
from coordcodec_bench.shapes import lower_hull

Points = Sequence[tuple[float, float]]
GREY = "#777777"
_CHARACTER = 0.08
"""Inches that a digit at a tick is wide."""


def rate_distortion(
    group: Group, comparison: Comparison, curves: Mapping[str, Curve], name: str, title: str
) -> Picture:
    """A line per codec, each point a mean; behind it the codec's published curve, dashed and of the same colour."""
    figure, axes = new_figure()
    labels, drawn = _lines(axes, comparison, comparison.series)
    _scale(axes, group, drawn)
    for series in comparison.series:
        if series.codec in curves:
            _dashed(axes, curves[series.codec], look(series)["color"])
    _axes_names(axes, group)
    ends(axes, labels, bold=_bold(comparison.series))
    shown = "; ".join(f"{s.label}: {_in_words(comparison, s, group)}" for s in comparison.series)
    return finish(figure, name, f"{title}. {shown}")


def among_published(group: Group, comparison: Comparison, curves: Mapping[str, Curve], name: str) -> Picture:
    """Our codecs among published curves, by label, dashed: straight between their points."""
    figure, axes = new_figure()
    own = [series for series in comparison.series if series.own]
    labels, drawn = _lines(axes, comparison, own)
    low, high = min(x for x, _ in drawn) / 1.15, max(x for x, _ in drawn) * 1.15
    shown = {label: _between(curve, low, high) for label, curve in curves.items()}
    _scale(axes, group, drawn + [point for points in shown.values() for point in points])
    for label, points in shown.items():
        if points:
            _dashed(axes, curves[label], GREY)
            labels.append((*points[-1], label, "#444444"))
    _axes_names(axes, group)
    ends(axes, labels, bold=_bold(own))
    told = "; ".join(f"{s.label}: {_in_words(comparison, s, group)}" for s in own)
    alt = f"Ours among published curves. {told}. Published: {', '.join(k for k, v in shown.items() if v)}"
    return finish(figure, name, alt)


def _lines(axes: Any, comparison: Comparison, chosen: Sequence[Series]) -> tuple[list[Any], list[tuple[float, float]]]:
    """Draw codecs; returns what to write at the ends of their lines, and all points."""
    labels, drawn = [], []
    for series in chosen:
        points = sorted((p.rate, p.score) for p in comparison.points[series.label])
        axes.plot(*zip(*points, strict=True), **look(series))
        labels.append((*points[-1], series.label, look(series)["color"]))
        drawn += points
    return labels, drawn


def _dashed(axes: Any, curve: Curve, colour: str) -> None:
    axes.plot(curve.bpp, curve.psnr_db, color=colour, linestyle=(0, (4, 2)), linewidth=1.1, alpha=0.75, zorder=2)


def _between(curve: Curve, low: float, high: float) -> list[tuple[float, float]]:
    """A curve from one rate to another: its points, and where it is cut; straight in the rate's logarithm."""
    import numpy as np

    low, high = max(low, curve.bpp[0]), min(high, curve.bpp[-1])
    if low >= high:
        return []
    rates = [low, *(rate for rate in curve.bpp if low < rate < high), high]
    scores = np.interp(np.log(rates), np.log(curve.bpp), curve.psnr_db)
    return [(rate, float(score)) for rate, score in zip(rates, scores, strict=True)]


def _bold(chosen: Sequence[Series]) -> list[str]:
    main = main_of(chosen)
    return [main.label] if main is not None else []


def time_quality(group: Group, comparison: Comparison, target: float, name: str) -> Picture | None:
    """Mean seconds to encode against the mean score at a target rate; None where fewer than two codecs have it."""
    chosen = [(s, p) for s in comparison.series for p in comparison.points[s.label] if p.target == target]
    chosen = [(s, p) for s, p in chosen if p.encode_seconds > 0]
    if len(chosen) < 2:
        return None
    figure, axes = new_figure()
    for series, point in chosen:
        axes.plot(point.encode_seconds, point.score, **{**look(series), "linestyle": "none"})
    times = [p.encode_seconds for _, p in chosen]
    _scale(axes, group, [(p.encode_seconds, p.score) for _, p in chosen])
    logarithmic(axes.xaxis, min(times), max(times), least=10.0, margin=0.12)
    axes.set_xlabel("seconds to encode, mean of a file", fontsize=9.5, color=INK)
    axes.set_ylabel(words.score_name(group.score), fontsize=9.5, color=INK)
    beside(
        axes,
        [(p.encode_seconds, p.score, s.label, look(s)["color"], s is main_of(comparison.series)) for s, p in chosen],
    )
    shown = f"at {words.plain(target)} {group.unit}"
    alt = f"Time against quality {shown}: " + "; ".join(
        f"{s.label} {words.seconds(p.encode_seconds)} s, {words.number(p.score, group.score)}" for s, p in chosen
    )
    return finish(figure, name, alt, f"{words.score_stem(group.score)} against seconds to encode, {shown}")


def time_steps(group: Group, name: str) -> Picture | None:
    """Seconds to encode against steps of the fit, a point per file; None where fewer than two rows say their steps."""
    figure, axes = new_figure()
    labels, drawn = [], []
    for series in group.series:
        found = [r for r in rows.good(series.rows) if r.get("steps") and r["encode_seconds"] > 0]
        if found:
            points = sorted((r["steps"], r["encode_seconds"]) for r in found)
            style = look(series) | {"linestyle": "none", "markersize": 5, "alpha": 0.55, "markeredgewidth": 0}
            axes.plot(*zip(*points, strict=True), **style)
            labels.append((*points[len(points) // 2], series.label, look(series)["color"], series is group.main))
            drawn += points
    if len(drawn) < 2:
        return None
    for axis, values in ((axes.xaxis, [x for x, _ in drawn]), (axes.yaxis, [y for _, y in drawn])):
        logarithmic(axis, min(values), max(values), least=4.0)
    axes.set_xlabel("steps of the fit", fontsize=9.5, color=INK)
    axes.set_ylabel("seconds to encode", fontsize=9.5, color=INK)
    beside(axes, labels)
    alt = f"Seconds to encode against steps of the fit, {len(drawn)} files"
    return finish(figure, name, alt, "Seconds to encode against steps of the fit, a point per file and rate")


def tried(group: Group, item: str, points: Points, ours: Mapping[str, Points], name: str) -> Picture:
    """What Draco was tried at on one file, (bytes, score) each, the lower hull of that, and our files beside it."""
    figure, axes = new_figure()
    hull = lower_hull(points)
    theirs = "#0072B2"
    axes.plot(*zip(*points, strict=True), "o", color=theirs, markersize=4, alpha=0.5, markeredgewidth=0)
    axes.plot(*zip(*hull, strict=True), color=theirs, linewidth=1.5, marker="s", markersize=4, zorder=4)
    labels = [(*hull[-1], "Draco's hull", theirs)]
    for label, found in ours.items():
        axes.plot(*zip(*found, strict=True), color=OURS, linewidth=2.6, marker="o", markersize=7, zorder=6)
        labels.append((*found[-1], label, OURS))
    _scale(axes, group, [*points, *(p for found in ours.values() for p in found)])
    axes.set_xlabel("size, bytes", fontsize=9.5, color=INK)
    axes.set_ylabel(words.score_name(group.score), fontsize=9.5, color=INK)
    ends(axes, labels, bold=list(ours))
    return finish(figure, name, f"{item}: {len(points)} files of Draco's, their lower hull, and ours", item)


def _scale(axes: Any, group: Group, drawn: Sequence[tuple[float, float]]) -> None:
    """Axes that show all that was measured: rates by their logarithm, falling scores too."""
    rates, scores = [x for x, _ in drawn], [y for _, y in drawn]
    logarithmic(axes.xaxis, min(rates), max(rates), least=1.3)
    if group.falling and min(scores) > 0:
        logarithmic(axes.yaxis, min(scores), max(scores), least=1.3)
    else:
        spread = max(max(scores) - min(scores), 0.5) * 0.08
        axes.set_ylim(min(scores) - spread, max(scores) + spread)


def logarithmic(axis: Any, low: float, high: float, least: float, margin: float = 0.07) -> None:
    """A logarithmic axis from low to high with a margin, `least` times as far at least, and a few round numbers."""
    short = max(least / (high / low), 1.0) ** 0.5
    low, high = low / short, high * short
    spread = (high / low) ** margin
    low, high = low / spread, high * spread
    axes = axis.axes
    if axis.axis_name == "x":
        axes.set_xscale("log")
        axes.set_xlim(low, high)
    else:
        axes.set_yscale("log")
        axes.set_ylim(low, high)
    _few_ticks(axis, low, high)


def _few_ticks(axis: Any, low: float, high: float) -> None:
    """A few round numbers on a logarithmic axis, written out."""
    most = 6
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in (
        (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9),
        (1, 1.5, 2, 3, 4, 6, 8),
        (1, 2, 3, 5),
        (1, 2, 5),
        (1, 3),
        (1,),
    ):
        ticks = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
        if len(ticks) <= most and (axis.axis_name != "x" or _apart(axis, ticks, low, high)):
            break
    ticks = ticks[:: math.ceil(len(ticks) / most)]
    from matplotlib.ticker import NullLocator

    axis.set_minor_locator(NullLocator())
    axis.set_ticks(ticks, labels=[words.plain(float(f"{tick:.3g}")) for tick in ticks])


def _axes_names(axes: Any, group: Group) -> None:
    axes.set_xlabel(words.rate_name(group.unit), fontsize=9.5, color=INK)
    axes.set_ylabel(words.score_name(group.score), fontsize=9.5, color=INK)


def _in_words(comparison: Comparison, series: Series, group: Group) -> str:
    return ", ".join(
        f"{words.number(p.score, group.score)} at {words.rate(p.rate, group.unit)}"
        for p in comparison.points[series.label]
    )


def tried_by_item(group: Group) -> Iterable[tuple[str, Points, dict[str, Points]]]:
    """For each item with tried points of Draco's: it, the points, and our files by label, bytes ascending."""
    found: dict[str, set[tuple[float, float]]] = {}
    ours: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for series in group.series:
        for row in rows.good(series.rows):
            value = row["scores"].get(group.score)
            if series.codec == "draco":
                pairs = [(b, s) for b, s in row.get("tried", []) if s is not None and s > 0]
                found.setdefault(item_of(row), set()).update(pairs)
            elif series is group.main and value:
                ours.setdefault(item_of(row), {}).setdefault(series.label, []).append((row["bytes"], value))
    for item, points in sorted(found.items()):
        if points:
            yield item, sorted(points), {label: sorted(pairs) for label, pairs in ours.get(item, {}).items()}


def _apart(axis: Any, ticks: Sequence[float], low: float, high: float) -> bool:
    """Whether the numbers at ticks along an axis from low to high do not touch."""
    width = axis.axes.get_window_extent().width / axis.figure.dpi / math.log(high / low)
    wide = [_CHARACTER * (len(words.plain(float(f"{tick:.3g}"))) + 1) for tick in ticks]
    return all(
        width * math.log(right / left) >= (a + b) / 2
        for left, right, a, b in zip(ticks, ticks[1:], wide, wide[1:], strict=False)
    )
