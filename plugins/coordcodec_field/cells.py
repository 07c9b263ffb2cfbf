"""A variable's numbers as samples: unpacked, and which of them are known, by NetCDF's conventions; and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Bools
from coordcodec.errors import SignalError
from coordcodec_field.netcdf import Attribute, Variable

Attributes = Mapping[str, Attribute]
LARGEST = 1e300
"""Larger magnitudes have no squared errors."""
_DEFAULT_FILL: dict[str, float] = {
    "i2": -32767,
    "u2": 65535,
    "i4": -2147483647,
    "u4": 4294967295,
    "i8": -9223372036854775806,
    "u8": 18446744073709551614,
    "f4": 9.969209968386869e36,
    "f8": 9.969209968386869e36,
}
"""What cells hold that nobody wrote, where a variable does not say."""
_OF_PACKING = ("scale_factor", "add_offset", "_FillValue", "missing_value", "valid_min", "valid_max", "valid_range")
_FILLS = ("_FillValue", "missing_value")


@dataclass
class Cells:
    """Samples, and what a writer must know of them.

    samples: of a type that signals have; NaN, or the least known integer, where nothing is known. known: of the same
    shape. low, high: of the known ones. attrs: of the variable that will be written. stored: the type that it is
    written in, where that differs from the samples'. remarks: what was done to it that a user should know.
    """

    samples: NDArray[Any]
    known: Bools
    low: float
    high: float
    attrs: dict[str, Attribute]
    stored: str = ""
    remarks: list[str] = field(default_factory=list)


def cells_of(name: str, variable: Variable, unpack: bool = True, filled: bool = True) -> Cells:
    """The samples of a variable. filled: whether the fill that NetCDF uses by default is no number.

    Raises SignalError where none is known, or some are infinite.
    """
    raw, attrs = variable.data, dict(variable.attrs)
    if str(attrs.get("_Unsigned", "")).lower() == "true" and raw.dtype.kind == "i":
        attrs = {n: _unsigned(v) if n in (*_FILLS, *_OF_PACKING[4:]) else v for n, v in attrs.items()}
        attrs.pop("_Unsigned")
        raw = raw.view(f"u{raw.itemsize}")
    known = known_cells(raw, attrs, filled)
    if not known.any():
        raise SignalError(f"{name} holds no known number: all are missing")
    numbers = raw
    if unpack and is_packed(raw, attrs):
        numbers = unpacked(raw, attrs)
        attrs = {n: v for n, v in attrs.items() if n not in _OF_PACKING}
    remarks: list[str] = []
    samples, stored = _supported(name, numbers, known, remarks)
    if samples.dtype.kind == "f":
        if not np.isfinite(samples[known]).all():
            raise SignalError(f"{name} has {np.isinf(samples[known]).sum()} infinite numbers; mark them as missing")
        samples = np.where(known, samples, samples.dtype.type(np.nan))
    low, high = float(samples[known].min()), float(samples[known].max())
    if max(abs(low), abs(high)) > LARGEST:
        raise SignalError(f"{name} has numbers up to {max(abs(low), abs(high)):g}, at most {LARGEST:g} are read")
    if samples.dtype.kind != "f":
        samples = np.where(known, samples, samples.dtype.type(low))
    cells = Cells(samples, known, low, high, attrs, stored, remarks)
    _with_a_fill(cells)
    return cells


def _unsigned(value: Attribute) -> Attribute:
    return value.view(f"u{value.itemsize}") if isinstance(value, np.ndarray) and value.dtype.kind == "i" else value


def is_packed(raw: NDArray[Any], attrs: Attributes) -> bool:
    """Whether integers stand for other numbers."""
    given = [_number(attrs, n, default) for n, default in (("scale_factor", 1.0), ("add_offset", 0.0))]
    return raw.dtype.kind in "iu" and given != [1.0, 0.0]


def unpacked(raw: NDArray[Any], attrs: Attributes) -> NDArray[Any]:
    """scale_factor * number + add_offset, in float32 where both are and the integers are short, else in float64."""
    given = [a for n in _OF_PACKING[:2] if isinstance(a := attrs.get(n), np.ndarray)]
    short = raw.itemsize <= 2 and all(a.dtype == np.float32 for a in given)
    scale, offset = _number(attrs, "scale_factor", 1.0), _number(attrs, "add_offset", 0.0)
    numbers = raw.astype(np.float64) * scale + offset
    return numbers.astype(np.float32) if short else numbers


def _number(attrs: Attributes, name: str, default: float) -> float:
    found = attrs.get(name)
    return float(found.ravel()[0]) if isinstance(found, np.ndarray) else default


def _supported(name: str, numbers: NDArray[Any], known: Bools, remarks: list[str]) -> tuple[NDArray[Any], str]:
    """In a type that samples have, and the type to write where it is another."""
    kind = numbers.dtype
    if kind.str[1:] in ("f4", "f8") or (kind.kind in "iu" and kind.itemsize <= 4):
        return numbers, ""
    if kind.kind == "f":
        return numbers.astype(np.float32), ""
    low, high = int(numbers[known].min()), int(numbers[known].max())
    for smaller in (np.int32, np.uint32):
        if np.iinfo(smaller).min <= low and high <= np.iinfo(smaller).max:
            return np.where(known, numbers, low).astype(smaller), kind.str[1:]
    if max(abs(low), abs(high)) > 2**53:
        remarks.append(f"{name} has integers of more than 53 bits, which become float64 and lose the last ones")
    return numbers.astype(np.float64), ""


def known_cells(raw: NDArray[Any], attrs: Attributes, filled: bool = True) -> Bools:
    """Which numbers of a variable, as a file has them, are known. filled: see `cells_of`."""
    known = ~np.isnan(raw) if raw.dtype.kind == "f" else np.ones(raw.shape, bool)
    fills = [attrs[n] for n in _FILLS if isinstance(attrs.get(n), np.ndarray)]
    if filled and "_FillValue" not in attrs and (default := _DEFAULT_FILL.get(raw.dtype.str[1:])) is not None:
        fills.append(np.array(default, raw.dtype))
    for fill in fills:
        for value in np.asarray(fill).ravel():
            if not np.isnan(value):  # which is not known anyway
                known &= raw != _as(value, raw.dtype)
    low, high = valid_range(attrs)
    if low is not None:
        known &= raw >= _as(low, raw.dtype)
    if high is not None:
        known &= raw <= _as(high, raw.dtype)
    return np.asarray(known)


def _as(value: Any, dtype: np.dtype[Any]) -> Any:
    """A value of an attribute in a variable's type, if that has it."""
    with np.errstate(all="ignore"):
        if dtype.kind == "f":
            return np.asarray(value).astype(dtype)[()]
        return np.asarray(value).astype(np.float64)[()] if np.asarray(value).dtype.kind == "f" else value


def valid_range(attrs: Attributes) -> tuple[Any, Any]:
    """The least and the largest number that a variable may have, None where it does not say."""
    found = attrs.get("valid_range")
    if isinstance(found, np.ndarray) and found.shape == (2,):
        return found[0], found[1]
    ends = [a.ravel()[0] if isinstance(a := attrs.get(n), np.ndarray) else None for n in ("valid_min", "valid_max")]
    return ends[0], ends[1]


def _with_a_fill(cells: Cells) -> None:
    """See to it that a reader of what is written finds the same cells unknown.

    A fill amid the numbers is left out, since what is decoded might happen to be equal to it; integers then need
    another one, and where their type has no number to spare a wider type.
    """
    attrs, dtype = cells.attrs, np.dtype(cells.stored or cells.samples.dtype)
    whole = dtype.kind != "f"
    reach = 0.0 if whole else cells.high - cells.low
    for name in _FILLS:
        value = attrs.get(name)
        if isinstance(value, np.ndarray):
            numbers = value.astype(np.float64)
            amid = bool(((numbers >= cells.low - reach) & (numbers <= cells.high + reach)).any())
            alien = name == "_FillValue" and (value.ndim > 0 or (whole and not _holds(dtype, numbers)))
            if amid or alien:
                del attrs[name]
            elif name == "_FillValue":
                attrs[name] = value.astype(dtype)
        elif name == "_FillValue":
            attrs.pop(name, None)
    usual = _DEFAULT_FILL.get(dtype.str[1:])
    amid = "_FillValue" not in attrs and usual is not None and cells.low <= usual <= cells.high
    if whole and (amid or (not cells.known.all() and _fill(attrs, dtype, cells.low, cells.high) is None)):
        _choose_fill(cells, dtype)


def _choose_fill(cells: Cells, dtype: np.dtype[Any]) -> None:
    limits = np.iinfo(dtype)
    if cells.low > limits.min or cells.high < limits.max:
        cells.attrs["_FillValue"] = np.array(limits.min if cells.low > limits.min else limits.max, dtype)
    else:
        cells.stored = {1: "i2", 2: "i4"}.get(dtype.itemsize, "i8")
        cells.attrs["_FillValue"] = np.array(np.iinfo(cells.stored).min, cells.stored)


def _holds(dtype: np.dtype[Any], numbers: NDArray[np.float64]) -> bool:
    limits = np.iinfo(dtype)
    return bool(((numbers >= limits.min) & (numbers <= limits.max) & (numbers == np.rint(numbers))).all())


def stored(samples: NDArray[Any], known: Bools, attrs: Attributes, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Samples as a file has them: within the valid range, and with a number that says so where none is known."""
    numbers = samples.astype(dtype)
    low, high = valid_range(attrs)
    if low is not None or high is not None:
        least, most = (None if end is None else _as(end, dtype) for end in (low, high))
        numbers = np.clip(numbers, least, most).astype(dtype)
    if known.all():
        return numbers
    fill = _fill(attrs, dtype, float(samples[known].min()), float(samples[known].max()))
    return np.where(known, numbers, dtype.type(np.iinfo(dtype).min if fill is None else fill))


def _fill(attrs: Attributes, dtype: np.dtype[Any], low: float, high: float) -> Any:
    """The first number of those usual, outside low to high, that a reader takes as missing; None if none is."""
    given = [a.ravel()[0] for n in _FILLS if isinstance(a := attrs.get(n), np.ndarray)]
    if dtype.kind == "f":
        return dtype.type(given[0] if given else np.nan)
    limits = np.iinfo(dtype)
    for value in (*given, int(_DEFAULT_FILL.get(dtype.str[1:], limits.min)), limits.min, limits.max):
        fits = limits.min <= value <= limits.max and not low <= value <= high
        if fits and not known_cells(np.array([value], dtype), attrs)[0]:
            return dtype.type(value)
    return None
