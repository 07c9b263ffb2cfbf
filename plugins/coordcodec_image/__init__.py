"""Images for coordcodec: photographs and other rasters as 2-D grids."""

from __future__ import annotations

from coordcodec.hookspecs import Modality, hookimpl
from coordcodec_image.modality import Image

COORDCODEC_API = 2


@hookimpl
def register_modalities() -> list[Modality]:
    """The modality "image"."""
    return [Image()]
