"""Fields within a largest error: zfp, SZ3 and SPERR.

All get the samples that ours get, in their own type. What is not known is filled by our own encoder's smooth filling,
which halves their files beside filling by the nearest known sample; the mask, packed as bits and deflated, is counted
for them. Coordinates, names and attributes, which our file holds, are not counted for them.

A codec whose error stays below the bound it was given is given a wider one, as wide as the samples' errors allow.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from coordcodec.data import Grid, Signal
from coordcodec.errors import SignalError
from coordcodec.layers.detail.fill import fill
from coordcodec_bench import fields
from coordcodec_bench.baseline import Baseline, needs
from coordcodec_bench.keepers import Keeper, Original, Samples

Reshape = Callable[[tuple[int, ...]], tuple[int, ...]]
"""The axes that a codec takes in place of others."""
_FACTORS = (*(2 ** (k / 4) for k in range(16, -1, -1)), 0.9999, 0.999, 0.99, 0.9, 0.5)
"""Of the bound, that are tried: those just below 1 for codecs that round their own arithmetic past it."""


class Zfp:
    """zfp."""

    name, install = "zfp", "pip install zfpy"
    note = "fixed accuracy, reversible where that keeps no bound"

    def version(self) -> str:
        """That of zfpy. Raises NotInstalled."""
        return fields.Zfp().version()

    def settings(self, bound: float) -> Iterable[float]:
        """Tolerances; 0 is reversible. zfp itself rounds them down to powers of two."""
        return (*(bound * 2.0**k for k in range(4, -3, -1)), 0.0)

    def encode(self, original: Original, setting: float) -> bytes:
        """A file. Raises NotInstalled."""
        how = {"tolerance": setting} if setting else {}
        return bytes(self._library().compress_numpy(np.ascontiguousarray(original.samples), **how))

    def decode(self, data: bytes, original: Original) -> Samples:
        """The samples. Raises NotInstalled."""
        return np.asarray(self._library().decompress_numpy(data)).reshape(original.samples.shape)

    def _library(self) -> Any:
        return needs(lambda: import_module("zfpy"), self.install)


class Imagecodec:
    """SZ3 or SPERR, which take a largest error.

    baseline: the same codec in `coordcodec_bench.fields`. keyword: the argument that takes the error.
    """

    install = "pip install imagecodecs"

    def __init__(self, baseline: Baseline, note: str, mode: str, keyword: str, shape_of: Reshape = tuple) -> None:
        self.baseline, self.name, self.note = baseline, baseline.name, note
        self.mode, self.keyword, self.shape_of = mode, keyword, shape_of

    def version(self) -> str:
        """Those of the codec and of imagecodecs. Raises NotInstalled."""
        return self.baseline.version()

    def settings(self, bound: float) -> Iterable[float]:
        """Largest errors."""
        return (bound * factor for factor in _FACTORS)

    def encode(self, original: Original, setting: float) -> bytes:
        """A file. Raises NotInstalled."""
        samples = np.ascontiguousarray(original.samples.reshape(self.shape_of(original.samples.shape)))
        return bytes(self._function("encode")(samples, mode=self.mode, **{self.keyword: setting}))

    def decode(self, data: bytes, original: Original) -> Samples:
        """The samples. Raises NotInstalled."""
        samples = original.samples
        decoded = self._function("decode")(data, shape=self.shape_of(samples.shape), dtype=samples.dtype)
        return np.asarray(decoded).reshape(samples.shape)

    def _function(self, what: str) -> Any:
        return getattr(needs(lambda: import_module("imagecodecs"), self.install), f"{self.name}_{what}")


SZ3 = Imagecodec(fields.Sz3(), "absolute bound", "abs", "abs")
SPERR = Imagecodec(fields.Sperr(), "point-wise error", "pwe", "level", fields.sperr_shape)


class Bounded:
    """Where they meet."""

    modality = "field"
    bounded: Mapping[str, Keeper] = {keeper.name: keeper for keeper in (SPERR, SZ3, Zfp())}
    lossless: Mapping[str, Keeper] = {}

    def original(self, signal: Signal) -> Original:
        """The samples on the grid, filled where none is known. Raises SignalError for whole numbers."""
        assert signal.samples is not None
        assert isinstance(signal.coords, Grid)
        if signal.samples.dtype.kind != "f":
            raise SignalError(f"SPERR, SZ3 and zfp are given floating-point samples, these are {signal.samples.dtype}")
        samples = signal.samples[:, 0].reshape(signal.coords.shape)
        if signal.mask is None or signal.mask.all():
            return Original(samples)
        known = signal.mask.reshape(samples.shape)
        smooth = fill(samples[..., None].astype(np.float64), known, signal.coords.periodic)[..., 0]
        mask = zlib.compress(np.packbits(known).tobytes(), 9)
        return Original(np.where(known, samples, smooth.astype(samples.dtype)), known, len(mask))


KEEPERS = Bounded()
