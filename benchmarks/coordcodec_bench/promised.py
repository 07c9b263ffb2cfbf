"""Rows of promises: ours and other codecs at the same largest error, or without loss."""

from __future__ import annotations

import time

import numpy as np

from coordcodec import __version__, codec
from coordcodec.data import Bools, Grid, Signal
from coordcodec.encoder.promise import promise_of
from coordcodec.errors import UnknownName
from coordcodec.hookspecs import Modality
from coordcodec.recipe import Recipe
from coordcodec_bench import keepers, ours
from coordcodec_bench.keepers import Keeper, Original
from coordcodec_bench.ours import Own
from coordcodec_bench.rows import Row


class Promises:
    """What one codec promises of one signal: a row for each promise.

    Raises CoordCodecError for what cannot be promised, ImportError or NotInstalled for a codec that is not there.
    """

    def __init__(self, signal: Signal, kind: Modality, codec_name: str) -> None:
        self.signal, self.kind = signal, kind
        self._name, self._own = codec_name, ours.parse(codec_name)
        self._original: Original | None = None

    def row(self, promise: str, effort: int, seed: int, device: str) -> Row:
        """The row of a promise such as "0.5K" or "lossless"; its "data" is the file."""
        own = self._own or ours.parse("ours")
        assert own is not None
        recipe = own.recipe(self.kind, promise, effort, seed, device)
        said = promise_of(self.signal, recipe)
        assert said is not None
        bound = said.max_error or 0.0
        row = self._ours(own, recipe) if self._own else self._theirs(promise, bound)
        samples, known = self.signal.samples, self.signal.mask
        assert samples is not None
        return row | {
            "rate": self.kind.rate(row["bytes"], self.signal.meta),
            "max_error": bound,
            "samples": samples.shape[1] * (len(samples) if known is None else int(known.sum())),
            "raw_bytes": samples.nbytes,
        }

    def _ours(self, own: Own, recipe: Recipe) -> Row:
        start = time.process_time()
        encoded = codec.compress_signal(self.signal, self.kind, recipe)
        middle = time.process_time()
        opened = codec.open(encoded.data, encoded.init).to(encoded.device)
        decoded = opened.samples()
        end = time.process_time()
        assert self.signal.samples is not None
        return {
            "bytes": len(encoded.data),
            "scores": keepers.errors(Original(self.signal.samples, _by_channel(self.signal)), decoded),
            "encode_seconds": round(middle - start, 4),
            "decode_seconds": round(end - middle, 4),
            "setting": ours.setting(own, recipe, [section.spec.kind for section in opened.container.sections]),
            "version": f"coordcodec {__version__}",
            "fitted_on": ours.device_name(encoded.device),
            "data": encoded.data,
        }

    def _theirs(self, promise: str, bound: float) -> Row:
        keeper = self._keeper(promise)
        version = keeper.version()  # report a missing library before any work
        found = keepers.keepers_of(self.kind.name)
        assert found is not None
        if self._original is None:
            self._original = found.original(self.signal)
        return keepers.measure(keeper, self._original, bound) | {"version": version}

    def _keeper(self, promise: str) -> Keeper:
        known = keepers.named(self.kind.name, promise)
        if self._name not in known:
            raise UnknownName("codec", self._name, [*ours.OURS, *known])
        return known[self._name]


def _by_channel(signal: Signal) -> Bools | None:
    """Which samples (n, c) are known; None: all."""
    assert isinstance(signal.coords, Grid)
    return None if signal.mask is None else np.repeat(signal.mask[:, None], signal.channels, 1)
