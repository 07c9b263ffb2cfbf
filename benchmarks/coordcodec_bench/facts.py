"""What a measurement must say of where it was made: machine, commit, peak memory."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def machine() -> str:
    """The processor and how many of its cores there are for us."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {cores()} cores"


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def commit() -> str | None:
    """The commit of this package's source, with "+" where files have changed since; None outside a clone."""
    here = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != here:
            return None
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "coordcodec", "plugins")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


class Memory:
    """The most memory that this process and the programs it ran held since `start`, in MiB.

    Where Linux does not tell, the most since the process began.
    """

    def __init__(self) -> None:
        self._children = _children_seconds()
        try:
            _RESET.write_text("5")  # begin the count of peak memory anew; see proc(5)
            self._reset = True
        except OSError:
            self._reset = False

    def peak_mib(self) -> float:
        """So far."""
        peak = _peak_kib() if self._reset else _largest_kib(resource.RUSAGE_SELF)
        if _children_seconds() > self._children:
            peak = max(peak, _largest_kib(resource.RUSAGE_CHILDREN))
        return round(peak / 1024, 1)


def _peak_kib() -> float:
    lines = _STATUS.read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


def _largest_kib(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / (1024 if sys.platform == "darwin" else 1)


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
