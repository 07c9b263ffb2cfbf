"""Result rows: one JSON object per file, codec and rate, in a file of JSON lines per modality.

A row holds

    file, sha256, folder         the input: its name, the hash of its bytes, the name of its folder
    modality, unit               kind of data, unit of the rates
    codec, target_rate           as asked for
    bound                        in place of target_rate: a promise, "lossless" or a largest error such as "0.5K"
    options                      what reading it was told, if anything
    effort, seed, device         of our own codecs; left out for others
    status                       "ok", "failed" or "skipped" (not installed); `reason` says why
    bytes, rate                  of the file on disk, everything included
    scores                       name with unit -> number, or None where it is not defined
    encode_seconds, decode_seconds, peak_memory_mib      of promises the processor's seconds
    setting, version             what exactly made the file
    coordcodec, commit, threads, machine, torch, date

and, where they apply, `width`, `steps` and `bits` of our network, `missed` (no setting is small enough: this is the
smallest), `tried` (bytes and main score of the settings that were decoded), `init` (name and hash of the learned
initialisation that the file needs), `other_device` (what a second device decodes), `samples` (how many of a file are
known), `max_error` (a promise in the unit of the samples; 0: lossless) and `extra_bytes` (in `bytes`: what another
codec's file does not hold, such as the mask). A later row takes the place of an earlier one with the same key.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from coordcodec.errors import FileError
from coordcodec_bench.names import canonical

Row = dict[str, Any]
LOSSLESS = "lossless"
Target = float | str
"""A rate in the modality's unit, or a promise: LOSSLESS, or a largest error such as "0.5K" or "0.5%"."""
KEY = ("file", "options", "codec", "target_rate", "effort", "seed", "device", "bound")
SUFFIX = ".jsonl"
PROMISES = "promises-"
"""What the names of result files begin with whose rows are of promises."""
SPEED, LONG_SOUND, GRID = "speed.jsonl", "long_sound.jsonl", "grid.jsonl"
APART = (SPEED, LONG_SOUND, GRID)
"""Result files that hold no rows of files, codecs and rates."""


def key_of(row: Row, key: Iterable[str] = KEY) -> tuple[Any, ...]:
    """What makes a row one and the same; see KEY."""
    return tuple(row.get(name) for name in key)


def _renamed(row: Row) -> Row:
    """A row with its codec's name as it is written today."""
    return {**row, "codec": canonical(row["codec"])} if isinstance(row.get("codec"), str) else row


def load(path: Path, key: Iterable[str] = KEY) -> list[Row]:
    """The rows of a result file in the order of their first appearance, the latest of each key; none without a file.

    A last line without its end, left by an interruption, is passed over. Raises FileError for anything else that is
    no JSON object.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    rows: dict[tuple[Any, ...], Row] = {}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            row = json.loads(line, object_hook=_renamed)
        except ValueError:
            if number == len(text.splitlines()) and not text.endswith("\n"):
                break
            row = None
        if not isinstance(row, dict):
            raise FileError(f"{path}, line {number} is no JSON object; mend it or choose another folder with -o")
        rows[key_of(row, key)] = row
    return list(rows.values())


def append(path: Path, row: Row) -> None:
    """Add a row, whole or not at all. Raises FileError, when the disk is full for instance."""
    line = (json.dumps(row, allow_nan=False) + "\n").encode()
    try:
        with path.open("ab+") as out:
            out.seek(0, os.SEEK_END)
            end = out.tell()
            if end:
                out.seek(end - 1)
                if out.read(1) != b"\n":  # an interrupted write: begin a new line after what is whole
                    end = _whole(path)
                    out.truncate(end)
            try:
                out.write(line)
                out.flush()
            except OSError:
                out.truncate(end)
                raise
    except OSError as error:
        raise FileError(f"cannot write to {path}: {error.strerror or error}") from None


def _whole(path: Path) -> int:
    """How many bytes of a file are whole lines."""
    return path.read_bytes().rfind(b"\n") + 1


def digest(path: Path) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def good(rows: Iterable[Row]) -> list[Row]:
    """The rows that hold a measurement."""
    return [row for row in rows if row.get("status") == "ok"]


def kept(folder: Path, row: Row) -> Path:
    """Where the compressed file of a row is kept in a folder of results, so that reports can show what it holds."""
    words = [row["modality"], *(f"{part:g}" if isinstance(part, float) else part for part in key_of(row))]
    name = "-".join(str(word) for word in words if word is not None)
    return folder / "files" / re.sub(r"[^\w.=-]+", "_", name)


def sources(folder: Path) -> dict[str, str]:
    """Where the inputs of a folder of results lay, by `sha256`: for reports that show originals."""
    path = folder / "sources.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
