"""The header of an initialisation's file: what it says, and all that can be wrong with it, before a tensor is read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from coordcodec.data import NAME
from coordcodec.errors import InitialisationError
from coordcodec.specs import NETWORK, Network, unpack_network

FORMAT = "coordcodec-init-1"

MAX_FILE = 1 << 26
MAX_HEADER = 1 << 20
MAX_STEPS = 16
MAX_FACT = 4096

_NAME = re.compile(r"[a-z0-9_.-]{1,64}")
OURS = ("format", "name", "modality", "network")
"""The metadata that are no facts."""
_BYTES = {"F16": 2, "I8": 1}


@dataclass(frozen=True)
class Header:
    """What the header of an initialisation's file says; steps: the number of inner steps."""

    name: str
    modality: str
    spec: Network
    steps: int
    facts: Mapping[str, str]


def read_header(data: bytes) -> Header:
    """What a file's header says. Reads no tensor; raises InitialisationError for all that shows without."""
    header, body = _header(data)
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise InitialisationError(f"not an initialisation: its metadata must be texts, with format {FORMAT!r}")
    if metadata.get("format") != FORMAT:
        raise InitialisationError(
            f"not an initialisation: its format is {_short(metadata.get('format'))}, expected {FORMAT!r}"
        )
    for key, value in metadata.items():
        if max(len(key), len(value)) > MAX_FACT:
            raise InitialisationError(
                f"not a usable initialisation: {_short(key)} takes {len(value)} characters, at most {MAX_FACT} are read"
            )
    name, modality = metadata.get("name", ""), metadata.get("modality", "")
    if not (_NAME.fullmatch(name) and NAME.fullmatch(modality)):
        raise InitialisationError(
            f"not a usable initialisation: its name is {_short(name)} and its modality {_short(modality)}; "
            "a name is 1 to 64 of a-z, 0-9, _, - and dot, a modality's 1 to 32 of a-z, 0-9, _ and -"
        )
    spec = _spec(metadata.get("network", ""))
    steps = _check_tensors(header, spec, body)
    return Header(name, modality, spec, steps, {k: v for k, v in metadata.items() if k not in OURS})


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    """The header's JSON, and how many bytes follow it."""
    if len(data) > MAX_FILE:
        raise InitialisationError(f"not a usable initialisation: {len(data)} bytes, at most {MAX_FILE} are read")
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or not 2 <= length <= min(MAX_HEADER, len(data) - 8):
        raise InitialisationError("not an initialisation: expected a safetensors file with a header of at most 1 MiB")
    try:
        header = json.loads(data[8 : 8 + length].decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise InitialisationError("not an initialisation: the header of a safetensors file is a JSON object")
    return header, len(data) - 8 - length


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _spec(text: str) -> Network:
    try:
        network = json.loads(text, object_pairs_hook=_unique)
        return unpack_network(network if isinstance(network, dict) else {})
    except (ValueError, RecursionError):  # a ContainerError is a ValueError
        raise InitialisationError(
            f"not a usable initialisation: its network is {_short(text)}, expected whole numbers {', '.join(NETWORK)}"
        ) from None


def _check_tensors(header: Mapping[str, Any], spec: Network, body: int) -> int:
    """The number of inner steps, if the tensors are those that the network needs and no others."""
    shapes, steps = spec.shapes(), 0
    while f"rate{steps}/weight0" in header and steps <= MAX_STEPS:
        steps += 1
    if steps > MAX_STEPS:
        raise InitialisationError(f"not a usable initialisation: more than {MAX_STEPS} inner steps")
    groups = {"theta": "F16", **{f"rate{s}": "F16" for s in range(steps)}, "scale": "I8"}
    expected = {f"{group}/{name}": (dtype, shape) for group, dtype in groups.items() for name, shape in shapes.items()}
    expected |= {f"span/{name}": ("F16", ()) for name in shapes}
    if header.keys() != expected.keys():
        missing, extra = sorted(expected.keys() - header.keys()), sorted(header.keys() - expected.keys())
        what = f"{missing[0]} is missing" if missing else f"{_short(extra[0])} is not expected"
        raise InitialisationError(f"not a usable initialisation: the tensor {what} for its network")
    for name, (dtype, shape) in expected.items():
        given = header[name] if isinstance(header[name], dict) else {}
        if given.get("dtype") != dtype or given.get("shape") != list(shape):
            what = f"{_short(given.get('dtype'))} {_short(given.get('shape'))}, expected {dtype!r} {list(shape)}"
            raise InitialisationError(f"not a usable initialisation: the tensor {name} is {what}")
    needed = sum(_BYTES[dtype] * prod(shape) for dtype, shape in expected.values())
    if needed != body:
        raise InitialisationError(
            f"not a usable initialisation: its tensors take {needed} bytes, behind the header there are {body}"
        )
    return steps


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
