"""The picture at the head of the README: `python -m coordcodec.bench.figure ORIGINAL FILE.ccdc -o OUT.png`.

Original, ours and JPEG at no fewer bytes side by side, whole and as a detail at three times the size.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np

import coordcodec

GAP, LABEL, ZOOM = 8, 26, 3


def jpeg_of(picture: Any, num_bytes: int) -> tuple[Any, int, int]:
    """The best baseline JPEG (4:2:0, optimised) of at most `num_bytes`, else the smallest: picture, bytes, quality."""
    from PIL import Image

    chosen = None
    for quality in range(1, 96):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality, optimize=True)
        if chosen is None or buffer.tell() <= num_bytes:
            chosen = (buffer.getvalue(), quality)
    assert chosen is not None
    return Image.open(io.BytesIO(chosen[0])), len(chosen[0]), chosen[1]


def psnr(a: Any, b: Any) -> float:
    """PSNR of two 8-bit pictures, in dB."""
    error = (np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)) ** 2
    return float(10 * np.log10(255**2 / error.mean()))


def draw(original: Any, compressed: bytes, corner: tuple[int, int], width: int) -> Any:
    """The figure as a Pillow image; `corner` and `width` choose the detail, in pixels of the original."""
    from PIL import Image, ImageDraw

    original = original.convert("RGB")
    ours = Image.fromarray(coordcodec.open(compressed).render())
    jpeg, size, quality = jpeg_of(original, len(compressed))
    columns = [
        ("original", original),
        (f"coordcodec  {len(compressed):,} bytes  {psnr(original, ours):.2f} dB", ours),
        (f"JPEG (quality {quality})  {size:,} bytes  {psnr(original, jpeg):.2f} dB", jpeg),
    ]
    w = width * ZOOM
    h = round(w * original.height / original.width)
    figure = Image.new("RGB", (3 * w + 2 * GAP, LABEL + 2 * h + GAP), "white")
    pen = ImageDraw.Draw(figure)
    x, y = corner
    box = (x, y, x + width, y + round(h / ZOOM))
    for i, (label, picture) in enumerate(columns):
        left = i * (w + GAP)
        pen.text((left + 2, 4), label, fill="black", font_size=16)
        figure.paste(picture.resize((w, h), Image.Resampling.LANCZOS), (left, LABEL))
        figure.paste(picture.crop(box).resize((w, h), Image.Resampling.NEAREST), (left, LABEL + h + GAP))
    return figure


def main() -> None:
    """Draw and save."""
    from PIL import Image

    parser = argparse.ArgumentParser(description="Original, ours and JPEG at equal bytes.")
    parser.add_argument("original", type=Path)
    parser.add_argument("compressed", type=Path, metavar="FILE.ccdc")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.png")
    parser.add_argument("--corner", type=int, nargs=2, default=(330, 90), metavar=("X", "Y"), help="of the detail")
    parser.add_argument("--width", type=int, default=160, help="of the detail, in pixels; default: 160")
    a = parser.parse_args()
    with Image.open(a.original) as original:
        figure = draw(original, a.compressed.read_bytes(), tuple(a.corner), a.width)
    figure.save(a.output, optimize=True)


if __name__ == "__main__":
    main()
