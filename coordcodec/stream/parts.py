"""What a file consists of, and the limits of all its versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coordcodec.mask import Mask
from coordcodec.samples import SampleType
from coordcodec.specs import Spec

MAGIC = b"CCDC"
VERSION = 5
"""The newest version; a file says the lowest one that describes it."""
SUFFIX = ".ccdc"
CHECKSUM = 4
"""Bytes of a checksum."""

MAX_POINTS = 1 << 40
MAX_SECTIONS = 32
MAX_CHUNKS = 1 << 16
MAX_CHUNK = 1 << 40
"""Bytes that a chunk or a section may say it has, where not all of the file is at hand."""


@dataclass(frozen=True)
class Section:
    """One layer.

    spec: what it is. chunks: what its layer coded. init: the first 8 bytes of the SHA-256 of the initialisation that it
    holds updates to, or none. cut: whether chunks are missing at its end.
    """

    spec: Spec
    chunks: tuple[bytes, ...]
    init: bytes = b""
    cut: bool = False


@dataclass(frozen=True)
class Promise:
    """What holds for every sample. max_error: in the samples' unit, > 0; None: they come back exactly."""

    max_error: float | None = None


@dataclass(frozen=True)
class Container:
    """A file, parsed.

    modality: name of the plugin that reads and writes this kind of data.
    dims: dimension d of the coordinates.
    meta: the plugin's facts, with what `free` says.
    sections: the layers, whose fields sum up to the file's.
    periodic: for each axis whether it is a closed circle; empty if none is.
    mask: which samples of the grid are known; None: all.
    samples: their type; None: the modality knows. promise: what holds for every sample; None: nothing.
    sizes: of a file that was read, the bytes of the mask and of the side data, if they are there.
    """

    modality: str
    dims: int
    meta: Mapping[str, Any]
    sections: tuple[Section, ...] = ()
    periodic: tuple[bool, ...] = ()
    mask: Mask | None = None
    samples: SampleType | None = None
    promise: Promise | None = None
    sizes: Mapping[str, int] = field(default_factory=dict, compare=False)

    @property
    def init(self) -> bytes:
        """What the file calls the learned initialisation that it needs, or nothing."""
        return next((section.init for section in self.sections if section.init), b"")

    @property
    def free(self) -> dict[str, Any]:
        """The keys of meta that stand elsewhere in a file.

        "shape" (list of int, empty for scattered points), "channels" and, if any axis is a circle, "periodic" (list of
        bool).
        """
        names = ("shape", "channels", "periodic") if any(self.periodic) else ("shape", "channels")
        return {name: self.meta[name] for name in names}

    @property
    def simple(self) -> bool:
        """Whether versions 1 to 4 describe it: one layer of a kind that they know, and nothing new."""
        if not all(section.spec.early for section in self.sections):
            return False
        several = len(self.sections) > 1 or any(isinstance(value, bytes) for value in self.meta.values())
        return not (several or self.mask or self.samples or self.promise or any(self.periodic))
