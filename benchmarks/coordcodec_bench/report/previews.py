"""Shapes, sounds and other kinds of data as their own plugins draw them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from coordcodec import codec
from coordcodec.errors import CoordCodecError
from coordcodec.hookspecs import Previewer
from coordcodec.plugins import installed
from coordcodec_bench.report import words
from coordcodec_bench.report.drawing import Picture, photograph
from coordcodec_bench.report.kept import Missing, kept_bytes, read_original
from coordcodec_bench.report.results import Group, Series, item_of
from coordcodec_bench.rows import Row

LONGEST = 1100
"""Pixels of a preview's longest side in the page."""


@dataclass(frozen=True)
class Preview:
    """A plugin's own picture of a file beside its original."""

    heading: str
    facts: str
    picture: Picture


def previews(results: Path, group: Group, series: Series, target: float) -> tuple[list[Preview], list[tuple[str, str]]]:
    """The best, the middle and the worst of ours by the main score, drawn by their plugin; and what is missing."""
    try:
        kind = installed().modalities.get(group.modality)
    except CoordCodecError as error:
        return [], [("what was decoded", str(error))]
    if not isinstance(kind, Previewer):
        return [], []
    good = {k: row for k, row in series.good(target).items() if row["scores"].get(group.score) is not None}
    order = sorted(good, key=lambda k: (good[k]["scores"][group.score] * (1 if group.falling else -1), k))
    places = sorted({0, len(order) // 2, len(order) - 1}) if order else []
    names = {0: "best"} | ({len(order) - 1: "worst"} if len(order) > 1 else {})
    found, missing = [], []
    for place in places:
        item = order[place]
        try:
            found.append(_preview(results, group, good[item], names.get(place, "middle")))
        except Missing as gap:
            missing.append((item, str(gap)))
    return found, missing


def _preview(results: Path, group: Group, row: Row, place: str) -> Preview:
    from PIL import Image

    signal = read_original(results, row)
    buffer = io.BytesIO()
    try:
        opened = codec.open(kept_bytes(results, row))
        modality = opened.modality
        assert isinstance(modality, Previewer)
        modality.preview(opened.field, signal, buffer)
    except CoordCodecError as error:
        raise Missing(f"cannot be drawn: {error}") from None
    with Image.open(buffer) as image:
        drawn = image.convert("RGB")
    drawn.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    item = item_of(row)
    score = words.number(row["scores"].get(group.score), group.score) + words.score_unit(group.score)
    facts = f"{row['bytes']:,}\N{NO-BREAK SPACE}bytes, {words.score_stem(group.score)} {score}"
    alt = f"{item}: the original and what was decoded, {facts}"
    picture = photograph(drawn, f"{group.modality}-{place}-{words.slug(item)}", alt, kind="image/webp")
    return Preview(f"{place}: {item}", facts, picture)
