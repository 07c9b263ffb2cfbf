"""Rate and quality of whole folders: `python -m coordcodec.bench.rate_distortion FOLDER --rates 0.3 -o OUT.jsonl`.

One JSON line per file and rate: the real size of the compressed file and the scores of what it decodes to. An
interrupted run resumes; rows that are there already are not done again. A file that fails is recorded as failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from coordcodec import __version__, codec
from coordcodec.compressed import Compressed
from coordcodec.data import Signal
from coordcodec.errors import CoordCodecError
from coordcodec.hookspecs import Modality
from coordcodec.inr.device import find_device
from coordcodec.plugins import installed
from coordcodec.recipe import Recipe


def there_and_back(
    signal: Signal, kind: Modality, recipe: Recipe, device: str
) -> tuple[codec.Encoded, Compressed, dict[str, float]]:
    """Compress a signal and decode it whole: what came out, opened, and the seconds that each way took."""
    start = time.monotonic()
    encoded = codec.compress_signal(signal, kind, recipe)
    encode_seconds = time.monotonic() - start
    opened = codec.open(encoded.data).to(device)
    start = time.monotonic()
    opened.render()
    decode_seconds = time.monotonic() - start
    seconds = {"encode_seconds": round(encode_seconds, 2), "decode_seconds": round(decode_seconds, 2)}
    return encoded, opened, seconds


def measure(path: Path, modality: str, rate: float, preset: str, effort: int, device: str) -> dict[str, Any]:
    """Compress one file to one rate; the row that describes what came out."""
    row: dict[str, Any] = {
        "file": path.name,
        "target_rate": rate,
        "preset": preset,
        "effort": effort,
        "version": __version__,
        "date": time.strftime("%Y-%m-%d"),
        "device": str(find_device(device)),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    kind = installed().modalities.get(modality)
    try:
        signal = kind.read(path)
        recipe = codec.make_recipe(kind, preset, rate=rate, effort=effort, device=device)
        encoded, opened, seconds = there_and_back(signal, kind, recipe, device)
        row |= {
            "bytes": len(encoded.data),
            "rate": opened.rate,
            **opened.score(signal),
            **seconds,
            "width": encoded.spec.width,
            "steps": encoded.steps,
            "bits": round(encoded.bits, 3),
        }
    except CoordCodecError as error:
        row["failed"] = str(error)
    return row


def load(path: Path) -> list[dict[str, Any]]:
    """The rows of a result file, none if there is none yet."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main() -> None:
    """Measure all files of a folder at all rates."""
    parser = argparse.ArgumentParser(description="Rate and quality of a folder's files, one JSON line each.")
    parser.add_argument("folder", type=Path, help="files of one modality")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names of files to take; default: all")
    parser.add_argument("--modality", default="image", help="default: image")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.3], help="in the modality's unit; default: 0.3")
    parser.add_argument("--preset", default="basic", help="default: basic")
    parser.add_argument("--effort", type=int, default=5, help="1 to 9; default: 5")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda; default: auto")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.jsonl", help="appended to")
    a = parser.parse_args()
    suffixes = installed().modalities.get(a.modality).suffixes
    files = sorted(path for path in a.folder.iterdir() if path.suffix.lower() in suffixes)
    files = [path for path in files if not a.only or path.name in a.only]
    if not files:
        sys.exit(f"error: no file of modality {a.modality} in {a.folder}; expected one of {' '.join(suffixes)}")
    key = ("file", "target_rate", "preset", "effort")
    done = {tuple(row[k] for k in key) for row in load(a.output)}
    a.output.parent.mkdir(parents=True, exist_ok=True)
    for rate in a.rates:
        for path in files:
            if (path.name, rate, a.preset, a.effort) in done:
                continue
            row = measure(path, a.modality, rate, a.preset, a.effort, a.device)
            with a.output.open("a") as out:
                out.write(json.dumps(row) + "\n")
            shown = row.get("failed") or f"{row['bytes']} bytes, {row['encode_seconds']} s"
            print(f"{path.name} at {rate:g}: {shown}", flush=True)


if __name__ == "__main__":
    main()
