"""Names, numbers and units as people read them."""

from __future__ import annotations

import re

CODECS = {
    "ours": "ours",
    "coin": "COIN here",
    "siren": "SIREN here",
    "jpeg": "JPEG",
    "jpeg444": "JPEG 4:4:4",
    "jpeg2000": "JPEG 2000",
    "webp": "WebP",
    "avif": "AVIF",
    "jxl": "JPEG XL",
    "heif": "HEIF",
    "vvc": "VVC",
    "draco": "Draco",
    "mp3": "MP3",
    "aac": "AAC",
    "opus": "Opus",
    "zfp": "zfp",
    "sz3": "SZ3",
    "sperr": "SPERR",
    "png": "PNG",
    "flac": "FLAC",
}
CURVES = {
    "JPEG2000": "JPEG 2000",
    "BPG444": "BPG 4:4:4",
    "Struempler-basic": "Strümpler, basic",
    "Struempler-meta": "Strümpler, meta",
}
"""Published curves that have other names in the package's file."""
MODALITIES = {"image": "Images", "sdf": "Shapes", "audio": "Sounds", "climate": "Climate fields", "field": "Fields"}
_UNITS = {"db": "dB", "percent": "%", "degrees": "°"}
_ABBREVIATIONS = {"psnr", "snr", "rmse", "iou", "mse"}
_SCORES = {"si_sdr": "SI-SDR", "ms_ssim": "MS-SSIM", "chamfer_l1": "Chamfer-L1", "chamfer_l2": "Chamfer-L2"}
_RATES = {
    "bpp": "rate, bits per pixel",
    "kbps": "rate, kbit/s",
    "bytes": "size, bytes",
}


def codec_name(codec: str) -> str:
    """A codec and its options: "ours:init=none" -> "ours, init=none"."""
    family, *options = codec.split(":")
    return ", ".join([CODECS.get(family, family), *options])


def modality_name(modality: str) -> str:
    """A heading."""
    return MODALITIES.get(modality, modality.capitalize())


def score_name(score: str) -> str:
    """A score with its unit: "psnr_db" -> "PSNR, dB"."""
    stem, _, unit = score.rpartition("_")
    if not stem or unit not in _UNITS:
        stem, unit = score, ""
    name = _SCORES.get(stem) or " ".join(w.upper() if w in _ABBREVIATIONS else w for w in stem.split("_"))
    return f"{name}, {_UNITS[unit]}" if unit else name


def score_stem(score: str) -> str:
    """A score without its unit: "psnr_db" -> "PSNR"."""
    return score_name(score).partition(",")[0]


def score_unit(score: str) -> str:
    """The unit as it stands after a number, with a space that does not break: " dB"; empty if there is none."""
    unit = _UNITS.get(score.rpartition("_")[2], "")
    return f"\N{NO-BREAK SPACE}{unit}" if unit and unit != "°" else unit


def rate_name(unit: str) -> str:
    """A rate with its unit, for an axis."""
    return _RATES.get(unit, f"rate, {unit}")


def number(value: float | None, score: str = "") -> str:
    """A score in as many digits as mean anything: decibels in hundredths, all others in four digits."""
    if value is None:
        return "–"
    if score.endswith("_db"):
        text = f"{value:.2f}"
    else:
        text = f"{value:.4g}"
        text = text if "e" not in text else f"{value:.2e}"
    return f"−{text[1:]}" if text.startswith("-") else text


def rate(value: float, unit: str) -> str:
    """A rate: bytes are whole, all others have three digits or more."""
    if unit == "bytes":
        return f"{value:,.0f}"
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def signed(value: float, digits: str, unit: str) -> str:
    """A difference: "+0.41 dB", "−13.0 %"."""
    return f"{'+' if value >= 0 else '−'}{abs(value):{digits}} {unit}"


def seconds(value: float) -> str:
    """A time: 0.004, 1.2, 57; what is too short to be measured is "< 0.001"."""
    if value < 0.0005:
        return "<\N{NO-BREAK SPACE}0.001"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def plain(value: float) -> str:
    """A number on an axis."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def slug(text: str) -> str:
    """A name that any file system takes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "x"
