"""The kinds of picture files that are read and written: names, signatures and suffixes. No other one is opened."""

from __future__ import annotations

import re

READ = ("PNG", "JPEG", "WebP", "TIFF", "BMP", "GIF", "AVIF", "ICO", "PBM", "PGM", "PPM", "PAM")
SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".avif": "AVIF",
    ".ppm": "PPM",
    ".pgm": "PGM",
    ".pbm": "PBM",
    ".pnm": "PNM",
    ".pam": "PAM",
    ".ico": "ICO",
}
"""Of files that are read; the first is the one that is written by default."""
WRITTEN = {suffix: kind for suffix, kind in SUFFIXES.items() if kind != "PBM"}

_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WEBP"),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), "TIFF"),
    (re.compile(rb"BM"), "BMP"),
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"....ftyp(?:avi[fs]|mif1|msf1|miaf)", re.DOTALL), "AVIF"),
    (re.compile(rb"P(?:[1-6][\s#]|7\s|[fF]\s)"), "PNM"),
    (re.compile(rb"\x00\x00\x01\x00"), "ICO"),
)


def kind_of(data: bytes) -> str | None:
    """The kind of a picture file by its first bytes, as Pillow names it or TIFF or PNM; None for what is not read."""
    return next((kind for signature, kind in _SIGNATURES if signature.match(data)), None)
