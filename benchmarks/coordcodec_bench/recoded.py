"""What the weight coder's parts are worth: `python -m coordcodec_bench.recoded FOLDER` or `make bench-ablation`.

The same networks, coded again with neurons in the order and with the signs that a fit might have left them, and
without contexts. Nothing is fitted, and nothing that is decoded changes, so that the difference is in bytes alone.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import mean

import numpy as np

from coordcodec import codec
from coordcodec.data import Symbols
from coordcodec.stream import weights
from coordcodec_bench.names import NETWORKS
from coordcodec_bench.rows import kept, load

PARTS = {"neurons as they come": (True, True), "no contexts": (False, False)}
"""What is changed: whether neurons are mixed, whether contexts may be used."""


def shuffled(symbols: Symbols, seed: int) -> Symbols:
    """The same function with its hidden neurons in another order and with other signs."""
    rng = np.random.default_rng(seed)
    found = {name: q.symbols.copy() for name, q in symbols.items()}
    for layer in range(sum(name.startswith("bias") for name in found) - 1):
        width = found[f"bias{layer}"].shape[1]
        order, signs = rng.permutation(width), rng.choice(np.array([-1, 1], np.int32), width)
        found[f"bias{layer}"] = (found[f"bias{layer}"] * signs)[:, order]
        found[f"weight{layer}"] = (found[f"weight{layer}"] * signs[:, None])[:, order]
        found[f"weight{layer + 1}"] = (found[f"weight{layer + 1}"] * signs)[:, :, order]
    return {name: replace(q, symbols=found[name]) for name, q in symbols.items()}


def coded_bytes(symbols: Symbols, adaptive: bool) -> int:
    """The bytes of a chunk of these symbols."""
    # Offsets, even if they are none, take the place of contexts.
    none = {name: np.zeros((1,) * q.symbols.ndim, np.int32) for name, q in symbols.items()}
    return len(weights.encode(symbols, None if adaptive else none))


def more_bytes(folder: Path) -> dict[float, dict[str, float]]:
    """By target rate and change, how many percent of the file it takes more: the mean over the files of networks that
    the folder still has."""
    found: dict[float, dict[str, list[float]]] = {}
    for row in load(folder / "image.jsonl"):
        if row["codec"] == NETWORKS and row["status"] == "ok" and kept(folder, row).exists():
            data = kept(folder, row).read_bytes()
            opened = codec.open(data)
            symbols = opened.symbols
            for what, (mixed, adaptive) in PARTS.items():
                more = coded_bytes(shuffled(symbols, 0) if mixed else symbols, adaptive) - coded_bytes(symbols, True)
                found.setdefault(row["target_rate"], {}).setdefault(what, []).append(100 * more / len(data))
    return {target: {what: mean(values) for what, values in of.items()} for target, of in sorted(found.items())}


def main() -> None:
    """Print a line per rate and change."""
    parser = argparse.ArgumentParser(description="What the weight coder's parts are worth, on files that are there.")
    parser.add_argument("folder", type=Path, help="a folder of results with photographs as networks")
    folder = parser.parse_args().folder
    found = more_bytes(folder)
    if not found:
        print(f"{folder} has rows, but not the files of {NETWORKS}; measure them into a folder of their own")
    for target, changes in found.items():
        for what, percent in changes.items():
            print(f"{target:g} bpp, {what}: {percent:+.2f} % of the file")


if __name__ == "__main__":
    main()
