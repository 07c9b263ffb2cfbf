"""The state of a run in a file, so that it can go on where it was interrupted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from coordcodec.errors import FileError, InitialisationError, reason
from coordcodec.files import write_bytes
from coordcodec.learning.plan import option

FORMAT = "coordcodec-learning-1"
MAX_FILE = 1 << 30


def save(path: Path, state: Mapping[str, Tensor], arguments: Mapping[str, Any]) -> None:
    """Replace the file, at once or not at all. Raises FileError."""
    from safetensors.torch import save as packed

    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    write_bytes(path, packed(tensors, {"format": FORMAT, "arguments": json.dumps(arguments)}), force=True)


def load(path: Path, arguments: Mapping[str, Any]) -> dict[str, Tensor]:
    """The state of a run with the same arguments.

    Raises FileError when there is none, InitialisationError for a damaged one and for other arguments.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileError(f"there is no {path} to go on from; leave out --resume to begin")
    if path.stat().st_size > MAX_FILE:
        raise InitialisationError(f"{path} is no checkpoint of learn-init: it is larger than {MAX_FILE} bytes")
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            if facts.get("format") != FORMAT:
                raise InitialisationError(f"{path} is no checkpoint of learn-init; choose another output with -o")
            theirs = json.loads(facts.get("arguments", ""))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
    except (SafetensorError, ValueError, RecursionError, OSError) as error:
        raise InitialisationError(f"damaged checkpoint {path}: {reason(error)}") from None
    _compare(path, theirs, json.loads(json.dumps(arguments)))
    return state


def _compare(path: Path, theirs: object, ours: Mapping[str, Any]) -> None:
    if not isinstance(theirs, dict):
        raise InitialisationError(f"damaged checkpoint {path}: it does not say how it was made")
    for name, value in ours.items():
        if theirs.get(name) != value:
            raise InitialisationError(
                f"{path} was made with {option(name)} {theirs.get(name)}, now it is {value}; "
                "go on with the same, or begin anew without --resume"
            )
