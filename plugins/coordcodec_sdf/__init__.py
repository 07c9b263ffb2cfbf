"""3-D shapes for coordcodec: meshes as signed distances."""

from __future__ import annotations

from coordcodec.hookspecs import Modality, hookimpl


@hookimpl
def register_modalities() -> list[Modality]:
    """The modality "sdf"."""
    return []
