"""Sound files to samples, without silently losing samples, channels or bits; `writing` has the way back."""

from __future__ import annotations

import io
import warnings
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import MAX_CHANNELS, Floats
from coordcodec.errors import SignalError
from coordcodec_audio import promises
from coordcodec_audio.heard import heard
from coordcodec_audio.tags import Tags, of_sound

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


@dataclass
class Sound:
    """A sound file's contents.

    samples: (n, c) float32, or float64 where the file holds those; full scale is [-1, 1], which only a file of
        floating-point numbers exceeds. Or integers of `depth` bits.
    rate: samples per second and channel.
    depth: bits of an integer sample: 8, 16, 24 or 32; 16 for lossy files; 0 for floating-point numbers.
    tags: what else the file says, see `coordcodec_audio.tags`.
    remarks: what a user should know of the file, each a clause.
    """

    samples: NDArray[Any]
    rate: int
    depth: int
    tags: Tags = ()
    remarks: list[str] = field(default_factory=list)


def read_sound(data: bytes, name: str) -> Sound:
    """Decode a sound file.

    Warns, in one line, of clipped peaks, wrong totals and missing end marks. Raises SignalError for what cannot be
    read whole: other kinds of file, damage, files that are cut off, NaN, more than MAX_VALUES samples.
    """
    if not data:
        raise SignalError(f"{name} is empty")
    try:
        sound = _decode(data)
    except SignalError as error:
        raise SignalError(f"{name} {error}") from None
    except Exception as error:  # noqa: BLE001  soundfile raises several kinds on damaged files
        raise SignalError(f"cannot read {name} as audio: {reason_of(error)}") from None
    if sound.remarks:
        warnings.warn(f"{name}: {'; '.join(sound.remarks)}", stacklevel=3)
    return sound


def _decode(data: bytes) -> Sound:
    pieces, remarks = promises.pieces_of(data)
    with heard() if promises.is_mpeg(data) else nullcontext(list[str]()) as said:
        sounds = [_decode_piece(piece, tagged=data if k == 0 else piece) for k, piece in enumerate(pieces)]
    sound = sounds[0] if len(sounds) == 1 else _joined(sounds)
    sound.remarks = [*remarks, *sound.remarks, *said]
    return sound


def _joined(sounds: list[Sound]) -> Sound:
    """Sounds one after another. Raises SignalError where they do not fit together."""
    kinds = {(s.rate, s.samples.shape[1], s.samples.dtype.name) for s in sounds}
    if len(kinds) > 1:
        listed = ", ".join(f"{rate} Hz of {channels} channels" for rate, channels, _ in sorted(kinds))
        raise SignalError(f"is several sounds joined that differ: {listed}; take them apart first")
    if sum(s.samples.size for s in sounds) > MAX_VALUES:
        raise SignalError(f"has {_AT_MOST}")
    samples = np.concatenate([s.samples for s in sounds])
    remarks = list(dict.fromkeys(remark for s in sounds for remark in s.remarks))
    return Sound(samples, sounds[0].rate, max(s.depth for s in sounds), sounds[0].tags, remarks)


def _decode_piece(piece: bytes, tagged: bytes) -> Sound:
    """A file that libsndfile reads whole. tagged: where its tags are."""
    import soundfile

    flac = promises.flac(piece)
    if flac is None:
        return _decode_once(piece, None, tagged)
    try:
        return _decode_once(flac.readable(piece), flac, tagged)
    except soundfile.SoundFileError:
        if not flac.total or not any(flac.md5):
            raise
    # Perhaps something else is behind its samples: their number and their MD5 will tell.
    sound = _decode_once(flac.readable(piece, flac.total), flac, tagged, flac.total)
    sound.remarks.append("what follows its samples is no FLAC and is left out")
    return sound


def _decode_once(piece: bytes, flac: promises.Flac | None, tagged: bytes, most: int = MAX_VALUES) -> Sound:
    import soundfile

    remarks: list[str | None] = []
    # soundfile seeks after every read, which libsndfile cannot do in a FLAC with a wrong header or none of its total.
    with soundfile.SoundFile(io.BytesIO(piece)) as opened:
        opened.seekable = lambda: False
        floating = opened.subtype in ("FLOAT", "DOUBLE")
        promised = flac.total if flac else int(opened.frames) if opened.frames < _UNKNOWN else 0
        _check_header(opened, promised)
        digest = promises.Digest(flac.bits) if flac else None
        dtype = {"PCM_32": "int32", "DOUBLE": "float64"}.get(opened.subtype, "float32")
        samples = _read_blocks(opened, digest, dtype, most)
        if flac and digest:
            remarks.append(flac.check(digest.finish(), len(samples)))
        elif len(samples) < promised:
            raise SignalError(
                f"is cut off or damaged: its header promises {promised} samples, {len(samples)} can be read"
            )
        depth = 0 if floating else DEPTHS.get(opened.subtype, 16)
        peak = 0.0 if depth in (0, 32) else max(float(samples.max()), -float(samples.min()))
        if peak > 1:
            np.clip(samples, -1, 1, out=samples)
            remarks.append(f"its samples reach {peak:.3g} and are clipped to 1")
        tags, rate = of_sound(tagged, opened), int(opened.samplerate)
        return Sound(samples, rate, depth, tags, [remark for remark in remarks if remark])


def _check_header(opened: Any, promised: int) -> None:
    if opened.format not in _FORMATS:
        raise SignalError(f"is a {opened.format} file; WAV, AIFF, FLAC, OGG and MP3 are read: convert it first")
    if not 1 <= opened.channels <= MAX_CHANNELS:
        raise SignalError(f"has {opened.channels} channels, expected 1 to {MAX_CHANNELS}")
    if not 1 <= opened.samplerate <= MAX_RATE:
        raise SignalError(f"has {opened.samplerate} samples per second, expected 1 to {MAX_RATE}")
    if promised * opened.channels > MAX_VALUES:
        raise SignalError(f"declares {promised} samples of {opened.channels} channels, {_AT_MOST}")


def _read_blocks(opened: Any, digest: promises.Digest | None, dtype: str, most: int) -> NDArray[Any]:
    """All samples to the real end, or `most`, whatever the header says: (n, c) float32, float64 or int32."""
    blocks: list[NDArray[Any]] = []
    count = 0
    while len(block := opened.read(min(BLOCK, most - count), dtype=dtype, always_2d=True)):
        count += len(block)
        if count * opened.channels > MAX_VALUES:
            raise SignalError(f"has {_AT_MOST}")
        if not finite(block):
            raise SignalError("has samples that are NaN or infinite")
        if digest:
            digest.add(block)
        blocks.append(block)
    if not count:
        raise SignalError("holds no samples")
    samples = np.empty((count, opened.channels), dtype)
    blocks.reverse()
    start = 0
    while blocks:  # emptied as we go: a long sound is not held twice
        block = blocks.pop()
        samples[start : start + len(block)] = block
        start += len(block)
    return samples


def finite(samples: NDArray[Any]) -> bool:
    """Whether all samples are numbers that float32 reaches."""
    with np.errstate(over="ignore"):
        return samples.dtype.kind == "i" or bool(np.isfinite(samples.astype(np.float32)).all())


def quantized(samples: Floats, depth: int) -> NDArray[np.int32]:
    """The integers of so many bits (8 to 32) that samples are written as: int32, of the samples' shape."""
    full = 2.0 ** (depth - 1)
    return np.clip(np.rint(samples.astype(np.float64) * full), -full, full - 1).astype(np.int32)


def integers(samples: NDArray[Any], depth: int) -> NDArray[Any]:
    """The same in the smallest type that holds them: int8, int16 or int32; integers as they are."""
    if samples.dtype.kind == "i":
        return samples
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


def reason_of(error: Exception) -> str:
    """What soundfile says of a file, in one line."""
    text = getattr(error, "error_string", "") or str(error) or type(error).__name__
    reason = str(text).splitlines()[0].removeprefix("Error : ").rstrip(".")
    # What libsndfile says of an MP3 that ends in its first frame.
    return "damaged or cut off" if reason.startswith("File does not exist") else reason
