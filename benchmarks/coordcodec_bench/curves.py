"""Published rate-distortion curves: read from JSON, and what lies between their points."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from coordcodec.errors import FileError
from coordcodec.files import read_bytes

PACKAGED = Path(__file__).parent / "published.json"


@dataclass(frozen=True)
class Curve:
    """A published curve: rates in bits per pixel, ascending, and PSNR in dB of each; where they come from."""

    name: str
    bpp: tuple[float, ...]
    psnr_db: tuple[float, ...]
    source: str
    status: str = ""

    @property
    def points(self) -> list[tuple[float, float]]:
        """(bits per pixel, PSNR in dB) each."""
        return list(zip(self.bpp, self.psnr_db, strict=True))


def load(path: str | os.PathLike[str] | None = None) -> dict[str, Curve]:
    """The packaged curves by name, or those of a file of the same shape.

    {"codecs": {NAME: {"bpp": [...], "psnr_db": [...], "source": "..."}}}; "status" and "note" may be there too.
    Raises FileError for a file that cannot be read or has another shape.
    """
    place = PACKAGED if path is None else Path(path)
    try:
        found = json.loads(read_bytes(place))
    except (ValueError, RecursionError):
        raise FileError(f"{place} is no JSON; expected published curves such as the package's published.json") from None
    codecs = found.get("codecs") if isinstance(found, dict) else None
    if not isinstance(codecs, dict) or not codecs:
        raise FileError(f'{place} holds no curves; expected {{"codecs": {{NAME: {{"bpp": [...], "psnr_db": [...]}}}}}}')
    return {name: _curve(place, name, entry) for name, entry in codecs.items()}


def _curve(place: Path, name: str, entry: Any) -> Curve:
    entry = entry if isinstance(entry, dict) else {}
    rates, scores = (_numbers(entry.get(key)) for key in ("bpp", "psnr_db"))
    rising = rates is not None and rates[0] > 0 and all(a < b for a, b in pairwise(rates))
    texts = [entry.get(key, "") for key in ("source", "status")]
    if rates is None or scores is None or len(rates) != len(scores) or not rising:
        raise FileError(
            f"{place}: the curve {name!r} needs lists bpp and psnr_db of the same two or more numbers, "
            "bpp above 0 and ascending"
        )
    if not all(isinstance(text, str) for text in texts):
        raise FileError(f"{place}: source and status of the curve {name!r} must be text")
    return Curve(name, rates, scores, *texts)


def _numbers(value: Any) -> tuple[float, ...] | None:
    if not isinstance(value, list) or len(value) < 2:
        return None
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e9 for v in value):
        return None
    return tuple(float(v) for v in value)


def at(curve: Curve, bpp: float) -> float | None:
    """The PSNR in dB of a curve at a rate: cubic (PCHIP) in the logarithm of the rate. None outside its range."""
    from scipy.interpolate import PchipInterpolator

    if not curve.bpp[0] <= bpp <= curve.bpp[-1]:
        return None
    logs = np.log([*curve.bpp, bpp])
    return float(PchipInterpolator(logs[:-1], curve.psnr_db)(min(logs[-1], logs[-2])))
