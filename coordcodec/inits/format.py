"""The file of a learned initialisation: safetensors with tensors and facts whose names `docs/format.md` lists.

The file may come from anybody: sizes, names, types and shapes are checked in its header before a tensor is read, and
whatever is wrong raises InitialisationError.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import MAX_CHANNELS, MAX_DIMS, Floats
from coordcodec.errors import ContainerError, InitialisationError
from coordcodec.inr.spec import SIREN, SirenSpec, unpack_spec

FORMAT = "coordcodec-init-1"
SUFFIX = ".safetensors"
ID_BYTES = 8
"""A compressed file holds so many bytes of the SHA-256."""

MAX_FILE = 1 << 26
MAX_HEADER = 1 << 20
MAX_STEPS = 16
MAX_FACT = 4096
LOWEST_CODE, HIGHEST_CODE = -64, 63
TINY = 2.0**-24
"""The smallest span: the smallest positive 16-bit float."""

_NAME = re.compile(r"[a-z0-9_.-]{1,64}")
_MODALITY = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_NETWORK = ("dims", "channels", "width", "depth", "num_frequencies", "sigma")
_OURS = ("format", "name", "modality", "network")
_BYTES = {"F16": 2, "I8": 1}


@dataclass(frozen=True, eq=False)
class Initialisation:
    """Where a fit starts, how fast each parameter learns, and how large its updates usually are.

    name: 1 to 64 of a-z, 0-9, _, - and dot. modality: the kind of data that it was learned from. spec: the network.
    theta: the parameters of one network by tensor name, float32 of `spec.shapes()`.
    rates: for each of 0 to 16 inner steps the learning rate of every parameter, float32 of the same shapes, >= 0.
    codes: for every parameter the code c of the size of its updates, int8 in [-64, 63]: about 2^(c / 2).
    spans: for every tensor how far the grid of its quantized updates reaches (see `hookspecs.Quantizer`), > 0.
    facts: what else the file says of itself (trained_on, licence, command, versions, date, gain, seed ...).
    sha256: of the file's bytes, in hexadecimal digits.
    """

    name: str
    modality: str
    spec: SirenSpec
    theta: Mapping[str, Floats] = field(repr=False)
    rates: tuple[Mapping[str, Floats], ...] = field(repr=False)
    codes: Mapping[str, NDArray[np.int8]] = field(repr=False)
    spans: Mapping[str, float] = field(repr=False)
    facts: Mapping[str, str]
    sha256: str

    @property
    def id(self) -> bytes:
        """What a compressed file calls it: the first 8 bytes of the SHA-256."""
        return bytes.fromhex(self.sha256)[:ID_BYTES]

    def offsets(self) -> dict[str, NDArray[np.int32]]:
        """How much smaller a parameter's updates are than the largest of its tensor, in eighths of octaves, <= 0."""
        return {name: 4 * (codes.astype(np.int32) - int(codes.max())) for name, codes in self.codes.items()}


@dataclass(frozen=True)
class Heading:
    """What the header of an initialisation's file says; steps: the number of inner steps."""

    name: str
    modality: str
    spec: SirenSpec
    steps: int
    facts: Mapping[str, str]


def pack(
    name: str,
    modality: str,
    spec: SirenSpec,
    theta: Mapping[str, Any],
    rates: tuple[Mapping[str, Any], ...] | list[Mapping[str, Any]],
    codes: Mapping[str, Any],
    spans: Mapping[str, float],
    facts: Mapping[str, str],
) -> bytes:
    """The bytes of a file, the same for the same input. Parameters, rates and spans are rounded to 16-bit floats.

    Raises InitialisationError for what `parse` would refuse.
    """
    groups = {"theta": theta, **{f"rate{s}": rate for s, rate in enumerate(rates)}, "scale": codes, "span": spans}
    tensors: dict[str, tuple[str, NDArray[Any]]] = {}
    for group, arrays in groups.items():
        if arrays.keys() != spec.shapes().keys():
            raise InitialisationError(f"{group} has the tensors {sorted(arrays)}, expected {sorted(spec.shapes())}")
        for tensor, values in arrays.items():
            whole = np.asarray(values)
            if group == "scale" and not ((whole >= LOWEST_CODE) & (whole <= HIGHEST_CODE)).all():
                raise InitialisationError(f"codes must be {LOWEST_CODE} to {HIGHEST_CODE}, those of {tensor} are not")
            with np.errstate(over="ignore"):  # what 16 bits cannot hold becomes infinite, which parse() refuses
                small = whole.astype("<i1" if group == "scale" else "<f2")
            tensors[f"{group}/{tensor}"] = ("I8" if group == "scale" else "F16", small)
    network = json.dumps({key: getattr(spec, key) for key in _NETWORK}, separators=(",", ":"))
    ours = {"format": FORMAT, "name": name, "modality": modality, "network": network}
    if set(facts) & set(_OURS):
        raise InitialisationError(f"facts may not be called {', '.join(sorted(set(facts) & set(_OURS)))}")
    data = _safetensors(tensors, {**ours, **facts})
    parse(data)  # what cannot be read back must never be written
    return data


def _safetensors(tensors: Mapping[str, tuple[str, NDArray[Any]]], metadata: Mapping[str, str]) -> bytes:
    # The library writes metadata in an order that changes from run to run, which would change the hash.
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    body = bytearray()
    for name, (dtype, array) in sorted(tensors.items(), key=lambda item: (item[1][0], item[0])):
        start = len(body)
        body += np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [start, len(body)]}
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + bytes(body)


def parse(data: bytes) -> Initialisation:
    """The initialisation that a file's bytes hold. Raises InitialisationError when they hold none, or a damaged one."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    said = heading(data)
    try:
        arrays = load(data)
    except SafetensorError as error:
        raise InitialisationError(f"not a usable initialisation: {' '.join(str(error).split())}") from None

    def group(prefix: str) -> dict[str, NDArray[Any]]:
        return {name: arrays[f"{prefix}/{name}"] for name in said.spec.shapes()}

    theta = {name: _finite(array, f"theta/{name}") for name, array in group("theta").items()}
    rates = tuple(
        {name: _finite(array, f"rate{s}/{name}", lowest=0.0) for name, array in group(f"rate{s}").items()}
        for s in range(said.steps)
    )
    codes, spans = group("scale"), {name: _finite(a, f"span/{name}", lowest=TINY) for name, a in group("span").items()}
    for name, array in codes.items():
        if array.min() < LOWEST_CODE or array.max() > HIGHEST_CODE:
            what = f"scale/{name} goes from {array.min()} to {array.max()}, expected {LOWEST_CODE} to {HIGHEST_CODE}"
            raise InitialisationError(f"not a usable initialisation: {what}")
    sha256 = hashlib.sha256(data).hexdigest()
    reach = {name: float(span) for name, span in spans.items()}
    return Initialisation(said.name, said.modality, said.spec, theta, rates, codes, reach, said.facts, sha256)


def _finite(array: NDArray[Any], name: str, lowest: float = -np.inf) -> Floats:
    if not (np.isfinite(array) & (array >= lowest)).all():
        wanted = "finite numbers" if lowest == -np.inf else f"finite numbers from {lowest:g}"
        raise InitialisationError(f"not a usable initialisation: {name} must hold {wanted}")
    return array.astype(np.float32)


def heading(data: bytes) -> Heading:
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
    if not (_NAME.fullmatch(name) and _MODALITY.fullmatch(modality)):
        raise InitialisationError(
            f"not a usable initialisation: its name is {_short(name)} and its modality {_short(modality)}; "
            "a name is 1 to 64 of a-z, 0-9, _, - and dot, a modality's 1 to 32 of a-z, 0-9, _ and -"
        )
    spec = _spec(metadata.get("network", ""))
    steps = _check_tensors(header, spec, body)
    return Heading(name, modality, spec, steps, {k: v for k, v in metadata.items() if k not in _OURS})


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


def _spec(text: str) -> SirenSpec:
    try:
        network = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        network = None
    wrong = InitialisationError(
        f"not a usable initialisation: its network is {_short(text)}, expected whole numbers {', '.join(_NETWORK)}"
    )
    if not isinstance(network, dict) or set(network) != set(_NETWORK):
        raise wrong
    if not all(type(v) is int and 0 <= v < 1 << 16 for v in network.values()):
        raise wrong
    spec = SirenSpec(**network)
    if not (
        1 <= spec.dims <= MAX_DIMS
        and 1 <= spec.channels <= MAX_CHANNELS
        and max(spec.depth, spec.num_frequencies) < 256
    ):
        raise wrong
    try:
        return unpack_spec(SIREN, spec.pack()[1], spec.dims, spec.channels)
    except ContainerError:
        raise wrong from None


def _check_tensors(header: Mapping[str, Any], spec: SirenSpec, body: int) -> int:
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
