"""NetCDF files to plain arrays with attributes, and back. Nothing is decoded here."""

from __future__ import annotations

import contextlib
import io
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import FileError, RecipeError, SignalError, reason
from coordcodec_field.inside import check_inside

Attribute = str | list[str] | NDArray[Any]
"""A text, texts, or numbers: an array of no axis or one."""

MAX_NAME = 255
_ENGINES = {b"\x89HDF": "h5netcdf", b"CDF\x01": "scipy", b"CDF\x02": "scipy"}
_HIDDEN = {
    *("CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "DIMENSION_LABELS", "_NCProperties", "_nc3_strict"),
    *("_Netcdf4Dimid", "_Netcdf4Coordinates", "invalid_netcdf"),
}
"""Attributes that the format keeps for itself."""


class Variable:
    """An array with names for its axes, neither unpacked nor masked, which is read when it is first asked for.

    dims, attrs, shape, dtype: as the file says. data: the array; None for what is no array of numbers.
    """

    def __init__(
        self,
        dims: tuple[str, ...],
        data: NDArray[Any] | None,
        attrs: Mapping[str, Attribute] | None = None,
        later: Callable[[], NDArray[Any]] | None = None,
        like: Any = None,
    ) -> None:
        """later: reads the array, which has the shape and type of `like`, an array that knows both."""
        self.dims, self.attrs = dims, dict(attrs or {})
        self._data, self._later = data, later
        known = data if like is None else like
        self.shape: tuple[int, ...] = () if known is None else tuple(known.shape)
        self.dtype: np.dtype[Any] = np.dtype(object) if known is None else known.dtype

    @property
    def numeric(self) -> bool:
        """Whether it is an array of numbers."""
        return self.dtype.kind in "fiu" and self.dtype.itemsize <= 8

    @property
    def data(self) -> NDArray[Any]:
        """The numbers. Raises SignalError where the file is damaged."""
        if self._data is None:
            assert self._later is not None
            try:
                found = np.asarray(self._later())
            except Exception as error:  # noqa: BLE001  the readers raise anything on damaged files
                raise SignalError(f"cannot read this as NetCDF: {reason(error):.200}") from None
            self._data = found.astype(found.dtype.newbyteorder("="))
        return self._data

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    def text(self, name: str) -> str:
        """An attribute that is a text; "" without one."""
        found = self.attrs.get(name)
        return found if isinstance(found, str) else ""


@dataclass
class Contents:
    """What a file holds: its variables by name, in its order, its own attributes; lost: remarks on what is left out."""

    variables: dict[str, Variable]
    attrs: dict[str, Attribute] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


@contextlib.contextmanager
def opened(source: str | os.PathLike[str] | BinaryIO) -> Iterator[Contents]:
    """The variables of a NetCDF file, whose numbers can be asked for until it is closed.

    Raises SignalError for what is no such file or damaged, FileError where there is none.
    """
    if not isinstance(source, str | os.PathLike):
        if not hasattr(source, "read"):
            raise SignalError(f"a NetCDF file is a path or a binary file, got {type(source).__name__}")
        yield from _opened(io.BytesIO(source.read()), "the input")
        return
    try:
        file = Path(source).open("rb")  # noqa: SIM115  closed below
    except (OSError, ValueError) as error:
        raise FileError(f"cannot read {os.fspath(source)}: {reason(error):.200}") from None
    with file:
        yield from _opened(file, Path(source).name)


def _opened(file: BinaryIO, name: str) -> Iterator[Contents]:
    start = file.read(4)
    file.seek(0)
    if start == b"CDF\x05":
        raise SignalError(f"{name} is NetCDF-3 with 64-bit data, which is not read; convert it: nccopy -k nc4")
    if start not in _ENGINES:
        raise SignalError(f"{name} is no NetCDF file")
    engine = _ENGINES[start]
    xarray = library("xarray")
    library(engine)
    try:
        if engine == "h5netcdf":
            check_inside(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the file says is taken as it is
            dataset = xarray.open_dataset(file, engine=engine, decode_cf=False, cache=False)
            contents = _contents(dataset)
    except Exception as error:  # noqa: BLE001  the readers raise anything on damaged files
        if isinstance(error, SignalError):
            raise SignalError(f"{name} {error}") from None
        raise SignalError(f"cannot read {name} as NetCDF: {reason(error):.200}") from None
    with dataset:
        yield contents


def library(name: str) -> Any:
    """An optional package. Raises RecipeError where it is missing."""
    try:
        if name == "xarray":
            import xarray as found
        elif name == "h5netcdf":
            import h5netcdf as found
        else:
            import scipy.io as found
        return found
    except ImportError as error:
        missing = getattr(error, "name", None) or name
        raise RecipeError(
            f'NetCDF files need the package {missing}, which is missing: pip install "coordcodec[field]"'
        ) from None


def _contents(dataset: Any) -> Contents:
    found = Contents({}, *_plain(dataset.attrs, "the file"))
    for name, array in dataset.variables.items():
        attrs, lost = _plain(array.attrs, str(name))
        found.lost += lost
        found.variables[str(name)] = Variable(
            tuple(map(str, array.dims)), None, attrs, partial(_values, array), like=array
        )
    return found


def _values(array: Any) -> Any:
    return array.values


def _plain(attrs: Mapping[Any, Any], of: str) -> tuple[dict[str, Attribute], list[str]]:
    """Attributes as texts and arrays, and the names of those that are neither."""
    found: dict[str, Attribute] = {}
    lost = []
    for name, value in attrs.items():
        given = plain_attribute(value)
        if name in _HIDDEN or given is None or not is_name(name):
            lost += (
                []
                if name in _HIDDEN
                else [f"the attribute {name!r:.40} of {of} is left out: it is neither text nor numbers"]
            )
        else:
            found[str(name)] = given
    return found, lost


def plain_attribute(value: Any) -> Attribute | None:
    """A value as a file's attribute; None for what is none."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value if _is_text(value) else None
    if isinstance(value, list | tuple | np.ndarray) and len(np.shape(value)) == 1 and len(value):
        texts = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in value]
        if all(isinstance(t, str) and _is_text(t) for t in texts):
            return [str(t) for t in texts]
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8 or array.ndim > 1 or not array.size:
        return None
    array = array.astype(array.dtype.newbyteorder("="))
    return array.reshape(()) if array.size == 1 else array


def _is_text(text: str) -> bool:
    try:
        return "\0" not in text and bool(text.encode() or True)
    except UnicodeEncodeError:
        return False


def is_name(name: object) -> bool:
    """Whether a file may call a variable, a dimension or an attribute so."""
    if not isinstance(name, str) or not name.isprintable() or name.strip(" .") == "" or "/" in name:
        return False
    return len(name.encode()) <= MAX_NAME and name not in _HIDDEN


def write_file(contents: Contents, target: BinaryIO) -> None:
    """Write NetCDF-4. Raises RecipeError where a package is missing; whatever else goes wrong is as it comes."""
    h5netcdf = library("h5netcdf")
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with h5netcdf.File(buffer, "w") as file:
            _put(file.attrs, contents.attrs.items())
            for name, size in _sizes(contents).items():
                file.dimensions[name] = size
            for name, variable in contents.variables.items():
                fill = variable.attrs.get("_FillValue")
                made = file.create_variable(
                    name, variable.dims, variable.data.dtype, data=variable.data,
                    fillvalue=None if fill is None else np.asarray(fill).astype(variable.data.dtype)[()],
                )  # fmt: skip
                _put(made.attrs, ((n, v) for n, v in variable.attrs.items() if n != "_FillValue"))
    target.write(buffer.getvalue())


def _put(attrs: Any, given: Iterable[tuple[str, Attribute]]) -> None:
    for name, value in given:
        attrs[name] = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _sizes(contents: Contents) -> dict[str, int]:
    return {d: n for v in contents.variables.values() for d, n in zip(v.dims, v.shape, strict=True)}
