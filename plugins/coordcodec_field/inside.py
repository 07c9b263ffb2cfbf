"""Whether an HDF5 file has all of its numbers in itself, and can be read to its end."""

from __future__ import annotations

import io
import mmap
from collections.abc import Iterator
from contextlib import closing
from typing import Any, BinaryIO

from coordcodec.errors import SignalError

MOST_HEAP = 1 << 26
"""Bytes of a global heap that are looked at; they usually have some thousand."""


def check_inside(file: BinaryIO) -> None:
    """Raise SignalError for an HDF5 file that has numbers in other files, or makes them of others'."""
    import h5py

    def link(name: Any, found: Any) -> str | None:
        outside = isinstance(found, h5py.ExternalLink)
        return f"has {_shown(name)} in another file, which is not opened" if outside else None

    def numbers(name: Any, found: Any) -> str | None:
        outside = isinstance(found, h5py.Dataset) and (found.external or found.is_virtual)
        return f"has the numbers of {_shown(name)} in another file or variable, which are not read" if outside else None

    if not all(map(_ends, _heaps(file))):
        raise SignalError("is damaged: one of its global heaps has no end")
    with h5py.File(file, "r") as opened:
        fault = opened.visititems_links(link) or opened.visititems(numbers)
    if fault:
        raise SignalError(fault)
    file.seek(0)


def _heaps(file: BinaryIO) -> Iterator[bytes]:
    """The global heaps of a file (HDF5 File Format Specification 3.0, III.E), which hold texts and lists."""
    if isinstance(file, io.BytesIO):
        yield from _heaps_of(file.getvalue())
        return
    with closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as data:
        yield from _heaps_of(data)


def _heaps_of(data: bytes | mmap.mmap) -> Iterator[bytes]:
    at = data.find(b"GCOL\1\0\0\0")
    while at >= 0:
        size = int.from_bytes(data[at + 8 : at + 16], "little")
        yield bytes(data[at + 16 : at + min(size, MOST_HEAP)])
        at = data.find(b"GCOL\1\0\0\0", at + 4)


def _ends(heap: bytes) -> bool:
    """Whether its objects lead to its end: libhdf5 would look for ever behind one of no size."""
    at = 0
    while at + 16 <= len(heap):
        number = int.from_bytes(heap[at : at + 2], "little")
        size = int.from_bytes(heap[at + 8 : at + 16], "little")
        if number == 0 and size == 0:
            return False
        at += 16 + (size + 7) // 8 * 8 if number else size
    return True


def _shown(name: Any) -> str:
    return repr(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name))[:60]
