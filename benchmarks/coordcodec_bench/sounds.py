"""Sounds beside MP3, Opus and AAC.

A baseline gets the samples at the next sample rate that it knows. What it decodes is moved back by the codec's delay,
brought to the original's rate and length, and scored by the functions that score ours. The delay is where both sounds
resemble each other most: one whole number per file that is taken from the original, since not every container tells it.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from coordcodec.data import Floats, Signal
from coordcodec_bench import ffmpeg
from coordcodec_bench.baseline import Baseline, Mode, needs

_BLOCK = 1 << 14
"""Samples per channel that libsndfile is given at a time."""
_LIMIT_SECONDS = 600.0


@dataclass
class Clip:
    """A sound: samples (n, c) float32 in [-1, 1], and how many there are per second."""

    samples: Floats
    rate: int
    _others: dict[int, Floats] = field(default_factory=dict, repr=False)

    def at(self, rate: int) -> Floats:
        """The samples at another rate, made once."""
        if rate not in self._others:
            self._others[rate] = resampled(self.samples, self.rate, rate)
        return self._others[rate]

    def restored(self, decoded: Floats, decoded_rate: int, coded_rate: int) -> Floats:
        """What a codec decoded, without its delay, in this clip's shape and at its rate."""
        moved, _ = aligned(resampled(decoded, decoded_rate, coded_rate), self.at(coded_rate))
        whole = resampled(moved, coded_rate, self.rate)[: len(self.samples)]
        return np.pad(whole, ((0, len(self.samples) - len(whole)), (0, 0)))


class _Libsndfile:
    """A codec of libsndfile, whose compression level goes from 0, most bytes, to 1."""

    name = note = ""
    install = "pip install --upgrade soundfile"
    container, subtype = "", ""
    rates: tuple[int, ...] = ()
    modes: tuple[Mode, ...] = ()

    def version(self) -> str:
        """What the encoder writes into its files, and libsndfile's version."""
        data = self.encode(Clip(np.zeros((4410, 1), np.float32), 44100), self.modes[0].name, 0.5)
        found = re.search(rb"LAME[0-9.]+|libopus [0-9.]+", data)
        return f"{found[0].decode() + ', ' if found else ''}libsndfile {self._library().__libsndfile_version__}"

    def encode(self, original: Clip, mode: str, level: float) -> bytes:
        """A file. Raises NotInstalled, and libsndfile's errors for more channels than it encodes."""
        target, rate = io.BytesIO(), coded_rate(original.rate, self.rates)
        samples = original.at(rate)
        options = {"bitrate_mode": mode.partition(" ")[0].upper()} if self.name == "mp3" else {}
        with self._library().SoundFile(
            target,
            "w",
            rate,
            samples.shape[1],
            self.subtype,
            format=self.container,
            compression_level=level,
            **options,
        ) as opened:
            for first in range(0, len(samples), _BLOCK):
                opened.write(samples[first : first + _BLOCK])
        return target.getvalue()

    def decode(self, data: bytes, original: Clip) -> Floats:
        """The samples, of the original's shape and rate."""
        decoded, decoded_rate = self._library().read(io.BytesIO(data), dtype="float32", always_2d=True)
        return original.restored(decoded, decoded_rate, coded_rate(original.rate, self.rates))

    def _library(self) -> Any:
        def load() -> Any:
            import soundfile

            if not soundfile.check_format(self.container, self.subtype):  # a libsndfile before 1.1
                raise ImportError
            return soundfile

        return needs(load, self.install)


class Mp3(_Libsndfile):
    """LAME."""

    name, container, subtype = "mp3", "MP3", "MPEG_LAYER_III"
    note = "LAME with constant, average and variable bitrate"
    rates = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
    modes = tuple(
        Mode(f"{kind} bitrate, compression level", 0.99, 0.0, whole=False)
        for kind in ("constant", "average", "variable")
    )


class Opus(_Libsndfile):
    """Libopus."""

    name, container, subtype = "opus", "OGG", "OPUS"
    note = "libopus with variable bitrate, for 44.1 kHz at 48 kHz"
    rates = (8000, 12000, 16000, 24000, 48000)
    modes: tuple[Mode, ...] = (Mode("variable bitrate, compression level", 0.99, 0.0, whole=False),)


_AAC = {
    "two-loop coder, bit/s": ["-aac_coder", "twoloop", "-b:a"],
    "two-loop coder, full band, bit/s": ["-aac_coder", "twoloop", "-cutoff", "BAND", "-b:a"],
    "fast coder without noise substitution, full band, bit/s": [
        *("-aac_coder", "fast", "-aac_pns", "0", "-cutoff", "BAND", "-b:a")
    ],
    "fast coder without noise substitution, quality": ["-aac_coder", "fast", "-aac_pns", "0", "-q:a"],
}
"""ffmpeg's arguments per mode, the last one that of the level. Its fast coder and a cut-off at half the sample rate,
which are not its defaults, are up to 12 dB better by SNR; by ear they need not be."""


class Aac:
    """The encoder of ffmpeg itself, low complexity, in ADTS."""

    name, install = "aac", ffmpeg.INSTALL
    note = "ffmpeg's own encoder, ADTS"
    rates = (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
    modes = tuple(
        Mode(name, 0.01, 12.0, whole=False, log=True, halvings=11)
        if name.endswith("quality")
        else Mode(name, 4000, 640_000, log=True, halvings=11)
        for name in _AAC
    )

    def version(self) -> str:
        """That of ffmpeg. Raises NotInstalled."""
        return ffmpeg.version()

    def encode(self, original: Clip, mode: str, level: float) -> bytes:
        """A file. Raises NotInstalled and RuntimeError."""
        rate = coded_rate(original.rate, self.rates)
        samples = original.at(rate)
        how = [argument.replace("BAND", f"{rate // 2 - 1}") for argument in _AAC[mode]]
        given = ["-f", "f32le", "-ar", f"{rate}", "-ac", f"{samples.shape[1]}", "-i", "pipe:0"]
        made = ["-c:a", "aac", *how, f"{level:.6g}", "-f", "adts", "pipe:1"]
        return ffmpeg.run([*given, *made], samples.astype("<f4").tobytes(), _LIMIT_SECONDS)

    def decode(self, data: bytes, original: Clip) -> Floats:
        """The samples, of the original's shape and rate. Raises NotInstalled and RuntimeError."""
        rate, channels = coded_rate(original.rate, self.rates), original.samples.shape[1]
        arguments = ["-f", "aac", "-i", "pipe:0", "-f", "f32le", "-ar", f"{rate}", "-ac", f"{channels}", "pipe:1"]
        decoded = np.frombuffer(ffmpeg.run(arguments, data, _LIMIT_SECONDS), "<f4").reshape(-1, channels)
        return original.restored(decoded.astype(np.float32), rate, rate)


def coded_rate(rate: int, known: tuple[int, ...]) -> int:
    """The lowest sample rate that a codec knows and that is no lower than the sound's; else its highest."""
    return min((r for r in known if r >= rate), default=max(known))


def resampled(samples: Floats, rate: int, wanted: int) -> Floats:
    """Samples (n, c) at another rate, within [-1, 1]."""
    if rate == wanted:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(rate, wanted)
    found: Floats = resample_poly(samples, wanted // common, rate // common, axis=0).astype(np.float32)
    return np.clip(found, -1, 1)


def aligned(decoded: Floats, original: Floats) -> tuple[Floats, int]:
    """Decoded samples moved to where they resemble the original most, in its shape; and by how many samples."""
    from scipy.fft import irfft, next_fast_len, rfft

    length = next_fast_len(len(decoded) + len(original), real=True)
    correlation = np.zeros(length)
    for y, x in zip(decoded.T, original.T, strict=True):
        correlation += irfft(rfft(y, length) * np.conj(rfft(x, length)), length)
    lag = int(np.argmax(correlation))
    lag = lag - length if lag >= len(decoded) else lag
    moved = np.zeros_like(original)
    part = decoded[max(lag, 0) : max(lag, 0) + len(original) - max(-lag, 0)]
    moved[max(-lag, 0) : max(-lag, 0) + len(part)] = np.clip(part, -1, 1)
    return moved, lag


class Sounds:
    """Where the codecs of sounds meet: by signal-to-noise ratio, at the depth of the original's samples."""

    modality, main_score, falling = "audio", "snr_db", False
    codecs: dict[str, Baseline] = {baseline.name: baseline for baseline in (Mp3(), Opus(), Aac())}

    def original(self, signal: Signal) -> Clip:
        """The samples as they were read, and their rate."""
        return Clip(signal.values, int(signal.meta["rate"]))

    def score(self, decoded: Floats, signal: Signal) -> dict[str, float | None]:
        """The scores of `coordcodec_audio.metrics`, of samples rounded to the original's depth, as for ours."""
        from coordcodec_audio.files import as_written
        from coordcodec_audio.metrics import scores
        from coordcodec_audio.rendering import Facts

        return scores(signal.values, as_written(decoded, Facts.of(signal.meta).depth))


BASELINES = Sounds()
