"""Codecs that keep a promise: no sample further from its original than a bound, or every sample exactly.

A *keeper* gets samples in their own type and unit. What it decodes is compared with them, and a file that breaks the
promise is not taken. Seconds are those of the processor, of all threads together, which a busy machine does not change.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Bools, Signal
from coordcodec_bench.rows import LOSSLESS, Row

Samples = NDArray[Any]


@dataclass(frozen=True)
class Original:
    """What a keeper encodes.

    samples: in their own type; of the grid's shape for fields, (h, w, c) for pictures, (n, c) for sounds.
    known: of which samples a promise holds, of the shape of `samples`; None: of all.
    extra_bytes: what the keeper's file does not hold and ours does, such as the mask; counted for the keeper.
    rate: samples per second of a sound; else 0.
    """

    samples: Samples
    known: Bools | None = None
    extra_bytes: int = 0
    rate: int = 0


class Keeper(Protocol):
    """One codec; name, install and note as those of `coordcodec_bench.baseline.Baseline`."""

    name: str
    install: str
    note: str

    def version(self) -> str:
        """Its exact version. Raises ImportError or NotInstalled."""
        ...

    def settings(self, bound: float) -> Iterable[float]:
        """What to try for a bound, the smallest file first; the first that keeps the bound is taken."""
        ...

    def encode(self, original: Original, setting: float) -> bytes:
        """A file."""
        ...

    def decode(self, data: bytes, original: Original) -> Samples:
        """The samples of a file; of the original only shape, type and rate may be used."""
        ...


class Keepers(Protocol):
    """The keepers of one modality."""

    modality: str

    @property
    def bounded(self) -> Mapping[str, Keeper]:
        """Those that keep a largest error, by name."""
        ...

    @property
    def lossless(self) -> Mapping[str, Keeper]:
        """Those that lose nothing, by name."""
        ...

    def original(self, signal: Signal) -> Original:
        """What they encode. Raises SignalError for what they cannot."""
        ...


def keepers_of(modality: str) -> Keepers | None:
    """The keepers of a modality; None for one without: only our own codecs can then be measured."""
    found: Keepers | None = None
    if modality == "image":
        from coordcodec_bench.lossless_images import KEEPERS as found
    elif modality == "audio":
        from coordcodec_bench.lossless_sounds import KEEPERS as found
    elif modality == "field":
        from coordcodec_bench.bounded import KEEPERS as found
    return found


def named(modality: str, promise: str) -> Mapping[str, Keeper]:
    """The keepers of a modality that keep a promise, by name."""
    keepers = keepers_of(modality)
    if keepers is None:
        return {}
    return keepers.lossless if promise == LOSSLESS else keepers.bounded


def errors(original: Original, decoded: Samples) -> dict[str, float | None]:
    """`max_error` and `rmse` of the samples that are known, in their unit. Raises RuntimeError for another shape."""
    if decoded.shape != original.samples.shape:
        raise RuntimeError(f"decoded samples of shape {decoded.shape}, not {original.samples.shape}")
    known = slice(None) if original.known is None else original.known
    error = np.abs(decoded[known].astype(np.float64) - original.samples[known].astype(np.float64))
    return {"max_error": float(error.max()), "rmse": float(np.sqrt((error**2).mean()))}


def measure(keeper: Keeper, original: Original, bound: float) -> Row:
    """The row of a keeper's first file that keeps a bound; 0: that loses nothing. The row's "data" is the file.

    Raises RuntimeError where no setting keeps it.
    """
    worst: list[float | None] = []
    for setting in keeper.settings(bound):
        start = time.process_time()
        data = keeper.encode(original, setting)
        middle = time.process_time()
        decoded = keeper.decode(data, original)
        end = time.process_time()
        scores = errors(original, decoded)
        if scores["max_error"] is not None and scores["max_error"] <= bound:
            return {
                "bytes": len(data) + original.extra_bytes,
                "extra_bytes": original.extra_bytes,
                "scores": scores,
                "encode_seconds": round(middle - start, 4),
                "decode_seconds": round(end - middle, 4),
                "setting": f"{setting:.6g}" if bound else keeper.note,
                "data": data,
            }
        worst.append(scores["max_error"])
    raise RuntimeError(f"no setting keeps {bound:g}: largest errors of {worst[:3]}")
