"""Every kind of layer: what a decoder must know of one, its Spec, and what its encoder may be told, its choices.

The bitstream numbers the kinds, so this package lists them all; what they do is in `coordcodec.layers`. Needs no torch.
A new kind of layer is two more classes here and a folder there.
"""

from coordcodec.errors import ContainerError
from coordcodec.specs import siren
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

SECTIONS = {siren.SECTION: siren}
"""What files of version 5 call the kinds of layer, and the modules that pack and unpack their Specs."""


def pack_section(spec: Spec) -> tuple[int, bytes]:
    """The number of a Spec's kind, and the beginning of its section."""
    number, module = next((n, m) for n, m in SECTIONS.items() if spec.kind == m.KIND)
    return number, module.pack_section(spec)


def unpack_section(
    number: int, body: bytes, dims: int, channels: int, periodic: tuple[bool, ...]
) -> tuple[Spec, bytes]:
    """The Spec at the beginning of a section, and what follows it. Raises ContainerError."""
    if number not in SECTIONS:
        raise ContainerError(
            f"made by a newer version: a section of kind {number} is unknown here; upgrade: pip install -U coordcodec"
        )
    spec, chunk = SECTIONS[number].unpack_section(body, dims, channels, periodic)
    return spec, chunk


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
    "pack_section",
    "unpack_network",
    "unpack_section",
    "unpack_spec",
]
