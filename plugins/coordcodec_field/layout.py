"""All of a variable but its numbers, as a file of ours keeps it: names, attributes, coordinates. Forged or not."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from coordcodec.errors import ContainerError
from coordcodec.samples import DTYPES
from coordcodec_field import lattice
from coordcodec_field.netcdf import Attribute, Contents, Variable, is_name, plain_attribute

MAX_SAMPLES = 1 << 28
"""Of a variable that is read or written: 1 GiB as float32."""
MAX_VARIABLES = 1000
_STORED = (*lattice.DTYPES, "f2")


@dataclass
class Layout:
    """What the file has besides the numbers.

    name, dims, shape, attrs: of the variable. others: its coordinates and what belongs to them. attrs_of_file: its
    own. stored: the type that the numbers are written in; "": that of the samples.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    attrs: dict[str, Attribute] = field(default_factory=dict)
    others: dict[str, Variable] = field(default_factory=dict)
    attrs_of_file: dict[str, Attribute] = field(default_factory=dict)
    stored: str = ""

    @property
    def squeezed(self) -> list[int]:
        """The shape without axes of one sample, of at least one axis."""
        return [n for n in self.shape if n > 1] or [1]

    @property
    def unit(self) -> str:
        """The samples' unit as a signal takes it."""
        found = self.attrs.get("units")
        text = found.encode()[:64].decode(errors="ignore") if isinstance(found, str) else ""
        return text if text.isprintable() else ""

    def contents(self, numbers: Any) -> Contents:
        """A file of these numbers, of `shape`."""
        return Contents({**self.others, self.name: Variable(self.dims, numbers, self.attrs)}, self.attrs_of_file)


def packed(layout: Layout) -> dict[str, bytes]:
    """A layout as byte strings of a signal's meta."""
    sizes = dict(zip(layout.dims, layout.shape, strict=True))
    others, blob = [], b""
    for name, other in sorted(layout.others.items()):
        sizes |= dict(zip(other.dims, other.shape, strict=True))
        line, kind = lattice.line_of(other.data), other.data.dtype.str[1:]
        how: Any = line
        if line is None:
            how, coded = lattice.pack(other.data)
            blob += coded
        others.append([name, list(other.dims), kind, how, _said(other.attrs)])
    about = {
        "name": layout.name,
        "dims": list(layout.dims),
        "sizes": sizes,
        "attrs": _said(layout.attrs),
        "file": _said(layout.attrs_of_file),
        "others": others,
    }
    about |= {"stored": layout.stored} if layout.stored else {}
    text = json.dumps(about, separators=(",", ":"), ensure_ascii=False)
    return {"about": text.encode(), **({"axes": blob} if blob else {})}


def _said(attrs: Mapping[str, Attribute]) -> dict[str, Any]:
    """Texts as they are, texts as a list, numbers as a list of their type and themselves; a fill first, as in files."""
    attrs = dict(sorted(attrs.items(), key=lambda item: item[0] != "_FillValue"))
    return {n: [v.dtype.str[1:], v.tolist()] if isinstance(v, np.ndarray) else v if isinstance(v, str) else ["", v]
            for n, v in attrs.items()}  # fmt: skip


def layout_of(meta: Mapping[str, Any]) -> Layout:
    """The layout of a signal with this meta, which may be forged. Raises ContainerError."""
    try:
        about = json.loads(meta["about"])
        found = _layout(about, meta.get("axes", b""))
        if list(meta["shape"]) != found.squeezed or meta["channels"] != 1:
            raise ValueError("its shape is another")
    except Exception as error:  # noqa: BLE001  it may be forged in any way
        raise ContainerError(f"not a field: {type(error).__name__}: {error}".splitlines()[0][:200]) from None
    return found


def _layout(about: Any, blob: bytes) -> Layout:
    sizes = {name: _whole(size) for name, size in about["sizes"].items()}
    others, at, total = dict[str, Variable](), 0, 0
    if len(about["others"]) > MAX_VARIABLES:
        raise ValueError("too many coordinates")
    for name, dims, kind, how, attrs in about["others"]:
        shape, dtype = tuple(sizes[d] for d in dims), _dtype(kind, lattice.DTYPES)
        size = math.prod(shape) * dtype.itemsize
        total += size
        if total > lattice.MAX_BYTES or len({*dims}) < len(dims):
            raise ValueError(f"{size} bytes of coordinates")
        if isinstance(how, list):
            first, step = map(float, how)
            (count,) = shape
            data = lattice.on_line(first, step, count, dtype)
        elif how in range(lattice.METHODS):
            data = lattice.unpack(how, blob[at : at + size], shape, dtype)
            at += size
        if data is None or name in others:
            raise ValueError(f"{name}: no such numbers, or twice")
        others[name] = Variable(tuple(dims), data, _read(attrs))
    dims, name = tuple(about["dims"]), about["name"]
    shape, stored = tuple(sizes[d] for d in dims), about.get("stored", "")
    if stored:
        _dtype(stored, _STORED)
    if at != len(blob) or name in others or len({*dims}) < len(dims) or not 1 <= math.prod(shape) <= MAX_SAMPLES:
        raise ValueError("its names and sizes do not fit together")
    if not all(map(is_name, (*sizes, *others, name))):
        raise ValueError("a name that no file may have")
    return Layout(name, dims, shape, _read(about["attrs"]), others, _read(about["file"]), stored)


def _whole(size: Any) -> int:
    if not isinstance(size, int) or not 1 <= size <= MAX_SAMPLES:
        raise ValueError(f"an axis of {size!r:.40} samples")
    return size


def _dtype(kind: Any, known: tuple[str, ...]) -> np.dtype[Any]:
    if kind not in known:
        raise ValueError(f"a type {kind!r:.40}")
    found: np.dtype[Any] = np.dtype(kind)
    return found


def _read(said: Any) -> dict[str, Attribute]:
    """What `_said` was given."""
    found: dict[str, Attribute] = {}
    for name, value in said.items():
        plain = plain_attribute(value if isinstance(value, str) else _numbers(*value))
        if plain is None or not is_name(name):
            raise ValueError(f"an attribute {name!r:.40}")
        found[name] = plain
    return found


def _numbers(kind: str, values: Any) -> Any:
    return np.array(values, _dtype(kind, _STORED)) if kind else list(values)


def sample_dtype(meta: Mapping[str, Any]) -> np.dtype[Any]:
    """The type of the samples. Raises ContainerError."""
    kind = meta.get("type", "float32")
    if kind not in DTYPES:
        raise ContainerError(f"not a field: samples of type {kind!r:.40}")
    return np.dtype(str(kind))
