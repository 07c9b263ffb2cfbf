"""Which modality's baselines are where."""

from __future__ import annotations

from coordcodec_bench.baseline import Baselines


def baselines_of(modality: str) -> Baselines | None:
    """The baselines of a modality; None for one without: only our own codecs can then be measured."""
    found: Baselines | None = None
    if modality == "image":
        from coordcodec_bench.images import BASELINES as found
    elif modality == "sdf":
        from coordcodec_bench.shapes import BASELINES as found
    elif modality == "audio":
        from coordcodec_bench.sounds import BASELINES as found
    elif modality == "climate":
        from coordcodec_bench.fields import BASELINES as found
    return found
