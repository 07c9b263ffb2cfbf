"""The entry to the compiled part: rows of a plane."""

from __future__ import annotations

import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from coordcodec.stream.grid.jit import COMPILED, jit
from coordcodec.stream.grid.plane import row

_PARTS = ("jit", "layout", "bits", "choice", "contexts", "plane", "kernel")


def _digest() -> int:
    """A number that changes with the kernels' source: Numba itself looks at the file of the outermost one only."""
    try:
        return zlib.crc32(b"".join((Path(__file__).parent / f"{name}.py").read_bytes() for name in _PARTS))
    except OSError:  # no source files, as in a zipped application
        return 0


def _rows(
    first: int,
    last: int,
    plane: Any,
    slow: Any,
    geometry: Any,
    work: Any,
    registers: Any,
    data: Any,
    model: Any,
    tables: Any,
) -> None:
    """Rows first..last-1 of a plane, written, read or counted."""
    for line in range(first, last):
        row(line, plane, slow, geometry, work, registers, data, model, tables)


_NAME = f"rows_{_digest():08x}"
_rows.__qualname__ = _NAME
rows = jit(_rows)


def ready() -> bool:
    """Whether the coder can start at once: nothing is to be compiled, or it is and lies in the cache."""
    if not COMPILED:
        return True
    compiled: Any = rows
    try:
        return bool(compiled.signatures) or any(Path(compiled.stats.cache_path).glob(f"*{_NAME}*.nbc"))
    except (AttributeError, OSError, TypeError):  # no cache
        return False


def warm() -> float:
    """Compile now, or load what is cached; returns the seconds that it took. About ten seconds the first time."""
    from coordcodec.stream.grid.coder import GridEncoder
    from coordcodec.stream.grid.state import GridState

    started = time.perf_counter()
    GridEncoder(GridState()).plane(np.zeros(1, np.int32))
    return time.perf_counter() - started
