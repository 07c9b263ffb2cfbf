"""What each part of the detail layer's encoder is worth: bytes at equal error, or without loss, with and without it.

    python -m coordcodec_bench.detail_ablation PICTURE SPEECH DRUMS HELD STEREO FIELD [RESULTS]

PICTURE: kodim15.png; SPEECH, DRUMS, HELD (tones), STEREO: sounds; FIELD: A1B_north_america.nc. Writes
RESULTS/detail-ablation.json, of which `make docs` makes a table; what is in it already is not measured again.

A part is left out by its choice where there is one, else by other code in its place while the encode runs. Lossy files
are compared at equal mean squared error: that of the whole encoder at a size; without the part two sizes are tried, and
the bytes follow from a straight line through both, of the logarithm of the bytes over the decibels.
"""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from coordcodec import codec
from coordcodec.data import Grid, Signal, on_grid
from coordcodec.layers.detail import blocks, fit, propose, trial
from coordcodec.layers.detail.rotation import Rotation
from coordcodec.specs.detail import BLOCKS
from coordcodec_bench.report.tables import Table
from coordcodec_bench.sources import markdown

FILE = "detail-ablation.json"
FURTHER = 1.08
"""How much larger or smaller the second size is."""
INPUTS = ("picture", "speech", "drums", "held", "stereo", "field")
SIZES = {"picture": ("rate", 0.6), "speech": ("rate", 24.0), "drums": ("rate", 64.0), "held": ("rate", 48.0),
         "stereo": ("rate", 96.0), "field": ("rate", 0.5)}  # fmt: skip
LOSSLESS = {"lossless": True}


@dataclass(frozen=True)
class Part:
    """One part of the encoder. cases: inputs and how they are encoded. changes: what stands in its place: a module, the
    name of its function and another function. choices: of the recipe, in its place."""

    name: str
    instead: str
    cases: tuple[tuple[str, dict[str, Any]], ...]
    changes: tuple[tuple[Any, str, Callable[..., Any]], ...] = ()
    choices: dict[str, Any] | None = None


def single(signal: Any, step: float, segment: int = 16384, *_: Any) -> tuple[int, ...]:
    """The block size that is best for all segments together."""
    costs = blocks.segment_costs(signal, step, segment)
    size: int = BLOCKS[int(costs.sum(axis=1).argmin())]
    return (size,) * int(costs.shape[1])


def fixed(signal: Any, step: float, segment: int = 16384, *_: Any) -> tuple[int, ...]:
    """Blocks of 512 samples."""
    return (512,) * -(-len(signal) // segment)


def predictor(name: str) -> tuple[tuple[Any, str, Callable[..., Any]], ...]:
    """Another predictor in place of the chosen one."""
    return tuple((module, "predictor_of", lambda *_: name) for module in (propose, trial))


def at(*names: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    """These inputs at their sizes."""
    return tuple((name, {SIZES[name][0]: SIZES[name][1], "layers": "detail"}) for name in names)


UNTURNED = ((propose, "fit_rotation", lambda *_: Rotation()), (trial, "_prefers_rotation", lambda *_: False))
GENERIC = ((propose, "_model", lambda *_: "generic"),)
BOUND = {"max_error": "0.1K", "detail": {"basis": "identity"}}
PARTS = (
    Part("window switching", "one block size per file", at("speech", "drums", "held"),
         ((propose, "choose_blocks", single),)),
    Part("choice of the block size", "blocks of 512", at("speech", "drums", "held"),
         ((propose, "choose_blocks", fixed),)),
    Part("rotation of channels", "none", (*at("picture"), ("picture", LOSSLESS), *at("stereo")), UNTURNED),
    Part("optimised rounding", "rounding to the nearest", at("picture", "speech", "field"),
         choices={"detail": {"rounding": 0}}),
    Part("reconstruction points", "multiples of the step", at("picture", "speech", "field"),
         ((fit, "points_of", lambda *_: (0, 0, 0)),)),
    Part("built-in starts", "the generic start", (*at("picture", "speech"), ("speech", LOSSLESS)), GENERIC),
    Part("built-in starts, small files", "the generic start",
         (("picture", {"num_bytes": 3000}), ("speech", {"num_bytes": 6000}), ("drums", {"num_bytes": 4000})), GENERIC),
    Part("blend", "gradient (med)", (("picture", LOSSLESS), ("field", BOUND)), predictor("med")),
    Part("cascade", "blend", (("speech", LOSSLESS), ("drums", LOSSLESS), ("stereo", LOSSLESS)), predictor("blend")),
    Part("cascade", "gradient (left)", (("speech", LOSSLESS), ("drums", LOSSLESS), ("stereo", LOSSLESS)),
         predictor("left")),
)  # fmt: skip


@contextmanager
def changed(part: Part | None) -> Iterator[dict[str, Any]]:
    """Leaves a part out while it lasts; gives the choices that do so."""
    changes = [patch.object(*change) for change in part.changes] if part else []
    for change in changes:
        change.start()
    try:
        yield (part.choices or {}) if part else {}
    finally:
        for change in changes:
            change.stop()


class Encodes:
    """Encodes of a few files, each read once and made once. paths: by the names of INPUTS."""

    def __init__(self, paths: dict[str, str]) -> None:
        self.paths = paths
        self.read: dict[str, tuple[Any, Signal]] = {}
        self.whole: dict[str, tuple[int, float]] = {}

    def made(self, name: str, part: Part | None, choices: dict[str, Any]) -> tuple[int, float]:
        """The bytes of a file and its error in decibels, 200 for none."""
        key = f"{name} {choices}"
        if part is None and key in self.whole:
            return self.whole[key]
        if name not in self.read:
            kind = codec.find_modality(self.paths[name], "field" if name == "field" else None)
            self.read[name] = kind, kind.read(self.paths[name])
        kind, signal = self.read[name]
        with changed(part) as others:
            recipe = codec.make_recipe(kind, device="cpu", threads=1, **{**choices, **others})
            data = codec.compress_signal(signal, kind, recipe).data
        assert isinstance(signal.coords, Grid)
        error = on_grid(codec.open(data).field, signal.coords).astype(np.float64) - signal.values
        found = len(data), -10 * math.log10(max(float((error**2).mean()), 1e-20))
        if part is None:
            self.whole[key] = found
        return found


def compare(encodes: Encodes, part: Part, name: str, choices: dict[str, Any]) -> dict[str, Any]:
    """Bytes with a part and without it."""
    size, reached = encodes.made(name, None, choices)
    row = {"part": part.name, "instead": part.instead, "input": name, "choices": choices, "bytes": size}
    other, lower = encodes.made(name, part, choices)
    if "num_bytes" in choices or "rate" in choices:
        key = "num_bytes" if "num_bytes" in choices else "rate"
        scaled = choices[key] * (FURTHER if lower < reached else 1 / FURTHER)
        further = {**choices, key: round(scaled) if key == "num_bytes" else scaled}
        second, higher = encodes.made(name, part, further)
        slope = math.log(second / other) / (higher - lower)
        other = round(other * math.exp(slope * (reached - lower)))
        row["psnr_db"] = round(reached, 3)
    return row | {"without": other, "gain_percent": round(100 * (1 - size / other), 2)}


def table(results: Path) -> str:
    """The table of the documentation."""
    rows = json.loads((results / FILE).read_text())
    body: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        how = next((f"{value:g} {_unit(row)}" for key, value in row["choices"].items() if key == "rate"), "")
        how = how or next((f"{v} bytes" for k, v in row["choices"].items() if k == "num_bytes"), "")
        how = how or row["choices"].get("max_error") or "lossless"
        cell = f"{row['input']}, {how}: {row['without']:,} → {row['bytes']:,} ({row['gain_percent']:+.1f} %)"
        body.setdefault((row["part"], row["instead"]), []).append(cell)
    lines = tuple((*key, "<br>".join(cells)) for key, cells in body.items())
    return markdown(Table(("part", "in its place", "bytes without → with it (saved)"), lines))


def _unit(row: dict[str, Any]) -> str:
    return {"picture": "bpp", "field": "bits/sample"}.get(row["input"], "kbit/s")


def main() -> None:
    """Measure what is not there yet."""
    warnings.simplefilter("ignore")
    paths = dict(zip(INPUTS, sys.argv[1:7], strict=True))
    target = Path(sys.argv[7] if len(sys.argv) > 7 else "benchmarks/results") / FILE
    rows = json.loads(target.read_text()) if target.exists() else []
    encodes = Encodes(paths)
    for part in PARTS:
        for name, choices in part.cases:
            known = [(row["part"], row["instead"], row["input"], row["choices"]) for row in rows]
            if (part.name, part.instead, name, choices) not in known:
                rows.append(compare(encodes, part, name, choices))
                print(rows[-1], flush=True)
                target.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
