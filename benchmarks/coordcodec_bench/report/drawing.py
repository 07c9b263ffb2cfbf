"""How figures look, and how they become bytes: legible on a telephone, in colours that the colour-blind tell apart."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from coordcodec_bench.report.results import Series

SIZE, DPI = (4.1, 3.6), 220
"""Inches and pixels per inch: a point is more than a pixel where a telephone shows the figure."""
OURS, INK, GRID = "#D55E00", "#222222", "#DDDDDD"
_COLOURS = {
    "jpeg": "#000000", "jpeg444": "#666666", "jpeg2000": "#0072B2", "webp": "#009E73", "avif": "#B8508A",
    "jxl": "#A67400", "heif": "#3A97CF", "vvc": "#6A3D9A", "coin": "#8C564B", "siren": "#8C564B",
    "draco": "#0072B2", "mp3": "#000000", "aac": "#009E73", "opus": "#0072B2",
    "zfp": "#000000", "sz3": "#0072B2", "sperr": "#009E73",
}  # fmt: skip
_MARKERS = "svD^<>pPXhd*"
_OWN_MARKERS = "oPDX^v*h"
_SPARE = ("#0072B2", "#009E73", "#B8508A", "#B07D00", "#3A97CF", "#6A3D9A", "#000000")


@dataclass(frozen=True)
class Picture:
    """A figure: its PNG, and what the page shows of it.

    name: of its file, without a suffix. shown, kind: the bytes in the page and their MIME type; width, height: theirs
    in pixels. alt: what it shows, for those who do not see it.
    """

    name: str
    png: bytes
    shown: bytes
    kind: str
    width: int
    height: int
    alt: str
    caption: str = ""

    @property
    def uri(self) -> str:
        """The figure as a data URI."""
        return f"data:{self.kind};base64,{base64.b64encode(self.shown).decode()}"


@contextmanager
def plain_settings() -> Iterator[None]:
    """Draw with matplotlib's own settings, whatever the user's are."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        yield


def new_figure(width: float = SIZE[0], height: float = SIZE[1]) -> tuple[Any, Any]:
    """A matplotlib figure and its axes, which leave room for names at the right; sizes in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.13, 0.14, 0.63, 0.82))
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, colors=INK, length=3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#888888")
    return figure, axes


def finish(figure: Any, name: str, alt: str, caption: str = "") -> Picture:
    """A plot as a palette PNG, which is a fourth of the size."""
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    buffer.seek(0)
    with Image.open(buffer) as image:
        few = image.convert("RGB").quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    out = io.BytesIO()
    few.save(out, "PNG", optimize=True)
    return Picture(name, out.getvalue(), out.getvalue(), "image/png", few.width, few.height, alt, caption)


def photograph(image: Any, name: str, alt: str, caption: str = "", kind: str = "image/jpeg") -> Picture:
    """A picture of pixels: a PNG as it is, and for the page a file whose own losses do not show.

    kind: "image/jpeg" keeps colours at full resolution; "image/webp", which does not, is half as large.
    """
    png, shown = io.BytesIO(), io.BytesIO()
    image.save(png, "PNG", optimize=True)
    if kind == "image/webp":
        image.save(shown, "WEBP", quality=84, method=6)
    else:
        image.save(shown, "JPEG", quality=89, subsampling=0, optimize=True)
    return Picture(name, png.getvalue(), shown.getvalue(), kind, image.width, image.height, alt, caption)


def look(series: Series) -> dict[str, Any]:
    """Colour, marker and width of a codec's line: ours stand out, every codec always has the same."""
    spread = int.from_bytes(hashlib.sha256(series.codec.encode()).digest()[:4], "big")
    if series.family == "ours":
        plain = series.codec == "ours"
        marker = "o" if plain else _OWN_MARKERS[1 + spread % (len(_OWN_MARKERS) - 1)]
        return {
            "color": OURS, "marker": marker, "linewidth": 2.6 if plain else 1.4, "markersize": 7 if plain else 5.5,
            "zorder": 6 if plain else 5,
        }  # fmt: skip
    names = tuple(_COLOURS)
    place = names.index(series.family) if series.family in names else spread
    colour = _COLOURS.get(series.family, _SPARE[spread % len(_SPARE)])
    marker = _MARKERS[place % len(_MARKERS)]
    return {"color": colour, "marker": marker, "linewidth": 1.4, "markersize": 5, "zorder": 4}
