"""The learning curve as a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """Where a run stood at an outer step.

    train: the mean outer loss since the point before, NaN at the beginning. before, after: the mean PSNR in dB of the
    held-back tasks without and with the inner steps.
    """

    step: int
    train: float
    before: float
    after: float


def decibels(mse: float) -> float:
    """The PSNR of a mean squared error of values that reach [-1, 1]."""
    return -10 * math.log10(mse / 4) if mse > 0 else math.inf


def draw(points: Sequence[Point], title: str) -> bytes:
    """A PNG of the PSNR over the outer steps: of tasks learned from, and of those held back."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()
        figure = Figure(figsize=(6, 4), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        learned = [point for point in points if math.isfinite(point.train)]
        axes.plot(
            [p.step for p in learned], [decibels(p.train) for p in learned], color="#0072B2", label="learned from"
        )
        for label, style in (("after", "-"), ("before", ":")):
            shown = [getattr(p, label) for p in points]
            name = f"held back, {label} the inner steps"
            axes.plot([p.step for p in points], shown, color="#D55E00", linestyle=style, label=name)
        axes.set(xlabel="outer steps", ylabel="PSNR in dB", title=title)
        axes.grid(color="#DDDDDD")
        axes.legend(frameon=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        return buffer.getvalue()
