"""The modality "audio"."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import MAX_CHANNELS, Field, Floats, Grid, SampleType, Signal
from coordcodec.errors import RecipeError, SignalError
from coordcodec.files import read_bytes
from coordcodec.hookspecs import Source
from coordcodec.recipe import Recipe
from coordcodec_audio import tags
from coordcodec_audio.files import MAX_RATE, MAX_VALUES, Sound, as_written, finite, integers, read_sound
from coordcodec_audio.metrics import scores
from coordcodec_audio.rendering import Facts, render, samples_of
from coordcodec_audio.writing import write_sound

Samples = tuple[NDArray[Any], int]
"""Samples (n,) or (n, c) and their number per second, as soundfile.read returns them."""


class Audio:
    """Sound of any sample rate, up to 255 channels, integer or floating-point samples, on a grid of sample times.

    An integer sample v of b bits becomes v / 2^(b - 1). What the file needs beyond the grid is in meta: "rate",
    samples per second; "depth", bits of a sample, left out for 16; "float": True for floating-point samples, and
    for those "double": True if they have 64 bits, and "scale", the largest magnitude, if it exceeds 1: all samples are
    divided by it. Title, artist and other tags are extras.
    """

    name = "audio"
    suffixes: tuple[str, ...] = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif")
    rate_unit = "kbps"
    main_score = "snr_db"
    # Parts of some half a second, each a small network: measured on speech and music, see docs/benchmarks.md.
    defaults = Recipe(
        rate=32,
        siren={
            "depth": 2,
            "num_frequencies": 20,
            "sigma": 1.5,
            "omega_0": 15,
            "part_points": 1 << 17,
            "part_bytes": 2600,
            "gains": True,
            "batch": 1024,
            "pace": 0.6,
        },
    )
    read_options: Mapping[str, str] = {}
    write_options: Mapping[str, str] = {
        "sample_rate": f"output samples per second, up to {MAX_RATE}; default: the original's",
        "region": "T0,T1: only this part, in seconds from the beginning, T1 excluded; default: all",
    }

    def read(self, source: Source | Samples, **options: Any) -> Signal:
        """Read a sound file, or a tuple of samples and their number per second, as soundfile.read returns it.

        The samples are (n,) or (n, c) of int16 or int32, or of float32 or float64 with full scale [-1, 1].
        Raises SignalError for what is no sound or not all there; warns of clipped peaks and wrong headers.
        """
        if isinstance(source, tuple):
            sound = _checked_samples(source)
        elif isinstance(source, np.ndarray):
            raise SignalError("an array does not tell its sample rate; give a file or a tuple (samples, sample_rate)")
        elif isinstance(source, str | os.PathLike):
            sound = read_sound(read_bytes(source), Path(source).name)
        else:
            sound = read_sound(source.read(), "the input")
        meta: dict[str, Any] = {"rate": sound.rate}
        samples = integers(sound.samples, sound.depth) if sound.depth else sound.samples
        if sound.depth == 0:
            meta["float"] = True
            peak = max(float(samples.max()), -float(samples.min()))
            meta |= {"double": True} if samples.dtype == np.float64 else {}
            meta |= {"scale": peak} if peak > 1 else {}
        elif sound.depth != 16:
            meta["depth"] = sound.depth
        said = {tags.NAME: data} if (data := tags.packed(sound.tags)) else {}
        full = 2.0 ** (sound.depth - 1) if sound.depth else meta.get("scale", 1.0)
        # Between the steps of integers lie the samples of lossy files.
        values: Any = None if sound.samples is samples else sound.samples
        if values is None and sound.depth == 0 and samples.dtype == np.float32:
            values = samples / np.float32(full) if full > 1 else samples
        return Signal(Grid((len(samples),)), values, self.name, meta, samples=samples, scale=full, extras=said)

    def sample_type(self, meta: Mapping[str, Any]) -> SampleType:
        """Integers of the original's depth, in the smallest type that holds them, float32 or float64."""
        return Facts.of(meta).samples

    def render(
        self,
        field: Field,
        meta: Mapping[str, Any],
        *,
        sample_rate: float | None = None,
        region: tuple[float, float] | None = None,
        **options: Any,
    ) -> Floats:
        """The sound: (n,) for mono, else (n, channels), float32, full scale [-1, 1].

        sample_rate: output samples per second, a whole number from 1/256 of the original's to MAX_RATE; sample i
            is the field at time i / sample_rate. At a lower rate than the original's, frequencies from the new
            Nyquist frequency on are filtered out; above it, the field is evaluated between the samples.
        region: T0, T1 in seconds, T1 excluded; only this part is computed, and it is that part of the whole output.
        Raises RecipeError for other values and for outputs of more than MAX_VALUES.
        """
        facts = self._asked(meta, options)
        samples, _ = render(field, facts, sample_rate, region)
        samples = samples * np.float32(facts.scale) if facts.scale != 1 else samples
        return samples[:, 0] if samples.shape[1] == 1 else samples

    def write(self, field: Field, meta: Mapping[str, Any], target: BinaryIO, *, format: str, **options: Any) -> None:
        """Write what `render` returns as .wav or .flac, with the original's depth. Raises RecipeError.

        Warns when FLAC, which holds 24 bits, must hold more.
        """
        rate, region = (options.pop(name, None) for name in ("sample_rate", "region"))
        facts, said = self._asked(meta, options), tags.checked(meta)
        if rate is None or rate == facts.rate:
            samples: NDArray[Any] = samples_of(field, facts, region)
        else:
            samples, _ = render(field, facts, rate, region)
            samples = samples.astype(facts.samples.dtype if facts.depth == 0 else np.float32) * facts.scale
        write_sound(Sound(samples, facts.rate if rate is None else int(rate), facts.depth, said), target, format)

    def score(self, field: Field, signal: Signal) -> dict[str, float | None]:
        """The scores of `coordcodec_audio.metrics`, of the samples as they are written.

        Those of a floating-point file that exceeds 1 count its largest magnitude as full scale.
        """
        facts = Facts.of(signal.meta)
        decoded, _ = render(field, facts)
        return scores(signal.values, as_written(decoded, facts.depth))

    def rate(self, num_bytes: int, meta: Mapping[str, Any]) -> float:
        """Kilobits (1000) per second of sound."""
        facts = Facts.of(meta)
        return 8 * num_bytes / 1000 * facts.rate / facts.frames

    def preview(self, field: Field, signal: Signal, target: BinaryIO) -> None:
        """Write a PNG of both waveforms, their difference, and both spectrograms."""
        from coordcodec_audio.picture import draw

        draw(field, signal, target)

    @staticmethod
    def _asked(meta: Mapping[str, Any], options: Mapping[str, Any]) -> Facts:
        """The facts in meta. Raises RecipeError for options that there are not."""
        if options:
            raise RecipeError(f"sounds have no option {', '.join(options)}; they have sample_rate and region")
        return Facts.of(meta)


def _checked_samples(source: tuple[Any, ...]) -> Sound:
    if len(source) != 2:
        raise SignalError(f"a sound is a file or a tuple (samples, sample_rate), got a tuple of {len(source)}")
    samples, rate = np.asarray(source[0]), source[1]
    array = samples[:, None] if samples.ndim == 1 else samples
    if array.ndim != 2 or not 1 <= array.shape[1] <= MAX_CHANNELS or not 1 <= array.size <= MAX_VALUES:
        raise SignalError(
            f"samples are (n,) or (n, c), at most {MAX_CHANNELS} channels and {MAX_VALUES} values, got {samples.shape}"
        )
    if not isinstance(rate, int | np.integer) or not 1 <= rate <= MAX_RATE:
        raise SignalError(f"a sample rate is a whole number from 1 to {MAX_RATE}, got {rate!r}")
    if array.dtype in (np.int16, np.int32):
        return Sound(array, int(rate), 8 * array.dtype.itemsize)
    if array.dtype not in (np.float32, np.float64):
        raise SignalError(
            f"samples are int16, int32, float32 or float64, got {array.dtype}; scale and convert them first"
        )
    if not finite(array):
        raise SignalError("samples must be finite, got some that are NaN or infinite")
    return Sound(np.array(array), int(rate), 0)
