"""Measure the grid coder: bytes and speed, against adaptive counts, PNG, JPEG-LS and FLAC.

    python -m coordcodec_bench.grid_lengths SPEECH KODAK

SPEECH: a folder of flac files; KODAK: one of png files. One core, one to two minutes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coordcodec.stream.grid import GridDecoder, GridEncoder, GridState, warm
from coordcodec.stream.grid.jit import jit
from coordcodec_bench.grid_planes import IntArray, bands, gradient, lapped, zones_of
from coordcodec_bench.grid_starts import MATRIX, Job, pixels


def _counted(values: Any, contexts: Any, counts: Any, totals: Any) -> float:
    """Ideal length in bits of magnitudes by adaptive counts, of signs as they are, of what is above 20 by its log."""
    bits = 0.0
    for i in range(len(values)):
        size, context = abs(values[i]), contexts[i]
        symbol = min(size, 21)
        bits -= np.log2(counts[context, symbol] / totals[context])
        counts[context, symbol] += 1
        totals[context] += 1
        bits += size > 0
        if size > 20:
            bits += 2 * np.floor(np.log2(size - 20)) + 1
    return bits


counted = jit(_counted)


def contexts_of(values: IntArray, zones: IntArray | None) -> npt.NDArray[np.int64]:
    """28 classes of the neighbours' weighted sum, times quarters of a spectrum."""
    height, width = values.shape
    padded = np.pad(np.abs(values).astype(float), ((2, 0), (3, 3)))
    weights = {(0, -1): 2, (0, -2): 1, (0, -3): 0.5, (-1, 0): 2, (-1, 1): 1, (-1, -1): 1, (-1, 2): 0.5, (-1, -2): 0.5}
    weights |= {(-1, 3): 0.5, (-2, 0): 1, (-2, 1): 0.5, (-2, -1): 0.5}
    around = sum(w * padded[2 + y : 2 + y + height, 3 + x : 3 + x + width] for (y, x), w in weights.items())
    classes: npt.NDArray[np.int64] = np.minimum((4 * np.log2(1 + around)).astype(np.int64), 27)
    return classes * 4 if zones is None else np.asarray(classes * 4 + zones // 4, np.int64)


def by_counts(job: Job) -> float:
    """Bytes of a tile by counts that go on from plane to plane."""
    counts, totals, bits = np.full((112, 22), 0.3), np.full(112, 6.6), 0.0
    for chunk in job:
        for values, _, zones in chunk:
            bits += float(counted(values.reshape(-1), contexts_of(values, zones).reshape(-1), counts, totals))
    return bits / 8


def spectra(folder: Path) -> Iterator[Job]:
    """Speech, 16 kHz, lapped cosine planes of 256, at about 30 dB."""
    import soundfile

    for path in sorted(folder.glob("*.flac")):
        samples = soundfile.read(path)[0]
        spectrum = lapped(samples, 256) / (1.6 * np.sqrt(12e-3 * np.mean(samples**2)))
        plane = (np.sign(spectrum) * np.floor(np.abs(spectrum) + 0.36)).astype(np.int32)
        yield [[(plane, {}, zones_of(256))]]


def wavelets(folder: Path, step: float) -> Iterator[Job]:
    """Every fourth picture, five levels of 9/7."""
    for path in sorted(folder.glob("*.png"))[::4]:
        yield bands((pixels(path) - 128.0) @ MATRIX.T, step, levels=5)


def residuals(folder: Path) -> Iterator[Job]:
    """Every eighth picture, whole: green, then the differences of the others, predicted by gradients."""
    for path in sorted(folder.glob("*.png"))[::8]:
        red, green, blue = np.moveaxis(pixels(path), -1, 0)
        orange = red - blue
        rest = green - (blue + (orange >> 1))
        planes = [gradient(c) for c in (blue + (orange >> 1) + (rest >> 1), rest, orange)]
        guides: list[dict[str, IntArray]] = [{}, {"channel": planes[0]}, {"channel": planes[1]}]
        yield [[(p, g, None) for p, g in zip(planes, guides, strict=True)]]


def differences(folder: Path) -> Iterator[Job]:
    """Six clips of speech, whole: first differences."""
    import soundfile

    for path in sorted(folder.glob("*.flac"))[:6]:
        whole = soundfile.read(path, dtype="int16")[0].astype(np.int32)
        yield [[(np.diff(whole, prepend=np.int32(0)), {}, None)]]


def turn(jobs: list[Job], model: int) -> tuple[int, float, float]:
    """Bytes, and processor seconds to write and to read them. Raises AssertionError unless all comes back."""
    length, forth, back = 0, 0.0, 0.0
    for job in jobs:
        writing, reading = GridState(model), GridState(model)
        for chunk in job:
            start = time.process_time()
            encoder = GridEncoder(writing)
            for plane in chunk:
                encoder.plane(*plane)
            data = encoder.finish()
            middle = time.process_time()
            decoder = GridDecoder(reading, data)
            decoded = [decoder.plane(values.shape, guides, zones) for values, guides, zones in chunk]
            decoder.finish()
            forth, back = forth + middle - start, back + time.process_time() - middle
            length += len(data)
            assert all(np.array_equal(a, b) for a, (b, _, _) in zip(decoded, chunk, strict=True))
    return length, forth, back


def measure(name: str, jobs: list[Job], model: int, others: str = "") -> None:
    """Print a row: bytes, bits per coefficient, millions a second both ways; checks that everything comes back."""
    size = sum(values.size for job in jobs for chunk in job for values, _, _ in chunk)
    length, *spent = turn(jobs, model)
    speeds = " and ".join(f"{size / s / 1e6:.2f}" for s in spent)
    print(f"| {name} | {length:,} | {8 * length / size:.2f} | {speeds} | {others} |", flush=True)


def main(arguments: list[str]) -> int:
    """Print the table."""
    import imagecodecs

    speech, kodak = map(Path, arguments)
    print(f"compiled or loaded in {warm():.1f} s")
    print("| planes | bytes | bits each | million a second, both ways | others |\n|---|---|---|---|---|")
    sound = list(spectra(speech))
    joined: Job = [[(np.concatenate([job[0][0][0] for job in sound]), {}, zones_of(256))]]
    measure("speech, 23 clips", sound, 1, f"{sum(map(by_counts, sound)):,.0f} by counts")
    measure("the clips as one plane", [joined], 1, f"{by_counts(joined):,.0f} by counts")
    for step in (10.0, 40.0):
        jobs = list(wavelets(kodak, step))
        measure(f"six Kodak pictures, 9/7, step {step:g}", jobs, 2, f"{sum(map(by_counts, jobs)):,.0f} by counts")
    whole = [pixels(path).astype(np.uint8) for path in sorted(kodak.glob("*.png"))[::8]]
    png = sum(len(imagecodecs.png_encode(p, level=9)) for p in whole)
    to_green = [p - (np.array([1, 0, 1], np.uint8) * p[..., 1:2]) + np.array([128, 0, 128], np.uint8) for p in whole]
    jls = sum(len(imagecodecs.jpegls_encode(np.ascontiguousarray(p[..., c]))) for p in to_green for c in range(3))
    others = f"{png:,} as PNG, {jls:,} as JPEG-LS of differences to green"
    measure("three Kodak pictures, lossless", list(residuals(kodak)), 0, others)
    flac = sum(path.stat().st_size for path in sorted(speech.glob("*.flac"))[:6])
    measure("speech, six clips, lossless", list(differences(speech)), 0, f"{flac:,} as FLAC")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
