"""Fields within a largest error: zfp, SZ3 and SPERR.

All get the samples that ours get, in their own type. What is not known is filled by our own encoder's smooth filling,
which halves their files beside filling by the nearest known sample; the mask, packed as bits and deflated, is counted
for them. Coordinates, names and attributes, which our file holds, are not counted for them.

A codec whose error stays below the bound it was given is given a wider one, as wide as the samples' errors allow.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from coordcodec.data import Grid, Signal
from coordcodec.errors import SignalError
from coordcodec.layers.detail.fill import fill
from coordcodec_bench import fields
from coordcodec_bench.baseline import needs
from coordcodec_bench.keepers import Keeper, Original, Samples

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


class Sz3:
    """SZ3."""

    name, install = "sz3", "pip install imagecodecs"
    note = "absolute bound"

    def version(self) -> str:
        """Those of SZ3 and imagecodecs. Raises NotInstalled."""
        return fields.Sz3().version()

    def settings(self, bound: float) -> Iterable[float]:
        """Absolute bounds."""
        return (bound * factor for factor in _FACTORS)

    def encode(self, original: Original, setting: float) -> bytes:
        """A file. Raises NotInstalled."""
        return bytes(_imagecodecs(self).sz3_encode(original.samples, mode="abs", abs=setting))

    def decode(self, data: bytes, original: Original) -> Samples:
        """The samples. Raises NotInstalled."""
        samples = original.samples
        return np.asarray(_imagecodecs(self).sz3_decode(data, shape=samples.shape, dtype=samples.dtype))


class Sperr:
    """SPERR, of two or three axes: as in `coordcodec_bench.fields`."""

    name, install = "sperr", "pip install imagecodecs"
    note = "point-wise error"

    def version(self) -> str:
        """Those of SPERR and imagecodecs. Raises NotInstalled."""
        return fields.Sperr().version()

    def settings(self, bound: float) -> Iterable[float]:
        """Point-wise errors."""
        return (bound * factor for factor in _FACTORS)

    def encode(self, original: Original, setting: float) -> bytes:
        """A file. Raises NotInstalled."""
        samples = np.ascontiguousarray(original.samples.reshape(fields.sperr_shape(original.samples.shape)))
        return bytes(_imagecodecs(self).sperr_encode(samples, setting, mode="pwe"))

    def decode(self, data: bytes, original: Original) -> Samples:
        """The samples. Raises NotInstalled."""
        samples = original.samples
        shape = fields.sperr_shape(samples.shape)
        decoded = _imagecodecs(self).sperr_decode(data, shape=shape, dtype=samples.dtype)
        return np.asarray(decoded).reshape(samples.shape)


def _imagecodecs(keeper: Keeper) -> Any:
    return needs(lambda: import_module("imagecodecs"), keeper.install)


class Bounded:
    """Where they meet."""

    modality = "field"
    bounded: Mapping[str, Keeper] = {keeper.name: keeper for keeper in (Sperr(), Sz3(), Zfp())}
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
