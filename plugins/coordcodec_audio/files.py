"""Sound files to samples and back, without silently losing samples, channels or bits."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import MAX_CHANNELS, Floats
from coordcodec.errors import RecipeError, SignalError
from coordcodec_audio import promises

MAX_VALUES = 1 << 28
"""Sounds with more samples, over all channels, are neither read nor written: 1 GiB as float32."""
MAX_RATE = 768_000
"""Samples per second."""
BLOCK = 1 << 16
"""Samples per channel that are decoded, converted or written at a time."""

DEPTHS = {"PCM_U8": 8, "PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
_AT_MOST = f"more than the {MAX_VALUES} that are read at once; cut it first"
_UNKNOWN = 1 << 62
"""libsndfile says 2^63 - 1 where a file does not say its length."""
_FORMATS = ("WAV", "WAVEX", "RF64", "AIFF", "FLAC", "OGG", "MP3")
_WRITTEN = {".wav": ("WAV", {8: "PCM_U8", 16: "PCM_16", 24: "PCM_24", 32: "PCM_32"})}
_WRITTEN[".flac"] = ("FLAC", {8: "PCM_S8", 16: "PCM_16", 24: "PCM_24"})


@dataclass
class Sound:
    """A sound file's contents.

    samples: (n, c) float32; full scale is [-1, 1], which only a file of floating-point numbers exceeds.
    rate: samples per second and channel.
    depth: bits of an integer sample: 8, 16, 24 or 32; 16 for lossy files; 0 for floating-point numbers.
    exact: whether all bits of a sample of the file are there: float32 holds 24.
    remarks: what a user should know of the file, each a clause.
    """

    samples: Floats
    rate: int
    depth: int
    exact: bool = True
    remarks: list[str] = field(default_factory=list)


def read_sound(data: bytes, name: str) -> Sound:
    """Decode a sound file.

    Warns, in one line, of clipped peaks, wrong totals and missing end marks. Raises SignalError for what cannot be
    read whole: other kinds of file, damage, files that are cut off, NaN, more than MAX_VALUES samples.
    """
    if not data:
        raise SignalError(f"{name} is empty")
    try:
        promises.check_chunks(data)
        sound = _decode(data)
    except SignalError as error:
        raise SignalError(f"{name} {error}") from None
    except Exception as error:  # noqa: BLE001  soundfile raises several kinds on damaged files
        raise SignalError(f"cannot read {name} as audio: {_reason(error)}") from None
    if sound.remarks:
        warnings.warn(f"{name}: {'; '.join(sound.remarks)}", stacklevel=3)
    return sound


def _decode(data: bytes) -> Sound:
    import soundfile

    flac = promises.flac(data)
    remarks = [promises.check_ogg(data)]
    # soundfile seeks after every read, which libsndfile cannot do in a FLAC with a wrong header or none of its total.
    with soundfile.SoundFile(io.BytesIO(flac.readable(data) if flac else data)) as opened:
        opened.seekable = lambda: False
        floating = opened.subtype in ("FLOAT", "DOUBLE")
        promised = flac.total if flac else int(opened.frames) if opened.frames < _UNKNOWN else 0
        _check_header(opened, promised)
        digest = promises.Digest(flac.bits) if flac else None
        samples = _read_blocks(opened, digest)
        if flac and digest:
            remarks.append(flac.check(digest.finish(), len(samples)))
        else:
            _check_count(data, opened.format, len(samples), promised)
        peak = max(float(samples.max()), -float(samples.min()))
        if peak > 1 and not floating:
            np.clip(samples, -1, 1, out=samples)
            remarks.append(f"its samples reach {peak:.3g} and are clipped to 1")
        depth = 0 if floating else DEPTHS.get(opened.subtype, 16)
        exact = opened.subtype not in ("PCM_32", "DOUBLE")
        return Sound(samples, int(opened.samplerate), depth, exact, [remark for remark in remarks if remark])


def _check_header(opened: Any, promised: int) -> None:
    if opened.format not in _FORMATS:
        raise SignalError(f"is a {opened.format} file; WAV, AIFF, FLAC, OGG and MP3 are read: convert it first")
    if not 1 <= opened.channels <= MAX_CHANNELS:
        raise SignalError(f"has {opened.channels} channels, expected 1 to {MAX_CHANNELS}")
    if not 1 <= opened.samplerate <= MAX_RATE:
        raise SignalError(f"has {opened.samplerate} samples per second, expected 1 to {MAX_RATE}")
    if promised * opened.channels > MAX_VALUES:
        raise SignalError(f"declares {promised} samples of {opened.channels} channels, {_AT_MOST}")


def _read_blocks(opened: Any, digest: promises.Digest | None) -> Floats:
    """All samples to the real end, whatever the header says: (n, c) float32."""
    blocks: list[Floats] = []
    count = 0
    while len(block := opened.read(BLOCK, dtype="float32", always_2d=True)):
        count += len(block)
        if count * opened.channels > MAX_VALUES:
            raise SignalError(f"has {_AT_MOST}")
        if not np.isfinite(block).all():
            raise SignalError("has samples that are NaN or infinite")
        if digest:
            digest.add(block)
        blocks.append(block)
    if not count:
        raise SignalError("holds no samples")
    samples = np.empty((count, opened.channels), np.float32)
    blocks.reverse()
    start = 0
    while blocks:  # emptied as we go: a long sound is not held twice
        block = blocks.pop()
        samples[start : start + len(block)] = block
        start += len(block)
    return samples


def _check_count(data: bytes, kind: str, count: int, promised: int) -> None:
    """Raise SignalError when the decoder stopped before the end, or the end is missing."""
    walked = promises.mp3_samples(data) if kind == "MP3" else None
    if walked is None:
        if count < promised:
            raise SignalError(f"is cut off or damaged: its header promises {promised} samples, {count} can be read")
    elif count < walked - 2 * promises.MP3_FRAME:
        raise SignalError(
            f"is an MP3 of varying bitrate whose header gives no length: {count} of its {walked} samples can be read; "
            "convert it first"
        )


def quantized(samples: Floats, depth: int) -> NDArray[np.int32]:
    """The integers of so many bits (8 to 32) that samples are written as: int32, of the samples' shape."""
    full = 2.0 ** (depth - 1)
    return np.clip(np.rint(samples.astype(np.float64) * full), -full, full - 1).astype(np.int32)


def integers(samples: Floats, depth: int) -> NDArray[Any]:
    """The same in the smallest type that holds them: int8, int16 or int32."""
    found = np.empty(samples.shape, np.int8 if depth == 8 else np.int16 if depth == 16 else np.int32)
    for start in range(0, len(samples), BLOCK):
        found[start : start + BLOCK] = quantized(samples[start : start + BLOCK], depth)
    return found


def as_written(samples: Floats, depth: int) -> Floats:
    """Samples as they are after being written and read; those of a floating-point file (depth 0) do not change."""
    if depth == 0:
        return samples
    written = np.empty_like(samples)
    for start in range(0, len(samples), BLOCK):
        written[start : start + BLOCK] = quantized(samples[start : start + BLOCK], depth) * 2.0 ** (1 - depth)
    return written


def write_sound(sound: Sound, target: BinaryIO, suffix: str) -> None:
    """Encode a sound as the kind of file that a suffix names. Raises RecipeError when that kind cannot hold it."""
    if suffix not in _WRITTEN:
        raise RecipeError(f"cannot write audio as {suffix!r}; choose {' or '.join(_WRITTEN)}")
    if sound.depth == 0 and suffix == ".wav":
        from scipy.io import wavfile

        # libsndfile would put the time of day into the file.
        wavfile.write(target, sound.rate, sound.samples)
        return
    kind, subtypes = _WRITTEN[suffix]
    depth = sound.depth if sound.depth in subtypes else max(subtypes)
    if depth != sound.depth:
        given = f"{sound.depth} bits" if sound.depth else "floating-point numbers"
        warnings.warn(
            f"{suffix} holds at most {depth} bits, this sound has {given}; written with {depth}", stacklevel=3
        )
    _write_integers(sound, target, kind, depth, subtypes[depth])


def _write_integers(sound: Sound, target: BinaryIO, kind: str, depth: int, subtype: str) -> None:
    import soundfile

    channels = sound.samples.shape[1]
    try:
        with soundfile.SoundFile(target, "w", sound.rate, channels, subtype, format=kind) as opened:
            for start in range(0, len(sound.samples), BLOCK):
                block = quantized(sound.samples[start : start + BLOCK], depth)
                opened.write(np.ascontiguousarray(block << (32 - depth)))
    except soundfile.SoundFileError as error:
        raise RecipeError(
            f"cannot write {channels} channels of {sound.rate} samples per second as {kind}: {_reason(error)}; "
            ".wav holds them"
        ) from None


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", "") or str(error) or type(error).__name__
    reason = str(text).splitlines()[0].removeprefix("Error : ").rstrip(".")
    # What libsndfile says of an MP3 that ends in its first frame.
    return "damaged or cut off" if reason.startswith("File does not exist") else reason
