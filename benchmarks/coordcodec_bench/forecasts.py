"""Compare what `compress --dry-run` says with what encodes take.

    python -m coordcodec_bench.forecasts "photo.png --rate 0.3" "speech.wav --lossless" ...

Each argument is what one would write behind `coordcodec compress`; -o and --threads are added. Prints a table: the time
of the processor, which is that of the clock where nothing else runs, and the largest resident memory. One thread.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

HEAD = "| encode | seconds said | taken | ratio | MB said | taken | ratio |\n|---|---|---|---|---|---|---|"


def run(arguments: list[str]) -> tuple[dict[str, Any], float, float]:
    """What `coordcodec compress --json` says, its seconds of the processor and its megabytes."""
    read, write = os.pipe()
    words = [sys.executable, "-m", "coordcodec", "compress", *arguments, "--json", "--quiet", "--threads", "1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = os.posix_spawn(sys.executable, words, environment, file_actions=[(os.POSIX_SPAWN_DUP2, write, 1)])
    os.close(write)
    with os.fdopen(read) as output:
        text = output.read()
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"failed: {shlex.join(arguments)}")
    return json.loads(text), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def row(case: str, folder: str) -> str:
    """One encode as a line of the table."""
    arguments = [*shlex.split(case), "-o", str(Path(folder) / "out.ccdc"), "--force"]
    said, _, _ = run([*arguments, "--dry-run"])
    _, seconds, memory = run(arguments)
    expected, room = said["estimated_seconds"], said["estimated_memory_bytes"] / 1e6
    shown = " ".join([Path(shlex.split(case)[0]).name, *shlex.split(case)[1:]])
    times = f"{expected:.1f} | {seconds:.1f} | {expected / seconds:.2f}"
    return f"| {shown} | {times} | {room:.0f} | {memory:.0f} | {room / memory:.2f} |"


def main() -> None:
    """Measure the cases that the command line names."""
    print(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        for case in sys.argv[1:]:
            print(row(case, folder), flush=True)


if __name__ == "__main__":
    main()
