"""Bjøntegaard rates: how much larger one codec's files are than another's at equal quality."""

from __future__ import annotations

import math

from coordcodec_bench import published
from coordcodec_bench.published import Points
from coordcodec_bench.report import words
from coordcodec_bench.report.results import Group

LITTLE = 0.25
"""A Bjøntegaard rate over a smaller share of both curves' scores is marked: it says little."""


def bd_text(anchor: Points, test: Points, group: Group) -> str:
    """A Bjøntegaard rate in words; in brackets where the curves share little, "–" where they share nothing."""
    found = bd_rate(anchor, test, group.falling)
    if found is None:
        return "–"
    percent, overlap = found
    text = words.signed(percent, ".1f", "%")
    return f"({text})" if overlap < LITTLE else text


def bd_rate(anchor: Points, test: Points, falling: bool = False) -> tuple[float, float] | None:
    """How much larger the files of `test` are than those of `anchor` at equal scores, in percent, and the overlap.

    anchor, test: (rate, score) each. falling: smaller scores are better; their logarithm is then compared.
    overlap: the share of the range of both curves' scores that they have in common. None as `published.bd_rate` says.
    """
    if falling and any(score <= 0 for _, score in (*anchor, *test)):
        return None
    # Points of the same rate, such as a smallest file for two targets, are one.
    curves = [
        sorted({rate: -math.log10(score) if falling else score for rate, score in points}.items())
        for points in (anchor, test)
    ]
    percent = published.bd_rate(*curves)
    if percent is None:
        return None
    low, high = zip(*((points[0][1], points[-1][1]) for points in curves), strict=True)
    return percent, (min(high) - max(low)) / (max(high) - min(low))
