"""Sounds without loss: FLAC."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from coordcodec.data import Signal
from coordcodec.errors import SignalError
from coordcodec_bench.baseline import needs
from coordcodec_bench.keepers import Keeper, Original, Samples

_SUBTYPES = {np.dtype(np.int16): "PCM_16", np.dtype(np.int32): "PCM_24"}


class Flac:
    """libFLAC at its highest level, by libsndfile."""

    name, install = "flac", "pip install --upgrade soundfile"
    note = "level 8"

    def version(self) -> str:
        """What the encoder writes into its files, and libsndfile's version."""
        data = self.encode(Original(np.zeros((4096, 1), np.int16), rate=44100), 0.0)
        start = data.find(b"reference libFLAC")
        told = data[start : data.find(b"\0", start)].decode("ascii", "ignore")[:32] if start >= 0 else "libFLAC"
        return f"{told.rstrip()}, libsndfile {self._library().__libsndfile_version__}"

    def settings(self, bound: float) -> Iterable[float]:
        """The only one."""
        return (0.0,)

    def encode(self, original: Original, setting: float) -> bytes:
        """A file. Raises NotInstalled."""
        target, samples = io.BytesIO(), original.samples
        raised = samples << 8 if samples.dtype == np.int32 else samples  # libsndfile takes 24 bits as the highest of 32
        with self._library().SoundFile(
            target, "w", original.rate, samples.shape[1], _SUBTYPES[samples.dtype], format="FLAC", compression_level=1.0
        ) as file:
            file.write(raised)
        return target.getvalue()

    def decode(self, data: bytes, original: Original) -> Samples:
        """The samples. Raises NotInstalled."""
        kind = original.samples.dtype
        decoded, _ = self._library().read(io.BytesIO(data), dtype=kind.name, always_2d=True)
        return np.asarray(decoded >> 8 if kind == np.int32 else decoded)

    def _library(self) -> Any:
        def load() -> Any:
            import soundfile

            return soundfile

        return needs(load, self.install)


class LosslessSounds:
    """Where it stands."""

    modality = "audio"
    bounded: Mapping[str, Keeper] = {}
    lossless: Mapping[str, Keeper] = {"flac": Flac()}

    def original(self, signal: Signal) -> Original:
        """The samples (n, c) of 16 or 24 bits. Raises SignalError for others."""
        samples = signal.samples
        if samples is None or samples.dtype not in _SUBTYPES:
            raise SignalError("FLAC is given sounds of 16 and 24 bits; convert it, or measure our codecs alone")
        return Original(samples, rate=int(signal.meta["rate"]))


KEEPERS = LosslessSounds()
