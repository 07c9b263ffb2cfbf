"""Where initialisations are kept: in the package, in the folders of COORDCODEC_INITS, and in a cache."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from coordcodec.errors import FileError, InitialisationError, MissingInitialisation, UnknownName
from coordcodec.files import read_bytes, write_bytes
from coordcodec.inits.format import SUFFIX, Initialisation, parse
from coordcodec.inits.header import MAX_FILE, Header, read_header
from coordcodec.specs import Network

SHIPPED = Path(__file__).parent / "shipped"
FOLDERS = "COORDCODEC_INITS"
"""The environment variable that lists further folders."""


@dataclass(frozen=True)
class Entry:
    """What is known of an initialisation without reading its tensors.

    path: its file. shipped: whether it came with the package. The others are as in Initialisation.
    """

    path: Path
    name: str
    modality: str
    spec: Network
    facts: dict[str, Any]
    sha256: str
    shipped: bool


def cache() -> Path:
    """The folder that `keep` writes to, which need not exist. Raises FileError when the system names none."""
    base = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("LOCALAPPDATA") if os.name == "nt" else None)
    try:
        return Path(base or "~/.cache").expanduser() / "coordcodec" / "initialisations"
    except RuntimeError:
        raise FileError("there is no home folder for the cache of initialisations; set XDG_CACHE_HOME") from None


def places() -> list[Path]:
    """The folders that are searched, in this order."""
    named = [Path(folder) for folder in os.environ.get(FOLDERS, "").split(os.pathsep) if folder]
    try:
        return [SHIPPED, *named, cache()]
    except FileError:
        return [SHIPPED, *named]


def available() -> list[Entry]:
    """All initialisations in those folders, each once. Files there that hold none are named in a warning."""
    found: dict[str, Entry] = {}
    for folder in places():
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            entry = _entry(path)
            if entry is not None:
                found.setdefault(entry.sha256, entry)
    return list(found.values())


def load(path: str | os.PathLike[str]) -> Initialisation:
    """Read an initialisation from a file. Raises FileError or InitialisationError."""
    data = _read(Path(path))
    try:
        return parse(data)
    except InitialisationError as error:
        raise InitialisationError(f"{os.fspath(path)}: {error}") from None


def named(name_or_path: str) -> Initialisation:
    """The initialisation of that name, shipped ones first, or that of a path.

    A path is what exists as a file, ends in .safetensors or has a separator. Raises UnknownName, FileError or
    InitialisationError.
    """
    separators = {os.sep, os.altsep or os.sep}
    if (
        name_or_path.endswith(SUFFIX)
        or any(separator in name_or_path for separator in separators)
        or Path(name_or_path).is_file()
    ):
        return load(name_or_path)
    entries = available()
    for entry in entries:
        if entry.name == name_or_path:
            return load(entry.path)
    raise UnknownName(
        "initialisation", name_or_path, {e.name for e in entries}, " (or the path of a .safetensors file)"
    )


def check_named(name: str) -> None:
    """Raise UnknownName, FileError or InitialisationError unless what a recipe names as its initialisation is here."""
    if name not in ("auto", "none"):
        named(name)


def find(id: bytes, spec: Network, modality: str) -> Initialisation:
    """The initialisation that a compressed file names by the first 8 bytes of its SHA-256.

    spec, modality: the file's, to tell which one is meant. Raises MissingInitialisation when none of that hash is at
    hand.
    """
    for entry in available():
        if bytes.fromhex(entry.sha256).startswith(id):
            found = load(entry.path)
            if found.id == id:  # the file may have changed since
                return found
    for path in (folder / f"{id.hex()}{SUFFIX}" for folder in places()):
        if path.is_file():
            raise MissingInitialisation(
                f"the initialisation {id.hex()} ({modality}-w{spec.width}) is damaged: {path} holds something else; "
                "get its file anew or give it with --init"
            )
    searched = ", ".join(str(folder) for folder in places())
    raise MissingInitialisation(
        f"the initialisation {id.hex()} ({modality}-w{spec.width}) is not here; searched {searched}; "
        f"get its file and put it into {places()[-1]} or give it with --init"
    )


def keep(data: bytes) -> Path:
    """Put a file's bytes into the cache, where `find` sees them; returns the path. Nothing happens if it is there.

    Raises InitialisationError when they hold no initialisation, FileError when the cache cannot be written.
    """
    path = cache() / f"{parse(data).id.hex()}{SUFFIX}"
    if path.is_file() and _read(path) == data:
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make the folder {path.parent}: {error.strerror}; set XDG_CACHE_HOME") from None
    write_bytes(path, data, force=True)
    return path


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
    except (OSError, ValueError):
        size = 0  # read_bytes tells why
    if size > MAX_FILE:
        raise InitialisationError(f"{path}: not a usable initialisation: {size} bytes, at most {MAX_FILE} are read")
    return read_bytes(path)


def _entry(path: Path) -> Entry | None:
    try:
        status = path.stat()
        known = _known(path, status.st_size, status.st_mtime_ns)
    except OSError:  # it has gone, or leads nowhere
        return None
    if known is None:
        return None
    said, sha256 = known
    return Entry(path, said.name, said.modality, said.spec, dict(said.facts), sha256, path.parent == SHIPPED)


@lru_cache(maxsize=256)
def _known(path: Path, size: int, modified: int) -> tuple[Header, str] | None:
    """A file's header and hash, read anew when size or time has changed; None and one warning for a damaged file."""
    del size, modified  # they are the cache's key
    try:
        if not (path.is_file() or path.is_dir()):  # a pipe would keep us waiting for ever
            raise FileError(f"{path} is no file")
        data = _read(path)
        return read_header(data), hashlib.sha256(data).hexdigest()
    except (InitialisationError, FileError) as error:
        told = str(error) if str(path) in str(error) else f"{path}: {error}"
        warnings.warn(f"{told}; it is left out", stacklevel=2)
        return None
