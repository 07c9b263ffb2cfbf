"""One page of a folder of results: `coordcodec bench report RESULTS -o report.html`."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coordcodec.errors import FileError, RecipeError
from coordcodec.files import check_writable, write_bytes

if TYPE_CHECKING:
    from coordcodec_bench.report.drawing import Picture

NEEDED = ("jinja2", "matplotlib", "bjontegaard", "PIL")
"""What a report is made with, in the extra "bench"."""


def write(results: Path, output: Path, published: Path | None = None, force: bool = False) -> dict[str, Any]:
    """Write a report of a folder of results: a page that needs no other file, and its figures as PNGs beside it.

    output: the page; the figures go to the folder `<its name without suffix>-figures`. published: a JSON file of
    curves instead of those that come with the package. force: overwrite both.
    Returns output, figures (the folder), bytes, the numbers of pictures, rows and failed rows, and the codecs that
    disagree with what was published.
    Raises FileError for no or unreadable results and an output that cannot be written, RecipeError when something
    that reports are made with is not installed. The page and the folder are there whole or not at all.
    """
    results, output = Path(results), Path(output)
    if output.suffix.lower() not in (".html", ".htm"):
        raise RecipeError(f"a report is a page of HTML, got {output}; name it something.html")
    folder = output.with_name(f"{output.stem}-figures")
    check_writable(output, force)
    _check_folder(folder, force)
    _check_installed()
    from coordcodec_bench.report.page import make

    page = make(results, published)
    _write(page.html.encode(), page.pictures, output, folder, force)
    return {
        "output": str(output),
        "figures": str(folder),
        "bytes": output.stat().st_size,
        "pictures": len(page.pictures),
        "rows": page.rows,
        "failed": page.failed,
        "disagreeing": list(page.disagreeing),
    }


def _check_folder(folder: Path, force: bool) -> None:
    """Raise FileError unless the folder of figures may be replaced: it holds nothing but what a report put there."""
    if not folder.exists():
        return
    if not force:
        raise FileError(f"{folder} exists; choose another output with -o or overwrite it with --force")
    if not folder.is_dir() or folder.is_symlink() or any(p.suffix != ".png" or p.is_dir() for p in folder.iterdir()):
        raise FileError(f"{folder} is no folder of figures only and is left alone; choose another output with -o")


def _check_installed() -> None:
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise RecipeError(f"reports need {', '.join(missing)}: pip install 'coordcodec[bench]'")


def _write(html: bytes, pictures: Sequence[Picture], output: Path, folder: Path, force: bool) -> None:
    """Both, or neither: figures are gathered aside, exchanged in one move, and taken back if the page fails."""
    aside = old = None
    try:
        aside = Path(tempfile.mkdtemp(dir=output.parent, prefix=f".{folder.name}."))
        aside.chmod(0o755)
        for picture in pictures:
            write_bytes(aside / f"{picture.name}.png", picture.png)
        if folder.exists():
            old = Path(tempfile.mkdtemp(dir=output.parent, prefix=f".{folder.name}.")) / "old"
            folder.rename(old)
        aside.rename(folder)
        try:
            write_bytes(output, html, force)
        except FileError:
            folder.rename(aside)
            if old is not None:
                old.rename(folder)
            raise
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot write {folder}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            for left in (aside, old.parent if old is not None else None):
                if left is not None and left.exists():
                    shutil.rmtree(left)
