"""Read and write files whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from coordcodec.errors import FileError, reason

MAX_BYTES = 1 << 31


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The contents of a file. Raises FileError when it cannot be read or exceeds 2 GiB."""
    try:
        size = Path(path).stat().st_size
        if size > MAX_BYTES:
            raise FileError(f"cannot read {os.fspath(path)}: {size} bytes, at most {MAX_BYTES} are read")
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot read {os.fspath(path)}: {reason(error)}") from None


def check_writable(path: str | os.PathLike[str], force: bool) -> None:
    """Raise FileError if `write_bytes` could not write there: better before a minute's work than after it."""
    path = Path(path)
    if path.is_dir():
        raise FileError(f"cannot write {path}: it is a folder")
    if path.exists() and not force:
        raise FileError(f"{path} exists; choose another output with -o or overwrite it with --force")
    if not path.parent.is_dir():
        raise FileError(f"cannot write {path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise FileError(f"cannot write {path}: no permission to write in {path.parent}; choose another output with -o")


def write_bytes(path: str | os.PathLike[str], data: bytes, force: bool = False) -> None:
    """Write a file by way of a temporary one in the same folder, so that it appears whole or not at all.

    Raises FileError when it cannot be written, or exists and `force` is not set.
    """
    check_writable(path, force)
    path = Path(path)
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except OSError as error:
        raise FileError(f"cannot write {path}: {reason(error)}") from None
    finally:
        with contextlib.suppress(OSError):
            if temporary:
                Path(temporary).unlink(missing_ok=True)
