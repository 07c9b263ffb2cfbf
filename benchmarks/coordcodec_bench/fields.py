"""Climate fields beside zfp, SZ3 and SPERR.

They get the same cells as ours: float32, less their mean, masked ones filled by what lies nearest. Mean, mask, units
and coordinates, which our file holds, are not counted for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Grid, Signal
from coordcodec_bench.baseline import Baseline, Mode, needs

Cells = NDArray[np.float32]

_RANGES = "largest error in ranges"
"""Modes of this name bound the error by so many times the range of the cells."""
_LEAST_BITS = 12
"""Per block of zfp. At 9, the lowest that it admits, it writes on past the end of the block and of its memory."""
_FEWEST_BITS = 8
"""Of a file of SPERR; below 1 it takes the rate for none and loses nothing."""


@dataclass(frozen=True)
class Field:
    """The cells of a field less their mean, axes of one cell left out, and which of them are known and count."""

    cells: Cells
    known: NDArray[np.bool_]

    @property
    def span(self) -> float:
        """The range of the cells, 1 if they are all equal."""
        return float(np.ptp(self.cells)) or 1.0

    def like(self, decoded: Any) -> Field:
        """A field of this one's shape and type from what a codec decoded."""
        return Field(np.asarray(decoded).reshape(self.cells.shape).astype(np.float32), self.known)


class Zfp:
    """zfp."""

    name, install = "zfp", "pip install zfpy"
    note = "fixed accuracy, fixed rate and fixed precision"
    modes: tuple[Mode, ...] = (
        Mode(_RANGES, 1e3, 1e-7, whole=False, log=True),
        Mode("bits per cell", 0.04, 32, whole=False, log=True),
        Mode("bit planes", 1, 32),
    )

    def version(self) -> str:
        """That of zfpy. Raises NotInstalled."""
        return f"zfpy {self._library().__version__}"

    def encode(self, original: Field, mode: str, level: float) -> bytes:
        """A file. Raises NotInstalled, and ValueError for more than four axes."""
        if mode == _RANGES:
            how = {"tolerance": level * original.span}
        elif mode == "bit planes":
            how = {"precision": level}
        else:
            how = {"rate": max(level, _LEAST_BITS / 4**original.cells.ndim)}
        return bytes(self._library().compress_numpy(original.cells, **how))

    def decode(self, data: bytes, original: Field) -> Field:
        """The field. Raises NotInstalled."""
        return original.like(self._library().decompress_numpy(data))

    def _library(self) -> Any:
        return needs(lambda: import_module("zfpy"), self.install)


class Sz3:
    """SZ3."""

    name, install, note = "sz3", "pip install imagecodecs", ""
    modes: tuple[Mode, ...] = (Mode(_RANGES, 2.0, 1e-7, whole=False, log=True, halvings=11, dense=25),)

    def version(self) -> str:
        """Those of SZ3 and imagecodecs. Raises NotInstalled."""
        library = _imagecodecs(self)
        return f"{needs(library.sz3_version, self.install)}, imagecodecs {library.__version__}"

    def encode(self, original: Field, mode: str, level: float) -> bytes:
        """A file. Raises NotInstalled."""
        return bytes(_imagecodecs(self).sz3_encode(original.cells, mode="abs", abs=level * original.span))

    def decode(self, data: bytes, original: Field) -> Field:
        """The field. Raises NotInstalled."""
        cells = original.cells
        return original.like(_imagecodecs(self).sz3_decode(data, shape=cells.shape, dtype=cells.dtype))


class Sperr:
    """SPERR, a wavelet codec for two or three axes: one more is joined to the next, a second one of length 1 added."""

    name, install, note = "sperr", "pip install imagecodecs", "fixed rate and fixed largest error"
    modes: tuple[Mode, ...] = (
        Mode("bits per cell", 1e-3, 32, whole=False, log=True),
        Mode(_RANGES, 2.0, 1e-7, whole=False, log=True),
    )

    def version(self) -> str:
        """Those of SPERR and imagecodecs. Raises NotInstalled."""
        library = _imagecodecs(self)
        return f"{needs(library.sperr_version, self.install)}, imagecodecs {library.__version__}"

    def encode(self, original: Field, mode: str, level: float) -> bytes:
        """A file. Raises NotInstalled."""
        cells = original.cells.reshape(sperr_shape(original.cells.shape))
        if mode == _RANGES:
            kind, bound = "pwe", level * original.span
        else:
            kind, bound = "bpp", max(level, _FEWEST_BITS / cells.size)
        return bytes(_imagecodecs(self).sperr_encode(cells, bound, mode=kind))

    def decode(self, data: bytes, original: Field) -> Field:
        """The field. Raises NotInstalled."""
        shape, kind = sperr_shape(original.cells.shape), original.cells.dtype
        return original.like(_imagecodecs(self).sperr_decode(data, shape=shape, dtype=kind))


def sperr_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Two or three axes, as SPERR takes them, in place of any number."""
    if len(shape) == 1:
        return (1, *shape)
    return shape if len(shape) < 4 else (math.prod(shape[:-2]), *shape[-2:])


def _imagecodecs(baseline: Baseline) -> Any:
    return needs(lambda: import_module("imagecodecs"), baseline.install)


def cells_of(signal: Signal) -> Cells:
    """The cells that a signal of the climate plugin was made of, less their mean; axes of one cell left out.

    Masked ones are filled by what lies nearest.
    """
    from scipy.ndimage import distance_transform_edt

    assert signal.samples is not None and isinstance(signal.coords, Grid)
    cells = signal.samples[:, 0].astype(np.float64).reshape(signal.coords.shape)
    if signal.mask is not None:
        unknown = ~signal.mask.reshape(cells.shape)
        cells = cells[tuple(distance_transform_edt(unknown, return_distances=False, return_indices=True))]
    found: Cells = (cells - cells.mean()).astype(np.float32)
    return found


class Fields:
    """Where the codecs of climate fields meet: by the root of the mean squared error of the cells that are known."""

    modality, main_score, falling = "climate", "rmse", True
    codecs: dict[str, Baseline] = {baseline.name: baseline for baseline in (Zfp(), Sz3(), Sperr())}

    def original(self, signal: Signal) -> Field:
        """The cells, and which of them the plugin masks."""
        cells = cells_of(signal)
        known = np.ones(cells.shape, bool) if signal.mask is None else signal.mask.reshape(cells.shape)
        return Field(cells, known)

    def score(self, decoded: Field, signal: Signal) -> dict[str, float | None]:
        """The scores of the climate plugin, in the variable's unit."""
        error = np.abs(decoded.cells.astype(np.float64) - cells_of(signal))[decoded.known]
        span, rmse = signal.meta["high"] - signal.meta["low"], float(np.sqrt((error**2).mean()))
        psnr = 20 * float(np.log10(span / rmse)) if span * rmse else None
        return {"rmse": rmse, "max_error": float(error.max()), "psnr_db": psnr}


BASELINES = Fields()
