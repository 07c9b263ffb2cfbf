"""How well threads and processes share a CPU's cores in a fit: `python -m coordcodec_bench.sharing`.

Steps per second with one thread, with several, and of two processes of one thread each at once; and the share of their
time that threads wait for one another, for the optimiser, or for Python's lock.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import torch

from coordcodec.compute.optim import Soap
from coordcodec.compute.workers import PIECES
from coordcodec.layers.siren import passes
from coordcodec.specs import SirenSpec
from coordcodec_bench import facts
from coordcodec_bench.workload import LR, fit_of

SPEC = SirenSpec(2, 3, 64, 5, 16, 1400)
"""The network of a photograph at 0.3 bpp."""
WARM_UP = 20


def steps_per_second(threads: int, seconds: float) -> dict[str, float]:
    """Steps per second of a fit, and the share of its threads' time in which they did not compute."""
    loss, params = fit_of(SPEC, torch.device("cpu"), torch.float32, threads)
    optimizer, busy = Soap(list(params.values())), 0.0

    def watched(work: Any) -> Any:
        def timed(*given: Any) -> Any:
            nonlocal busy
            began = time.perf_counter()
            result = work(*given)
            busy += time.perf_counter() - began
            return result

        return timed

    passes.Passes.__call__ = watched(passes.Passes.__call__)  # type: ignore[method-assign]
    loss.batches[0].next = watched(loss.batches[0].next)  # type: ignore[method-assign]
    optimizer.step = watched(optimizer.step)  # type: ignore[method-assign]
    with loss:
        steps, start = 0, time.perf_counter()
        while steps < WARM_UP or time.perf_counter() - start < seconds:
            if steps == WARM_UP:
                busy, start = 0.0, time.perf_counter()
            _, gradients = loss.gradient(params)
            optimizer.step(list(gradients.values()), [LR] * len(params))
            steps += 1
        wall = time.perf_counter() - start
    return {"steps_per_second": (steps - WARM_UP) / wall, "waiting": 1 - busy / (threads * wall)}


def in_processes(count: int, threads: int, seconds: float) -> list[dict[str, float]]:
    """The same in so many processes at once."""
    command = [sys.executable, "-m", "coordcodec_bench.sharing", str(threads), str(seconds)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return [json.loads(process.communicate()[0]) for process in started]


def measure(rounds: int = 3, seconds: float = 4.0) -> dict[str, Any]:
    """Medians over rounds, in which the contestants take turns."""
    most = max(1, min(PIECES, facts.cores()))
    contestants = {"one thread": (1, 1), f"{most} threads": (1, most), "two processes of one thread": (2, 1)}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, (count, threads) in contestants.items():
            found[name] += in_processes(count, threads, seconds)
    return {
        name: {key: round(statistics.median(row[key] for row in rows), 3) for key in rows[0]}
        for name, rows in found.items()
    }


def main() -> None:
    """One measurement for (threads, seconds), or a table."""
    if len(sys.argv) == 3:
        threads = int(sys.argv[1])
        torch.set_num_threads(threads)
        print(json.dumps(steps_per_second(threads, float(sys.argv[2]))))
        return
    print(f"{facts.machine()}, {os.getloadavg()[0]:.1f} load, torch {torch.__version__}")
    for name, row in measure().items():
        print(f"{name:28} {row['steps_per_second']:6.1f} steps/s each, waiting {row['waiting']:.0%}")


if __name__ == "__main__":
    main()
