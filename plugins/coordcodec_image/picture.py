"""A picture of a picture and what was decoded, with their difference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Field, Floats, Grid, Signal, sample
from coordcodec_image.metrics import psnr_db

PANEL = 768
"""The longest side of each of the three panels, in pixels."""

_NARROWEST = 320
"""Room for a caption; smaller pictures are enlarged."""
_MARGIN, _CAPTION = 8, 28
_FACTORS = (1, 2, 5, 10, 20, 50, 100)
_CHECKS = 0.75, 0.55
"""The two greys behind transparent pixels."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class _Panels:
    """Both pictures at the panels' size, each pixel the mean of what it covers, and the mean absolute difference.

    original, decoded, difference: (h, w, c), 0 to 1. error: mean squared, over all samples of the whole picture.
    """

    original: Doubles
    decoded: Doubles
    difference: Doubles
    error: float


def draw(field: Field, signal: Signal, peak: int, target: BinaryIO) -> None:
    """Write a PNG of the original, the decoded picture and their difference, with captions.

    peak: the largest value of a pixel as it is written, 255 or 65535.
    """
    assert isinstance(signal.coords, Grid)
    panels = _reduced(field, signal, signal.coords, peak)
    factor, amplified = _amplified(panels.difference)
    height, width = signal.coords.shape
    kind = f"{('grey', 'grey, alpha', 'RGB', 'RGB, alpha')[signal.channels - 1]}, {8 if peak == 255 else 16} bits"
    captions = (
        f"original: {width} x {height}, {kind}",
        f"decoded: PSNR {psnr_db(panels.error * peak**2, peak):.2f} dB",
        f"difference x {factor}" if panels.error else "no difference",
    )
    images = (_opaque(panels.original), _opaque(panels.decoded), amplified)
    _put_together([_enlarged(image) for image in images], captions).save(target, format="PNG")


def _reduced(field: Field, signal: Signal, grid: Grid, peak: int) -> _Panels:
    """Sum up boxes of factor x factor pixels, a slice at a time: a huge picture is never held decoded."""
    height, width = grid.shape
    factor = math.ceil(max(height, width) / PANEL)
    rows, columns, channels = math.ceil(height / factor), math.ceil(width / factor), signal.channels
    sums = np.zeros((3, channels, rows * columns))
    count = np.zeros(rows * columns)
    squares = 0.0
    for part, values in sample(field, grid):
        original, decoded = _as_written(signal.part(part), peak), _as_written(values, peak)
        difference = np.abs(decoded - original)
        squares += float((difference**2).sum())
        y, x = np.divmod(np.arange(part.start, part.stop), width)
        box = y // factor * columns + x // factor
        first = int(box.min())
        span = slice(first, int(box.max()) + 1)
        count[span] += np.bincount(box - first)
        for k, array in enumerate((original, decoded, difference)):
            for channel in range(channels):
                sums[k, channel, span] += np.bincount(box - first, weights=array[:, channel])
    means = (sums / count).transpose(0, 2, 1).reshape(3, rows, columns, channels)
    return _Panels(means[0], means[1], means[2], squares / signal.size)


def _as_written(values: Floats, peak: int) -> Doubles:
    """What a file makes of a field's values, 0 to 1."""
    written: Doubles = np.rint(np.clip((values.astype(np.float64) + 1) / 2, 0, 1) * peak) / peak
    return written


def _amplified(difference: Doubles) -> tuple[int, Doubles]:
    """The largest factor at which all but one in two hundred values stay within range, and what it makes.

    Returns the factor and (h, w, 1 or 3); a difference of alpha shows as grey.
    """
    most = float(np.quantile(difference, 0.995))
    factor = max((f for f in _FACTORS if f * most <= 1), default=1)
    channels = difference.shape[2]
    colours = difference[:, :, : 1 if channels < 3 else 3]
    if channels in (2, 4):
        colours = np.maximum(colours, difference[:, :, -1:])
    return factor, np.clip(colours * factor, 0, 1)


def _opaque(image: Doubles) -> Doubles:
    """An image over a chequerboard where it is transparent: (h, w, 1 or 3)."""
    channels = image.shape[2]
    if channels in (1, 3):
        return image
    y, x = np.indices(image.shape[:2])
    board = np.where((y // 8 + x // 8) % 2, *_CHECKS)[:, :, None]
    alpha = image[:, :, -1:]
    opaque: Doubles = image[:, :, :-1] * alpha + board * (1 - alpha)
    return opaque


def _enlarged(image: Doubles) -> NDArray[np.uint8]:
    """A small image with each pixel as a square, so that it can be seen: (h, w, 3) uint8."""
    times = max(1, _NARROWEST // max(image.shape[:2]))
    pixels = np.rint(np.broadcast_to(image, (*image.shape[:2], 3)) * 255).astype(np.uint8)
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def _put_together(images: list[NDArray[np.uint8]], captions: tuple[str, ...]) -> Any:
    from PIL import Image, ImageDraw, ImageFont

    height, width = images[0].shape[:2]
    step = max(width, _NARROWEST) + _MARGIN
    canvas = Image.new("RGB", (3 * step + _MARGIN, height + _CAPTION + 2 * _MARGIN), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    for k, (image, caption) in enumerate(zip(images, captions, strict=True)):
        pen.text((_MARGIN + k * step, _MARGIN), caption, fill="black", font=font)
        canvas.paste(Image.fromarray(image), (_MARGIN + k * step, _MARGIN + _CAPTION))
    return canvas
