"""Pictures side by side: the original, ours and others at the same rate, from the files that a run has kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import CoordCodecError
from coordcodec_bench.baselines import baselines_of
from coordcodec_bench.report import words
from coordcodec_bench.report.drawing import Picture, photograph
from coordcodec_bench.report.kept import Missing, decoded, read_original
from coordcodec_bench.report.results import Group, Series, item_of
from coordcodec_bench.rows import Row

EACH = 3
"""So many of the best and of the worst pictures are shown, if there are as many."""
SIDE, TALLEST, CROP, SHOWN = 300, 340, 72, 147
"""Pixels: a picture's width and largest height in the page, the side of a crop in the original, and in the page."""
_BOXES = ("#FF3B30", "#00B0FF")
_CHECKS = 0.75, 0.55

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Card:
    """One codec's version of a picture: a title, a line of figures and the picture with its two crops."""

    title: str
    facts: str
    picture: Picture
    own: bool


@dataclass(frozen=True)
class Side:
    """A picture by several codecs. gain: ours minus the reference's main score."""

    item: str
    heading: str
    gain: float
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Gallery:
    """The best and the worst pictures at one target rate. missing: items that cannot be shown, and why."""

    target: float
    reference: str
    best: tuple[Side, ...]
    worst: tuple[Side, ...]
    missing: tuple[tuple[str, str], ...]


def gallery(results: Path, group: Group, series: Sequence[Series], reference: Series, target: float) -> Gallery:
    """Ours (the first of `series`), the reference and others, where ours is furthest above and below the reference."""
    mine, theirs = series[0].good(target), reference.good(target)
    both = [(k, [run[k]["scores"].get(group.score) for run in (mine, theirs)]) for k in mine.keys() & theirs.keys()]
    gains = {item: ours - other for item, (ours, other) in both if ours is not None and other is not None}
    order = sorted(gains, key=lambda item: (-gains[item], item))
    count = min(EACH, (len(order) + 1) // 2)
    missing: list[tuple[str, str]] = []
    shown: list[list[Side]] = []
    for place, items in (("best", order[:count]), ("worst", order[count:][::-1][:EACH])):
        sides = []
        for number, item in enumerate(items, 1):
            found = [(s, s.good(target)[item]) for s in series if item in s.good(target)]
            try:
                sides.append(_side(results, group, found, gains[item], reference, f"{place}-{number}"))
            except Missing as gap:
                missing.append((item, str(gap)))
        shown.append(sides)
    return Gallery(target, reference.label, tuple(shown[0]), tuple(shown[1]), tuple(missing))


def _side(
    results: Path, group: Group, found: Sequence[tuple[Series, Row]], gain: float, reference: Series, name: str
) -> Side:
    original = original_pixels(results, found[0][1])
    versions = [(s, row, _as_rgb(decoded(results, row, original, s.own))) for s, row in found]
    whole = _as_rgb(original)
    for _, row, pixels in versions:
        if pixels.shape[:2] != whole.shape[:2]:
            raise Missing(f"{row['codec']} decodes to another size than the original's")
    boxes = interesting(whole, versions[0][2])
    item = item_of(versions[0][1])
    size = f"{whole.shape[1]} × {whole.shape[0]} pixels"
    cards = [Card("original", size, _drawn(whole, boxes, name, item, "original"), False)]
    for series, row, pixels in versions:
        score = words.number(row["scores"].get(group.score), group.score) + words.score_unit(group.score)
        facts = f"{row['bytes']:,}\N{NO-BREAK SPACE}bytes, {score}"
        cards.append(Card(series.label, facts, _drawn(pixels, boxes, name, item, series.label), series.own))
    sign = "+" if gain >= 0 else "−"
    amount = f"{sign}{words.number(abs(gain), group.score)}{words.score_unit(group.score)}"
    return Side(item, f"{item}: ours {amount} against {reference.label}", gain, tuple(cards))


def original_pixels(results: Path, row: Row) -> NDArray[Any]:
    """A row's input as its baselines's codecs are given it. Raises Missing."""
    baselines = baselines_of(row["modality"])
    assert baselines is not None
    signal = read_original(results, row)
    try:
        return np.asarray(baselines.original(signal))
    except CoordCodecError as error:
        raise Missing(str(error)) from None


def interesting(original: Pixels, decoded: Pixels) -> tuple[tuple[int, int, int], ...]:
    """Two squares (left, top, side): where the decoded picture errs most, and where the original has most detail.

    The second keeps away from the first where there is room.
    """
    height, width = original.shape[:2]
    side = max(1, min(CROP, height // 2, width // 2))
    a, b = original.astype(np.float32), decoded.astype(np.float32)
    first = _largest(_sums(((a - b) ** 2).sum(axis=2), side))
    grey = a.mean(axis=2)
    detail = np.zeros((height, width), np.float32)
    detail[:, 1:] += np.abs(np.diff(grey, axis=1))
    detail[1:] += np.abs(np.diff(grey, axis=0))
    sums = _sums(detail, side)
    y, x = first
    for near in (side, 0):  # well away from the first, or else beside it
        far = sums.copy()
        far[max(0, y - side - near + 1) : y + side + near, max(0, x - side - near + 1) : x + side + near] = -1.0
        if far.max() >= 0:
            break
    second = _largest(far if far.max() >= 0 else sums)
    return (first[1], first[0], side), (second[1], second[0], side)


def _sums(values: NDArray[np.float32], side: int) -> NDArray[np.float64]:
    """The sums over all squares of a side, by their top left corner."""
    total = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    total[1:, 1:] = values.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    bottom, top = total[side:], total[:-side]
    sums: NDArray[np.float64] = bottom[:, side:] - bottom[:, :-side] - top[:, side:] + top[:, :-side]
    return sums


def _largest(sums: NDArray[np.float64]) -> tuple[int, int]:
    y, x = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(y), int(x)


def _drawn(pixels: Pixels, boxes: Sequence[tuple[int, int, int]], name: str, item: str, title: str) -> Picture:
    """The whole picture, the crops marked in it, above the two crops."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray(pixels)
    gap = SIDE - 2 * SHOWN
    scale = min(SIDE / picture.width, TALLEST / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    whole = picture.resize(size, Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(whole)
    for (x, y, side), colour in zip(boxes, _BOXES, strict=True):
        corners = [round(v * scale) for v in (x, y, x + side, y + side)]
        pen.rectangle((corners[0], corners[1], corners[2] - 1, corners[3] - 1), outline=colour, width=2)
    sheet = Image.new("RGB", (SIDE, whole.height + gap + SHOWN), "white")
    sheet.paste(whole, ((SIDE - whole.width) // 2, 0))
    for k, ((x, y, side), colour) in enumerate(zip(boxes, _BOXES, strict=True)):
        crop = picture.crop((x, y, x + side, y + side)).resize((SHOWN, SHOWN), Image.Resampling.BICUBIC)
        ImageDraw.Draw(crop).rectangle((0, 0, SHOWN - 1, SHOWN - 1), outline=colour, width=2)
        sheet.paste(crop, (k * (SHOWN + gap), whole.height + gap))
    alt = f"{item}, {title}: the whole picture and two details"
    return photograph(sheet, f"image-{name}-{words.slug(item)}-{words.slug(title)}", alt)


def _as_rgb(pixels: NDArray[Any]) -> Pixels:
    """(h, w), (h, w, 1 to 4) of uint8 or uint16 -> (h, w, 3) uint8, transparency over a chequerboard."""
    if pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3:
        return pixels
    image = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    image = image[:, :, None] if image.ndim == 2 else image
    if image.shape[2] in (2, 4):
        y, x = np.indices(image.shape[:2])
        alpha = image[:, :, -1:]
        image = image[:, :, :-1] * alpha + np.where((y // 8 + x // 8) % 2, *_CHECKS)[:, :, None] * (1 - alpha)
    shown: Pixels = np.rint(np.broadcast_to(image, (*image.shape[:2], 3)) * 255).astype(np.uint8)
    return shown
