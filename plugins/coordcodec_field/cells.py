"""A variable's numbers as samples: unpacked, and which of them are known, by NetCDF's conventions; and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Bools
from coordcodec.errors import SignalError
from coordcodec_field.missing import (
    DEFAULT_FILL,
    FILLS,
    VALID,
    Attributes,
    as_type,
    known_cells,
    number_of,
    numbered,
    valid_range,
)
from coordcodec_field.netcdf import Attribute, Variable

LARGEST = 1e300
"""Larger magnitudes have no squared errors."""
_PACKING = ("scale_factor", "add_offset")
_OF_PACKING = (*_PACKING, *FILLS, *VALID)


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
    raw, attrs = variable.data, numbered(variable.attrs)
    remarks: list[str] = []
    if str(attrs.get("_Unsigned", "")).lower() == "true" and raw.dtype.kind == "i":
        attrs = {n: _unsigned(v) if n in (*FILLS, *VALID) else v for n, v in attrs.items()}
        attrs.pop("_Unsigned")
        raw = raw.view(f"u{raw.itemsize}")
    attrs = _with_packed_range(name, raw, attrs, remarks)
    known = known_cells(raw, attrs, filled)
    if not known.any():
        raise SignalError(f"{name} holds no known number: all are missing")
    numbers = raw
    if unpack and is_packed(raw, attrs):
        numbers = unpacked(name, raw, attrs)
        attrs = {n: v for n, v in attrs.items() if n not in _OF_PACKING}
    if filled and raw.itemsize == 1 and not any(n in attrs for n in FILLS):
        _say_bytes(name, raw, remarks)
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
    """Whether numbers stand for others."""
    return raw.dtype.kind in "iuf" and _packing(attrs) != (1.0, 0.0)


def _packing(attrs: Attributes) -> tuple[float, float]:
    return number_of(attrs, "scale_factor", 1.0), number_of(attrs, "add_offset", 0.0)


def unpacked(name: str, raw: NDArray[Any], attrs: Attributes) -> NDArray[Any]:
    """scale_factor * number + add_offset, in float32 where both attributes are and it tells the numbers apart, else in
    float64. Raises SignalError where an attribute is not finite."""
    scale, offset = _packing(attrs)
    if not np.isfinite([scale, offset]).all():
        raise SignalError(
            f"{name} has the scale_factor {scale:g} and the add_offset {offset:g}; expected finite numbers"
        )
    given = [a for n in _PACKING if isinstance(a := attrs.get(n), np.ndarray)]
    short = raw.itemsize <= (4 if raw.dtype.kind == "f" else 2) and all(a.dtype == np.float32 for a in given)
    numbers = raw.astype(np.float64) * scale + offset
    if short and raw.size:
        most = float(np.nanmax(np.abs(numbers), initial=0.0))
        steps = raw.dtype.kind == "f" or most * 2.0**-24 <= abs(scale) / 2
        short = steps and most <= float(np.finfo(np.float32).max)
    return numbers.astype(np.float32) if short else numbers


def _with_packed_range(
    name: str, raw: NDArray[Any], attrs: dict[str, Attribute], remarks: list[str]
) -> dict[str, Attribute]:
    """A valid range in the units of what is stored, as the CF conventions want it.

    Some writers give that of the numbers that are meant, as floating-point numbers. That is believed where the other
    reading would hide most of them; a remark says which one was taken where they differ.
    """
    meant = {n: a for n in VALID if isinstance(a := attrs.get(n), np.ndarray) and a.dtype.kind == "f"}
    scale, offset = _packing(attrs)
    if raw.dtype.kind == "f" or not meant or not is_packed(raw, attrs) or not scale:
        return attrs
    other = {n: v for n, v in attrs.items() if n not in meant}
    for n, limits in meant.items():
        turned = {"valid_min": "valid_max", "valid_max": "valid_min"}.get(n, n) if scale < 0 else n
        packed = (limits.astype(np.float64) - offset) / scale
        steps = np.rint(packed)  # a limit that is a step of the packing is that step
        other[turned] = np.sort(np.where(np.abs(packed - steps) < 1e-3, steps, packed), axis=None).reshape(limits.shape)
    found = [known_cells(raw, a, filled=False) for a in (attrs, other)]
    if (found[0] == found[1]).all():
        return attrs
    second = 2 * int(found[0].sum()) < int(found[1].sum())
    hidden = int((~found[second]).sum())
    what = "unpacked" if second else "packed"
    remarks.append(f"the valid range of {name} is taken as one of {what} numbers; {hidden} cells count as missing")
    return other if second else attrs


def _say_bytes(name: str, raw: NDArray[Any], remarks: list[str]) -> None:
    """NetCDF fills bytes, too, but no reader takes them as missing."""
    fill = 255 if raw.dtype.kind == "u" else -127
    if count := int((raw == fill).sum()):
        remarks.append(
            f"{count} cells of {name} hold {fill}, which NetCDF writes where nobody did; they count as numbers"
        )


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


def _with_a_fill(cells: Cells) -> None:
    """See to it that a reader of what is written finds the same cells unknown.

    A fill amid the numbers is left out, since what is decoded might happen to be equal to it; integers then need
    another one, and where their type has no number to spare a wider type.
    """
    attrs, dtype = cells.attrs, np.dtype(cells.stored or cells.samples.dtype)
    whole = dtype.kind != "f"
    reach = 0.0 if whole else cells.high - cells.low
    for name in FILLS:
        value = attrs.get(name)
        if isinstance(value, np.ndarray):
            numbers = value.astype(np.float64)
            amid = bool(((numbers >= cells.low - reach) & (numbers <= cells.high + reach)).any())
            alien = name == "_FillValue" and (value.ndim > 0 or (whole and not _holds(dtype, numbers)))
            if amid or alien:
                del attrs[name]
            elif name == "_FillValue" or (value.dtype.kind == "f" and dtype.kind == "f"):
                attrs[name] = value.astype(dtype)
        elif name == "_FillValue":
            attrs.pop(name, None)
    usual = DEFAULT_FILL.get(dtype.str[1:])
    amid = "_FillValue" not in attrs and usual is not None and cells.low <= usual <= cells.high
    if whole and (amid or (not cells.known.all() and _fill(attrs, dtype, cells.low, cells.high) is None)):
        _choose_fill(cells, dtype)
    elif whole and not cells.known.all() and not any(n in attrs for n in FILLS):
        attrs["_FillValue"] = np.array(_fill(attrs, dtype, cells.low, cells.high), dtype)  # not all readers know it


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
        least, most = (None if end is None else as_type(end, dtype) for end in (low, high))
        numbers = np.clip(numbers, least, most).astype(dtype)
    if known.all():
        return numbers
    fill = _fill(attrs, dtype, float(samples[known].min()), float(samples[known].max()))
    return np.where(known, numbers, dtype.type(np.iinfo(dtype).min if fill is None else fill))


def _fill(attrs: Attributes, dtype: np.dtype[Any], low: float, high: float) -> Any:
    """The first number of those usual, outside low to high, that a reader takes as missing; None if none is."""
    given = [a.ravel()[0] for n in FILLS if isinstance(a := attrs.get(n), np.ndarray)]
    if dtype.kind == "f":
        return dtype.type(given[0] if given else np.nan)
    limits = np.iinfo(dtype)
    for value in (*given, int(DEFAULT_FILL.get(dtype.str[1:], limits.min)), limits.min, limits.max):
        fits = limits.min <= value <= limits.max and not low <= value <= high
        if fits and not known_cells(np.array([value], dtype), attrs)[0]:
            return dtype.type(value)
    return None
