"""What a run has kept: originals where they lay, compressed files, and what those decode to."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from coordcodec import codec
from coordcodec.data import Signal
from coordcodec.errors import CoordCodecError
from coordcodec.files import read_bytes
from coordcodec.plugins import installed
from coordcodec_bench import rows
from coordcodec_bench.baselines import baselines_of
from coordcodec_bench.rows import Row


class Missing(Exception):
    """Something without which a figure cannot be drawn; the message says what, for the page."""


def read_original(results: Path, row: Row) -> Signal:
    """A row's input. Raises Missing when it lies no longer where it did, or is another one."""
    place = rows.sources(results).get(str(row.get("sha256")))
    if place is None:
        raise Missing("it is not known where the original lay")
    path = Path(place)
    try:
        same = rows.digest(path) == row["sha256"]
    except (OSError, ValueError):
        raise Missing(f"the original is no longer at {path}") from None
    if not same:
        raise Missing(f"{path} has changed since it was measured")
    kind = installed().modalities.get(row["modality"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the run that measured it has told them
            return kind.read(path, **_options(row, kind.read_options))
    except CoordCodecError as error:
        raise Missing(f"the original cannot be read: {error}") from None


def _options(row: Row, known: Mapping[str, str]) -> dict[str, Any]:
    """What reading was told, from "name value, name value". Raises Missing if that is not clear."""
    options: dict[str, Any] = {}
    for part in filter(None, (row.get("options") or "").split(", ")):
        name, _, text = part.partition(" ")
        if name not in known:
            raise Missing(f"it was read with options that are not clear: {row['options']}")
        try:
            options[name] = int(text)
        except ValueError:
            try:
                options[name] = float(text)
            except ValueError:
                options[name] = text
    return options


def kept_bytes(results: Path, row: Row) -> bytes:
    """The compressed file of a row. Raises Missing when it is gone, or is that of another row."""
    path = rows.kept(results, row)
    if path.parent != results / "files":
        raise Missing(f"{row['file']} is no name of a file")
    try:
        data = read_bytes(path)
    except CoordCodecError:
        raise Missing(f"the file of {row['codec']} was not kept: there is no {path.name}") from None
    if len(data) != row["bytes"]:
        raise Missing(
            f"the file kept for {row['codec']} is that of another run: {len(data):,} bytes, not {row['bytes']:,}"
        )
    return data


def decoded(results: Path, row: Row, original: Any, own: bool) -> Any:
    """What a row's file holds, in the form of the original that its baselines made. Raises Missing."""
    data = kept_bytes(results, row)
    baselines = baselines_of(row["modality"])
    if not own and (baselines is None or row["codec"] not in baselines.codecs):
        raise Missing(f"there is no codec {row['codec']} here to decode its file")
    try:
        if own or baselines is None:
            return np.asarray(codec.open(data, time_limit=None).render())
        return np.asarray(baselines.codecs[row["codec"]].decode(data, original))
    except Exception as error:  # noqa: BLE001  other people's codecs raise anything, and may not be installed here
        raise Missing(f"the file of {row['codec']} cannot be decoded here: {type(error).__name__}: {error}") from None
