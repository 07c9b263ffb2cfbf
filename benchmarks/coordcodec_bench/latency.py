"""Seconds that users wait for small things: a command to start, a header, the coder of weights."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from coordcodec import codec
from coordcodec.data import Quantized, round_step
from coordcodec.layers import layer_of
from coordcodec.specs import SirenSpec


def seconds(work: Callable[[], Any], place: torch.device) -> float:
    """How long work() takes, a GPU's part of it included."""

    def wait() -> None:
        if place.type == "cuda":
            torch.cuda.synchronize()

    wait()
    start = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - start


def start_up() -> dict[str, float]:
    """Seconds from the shell to the end of a command that must not load torch, and to read a file's header."""
    command = [sys.executable, "-m", "coordcodec", "--help"]
    data = codec.compress(
        np.zeros((8, 8, 3), np.uint8), modality="image", siren={"width": 64, "steps": 1}, device="cpu"
    )
    runs = {
        "help_seconds": lambda: subprocess.run(command, check=True, capture_output=True),
        "header_seconds": lambda: codec.open(data).info,
    }
    return medians(runs, 5)


def medians(runs: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Seconds on the CPU."""
    cpu = torch.device("cpu")
    return {name: statistics.median(seconds(work, cpu) for _ in range(rounds)) for name, work in runs.items()}


def coder(rounds: int = 5) -> dict[str, float]:
    """Seconds to code and to decode a network of 60,000 weights whose magnitudes change from row to row."""
    spec = SirenSpec(2, 3, 113, 4, 16, 1400)
    rng = np.random.default_rng(0)
    symbols = {}
    for name, shape in spec.shapes().items():
        scales = rng.uniform(0.5, 12, (1, shape[0], *[1] * (len(shape) - 1)))
        drawn = np.rint(rng.laplace(0, scales, (1, *shape)))
        symbols[name] = Quantized(drawn.clip(-2000, 2000).astype(np.int32), round_step(2.0**-9))
    layer = layer_of(spec)
    chunks = layer.encode(symbols, spec, None)
    runs = {
        "encode_seconds": lambda: layer.encode(symbols, spec, None),
        "decode_seconds": lambda: layer.decode(chunks, spec, None),
    }
    return {"weights": sum(q.symbols.size for q in symbols.values()), **medians(runs, rounds)}
