"""3-D shapes for coordcodec: meshes as signed distances."""

from __future__ import annotations

from coordcodec.hookspecs import Modality, hookimpl
from coordcodec_sdf.modality import Shape

COORDCODEC_API = 2


@hookimpl
def register_modalities() -> list[Modality]:
    """The modality "sdf"."""
    return [Shape()]
