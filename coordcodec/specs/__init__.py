"""Every kind of layer: what a decoder must know of one, its Spec, and what its encoder may be told, its choices.

The bitstream numbers the kinds, so this package lists them all; what they do is in `coordcodec.layers`. Needs no torch.
A new kind of layer is two more classes here and a folder there.
"""

from coordcodec.specs.presets import PRESETS
from coordcodec.specs.ranges import check_ranges
from coordcodec.specs.siren import (
    INIT_BYTES,
    NETWORK,
    SIREN,
    SirenSpec,
    network_numbers,
    unpack_network,
    unpack_spec,
)
from coordcodec.specs.siren_choices import SirenChoices

Spec = SirenSpec
"""What a decoder must know of a layer, of any kind."""
Choices = SirenChoices
"""What an encoder may be told of a layer, of any kind."""

CHOICES: dict[str, type[Choices]] = {kind.kind: kind for kind in (SirenChoices,)}
"""The choices of every kind, by its name."""

RENAMED = {"pull": "rate_penalty"}
"""Choices that had another name in earlier versions."""

__all__ = [
    "CHOICES",
    "INIT_BYTES",
    "NETWORK",
    "PRESETS",
    "RENAMED",
    "SIREN",
    "Choices",
    "SirenChoices",
    "SirenSpec",
    "Spec",
    "check_ranges",
    "network_numbers",
    "unpack_network",
    "unpack_spec",
]
