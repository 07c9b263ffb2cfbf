"""Sound for coordcodec: samples over time as 1-D grids."""

from __future__ import annotations

from coordcodec.hookspecs import Modality, hookimpl


@hookimpl
def register_modalities() -> list[Modality]:
    """The modality "audio"."""
    return []
