"""Names written into plots, beside what they name and clear of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SIZE = 8.5
"""Points."""
_PLACES = (
    (8, 0, "left", "center"),
    (-8, 0, "right", "center"),
    (0, 8, "center", "bottom"),
    (0, -8, "center", "top"),
    (7, 7, "left", "bottom"),
    (7, -7, "left", "top"),
    (-7, 7, "right", "bottom"),
    (-7, -7, "right", "top"),
    (0, 19, "center", "bottom"),
    (0, -19, "center", "top"),
    (14, 17, "left", "bottom"),
    (14, -17, "left", "top"),
)
"""Where a name may stand beside its point, in points, the best first; from the ninth on a line leads to it."""
_NEAR = 8


def ends(axes: Any, labels: Sequence[tuple[float, float, str, str]], bold: Sequence[str] = ()) -> None:
    """Write each line's name beside its end: (x, y, text, colour), moved apart so that none covers another."""
    figure = axes.figure
    _make_room(axes, [text for _, _, text, _ in labels], bold)
    box = axes.get_window_extent()
    places = axes.transData.transform([(x, y) for x, y, _, _ in labels])
    gap = SIZE * 1.25 * figure.dpi / 72
    order = sorted(range(len(labels)), key=lambda i: (places[i][1], labels[i][2]))
    heights = _apart([float(places[i][1]) for i in order], gap, float(box.y0) + gap / 2, float(box.y1) - gap / 4)
    for i, height in zip(order, heights, strict=True):
        x, y, text, colour = labels[i]
        target = axes.transAxes.inverted().transform((box.x1 + 0.75 * gap, height))
        axes.annotate(
            text, (x, y), xytext=target, textcoords="axes fraction", color=colour, fontsize=SIZE, va="center",
            fontweight="bold" if text in bold else "normal", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "alpha": 0.6, "shrinkA": 0, "shrinkB": 4},
        )  # fmt: skip


def _make_room(axes: Any, texts: Sequence[str], bold: Sequence[str] = ()) -> None:
    """Move the axes' sides so that the numbers at the left and the names at the right are within the figure."""
    figure = axes.figure
    renderer = figure.canvas.get_renderer()
    width = figure.get_window_extent().width
    names = [
        axes.text(0, 0, text, fontsize=SIZE, fontweight="bold" if text in bold else "normal", transform=None)
        for text in texts
    ]
    right = max((name.get_window_extent(renderer).width for name in names), default=0.0) / width
    for name in names:
        name.remove()
    figure.canvas.draw()  # the numbers of the ticks are only now what they will be
    left = (axes.get_window_extent().x0 - axes.yaxis.get_tightbbox(renderer).x0) / width
    _, bottom, _, height = axes.get_position().bounds
    gap = SIZE / 72 / figure.get_figwidth()
    axes.set_position((left + gap / 2, bottom, 1 - left - right - (2.2 if texts else 1.2) * gap, height))


def _apart(heights: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Ascending heights at least `gap` apart, each near where it was, within low and high if they fit."""
    blocks: list[list[float]] = []  # sum of wanted bottoms, count
    for height in heights:
        blocks.append([height, 1])
        while len(blocks) > 1 and _bottom(blocks[-2], gap) + blocks[-2][1] * gap > _bottom(blocks[-1], gap):
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    placed = [_bottom(block, gap) + k * gap for block in blocks for k in range(int(block[1]))]
    for k in range(len(placed)):
        placed[k] = max(placed[k], low + k * gap)
    for k in range(len(placed) - 1, -1, -1):
        placed[k] = min(placed[k], high - (len(placed) - 1 - k) * gap)
    return placed


def _bottom(block: Sequence[float], gap: float) -> float:
    """Where the lowest of a block stands when the block's middle is where its members wanted to be on average."""
    total, count = block
    return total / count - (count - 1) * gap / 2


def beside(axes: Any, labels: Sequence[tuple[float, float, str, str, bool]]) -> None:
    """Write names next to points, (x, y, text, colour, bold) each, where they cover the least of others."""
    figure = axes.figure
    _make_room(axes, ())
    renderer = figure.canvas.get_renderer()
    frame = axes.get_window_extent()
    points = axes.transData.transform([(x, y) for x, y, *_ in labels])
    taken = [(px - 6, py - 6, px + 6, py + 6) for px, py in points]
    unit = figure.dpi / 72
    for _, (x, y, text, colour, bold) in sorted(enumerate(labels), key=lambda item: -points[item[0]][1]):
        best: tuple[float, Any, Any] | None = None
        for rank, (dx, dy, across, up) in enumerate(_PLACES):
            note = axes.annotate(
                text, (x, y), xytext=(dx, dy), textcoords="offset points", ha=across, va=up, fontsize=SIZE,
                color=colour, fontweight="bold" if bold else "normal",
                arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6} if rank >= _NEAR else None,
            )  # fmt: skip
            box = note.get_window_extent(renderer)
            shape = (box.x0, box.y0, box.x1, box.y1)
            cost = sum(_shared(shape, other) for other in taken) + rank * unit * unit * 2
            cost += 4 * (box.width * box.height - _shared(shape, (frame.x0, frame.y0, frame.x1, frame.y1)))
            if best is None or cost < best[0]:
                if best is not None:
                    best[1].remove()
                best = (cost, note, shape)
            else:
                note.remove()
        assert best is not None
        taken.append(best[2])


def _shared(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """The area that two boxes share."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)
