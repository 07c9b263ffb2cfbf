"""Read files up to a limit, and write them whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Collection, Iterable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from coordcodec.errors import FileError, WriteError, reason

MAX_BYTES = 1 << 31
_PIECE = 1 << 20


def suffix_of(path: str | os.PathLike[str], known: Collection[str]) -> str:
    """The suffix of a path, lower case: the longest of those known, which may have several dots, else what is last."""
    name = Path(path).name.lower()
    fitting = [suffix for suffix in known if name.endswith(suffix) and name != suffix]
    return max(fitting, key=len, default=Path(name).suffix)


def with_suffix(path: str | os.PathLike[str], suffix: str, known: Collection[str]) -> str:
    """The path with another suffix in place of its own, see `suffix_of`: "ct.nii.gz" becomes "ct.ccdc"."""
    path = Path(path)
    return str(path.with_name(path.name[: len(path.name) - len(suffix_of(path, known))] + suffix))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The contents of a file, a pipe or a device. Raises FileError when it cannot be read or exceeds MAX_BYTES, 2 GiB.

    Of what has no end, such as /dev/zero, no more than that is read.
    """
    name = os.fspath(path)
    try:
        size = Path(path).stat().st_size
        if size > MAX_BYTES:
            raise FileError(f"cannot read {name}: {size} bytes, at most {MAX_BYTES} are read")
        with Path(path).open("rb", buffering=0) as file:
            return read_stream(file, name)
    except (OSError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot read {name}: {reason(error)}") from None


def read_stream(stream: BinaryIO, name: str = "the stream") -> bytes:
    """What is left of a binary stream. Raises FileError for more than MAX_BYTES, having read one piece more."""
    whole = BytesIO()
    while piece := stream.read(_PIECE):
        whole.write(piece)
        if whole.tell() > MAX_BYTES:
            raise FileError(f"cannot read {name}: it goes on after {MAX_BYTES} bytes, the most that is read")
    return whole.getvalue()


def check_writable(
    path: str | os.PathLike[str], force: bool, inputs: Iterable[str | os.PathLike[str] | int] = ()
) -> None:
    """Raise FileError if `write_bytes` could not write there: better before a minute's work than after it.

    inputs: paths or descriptors that are read from and must not be lost; no spelling of them, and no link, is an
    output, whatever `force` says.
    """
    path = Path(path)
    there = _status(path)
    if there is not None and stat.S_ISDIR(there.st_mode):
        raise FileError(f"cannot write {path}: it is a folder")
    if there is not None and stat.S_ISREG(there.st_mode):
        for given in inputs:
            if _is_same(there, given):
                raise FileError(f"cannot write {path}: it is the input itself; choose another output with -o")
    if there is not None and not force:
        raise FileError(f"{path} exists; choose another output with -o or overwrite it with --force")
    if there is not None and not stat.S_ISREG(there.st_mode):
        if not os.access(path, os.W_OK):
            raise FileError(f"cannot write {path}: no permission; choose another output with -o")
        return
    folder = _resolved(path).parent
    if not folder.is_dir():
        raise FileError(f"cannot write {path}: there is no folder {folder if path.is_symlink() else path.parent}")
    if not os.access(folder, os.W_OK):
        raise FileError(f"cannot write {path}: no permission to write in {path.parent}; choose another output with -o")


def _status(path: Path) -> os.stat_result | None:
    """What is at a path, links followed; None if nothing is. Raises FileError for a path that nothing can have."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise FileError(f"cannot write {path}: {reason(error)}") from None


def _is_same(there: os.stat_result, given: str | os.PathLike[str] | int) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return os.path.samestat(there, os.stat(given))  # noqa: PTH116  a descriptor is no path
    return False


def _resolved(path: Path) -> Path:
    """Where a file at this path really lies: what a link leads to, even if it is not there yet."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def write_bytes(path: str | os.PathLike[str], data: bytes, force: bool = False) -> None:
    """Write a file by way of a temporary one in the same folder, so that it appears whole or not at all.

    What a link leads to is written, and a file that is there keeps its mode; into a pipe or a device the bytes go as
    they are. Raises FileError as `check_writable` does, WriteError when writing fails.
    """
    check_writable(path, force)
    path = Path(path)
    try:
        there = _status(path)
        if there is None or stat.S_ISREG(there.st_mode):
            _replace(_resolved(path), data, there)
        else:
            with path.open("wb") as device:
                device.write(data)
    except BrokenPipeError:
        raise WriteError(f"cannot write {path}: nobody reads it any longer") from None
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise WriteError(f"cannot write {path}: {reason(error)}") from None


def _replace(path: Path, data: bytes, before: os.stat_result | None) -> None:
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(number)
        if before is not None:
            with contextlib.suppress(OSError, AttributeError):  # only root may give files away
                os.chown(temporary, before.st_uid, before.st_gid)
            temporary.chmod(stat.S_IMODE(before.st_mode))
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
