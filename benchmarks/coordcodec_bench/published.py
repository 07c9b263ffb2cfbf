"""What others measured on the 24 Kodak pictures, and whether the baselines that run here agree with it.

A curve is a list of (bits per pixel, PSNR in dB), each the mean of 24 pictures: PSNR over RGB, first per picture.
`published.json` holds those that the package knows, with their sources.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from coordcodec_bench.baseline import needs
from coordcodec_bench.curves import Curve, at, load
from coordcodec_bench.rows import Row, good

KODAK = frozenset(f"kodim{number:02d}" for number in range(1, 25))
"""The pictures that every curve is a mean of, by name, and how many pixels each has."""
KODAK_PIXELS = 768 * 512
TOLERANCE_DB = 0.5
COIN_ALONE = {"kodim15": 29.31, "kodim05": 20.97}
"""COIN's PSNR in dB of single pictures at 0.3 bpp: Dupont et al. 2021, the figures of their paper and repository."""

AGREES = "agrees"
DISAGREES = "disagrees"
OUTSIDE = "outside the published range"
INCOMPLETE = "needs all 24 pictures"

Points = Sequence[tuple[float, float]]
"""(bits per pixel, PSNR in dB) each."""


@dataclass(frozen=True)
class Reference:
    """The curve that a baseline is measured by, and what is known to set both apart.

    saved_bpp: the baseline does what its curve's codec does in so many bits per pixel less.
    gain_db: what it gains or, below 0, loses beside that.
    reason: why, in words.
    """

    curve: str
    saved_bpp: float = 0.0
    gain_db: float = 0.0
    reason: str = ""


EQUAL_RATE_DB = 0.4
"""What a mean gains where all pictures get the same rate, as here, and not the same quality, as for most curves.

The gain of a bit falls with the rate, so that even shares are best. Of those run here, JPEG gains 0.25 to 0.35 dB,
WebP 0.35 to 0.45 dB and x265 0.45 to 0.5 dB between 0.15 and 0.6 bpp.
"""
_EQUAL_RATE = "the same rate for all pictures instead of the same quality gains 0.4 dB"

REFERENCES: Mapping[str, Reference] = {
    "jpeg": Reference(
        "JPEG",
        saved_bpp=0.07,
        gain_db=EQUAL_RATE_DB,
        reason=f"optimised Huffman tables and progressive files save about 0.07 bpp; {_EQUAL_RATE}",
    ),
    "jpeg2000": Reference(
        "JPEG2000",
        gain_db=0.4,
        reason="the 9/7 wavelet gains 0.4 dB over the reversible 5/3 of the published files, with which those run here "
        "agree to 0.02 dB",
    ),
    "webp": Reference("WebP", gain_db=EQUAL_RATE_DB, reason=f"{_EQUAL_RATE}; method 6 instead of 4"),
    "heif": Reference(
        "BPG444",
        gain_db=EQUAL_RATE_DB,
        reason=f"{_EQUAL_RATE}; x265 in an HEIF file, whose container takes 0.4 KB, instead of BPG",
    ),
    "avif": Reference(
        "AV1",
        gain_db=EQUAL_RATE_DB,
        reason=f"{_EQUAL_RATE}; libaom at speed 5 with 10 bits instead of speed 0 with 8",
    ),
    "vvc": Reference(
        "VTM", gain_db=EQUAL_RATE_DB, reason=f"{_EQUAL_RATE}; vvenc, preset medium, 4:2:0, instead of VTM, 4:4:4"
    ),
}
"""By the baseline's name; JPEG XL has no published curve here."""


@dataclass(frozen=True)
class Verdict:
    """A baseline at a target rate beside its curve.

    bpp, psnr_db: means of what was measured over `pictures` pictures. expected_db: the curve at that rate, with what is
    known to set both apart; None outside its range. difference_db: measured less expected. verdict: AGREES, DISAGREES,
    OUTSIDE or INCOMPLETE.
    """

    codec: str
    curve: str
    target_rate: float
    pictures: int
    bpp: float
    psnr_db: float
    published_db: float | None
    expected_db: float | None
    difference_db: float | None
    verdict: str
    reason: str
    source: str


def bd_rate(anchor: Points, test: Points) -> float | None:
    """How many percent more bits `test` needs than `anchor` for the same PSNR (Bjøntegaard), over the PSNR they share.

    Points are means over pictures: of the rate, and of the PSNR of each picture, at each target rate; between them the
    logarithm of the rate is interpolated with PCHIP. None if a curve has less than two points, does not rise, or
    nothing is shared. Raises NotInstalled.
    """
    curves = [sorted(points) for points in (anchor, test)]
    for points in curves:
        if len(points) < 2 or points[0][0] <= 0 or not all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(points)):
            return None
    (rates_a, scores_a), (rates_b, scores_b) = (zip(*points, strict=True) for points in curves)
    if max(scores_a[0], scores_b[0]) >= min(scores_a[-1], scores_b[-1]):
        return None
    library = needs(lambda: import_module("bjontegaard"), "pip install bjontegaard")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # little overlap: the plots show it
        percent = library.bd_rate(rates_a, scores_a, rates_b, scores_b, method="pchip", require_matching_points=False)
    return float(percent) if math.isfinite(percent) else None


def check(rows: Iterable[Row], curves: Mapping[str, Curve] | None = None) -> list[Verdict]:
    """A verdict for every baseline with a published curve and every target rate that has a good row of a Kodak picture.

    rows: of any codecs and files; what does not belong here is passed over. curves: default: those of the package.
    """
    curves = load() if curves is None else curves
    groups: dict[tuple[str, float], dict[str, Row]] = {}
    for row in good(rows):
        name = Path(row["file"]).stem
        known = row["codec"] in REFERENCES and REFERENCES[row["codec"]].curve in curves
        if known and name in KODAK and round(8 * row["bytes"] / row["rate"]) == KODAK_PIXELS:
            groups.setdefault((row["codec"], row["target_rate"]), {})[name] = row
    order = list(REFERENCES)
    return [
        _verdict(codec, target, list(found.values()), curves)
        for (codec, target), found in sorted(groups.items(), key=lambda item: (order.index(item[0][0]), item[0][1]))
    ]


def _verdict(codec: str, target: float, rows: list[Row], curves: Mapping[str, Curve]) -> Verdict:
    reference = REFERENCES[codec]
    curve = curves[reference.curve]
    bpp = fmean(row["rate"] for row in rows)
    measured = fmean(row["scores"]["psnr_db"] for row in rows)
    known = at(curve, bpp + reference.saved_bpp)
    expected = None if known is None else known + reference.gain_db
    difference = None if expected is None else measured - expected
    if len(rows) < len(KODAK):
        verdict = INCOMPLETE
    elif difference is None:
        verdict = OUTSIDE
    else:
        verdict = AGREES if abs(difference) <= TOLERANCE_DB else DISAGREES
    return Verdict(
        codec=codec,
        curve=curve.name,
        target_rate=target,
        pictures=len(rows),
        bpp=bpp,
        psnr_db=measured,
        published_db=at(curve, bpp),
        expected_db=expected,
        difference_db=difference,
        verdict=verdict,
        reason=reference.reason,
        source=curve.source,
    )
