"""The command `verify`."""

from __future__ import annotations

import argparse
from typing import Any

from coordcodec.cli.exits import code_of
from coordcodec.cli.output import STDIO, open_input, print_json, promise_in_words
from coordcodec.cli.progress import progress_bar
from coordcodec.cli.streams import printable, say, tell
from coordcodec.errors import CoordCodecError, RecipeError
from coordcodec.verify import check_whole


def verify(a: argparse.Namespace) -> int:
    """Decode files in full; returns 0 if all are whole, 3 if one is damaged, else the code of the first error."""
    if a.inputs.count(STDIO) > 1:
        raise RecipeError("standard input can be read only once; name it once")
    rows = []
    with progress_bar(a.quiet or a.json) as watch:
        for path in a.inputs:
            rows.append(_verified(path, a, watch))
    for row in rows:
        if row["ok"] and not (a.json or a.quiet):
            say(f"{_name(row['file'])}  ok  {row['bytes']:,} bytes  {row['promise'] or 'no promise'}")
        elif not row["ok"]:
            tell(f"error: {_name(row['file'])}: {row['error']}")
    if a.json:
        print_json({"ok": all(row["ok"] for row in rows), "files": rows})
    codes = [row["exit_code"] for row in rows if not row["ok"]]
    return 3 if 3 in codes else next(iter(codes), 0)


def _name(path: str) -> str:
    return "standard input" if path == STDIO else printable(path)


def _verified(path: str, a: argparse.Namespace, watch: Any) -> dict[str, Any]:
    """What is found of one file."""
    try:
        opened = open_input(path, a.init, time_limit=a.time_limit).to(a.device, watch, a.threads)
        points, info = check_whole(opened), opened.info
    except MemoryError:
        return {"file": path, "ok": False, "exit_code": 1, "error": "there is not enough memory to decode it"}
    except CoordCodecError as error:
        return {"file": path, "ok": False, "exit_code": code_of(error), "error": str(error)}
    unit = info["samples"]["unit"] if info["samples"] else ""
    facts = {"bytes": info["bytes"], "format": info["format"], "modality": info["modality"], "points": points}
    return {"file": path, "ok": True, **facts, "promise": promise_in_words(info["max_error"], unit)}
