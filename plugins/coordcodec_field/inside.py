"""Whether an HDF5 file has all of its numbers in itself."""

from __future__ import annotations

from typing import Any, BinaryIO

from coordcodec.errors import SignalError


def check_inside(file: BinaryIO) -> None:
    """Raise SignalError for an HDF5 file that has numbers in other files, or makes them of others'."""
    import h5py

    def link(name: Any, found: Any) -> str | None:
        outside = isinstance(found, h5py.ExternalLink)
        return f"has {_shown(name)} in another file, which is not opened" if outside else None

    def numbers(name: Any, found: Any) -> str | None:
        outside = isinstance(found, h5py.Dataset) and (found.external or found.is_virtual)
        return f"has the numbers of {_shown(name)} in another file or variable, which are not read" if outside else None

    with h5py.File(file, "r") as opened:
        fault = opened.visititems_links(link) or opened.visititems(numbers)
    if fault:
        raise SignalError(fault)
    file.seek(0)


def _shown(name: Any) -> str:
    return repr(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name))[:60]
