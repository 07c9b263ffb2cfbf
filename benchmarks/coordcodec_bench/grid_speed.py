"""How fast the grid coder is: coefficients and binary decisions per second, both ways.

    python -m coordcodec_bench.grid_speed SPEECH KODAK -o benchmarks/results/grid.jsonl

SPEECH: a folder of flac files; KODAK: one of png files. One core; processor time, the best of three turns.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from coordcodec.files import write_bytes
from coordcodec.stream.grid import GridEncoder, GridState, warm
from coordcodec.stream.grid import layout as at
from coordcodec.stream.grid.contexts import measure as around
from coordcodec.stream.grid.jit import jit
from coordcodec.stream.grid.prepare import Frame, Planes, four
from coordcodec_bench import facts
from coordcodec_bench.grid_lengths import differences, residuals, spectra, turn, wavelets
from coordcodec_bench.grid_planes import Plane
from coordcodec_bench.grid_starts import Job

TURNS = 3


def _counted(mags: Any, geometry: Any, work: Any, volumes: int) -> int:
    """Binary decisions of a plane's magnitudes: low bits split off, singles, buckets and places in them."""
    count = 0
    for volume in range(volumes):
        for z in range(geometry[at.SLICES]):
            for y in range(geometry[at.ROWS]):
                start = geometry[at.ORIGIN] + volume * geometry[at.VOLUME] + z * geometry[at.SLICE]
                start += y * geometry[at.PITCH]
                for i in range(start, start + geometry[at.WIDTH]):
                    around(i, mags, geometry, work)
                    k = work[at.SHIFT]
                    high = mags[i] >> k
                    count += k + min(high, at.SINGLES) + 1 + (1 if mags[i] else 0)
                    if high > at.SINGLES:
                        rest, e, first = high - at.SINGLES - 1, 0, 0
                        while e < at.LAST_BUCKET and rest >= first + (1 << (at.EXTRA + e)):
                            first += 1 << (at.EXTRA + e)
                            e += 1
                        count += min(e + 1, at.LAST_BUCKET) + at.EXTRA + e
    return count


counted = jit(_counted)


def decisions(plane: Plane) -> int:
    """How many binary decisions the coder makes of a plane, signs and equally likely bits included."""
    values, guides, zones = plane
    if not values.size:
        return 0
    frame = Frame(four(values.shape))
    planes = Planes(frame, values.shape, guides, zones)
    mags = frame.padded(np.abs(values).reshape(frame.shape)).reshape(-1)
    work = np.zeros(at.WORK, np.int64)
    return int(counted(mags, frame.geometry(planes.flags, -1, (0, 0, 0)), work, frame.shape[0]))


def measured(name: str, jobs: list[Job], model: int) -> dict[str, Any]:
    """A row: what the planes are, and how fast they are coded."""
    planes = [plane for job in jobs for chunk in job for plane in chunk]
    coefficients, count = sum(values.size for values, _, _ in planes), sum(map(decisions, planes))
    turns = [turn(jobs, model) for _ in range(TURNS)]
    encode, decode = min(t[1] for t in turns), min(t[2] for t in turns)
    return {
        "planes": name,
        "coefficients": coefficients,
        "decisions": count,
        "bytes": turns[0][0],
        "encode_coefficients_per_second": round(coefficients / encode),
        "decode_coefficients_per_second": round(coefficients / decode),
        "encode_decisions_per_second": round(count / encode),
        "decode_decisions_per_second": round(count / decode),
    }


def at_one_bit(kodak: Path) -> list[Job]:
    """Wavelet planes of six pictures with the step at which their files take a bit per pixel."""
    low, high = 12.0, 48.0
    jobs: list[Job] = []
    for _ in range(6):
        step = math.sqrt(low * high)
        jobs = list(wavelets(kodak, step))
        pixels = sum(values.size for job in jobs for chunk in job for values, _, _ in chunk) / 3
        low, high = (step, high) if _bits(jobs, 2) > pixels else (low, step)
    return jobs


def _bits(jobs: list[Job], model: int) -> float:
    """What jobs take, counted and not written."""
    count = 0.0
    for job in jobs:
        state = GridState(model)
        for chunk in job:
            encoder = GridEncoder(state, count=True)
            for plane in chunk:
                encoder.plane(*plane)
            count += encoder.bits
    return count


def inputs(speech: Path, kodak: Path) -> Iterator[tuple[str, Iterable[Job], int]]:
    """What is coded: a name, planes and the model that they begin with."""
    yield "Kodak, 9/7 wavelet at 1 bpp, six pictures", at_one_bit(kodak), 2
    yield "Kodak, lossless, three pictures", residuals(kodak), 0
    yield "speech, lapped cosine planes at 30 dB", spectra(speech), 1
    yield "speech, lossless, six clips", differences(speech), 0


def main(arguments: list[str]) -> int:
    """Measure, print a line each, write."""
    parser = argparse.ArgumentParser(description="How fast the grid coder is, both ways, on one core.")
    parser.add_argument("speech", type=Path, metavar="SPEECH", help="a folder of flac files")
    parser.add_argument("kodak", type=Path, metavar="KODAK", help="a folder of png files")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.jsonl", help="put the result there, in place of it")
    a = parser.parse_args(arguments)
    print(f"compiled or loaded in {warm():.1f} s", flush=True)
    where = {"machine": facts.machine(), "commit": facts.commit(), "date": time.strftime("%Y-%m-%d")}
    found = []
    for name, jobs, model in inputs(a.speech, a.kodak):
        row = measured(name, list(jobs), model)
        found.append(row | where)
        for what in ("coefficients", "decisions"):
            speeds = (row[f"{way}_{what}_per_second"] / 1e6 for way in ("encode", "decode"))
            print(f"{name}: {' and '.join(f'{s:.2f}' for s in speeds)} million {what} a second", flush=True)
    if a.output:
        write_bytes(a.output, "".join(f"{json.dumps(row)}\n" for row in found).encode(), force=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
