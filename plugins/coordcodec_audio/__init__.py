"""Sound for coordcodec: samples over time as 1-D grids."""

from __future__ import annotations

from coordcodec.hookspecs import Modality, hookimpl
from coordcodec_audio.modality import Audio

COORDCODEC_API = 2


@hookimpl
def register_modalities() -> list[Modality]:
    """The modality "audio"."""
    return [Audio()]
