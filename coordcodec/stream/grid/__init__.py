"""Integers on grids to bytes: binary decisions, context mixing, a range coder. No float steers it.

`coder` is the page to read; docs/grid-coder.md describes the format.
"""

from coordcodec.stream.grid.coder import GridDecoder, GridEncoder
from coordcodec.stream.grid.state import GridState

__all__ = ["GridDecoder", "GridEncoder", "GridState", "ready", "warm"]


def ready() -> bool:
    """Whether the coder can start at once, without compiling anything."""
    from coordcodec.stream.grid import kernel

    return kernel.ready()


def warm() -> float:
    """Compile the coder now, or load it where it is cached; returns the seconds that it took."""
    from coordcodec.stream.grid import kernel

    return kernel.warm()
