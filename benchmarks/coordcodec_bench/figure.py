"""The picture at the head of the README: `python -m coordcodec_bench.figure ORIGINAL FILE.ccdc -o OUT.png`.

Original, ours and the best JPEG of about as many bytes side by side, whole and as a detail at three times the size.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from coordcodec import codec
from coordcodec.plugins import installed
from coordcodec_bench.baseline import Search
from coordcodec_bench.images import BASELINES

GAP, LABEL, ZOOM = 8, 26, 3


def draw(path: Path, compressed: bytes, corner: tuple[int, int], width: int) -> Any:
    """The figure as a Pillow image; `corner` and `width` choose the detail, in pixels of the original."""
    from PIL import Image, ImageDraw

    signal = installed().modalities.get("image").read(path)
    jpeg = Search(BASELINES.codecs["jpeg"], BASELINES, signal)
    best = jpeg.best(len(compressed))
    opened = codec.open(compressed)
    ours, theirs = opened.score(signal)["psnr_db"], best["scores"]["psnr_db"]
    decoded = BASELINES.codecs["jpeg"].decode(best["data"], jpeg.original)
    original = Image.fromarray(jpeg.original)
    columns = [
        ("original", original),
        (f"coordcodec  {len(compressed):,} bytes  {ours:.2f} dB", Image.fromarray(opened.render())),
        (f"JPEG  {best['bytes']:,} bytes  {theirs:.2f} dB", Image.fromarray(decoded)),
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
    parser = argparse.ArgumentParser(description="Original, ours and JPEG at equal bytes.")
    parser.add_argument("original", type=Path)
    parser.add_argument("compressed", type=Path, metavar="FILE.ccdc")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.png")
    parser.add_argument("--corner", type=int, nargs=2, default=(330, 90), metavar=("X", "Y"), help="of the detail")
    parser.add_argument("--width", type=int, default=160, help="of the detail, in pixels; default: 160")
    a = parser.parse_args()
    figure = draw(a.original, a.compressed.read_bytes(), tuple(a.corner), a.width)
    figure.save(a.output, optimize=True)


if __name__ == "__main__":
    main()
