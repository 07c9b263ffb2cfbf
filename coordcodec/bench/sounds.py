"""Sound beside MP3 and Opus at equal bytes: `python -m coordcodec.bench.sounds FOLDER --rates 32 -o OUT.jsonl`.

One JSON line per file, rate and codec: the real size of the compressed file and the scores of what it decodes to.
Ours comes first; LAME and libopus (in libsndfile) then get the setting whose file is the smallest that is no smaller
than ours, so that rounding favours them. What they decode is shifted by their delay and resampled to the original's
rate before it is scored by the same functions. An interrupted run resumes; a file that fails is recorded as failed.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from coordcodec import __version__, codec
from coordcodec.bench.rate_distortion import load, there_and_back
from coordcodec.data import Floats, Signal
from coordcodec.errors import CoordCodecError
from coordcodec.inr.device import find_device
from coordcodec.plugins import installed

Row = dict[str, Any]
KEY = ("file", "target_rate", "codec", "effort")
PEERS: dict[str, tuple[str, str, tuple[str | None, ...]]] = {
    "mp3": ("MP3", "MPEG_LAYER_III", ("CONSTANT", "AVERAGE", "VARIABLE")),
    "opus": ("OGG", "OPUS", (None,)),
}
"""Container, subtype and bitrate modes of libsndfile."""
OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
NEAR = 1.03
"""Of an encoder's modes, the best that comes within this factor of the smallest file that is large enough."""
HALVINGS = 13
CLOSE = 1.003
"""A file so near to the size that is wanted ends the search."""
BLOCK = 1 << 14


OURS: dict[str, dict[str, Any]] = {
    "coordcodec": {},
    # Sitzmann et al. 2020 (section 4.1 and supplement 5): one network for the whole clip, no encoding, a first layer
    # of frequencies up to 3000; quantized and coded like ours.
    "siren": {
        "num_frequencies": 0,
        "omega_0": 3000.0,
        "depth": 3,
        "part_bytes": None,
        "part_points": 1 << 24,
        "batch": 12288,
        "pace": 1.0,
    },
}
"""The choices that make a codec of this package's, beside the defaults."""


def ours(signal: Signal, name: str, rate: float, effort: int, device: str) -> Row:
    """Compress a sound with this package; the row that describes what came out."""
    kind = installed().modalities.get("audio")
    recipe = codec.make_recipe(kind, rate=rate, effort=effort, device=device).replace(**OURS[name])
    encoded, opened, seconds = there_and_back(signal, kind, recipe, device)
    return {
        "bytes": len(encoded.data),
        **opened.score(signal),
        **seconds,
        "setting": f"width {encoded.spec.width}, {encoded.steps} steps, {encoded.bits:.3f} bits",
        "version": f"coordcodec {__version__}, torch {torch.__version__}",
        "device": str(find_device(device)),
        "threads": torch.get_num_threads(),
    }


def peer(signal: Signal, name: str, size: int) -> Row:
    """Compress a sound with another codec to at least `size` bytes, as near as it comes; the row."""
    import soundfile

    from coordcodec_audio.metrics import scores

    kind, subtype, modes = PEERS[name]
    rate = int(signal.meta["rate"])
    coded_rate = min((r for r in OPUS_RATES if r >= rate), default=48000) if name == "opus" else rate
    samples = _resampled(signal.values, rate, coded_rate)

    def encode(mode: str | None, level: float) -> bytes:
        how = {"bitrate_mode": mode} if mode else {}
        target = io.BytesIO()
        with soundfile.SoundFile(
            target, "w", coded_rate, samples.shape[1], subtype, format=kind, compression_level=level, **how
        ) as opened:
            for first in range(0, len(samples), BLOCK):
                opened.write(samples[first : first + BLOCK])
        return target.getvalue()

    def decode(data: bytes) -> tuple[Floats, int]:
        decoded, decoded_rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        moved, lag = _aligned(_resampled(decoded, decoded_rate, coded_rate), samples)
        return _resampled(moved, coded_rate, rate)[: len(signal.values)], lag

    found = []
    for mode in modes:
        level, seconds, data = _smallest(lambda level, mode=mode: encode(mode, level), size)  # type: ignore[misc]
        start = time.monotonic()
        decoded, lag = decode(data)
        decode_seconds = time.monotonic() - start
        setting = f"{mode.lower() + ' bitrate, ' if mode else ''}compression level {level:.4f}"
        found.append(
            {
                "bytes": len(data),
                **scores(signal.values, decoded),
                "encode_seconds": round(seconds, 3),
                "decode_seconds": round(decode_seconds, 3),
                "setting": setting + (f", coded at {coded_rate} Hz" if coded_rate != rate else ""),
                "version": _version(data, soundfile.__libsndfile_version__),
                "lag": lag,
            }
        )
    return _best(found, size)


def _smallest(encode: Callable[[float], bytes], size: int) -> tuple[float, float, bytes]:
    """The compression level, seconds and bytes of the smallest file of at least `size` bytes; else of the largest.

    The level runs from 0, most bytes, to 1.
    """

    def timed(level: float) -> tuple[float, float, bytes]:
        start = time.monotonic()
        data = encode(level)
        return level, time.monotonic() - start, data

    tried = [timed(0.0), timed(0.99)]
    lower, upper = 0.0, 0.99
    for _ in range(HALVINGS):
        middle = timed((lower + upper) / 2)
        tried.append(middle)
        if size <= len(middle[2]) <= CLOSE * size:
            break
        lower, upper = (middle[0], upper) if len(middle[2]) >= size else (lower, middle[0])
    enough = [attempt for attempt in tried if len(attempt[2]) >= size]
    return (
        min(enough, key=lambda attempt: len(attempt[2])) if enough else max(tried, key=lambda attempt: len(attempt[2]))
    )


def _best(rows: list[Row], size: int) -> Row:
    """Of several modes' rows the best by SNR among those that are near the size; see NEAR."""
    enough = [row for row in rows if row["bytes"] >= size]
    if not enough:
        return max(rows, key=lambda row: int(row["bytes"]))
    least = min(row["bytes"] for row in enough)
    near = [row for row in enough if row["bytes"] <= NEAR * least]
    return max(near, key=lambda row: -math.inf if row["snr_db"] is None else float(row["snr_db"]))


def _version(data: bytes, libsndfile: str) -> str:
    found = re.search(rb"LAME[0-9.]+|libopus [0-9.]+", data)
    return f"{found[0].decode() + ', ' if found else ''}libsndfile {libsndfile}"


def _resampled(samples: Floats, rate: int, wanted: int) -> Floats:
    """Samples (n, c) at another rate."""
    if rate == wanted:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(rate, wanted)
    resampled: Floats = resample_poly(samples, wanted // common, rate // common, axis=0).astype(np.float32)
    return np.clip(resampled, -1, 1)


def _aligned(decoded: Floats, original: Floats) -> tuple[Floats, int]:
    """Decoded samples moved to where they resemble the original most, cut to its length; and by how many samples."""
    length = 1 << (len(decoded) + len(original)).bit_length()
    correlation = np.zeros(length)
    for y, x in zip(decoded.T, original.T, strict=True):
        correlation += np.fft.irfft(np.fft.rfft(y, length) * np.conj(np.fft.rfft(x, length)), length)
    lag = int(np.argmax(correlation))
    lag = lag - length if lag > length // 2 else lag
    moved = np.zeros_like(original)
    part = decoded[max(lag, 0) : max(lag, 0) + len(original) - max(-lag, 0)]
    moved[max(-lag, 0) : max(-lag, 0) + len(part)] = np.clip(part, -1, 1)
    return moved, lag


def measure(path: Path, key: Row, size: int | None, device: str) -> Row:
    """One row: `key` (see KEY) and what came out, or why it failed.

    size: bytes that a peer may take at least; None for what the target rate gives.
    """
    kind = installed().modalities.get("audio")
    row: Row = {**key, "date": time.strftime("%Y-%m-%d")}
    try:
        signal = kind.read(path)
        if key["codec"] in OURS:
            row |= ours(signal, key["codec"], key["target_rate"], key["effort"], device)
        else:
            row |= peer(signal, key["codec"], size or round(key["target_rate"] / kind.rate(1, signal.meta)))
        row["rate"] = kind.rate(row["bytes"], signal.meta)
    except (CoordCodecError, RuntimeError, ValueError) as error:  # soundfile raises RuntimeErrors
        row["failed"] = str(error)
    return row


def main() -> None:
    """Measure all files of a folder with all codecs at all rates."""
    parser = argparse.ArgumentParser(description="Sounds beside MP3 and Opus at equal bytes, one JSON line each.")
    parser.add_argument("folder", type=Path, help="sound files")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names of files to take; default: all")
    parser.add_argument("--rates", type=float, nargs="+", default=[32], help="in kbps; default: 32")
    parser.add_argument(
        "--codecs",
        nargs="+",
        choices=(*OURS, *PEERS),
        default=["coordcodec", *PEERS],
        help="default: coordcodec mp3 opus",
    )
    parser.add_argument("--effort", type=int, default=5, help="1 to 9; default: 5")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda; default: auto")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.jsonl", help="appended to")
    a = parser.parse_args()
    suffixes = installed().modalities.get("audio").suffixes
    files = sorted(path for path in a.folder.iterdir() if path.suffix.lower() in suffixes)
    files = [path for path in files if not a.only or path.name in a.only]
    if not files:
        sys.exit(f"error: no sound in {a.folder}; expected one of {' '.join(suffixes)}")
    done = {tuple(row[k] for k in KEY): row for row in load(a.output)}
    a.output.parent.mkdir(parents=True, exist_ok=True)
    for rate in a.rates:
        for path in files:
            size = None
            for name in a.codecs:
                key = dict(zip(KEY, (path.name, rate, name, a.effort), strict=True))
                row = done.get(tuple(key.values()))
                if row is None:
                    row = measure(path, key, size, a.device)
                    with a.output.open("a") as out:
                        out.write(json.dumps(row) + "\n")
                    print(f"{path.name} at {rate:g}, {name}: {_shown(row)}", flush=True)
                size = row.get("bytes", size) if name == "coordcodec" else size


def _shown(row: Row) -> str:
    if "failed" in row:
        return str(row["failed"])
    score = "silence" if row["snr_db"] is None else f"{row['snr_db']:.2f} dB"
    return f"{row['bytes']} bytes, {row['rate']:.2f} kbps, {score}, {row['encode_seconds']} s"


if __name__ == "__main__":
    main()
