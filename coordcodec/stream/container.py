"""The file: magic, version, header, sections, checksums. `docs/format.md` is its law.

Everything that is read here is hostile: each number is checked against its limit before anything is
allocated, and whatever is wrong raises ContainerError. What the chunks of a layer hold is checked by the layer.
"""

from __future__ import annotations

from dataclasses import replace

from coordcodec.errors import ContainerError
from coordcodec.stream import version4, version5
from coordcodec.stream.parts import CHECKSUM, MAGIC, SUFFIX, VERSION, Container, Promise, Section

__all__ = [
    "CHECKSUM",
    "MAGIC",
    "SUFFIX",
    "VERSION",
    "Container",
    "Promise",
    "Section",
    "frame_bytes",
    "pack",
    "unpack",
]


def frame_bytes(container: Container) -> int:
    """The bytes of a file of one section, which `container` lacks, outside that section; a few more where its length
    decides."""
    bare = replace(container, sections=())
    return version4.frame_bytes(bare) if container.simple else version5.frame_bytes(bare)


def pack(container: Container) -> bytes:
    """The bytes of a file. Raises ContainerError for what a file cannot hold (meta or network too large)."""
    data = version4.pack(container) if container.simple else version5.pack(container)
    unpack(data)  # what cannot be read back must never be written
    return data


def unpack(data: bytes) -> Container:
    """Parse a file.

    Raises ContainerError when `data` is not one: other magic, newer version, damage, truncation, numbers
    beyond their limits.
    """
    if len(data) < len(MAGIC) + 5 or data[: len(MAGIC)] != MAGIC:
        raise ContainerError(f"not a coordcodec file: expected it to begin with {MAGIC!r}, got {bytes(data[:4])!r}")
    version = data[len(MAGIC)]
    if version > VERSION:
        raise ContainerError(
            f"written by a newer coordcodec (format {version}, this one reads up to {VERSION}); "
            "upgrade: pip install -U coordcodec"
        )
    if version < 1:
        raise ContainerError(f"damaged file: there is no format {version}")
    return version5.unpack(data) if version == 5 else version4.unpack(data)
