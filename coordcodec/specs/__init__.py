"""Every kind of layer: what a decoder must know of one, its Spec, and what its encoder may be told, its choices.

The bitstream numbers the kinds, so this package lists them all; what they do is in `coordcodec.layers`. Needs no torch.
A new kind of layer is two more classes here and a folder there.
"""

from typing import Any, Protocol

from coordcodec.errors import ContainerError
from coordcodec.specs import detail, pyramid, siren
from coordcodec.specs.detail import DetailSpec
from coordcodec.specs.detail_choices import DetailChoices
from coordcodec.specs.presets import PRESETS
from coordcodec.specs.pyramid import PyramidSpec
from coordcodec.specs.pyramid_choices import PyramidChoices
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

Network = SirenSpec
"""The Spec of the kind whose initialisations are learned."""


class Spec(Protocol):
    """What a decoder must know of a layer, of any kind."""

    @property
    def kind(self) -> str:
        """Its kind's name."""
        ...

    @property
    def exact(self) -> bool:
        """Whether it decodes to the same numbers on every machine."""
        ...

    @property
    def early(self) -> bool:
        """Whether files of versions 1 to 4 hold it."""
        ...

    @property
    def chunked(self) -> bool:
        """Whether its section consists of chunks, each ended by a checksum, in order of importance."""
        ...

    @property
    def network(self) -> Network | None:
        """What a learned initialisation of it is for; None: there are none."""
        ...

    def describe(self) -> dict[str, Any]:
        """The facts that `info` shows."""
        ...


Choices = SirenChoices | DetailChoices | PyramidChoices
"""What an encoder may be told of a layer, of any kind."""


def pack_section(spec: Spec) -> tuple[int, bytes]:
    """What files of version 5 call a Spec's kind, and the beginning of its section."""
    if isinstance(spec, DetailSpec):
        return detail.SECTION, detail.pack_section(spec)
    if isinstance(spec, PyramidSpec):
        return pyramid.SECTION, pyramid.pack_section(spec)
    assert isinstance(spec, SirenSpec)
    return siren.SECTION, siren.pack_section(spec)


def unpack_section(
    number: int, body: bytes, dims: int, shape: tuple[int, ...], channels: int, periodic: tuple[bool, ...]
) -> tuple[Spec, bytes]:
    """The Spec at the beginning of a section, and what follows it. Raises ContainerError."""
    if number == siren.SECTION:
        return siren.unpack_section(body, dims, channels, periodic)
    if number == detail.SECTION:
        return detail.unpack_section(body, shape, channels, periodic)
    if number == pyramid.SECTION:
        return pyramid.unpack_section(body, shape, channels, periodic)
    raise ContainerError(
        f"made by a newer version: a section of kind {number} is unknown here; upgrade: pip install -U coordcodec"
    )


CHOICES: dict[str, type[Choices]] = {kind.kind: kind for kind in (SirenChoices, DetailChoices, PyramidChoices)}
"""The choices of every kind, by its name."""
SUMS = ("siren+detail", "pyramid+detail")
"""Layers of two kinds that a file may be made of."""

RENAMED = {"pull": "rate_penalty"}
"""Choices that had another name in earlier versions."""

__all__ = [
    "CHOICES",
    "INIT_BYTES",
    "NETWORK",
    "PRESETS",
    "RENAMED",
    "SIREN",
    "SUMS",
    "Choices",
    "DetailChoices",
    "DetailSpec",
    "Network",
    "PyramidChoices",
    "PyramidSpec",
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
