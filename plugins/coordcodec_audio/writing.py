"""Samples to sound files, with their tags."""

from __future__ import annotations

import io
import warnings
from typing import Any, BinaryIO

import numpy as np

from coordcodec.errors import RecipeError
from coordcodec_audio.files import BLOCK, Sound, integers, reason_of
from coordcodec_audio.tags import in_flac, in_wav, not_in_wav

_WRITTEN = {".wav": ("WAV", {8: "PCM_U8", 16: "PCM_16", 24: "PCM_24", 32: "PCM_32"})}
_WRITTEN[".flac"] = ("FLAC", {8: "PCM_S8", 16: "PCM_16", 24: "PCM_24"})


def write_sound(sound: Sound, target: BinaryIO, suffix: str) -> None:
    """Encode a sound as the kind of file that a suffix names. Raises RecipeError when that kind cannot hold it."""
    if suffix not in _WRITTEN:
        raise RecipeError(f"cannot write audio as {suffix!r}; choose {' or '.join(_WRITTEN)}")
    if not sound.tags:
        _write(sound, target, suffix)
        return
    if suffix == ".wav" and (lost := not_in_wav(sound.tags)):
        warnings.warn(f"{suffix} has no place for the tags {', '.join(lost):.200}; .flac has", stacklevel=3)
    buffer = io.BytesIO()
    _write(sound, buffer, suffix)
    target.write((in_wav if suffix == ".wav" else in_flac)(buffer.getvalue(), sound.tags))


def _write(sound: Sound, target: BinaryIO, suffix: str) -> None:
    if sound.depth == 0 and suffix == ".wav":
        from scipy.io import wavfile

        # libsndfile would put the time of day into the file.
        wavfile.write(target, sound.rate, sound.samples)
        return
    kind, subtypes = _WRITTEN[suffix]
    depth = sound.depth if sound.depth in subtypes else max(subtypes)
    if depth != sound.depth:
        given = f"{sound.depth} bits" if sound.depth else "floating-point numbers"
        said = f"{suffix} holds at most {depth} bits, this sound has {given}; written with {depth}"
        warnings.warn(said + _clipped(sound), stacklevel=4)
    _write_integers(sound, target, kind, depth, subtypes[depth])


def _clipped(sound: Sound) -> str:
    """What is lost of floating-point samples beyond full scale."""
    if sound.depth or not sound.samples.size:
        return ""
    peak, count = 0.0, 0
    for start in range(0, len(sound.samples), BLOCK):
        sizes = np.abs(sound.samples[start : start + BLOCK])
        peak, count = max(peak, float(sizes.max())), count + int((sizes > 1).sum())
    if not count:
        return ""
    share = f"{100 * count / sound.samples.size:.2g} % of its samples"
    return f"; {share} exceed full scale and are clipped to 1, the largest is {peak:.3g}; .wav keeps them"


def _write_integers(sound: Sound, target: BinaryIO, kind: str, depth: int, subtype: str) -> None:
    import soundfile

    channels = sound.samples.shape[1]
    try:
        with soundfile.SoundFile(target, "w", sound.rate, channels, subtype, format=kind) as opened:
            for start in range(0, len(sound.samples), BLOCK):
                opened.write(_left(sound.samples[start : start + BLOCK], sound.depth, depth))
    except soundfile.SoundFileError as error:
        raise RecipeError(
            f"cannot write {channels} channels of {sound.rate} samples per second as {kind}: {reason_of(error)}; "
            ".wav holds them"
        ) from None


def _left(block: Any, given: int, depth: int) -> Any:
    """Samples as int32 whose upper `depth` bits count, as libsndfile takes them. given: the bits of integers."""
    if block.dtype.kind == "i" and given > depth:
        block = block.astype(np.float64) / 2.0 ** (given - 1)
    if block.dtype.kind == "i":
        limit = 1 << (given - 1)  # a type of 24 bits, which no array has
        return np.ascontiguousarray(np.clip(block.astype(np.int64), -limit, limit - 1) << (32 - given)).astype(np.int32)
    return np.ascontiguousarray(integers(block, depth).astype(np.int32) << (32 - depth))
