"""How fast we fit and decode, as ratios within one run: `python -m coordcodec_bench.speed` or `make bench-speed`.

The yardsticks are the procedure of the papers (full batch, float32, Adam, autograd, everything recomputed at
every step) on a network of the same size, and the machine's best rate of matrix products. The contestants take
turns, and the medians are compared, because machines are shared and noisy.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from coordcodec.compute import device
from coordcodec.compute.optim import Soap
from coordcodec.data import Grid, Signal, sample
from coordcodec.files import write_bytes
from coordcodec.layers.siren import network
from coordcodec.partition import Partition
from coordcodec.specs import SirenSpec
from coordcodec_bench import facts as of
from coordcodec_bench import sharing
from coordcodec_bench.latency import coder, seconds, start_up
from coordcodec_bench.plain import PlainSiren
from coordcodec_bench.race import race
from coordcodec_bench.rows import load
from coordcodec_bench.workload import LR, SHAPE, fit_of, picture


def _ours(spec: SirenSpec, place: torch.device, steps: int) -> tuple[Callable[[], int], str]:
    """A function that takes `steps` of our steps and returns how many points they saw."""
    dtype = device.choose_precision("auto", place, spec.width)
    loss, params = fit_of(spec, place, dtype)
    optimizer = Soap(list(params.values()))
    points = loss.batches[0].next().targets.shape[1]

    def run() -> int:
        with loss:
            for _ in range(steps):
                _, gradients = loss.gradient(params)
                optimizer.step(list(gradients.values()), [LR] * len(params))
        return steps * points

    return run, str(dtype).removeprefix("torch.")


def _plain(spec: SirenSpec, signal: Signal, place: torch.device, steps: int) -> Callable[[], int]:
    """The same for plain PyTorch: all points at every step, float32, autograd, torch.optim.Adam, L1."""
    assert isinstance(signal.coords, Grid)
    coords = torch.from_numpy(signal.coords.coords()).float().to(place)
    targets = torch.from_numpy(signal.values).to(place)
    yardstick = PlainSiren(spec).to(place)
    optimizer = torch.optim.Adam(yardstick.parameters(), lr=LR)

    def run() -> int:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = (yardstick(coords) - targets).square().mean()
            loss = loss + 1e-5 * sum(p.abs().sum() for p in yardstick.parameters())
            loss.backward()
            optimizer.step()
        return steps * len(coords)

    return run


def _decode(spec: SirenSpec, place: torch.device) -> Callable[[], int]:
    arrays = {name: tensor.numpy() for name, tensor in network.init(spec, 1, 0).items()}
    field = network.as_field(spec, arrays, Partition((1, 1)), place)

    def run() -> int:
        return sum(len(values) for _, values in sample(field, Grid(SHAPE)))

    return run


def _plain_decode(spec: SirenSpec, place: torch.device) -> Callable[[], int]:
    """All points at once through the plain network, without gradients."""
    coords = torch.from_numpy(Grid(SHAPE).coords()).float().to(place)
    yardstick = PlainSiren(spec).to(place)

    def run() -> int:
        with torch.no_grad():
            return len(yardstick(coords))

    return run


def _matrix_peak(place: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of the best of a few large square matrix products."""
    size = 8192 if place.type == "cuda" else 2048
    a = torch.ones(size, size, dtype=dtype, device=place)
    return max(2 * size**3 / seconds(lambda: torch.mm(a, a), place) for _ in range(8))


def measure(width: int, place: torch.device, rounds: int) -> dict[str, Any]:
    """All figures for one width."""
    signal, spec = picture(), SirenSpec(2, 3, width, 3, 16, 1400)
    ours, dtype = _ours(spec, place, 400 if place.type == "cuda" else 60)
    rates = _points_per_second(
        {
            "fit": ours,
            "plain": _plain(spec, signal, place, 20 if place.type == "cuda" else 1),
            "decode": _decode(spec, place),
            "plain_decode": _plain_decode(spec, place),
        },
        place,
        rounds,
    )
    ratio = {
        name: statistics.median(a / b for a, b in zip(rates[name], rates[other], strict=True))
        for name, other in (("fit", "plain"), ("decode", "plain_decode"))
    }
    median = {name: statistics.median(values) for name, values in rates.items()}
    # Forward, gradient of the weights, gradient of the inputs: two operations per weight and point each.
    operations = 6 * sum(int(np.prod(s)) for name, s in spec.shapes().items() if name.startswith("weight"))
    peak = {name: _matrix_peak(place, getattr(torch, name)) for name in ("float32", dtype)}
    return {
        "width": width,
        "precision": dtype,
        "fit_points_per_second": median["fit"],
        "plain_points_per_second": median["plain"],
        "fit_over_plain": ratio["fit"],
        "decode_over_plain": ratio["decode"],
        "fit_share_of_peak": median["fit"] * operations / peak[dtype],
        "plain_share_of_float32_peak": median["plain"] * operations / peak["float32"],
        "matrix_peak_gflops": peak[dtype] / 1e9,
        "decode_mpixel_per_second": median["decode"] / 1e6,
    }


def _points_per_second(
    contestants: Mapping[str, Callable[[], int]], place: torch.device, rounds: int
) -> dict[str, list[float]]:
    """The points per second of each contestant, which take turns."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for work in contestants.values():
        work()  # warm-up
    for _ in range(rounds):
        for name, work in contestants.items():
            points = list[int]()
            taken = seconds(partial(_note, points, work), place)
            found[name].append(points[0] / taken)
    return found


def _note(points: list[int], work: Callable[[], int]) -> None:
    points.append(work())


RATIOS = ("fit_over_plain", "decode_over_plain", "fit_share_of_peak")
SLOWER = 0.6
"""A ratio below this part of the committed one is a regression: what machines differ by is less."""


def regressions(found: dict[str, Any], committed: list[dict[str, Any]]) -> list[str]:
    """What has become slower, in words: ratios within one run, compared with those of the same kind of device."""
    kind = str(found["device"]).split(":")[0]
    before = {row["width"]: row for one in committed if one["device"].split(":")[0] == kind for row in one["rows"]}
    return [
        f"width {row['width']}: {name} is {row[name]:.2f}, was {before[row['width']][name]:.2f}"
        for row in found["rows"]
        for name in RATIOS
        if name in before.get(row["width"], {}) and row[name] < SLOWER * before[row["width"]][name]
    ]


def _print(found: dict[str, Any]) -> None:
    for row in found["rows"]:
        print(
            f"width {row['width']}: fit {row['fit_points_per_second'] / 1e6:.2f} Mpoint/s ({row['precision']}), "
            f"{row['fit_over_plain']:.1f} times plain PyTorch, {row['fit_share_of_peak']:.0%} of the matrix peak; "
            f"decode {row['decode_mpixel_per_second']:.2f} Mpixel/s, {row['decode_over_plain']:.1f} times plain"
        )
    print("coding {weights:,} weights {encode_seconds:.2f} s, decoding {decode_seconds:.2f} s".format(**found["coder"]))
    for who, row in found["sharing"].items():
        print(f"{who}: {row['steps_per_second']:.1f} steps/s each, waiting {row['waiting']:.0%} of the time")
    print(json.dumps({key: value for key, value in found.items() if key != "rows"}))


def main() -> None:
    """Measure, print a line per width, write or compare."""
    parser = argparse.ArgumentParser(description="How fast we fit and decode, as ratios within one run.")
    parser.add_argument(
        "--widths", type=int, nargs="+", default=[48, 64, 96], help="of the networks; default: 48 64 96"
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant; default: 5")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda; default: auto")
    parser.add_argument("--race", type=Path, metavar="KODIM15.png", help="also race COIN's procedure on this picture")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.jsonl", help="put the result there, one per device")
    parser.add_argument(
        "--check", type=Path, metavar="OUT.jsonl", help="exit with 1 if a ratio has fallen far below the one there"
    )
    a = parser.parse_args()
    place = device.find_device(a.device)
    name = torch.cuda.get_device_name(place) if place.type == "cuda" else of.machine()
    found: dict[str, Any] = {
        "device": str(place),
        "machine": f"{name}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "commit": of.commit(),
        "date": time.strftime("%Y-%m-%d"),
        **start_up(),
        "coder": coder(),
        "sharing": sharing.measure(),
        "rows": [measure(width, place, a.rounds) for width in a.widths],
        **({"race": race(a.race, place)} if a.race else {}),
    }
    _print(found)
    if a.output:
        others = [row for row in load(a.output, key=("machine", "device")) if row["device"] != found["device"]]
        write_bytes(a.output, "".join(f"{json.dumps(row)}\n" for row in [*others, found]).encode(), force=True)
    slower = regressions(found, load(a.check, key=("machine", "device"))) if a.check else []
    sys.exit("\n".join(slower) or None)


if __name__ == "__main__":
    main()
