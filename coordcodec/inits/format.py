"""The file of a learned initialisation: safetensors with tensors and facts whose names `docs/format.md` lists.

The file may come from anybody: sizes, names, types and shapes are checked in its header before a tensor is read, and
whatever is wrong raises InitialisationError.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Floats
from coordcodec.errors import InitialisationError
from coordcodec.inits.header import FORMAT, OURS, read_header
from coordcodec.specs import INIT_BYTES, Network, network_numbers

SUFFIX = ".safetensors"
LOWEST_CODE, HIGHEST_CODE = -64, 63
TINY = 2.0**-24
"""The smallest span: the smallest positive 16-bit float."""


def sigmas_of(codes: Mapping[str, NDArray[np.int8]]) -> dict[str, Floats]:
    """The sizes of updates that codes stand for, float32."""
    return {name: np.exp2(c.astype(np.float32) / 2) for name, c in codes.items()}


@dataclass(frozen=True, eq=False)
class Initialisation:
    """Where a fit starts, how fast each parameter learns, and how large its updates usually are.

    name: 1 to 64 of a-z, 0-9, _, - and dot. modality: the kind of data that it was learned from. spec: the network.
    theta: the parameters of one network by tensor name, float32 of `spec.shapes()`.
    rates: for each of 0 to 16 inner steps the learning rate of every parameter, float32 of the same shapes, >= 0.
    codes: for every parameter the code c of the size of its updates, int8 in [-64, 63]: about 2^(c / 2).
    ranges: for every tensor how far the grid of its quantized updates reaches (see `hookspecs.Quantizer`), > 0.
    facts: what else the file says of itself (trained_on, licence, command, versions, date, gain, seed ...).
    sha256: of the file's bytes, in hexadecimal digits.
    """

    name: str
    modality: str
    spec: Network
    theta: Mapping[str, Floats] = field(repr=False)
    rates: tuple[Mapping[str, Floats], ...] = field(repr=False)
    codes: Mapping[str, NDArray[np.int8]] = field(repr=False)
    ranges: Mapping[str, float] = field(repr=False)
    facts: Mapping[str, str]
    sha256: str

    @property
    def id(self) -> bytes:
        """What a compressed file calls it: the first 8 bytes of the SHA-256."""
        return bytes.fromhex(self.sha256)[:INIT_BYTES]

    def sigmas(self) -> dict[str, Floats]:
        """The usual size of every parameter's update, float32."""
        return sigmas_of(self.codes)

    def offsets(self) -> dict[str, NDArray[np.int32]]:
        """How much smaller a parameter's updates are than the largest of its tensor, in eighths of octaves, <= 0."""
        return {name: 4 * (codes.astype(np.int32) - int(codes.max())) for name, codes in self.codes.items()}


def pack(
    name: str,
    modality: str,
    spec: Network,
    theta: Mapping[str, Any],
    rates: tuple[Mapping[str, Any], ...] | list[Mapping[str, Any]],
    codes: Mapping[str, Any],
    ranges: Mapping[str, float],
    facts: Mapping[str, str],
) -> bytes:
    """The bytes of a file, the same for the same input. Parameters, rates and ranges are rounded to 16-bit floats.

    Raises InitialisationError for what `parse` would refuse.
    """
    groups = {"theta": theta, **{f"rate{s}": rate for s, rate in enumerate(rates)}, "scale": codes, "span": ranges}
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
    network = json.dumps(network_numbers(spec), separators=(",", ":"))
    ours = {"format": FORMAT, "name": name, "modality": modality, "network": network}
    if set(facts) & set(OURS):
        raise InitialisationError(f"facts may not be called {', '.join(sorted(set(facts) & set(OURS)))}")
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

    said = read_header(data)
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
    codes, ranges = group("scale"), {name: _finite(a, f"span/{name}", lowest=TINY) for name, a in group("span").items()}
    for name, array in codes.items():
        if array.min() < LOWEST_CODE or array.max() > HIGHEST_CODE:
            what = f"scale/{name} goes from {array.min()} to {array.max()}, expected {LOWEST_CODE} to {HIGHEST_CODE}"
            raise InitialisationError(f"not a usable initialisation: {what}")
    sha256 = hashlib.sha256(data).hexdigest()
    reach = {name: float(span) for name, span in ranges.items()}
    return Initialisation(said.name, said.modality, said.spec, theta, rates, codes, reach, said.facts, sha256)


def _finite(array: NDArray[Any], name: str, lowest: float = -np.inf) -> Floats:
    if not (np.isfinite(array) & (array >= lowest)).all():
        wanted = "finite numbers" if lowest == -np.inf else f"finite numbers from {lowest:g}"
        raise InitialisationError(f"not a usable initialisation: {name} must hold {wanted}")
    return array.astype(np.float32)
