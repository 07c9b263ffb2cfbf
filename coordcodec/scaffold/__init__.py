"""The kit for a new modality: a whole plugin package from templates, which works before a line of it is changed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from importlib import resources
from pathlib import Path

from coordcodec.errors import FileError, RecipeError
from coordcodec.plugins import Plugins, installed

_NAME = re.compile(r"[a-z]([a-z0-9_-]{0,30}[a-z0-9])?")


def create(
    name: str, folder: str | os.PathLike[str], *, force: bool = False, plugins: Plugins | None = None
) -> list[str]:
    """Write a plugin package for a new modality, whole or not at all; returns its files, relative to the folder.

    name: 1 to 32 of a-z, 0-9, _ and -; a letter first, a letter or digit last; not that of an installed modality.
    folder: is made; may exist if it is empty. With `force` it may hold files: those of the package are overwritten,
        all others stay.

    Raises RecipeError for a name that cannot be had, FileError for a folder that cannot be written.
    """
    package = f"coordcodec-{name}"
    _check_name(name, package if force else "", plugins or installed())
    target = Path(folder).resolve()
    _check_folder(target, Path(folder), force)
    files = _filled(name, package)
    temporary = ""
    try:
        temporary = tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.")
        for path, text in files.items():
            (Path(temporary) / path).parent.mkdir(exist_ok=True)
            (Path(temporary) / path).write_text(text, encoding="utf-8")
        _move(Path(temporary), target, list(files))
    except OSError as error:
        raise FileError(f"cannot write {folder}: {error.strerror or error}") from None
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
    return list(files)


def module_of(name: str) -> str:
    """The module that holds the modality of that name."""
    return f"coordcodec_{name.replace('-', '_')}"  # the prefix also keeps it from being a keyword


def _check_name(name: str, own: str, plugins: Plugins) -> None:
    """Raise RecipeError for a bad name and for one that another package than `own` has."""
    if not _NAME.fullmatch(name):
        raise RecipeError(
            f"a modality's name is 1 to 32 of a-z, 0-9, _ and -, begins with a letter and ends with a letter or digit, "
            f"got {name!r}"
        )
    registry = plugins.modalities
    if name in registry.collisions:
        raise RecipeError(f"{registry.collisions[name]}, or choose another name")
    entry = registry.entries.get(name)
    if entry and entry.package != own:
        raise RecipeError(f"{entry.package} {entry.version} has a modality {name!r} already; choose another name")


def _check_folder(target: Path, given: Path, force: bool) -> None:
    if target.exists() and not target.is_dir():
        raise FileError(f"cannot write {given}: it is a file; choose another folder with -o")
    if not target.parent.is_dir():
        raise FileError(f"cannot write {given}: there is no folder {given.parent}")
    if target.is_dir() and any(target.iterdir()) and not force:
        raise FileError(f"{given} exists and is not empty; choose another folder with -o or overwrite it with --force")


def _filled(name: str, package: str) -> dict[str, str]:
    """The files of the package by path, every @WORD@ of the templates replaced."""
    from coordcodec import __version__

    module = module_of(name)
    words = {
        "NAME": name,
        "PACKAGE": package,
        "MODULE": module,
        "CLASS": "".join(part.capitalize() for part in re.split(r"[-_]+", name)) + "Modality",
        "VERSION": __version__,
    }
    paths = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        f"{module}.py": "module.py",
        f"tests/test_{module.removeprefix('coordcodec_')}.py": "test.py",
    }
    folder = resources.files("coordcodec.scaffold") / "template"
    texts = {path: (folder / f"{template}.txt").read_text(encoding="utf-8") for path, template in paths.items()}
    return {path: re.sub(r"@([A-Z]+)@", lambda m: words[m[1]], text) for path, text in texts.items()}


def _move(source: Path, target: Path, files: list[str]) -> None:
    umask = os.umask(0)
    os.umask(umask)
    source.chmod(0o777 & ~umask)
    if not target.exists():
        source.rename(target)
        return
    for path in files:
        (target / path).parent.mkdir(exist_ok=True)
        (source / path).replace(target / path)
