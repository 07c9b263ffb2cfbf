"""Fields for coordcodec: a variable of a NetCDF file on one to four axes, as a grid."""

from __future__ import annotations

from coordcodec.hookspecs import Modality, hookimpl
from coordcodec_field.modality import Field

COORDCODEC_API = 2


@hookimpl
def register_modalities() -> list[Modality]:
    """The modality "field"."""
    return [Field()]
