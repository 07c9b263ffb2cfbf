"""Bytes against the largest error that is promised, a figure per file."""

from __future__ import annotations

from coordcodec_bench.report.drawing import INK, Picture, finish, look, new_figure
from coordcodec_bench.report.labels import ends
from coordcodec_bench.report.plots import logarithmic
from coordcodec_bench.report.promises import Promised, parted
from coordcodec_bench.report.results import main_of


def all_of(promised: Promised) -> list[Picture]:
    """A figure for each item that was measured at two bounds or more."""
    items = [item for item in promised.items if len(promised.bounds(item)) > 1]
    return [bytes_against(promised, item, f"{promised.slug}-{k}") for k, item in enumerate(items, 1)]


def bytes_against(promised: Promised, item: str, name: str) -> Picture:
    """A line per codec; down and to the left is better."""
    figure, axes = new_figure()
    labels, told = [], []
    chosen = promised.of(item)
    for series, by in chosen:
        points = sorted((_number(row), row["bytes"]) for row in by.values())
        axes.plot(*zip(*points, strict=True), **look(series))
        labels.append((*points[-1], series.label, look(series)["color"]))
        told.append(f"{series.label}: " + ", ".join(f"{size:,} bytes at {bound:g}" for bound, size in points))
    every = [(_number(row), row["bytes"]) for _, by in chosen for row in by.values()]
    logarithmic(axes.xaxis, min(x for x, _ in every), max(x for x, _ in every), least=1.3)
    logarithmic(axes.yaxis, min(y for _, y in every), max(y for _, y in every), least=1.3)
    unit = parted(promised.bounds(item)[0])[1] or "in the samples' unit"
    axes.set_xlabel(f"largest error, {'% of the range' if unit == '%' else unit}", fontsize=9.5, color=INK)
    axes.set_ylabel("size, bytes", fontsize=9.5, color=INK)
    main = main_of([series for series, _ in chosen])
    ends(axes, labels, bold=[main.label] if main else [])
    return finish(figure, name, f"{item}: bytes against the largest error in {unit}. {'; '.join(told)}", item)


def _number(row: dict[str, object]) -> float:
    return float(parted(str(row["bound"]))[0])
