"""The file: magic, version, header, sections, checksums. `docs/format.md` is its law.

Everything that is read here is hostile: each number is checked against its limit before anything is
allocated, and whatever is wrong raises ContainerError. What the chunks of a layer hold is checked by the layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from coordcodec.errors import ContainerError
from coordcodec.stream import version4, version5
from coordcodec.stream.parts import CHECKSUM, MAGIC, SUFFIX, VERSION, Container, Promise, Section
from coordcodec.stream.sections import SECTION_BYTES

__all__ = ["CHECKSUM", "MAGIC", "SUFFIX", "VERSION", "Container", "Frame", "Promise", "Section", "pack", "unpack"]


class Frame:
    """A file without its last layer, whose long parts are packed once however many files are tried.

    container: what the file holds, the layers before the last included. early: whether versions 1 to 4 hold the last.
    bytes: of the file outside the last layer's section; a few more where its length decides.
    ballast: of them those of mask and side data, which no choice changes.

    Raises ContainerError for what a file cannot hold.
    """

    def __init__(self, container: Container, early: bool = True) -> None:
        self.container = container
        if early and not container.sections and container.simple:
            self.bytes, self.ballast = version4.frame_bytes(container), 0
        else:
            before = version5.pack(b"", container.sections)
            self.bytes = len(self._front[0]) + len(before) + SECTION_BYTES
            self.ballast = self._front[1] + len(before)

    @cached_property
    def _front(self) -> tuple[bytes, int]:
        return version5.pack_front(self.container)

    def size(self, *sections: Section) -> int:
        """The bytes of the file with these layers at its end."""
        return len(self._joined(sections))

    def pack(self, *sections: Section) -> bytes:
        """The file with these layers at its end. Raises ContainerError for what a file cannot hold."""
        data = self._joined(sections)
        unpack(data)  # what cannot be read back must never be written
        return data

    def _joined(self, sections: Sequence[Section]) -> bytes:
        whole = replace(self.container, sections=(*self.container.sections, *sections))
        return version4.pack(whole) if whole.simple else version5.pack(self._front[0], whole.sections)


def pack(container: Container) -> bytes:
    """The bytes of a file. Raises ContainerError for what a file cannot hold (meta or network too large)."""
    early = all(section.spec.early for section in container.sections)
    return Frame(replace(container, sections=()), early).pack(*container.sections)


def unpack(data: bytes, partial: bool = False) -> Container:
    """Parse a file; partial: or its beginning, for what is whole of it, which needs version 5.

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
    return version5.unpack(data, partial) if version == version5.NUMBER else version4.unpack(data)
