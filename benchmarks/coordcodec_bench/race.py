"""How long COIN's own procedure takes to its published quality, and our networks: part of `make bench-speed`.

Dupont et al. 2021 fit kodim15 at 0.3 bpp with 50,000 steps of Adam over all 393,216 pixels: 10 layers of width 28,
float32, no encoding, 29.31 dB. A few such steps are timed here and multiplied; ours is one whole encoding, from the
picture to the bytes, that must be no larger and no worse.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from coordcodec import codec
from coordcodec.data import Grid, Signal
from coordcodec.plugins import installed
from coordcodec.specs import SirenSpec
from coordcodec_bench.plain import PlainSiren
from coordcodec_bench.published import COIN_ALONE

PSNR_DB, BPP, STEPS, LR = COIN_ALONE["kodim15"], 0.3, 50_000, 2e-4
SPEC = SirenSpec(2, 3, 28, 9, 0, 1000)
TIMED_STEPS = 5
QUICK = {"effort": 1, "layers": "siren"}


def coin_step_seconds(signal: Signal, place: torch.device) -> float:
    """Seconds of one of COIN's steps on this machine: the median of a few."""
    assert isinstance(signal.coords, Grid)
    coords, targets = (
        torch.from_numpy(signal.coords.coords()).float().to(place),
        torch.from_numpy(signal.values).to(place),
    )
    network = PlainSiren(SPEC).to(place)
    optimizer = torch.optim.Adam(network.parameters(), lr=LR)
    seconds = []
    for _ in range(1 + TIMED_STEPS):
        start = time.perf_counter()
        optimizer.zero_grad()
        (network(coords) - targets).square().mean().backward()
        optimizer.step()
        if place.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def race(picture: Path, place: torch.device, recipe: Mapping[str, Any] = QUICK) -> dict[str, Any]:
    """Both contestants on one picture; the facts that the tables show. recipe: choices of ours."""
    kind = installed().modalities.get("image")
    signal = kind.read(picture)
    step = coin_step_seconds(signal, place)
    choices = codec.make_recipe(kind, rate=BPP, device=str(place), **recipe)
    start = time.perf_counter()
    encoded = codec.compress_signal(signal, kind, choices)
    seconds = time.perf_counter() - start
    opened = codec.open(encoded.data, encoded.init, time_limit=None)
    psnr = opened.score(signal)["psnr_db"]
    return {
        "picture": picture.name,
        "published_psnr_db": PSNR_DB,
        "published_bpp": BPP,
        "coin_step_seconds": step,
        "coin_steps": STEPS,
        "coin_seconds": step * STEPS,
        "recipe": dict(recipe),
        "steps": encoded.steps,
        "bytes": len(encoded.data),
        "bpp": opened.rate,
        "psnr_db": psnr,
        "seconds": seconds,
        "times_faster": step * STEPS / seconds if psnr is not None and psnr >= PSNR_DB else None,
    }
