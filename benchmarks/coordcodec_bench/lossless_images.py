"""Pictures without loss: optimised PNG, JPEG 2000, JPEG XL and WebP, without metadata.

oxipng uses all cores, the others one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from coordcodec.data import Grid, Signal
from coordcodec.errors import SignalError
from coordcodec_bench.baseline import needs
from coordcodec_bench.image_codecs import PILLOW, flat, jxl_opened, jxl_version, opened, pillow, saved
from coordcodec_bench.keepers import Keeper, Original, Samples


@dataclass
class Coder:
    """A keeper made of functions; see `coordcodec_bench.keepers.Keeper`."""

    name: str
    install: str
    note: str
    encoder: Callable[[Samples], bytes]
    decoder: Callable[[bytes, Samples], Samples]
    versions: Callable[[], str]

    def version(self) -> str:
        """The exact versions of the libraries at work. Raises NotInstalled."""
        return str(needs(self.versions, self.install))

    def settings(self, bound: float) -> Iterable[float]:
        """The only one."""
        return (0.0,)

    def encode(self, original: Original, setting: float) -> bytes:
        """A file. Raises NotInstalled, and whatever the codec does."""
        return bytes(needs(lambda: self.encoder(original.samples), self.install))

    def decode(self, data: bytes, original: Original) -> Samples:
        """The picture. Raises NotInstalled."""
        decoded = np.asarray(needs(lambda: self.decoder(data, original.samples), self.install))
        return decoded.reshape(original.samples.shape)


def _png(picture: Samples) -> bytes:
    oxipng: Any = importlib.import_module("oxipng")
    strip = oxipng.StripChunks.all()
    return bytes(oxipng.optimize_from_memory(saved(picture, "PNG"), level=6, strip=strip))


def _png_version() -> str:
    importlib.import_module("oxipng")
    return f"oxipng by pyoxipng {version('pyoxipng')}"


def _jpeg2000(picture: Samples) -> bytes:
    return saved(picture, "JPEG2000", no_jp2=True, irreversible=False, mct=int(picture.shape[2] == 3))


def _jxl(picture: Samples) -> bytes:
    codecs: Any = importlib.import_module("imagecodecs")
    file = codecs.jpegxl_encode(flat(picture), lossless=True, effort=7, usecontainer=False, numthreads=1)
    return bytes(file)


def _webp(picture: Samples) -> bytes:
    return saved(picture, "WEBP", lossless=True, quality=100, method=6, exact=True)


class Pictures:
    """Where they meet."""

    modality = "image"
    bounded: Mapping[str, Keeper] = {}
    lossless: Mapping[str, Keeper] = {
        keeper.name: keeper
        for keeper in (
            Coder("png", "pip install pyoxipng", "oxipng, level 6", _png, opened, _png_version),
            Coder("jpeg2000", PILLOW, "5/3 wavelet, reversible colour transform, codestream without the JP2 box",
                  _jpeg2000, opened, pillow("jpg_2000", "OpenJPEG")),
            Coder("jxl", "pip install --upgrade imagecodecs", "effort 7", _jxl, jxl_opened, jxl_version),
            Coder("webp", PILLOW, "quality 100, method 6", _webp, opened, pillow("webp", "libwebp")),
        )
    }  # fmt: skip

    def original(self, signal: Signal) -> Original:
        """The picture: (h, w, c) uint8, c = 1 or 3. Raises SignalError for one of 16 bits or with alpha."""
        samples = signal.samples
        grid = signal.coords
        if samples is None or samples.dtype != np.uint8 or signal.channels not in (1, 3) or not isinstance(grid, Grid):
            raise SignalError("others are given 8-bit grey or RGB pictures; convert it, or measure our codecs alone")
        return Original(samples.reshape(*grid.shape, signal.channels))


KEEPERS = Pictures()
