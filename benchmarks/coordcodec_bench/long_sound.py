"""Minutes of sound: encode and decode as multiples of real time, and peak memory.

    python -m coordcodec_bench.long_sound MUSIC --minutes 10 -o benchmarks/results/long_sound.jsonl

MUSIC: a folder of clips; those with two channels and the commonest sample rate are joined, over and over, until the
minutes are full. Compressed at 96 kbit/s and decoded to 16-bit samples by a process that does nothing else.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec import codec
from coordcodec.errors import FileError
from coordcodec.files import write_bytes
from coordcodec.plugins import installed
from coordcodec_bench import facts
from coordcodec_bench.rows import load

KBPS = 96.0
CHANNELS = 2


def joined(folder: Path, seconds: float) -> tuple[NDArray[np.int16], int]:
    """Stereo samples (n, 2) of that many seconds, and their sample rate. Raises FileError where the folder has none."""
    import soundfile

    found: list[tuple[Path, int]] = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (".flac", ".wav"):
            known = soundfile.info(path)
            if known.channels == CHANNELS and known.frames:
                found.append((path, known.samplerate))
    if not found:
        raise FileError(f"no flac or wav file of {folder} has two channels; name a folder with stereo clips")
    rate = Counter(rate for _, rate in found).most_common(1)[0][0]
    clips = [soundfile.read(path, dtype="int16")[0] for path, own in found if own == rate]
    whole = np.concatenate(clips)
    wanted = round(seconds * rate)
    return np.tile(whole, (-(-wanted // len(whole)), 1))[:wanted], rate


def measured(samples: NDArray[np.int16], rate: int, kbps: float, effort: int) -> dict[str, Any]:
    """A row: times by the clock and by the processor, peak memory of either way, SNR."""
    import soundfile

    kind, wave = installed().modalities.get("audio"), io.BytesIO()
    soundfile.write(wave, samples, rate, "PCM_16", format="WAV")
    wave.seek(0)
    signal = kind.read(wave)
    recipe = codec.make_recipe(kind, None, rate=kbps, effort=effort)
    memory, start, spent = facts.Memory(), time.perf_counter(), time.process_time()
    encoded = codec.compress_signal(signal, kind, recipe)
    encode, encode_cpu, encode_peak = time.perf_counter() - start, time.process_time() - spent, memory.peak_mib()
    opened = codec.open(encoded.data)
    memory, start, spent = facts.Memory(), time.perf_counter(), time.process_time()
    opened.samples()
    decode, decode_cpu = time.perf_counter() - start, time.process_time() - spent
    seconds = len(samples) / rate
    return {
        "seconds": round(seconds, 3),
        "sample_rate": rate,
        "channels": samples.shape[1],
        "effort": effort,
        "bytes": len(encoded.data),
        "kbps": round(kind.rate(len(encoded.data), signal.meta), 3),
        "snr_db": opened.score(signal)["snr_db"],
        "encode_seconds": round(encode, 3),
        "decode_seconds": round(decode, 3),
        "encode_cpu_seconds": round(encode_cpu, 3),
        "decode_cpu_seconds": round(decode_cpu, 3),
        "encode_times_real_time": round(seconds / encode, 3),
        "decode_times_real_time": round(seconds / decode, 3),
        "encode_peak_mib": encode_peak,
        "decode_peak_mib": memory.peak_mib(),
        "samples_mib": round(samples.nbytes / 2**20, 1),
    }


def in_words(row: dict[str, Any]) -> str:
    """What a row says."""
    told = f"{row['seconds'] / 60:g} minutes at {row['kbps']:.1f} kbit/s, SNR {row['snr_db']:.2f} dB"
    for way in ("encode", "decode"):
        told += (
            f"; {way}: {row[f'{way}_times_real_time']:.2f} times real time "
            f"({row[f'{way}_seconds']:.1f} s, of the processor {row[f'{way}_cpu_seconds']:.1f} s), "
            f"at most {row[f'{way}_peak_mib']:,.0f} MiB"
        )
    return told


def main(arguments: list[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Minutes of stereo as multiples of real time, and peak memory.")
    parser.add_argument("music", type=Path, metavar="MUSIC", help="a folder of clips, some with two channels")
    parser.add_argument("--minutes", type=float, default=10.0, help="default: 10")
    parser.add_argument("--rate", type=float, default=KBPS, metavar="KBPS", help=f"default: {KBPS:g}")
    parser.add_argument("--effort", type=int, default=5, metavar="1..9", help="default: 5")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.jsonl", help="put the result there, one per length")
    a = parser.parse_args(arguments)
    samples, rate = joined(a.music, 60 * a.minutes)
    row = measured(samples, rate, a.rate, a.effort)
    row |= {"machine": facts.machine(), "commit": facts.commit(), "date": time.strftime("%Y-%m-%d")}
    print(in_words(row))
    if a.output:
        key = ("seconds", "effort", "machine")
        same = [row[name] for name in key]
        others = [other for other in load(a.output, key) if [other.get(name) for name in key] != same]
        write_bytes(a.output, "".join(f"{json.dumps(r)}\n" for r in [*others, row]).encode(), force=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
