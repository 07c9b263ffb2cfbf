"""Which numbers of a variable are missing, by what its attributes say (NetCDF User Guide, appendix A; CF, 2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Bools
from coordcodec_field.netcdf import Attribute

Attributes = Mapping[str, Attribute]
DEFAULT_FILL: dict[str, float] = {
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
FILLS = ("_FillValue", "missing_value")
VALID = ("valid_min", "valid_max", "valid_range")


def numbered(attrs: Attributes) -> dict[str, Attribute]:
    """Attributes in which numbers that were written as texts are numbers."""
    found = dict(attrs)
    for name in (*FILLS, *VALID, "scale_factor", "add_offset"):
        text = found.get(name)
        if isinstance(text, str):
            try:
                numbers = np.array([float(word) for word in text.replace(",", " ").split()])
            except ValueError:
                continue
            if numbers.size:
                found[name] = numbers.reshape(()) if numbers.size == 1 else numbers
    return found


def number_of(attrs: Attributes, name: str, default: float) -> float:
    """An attribute that is a number, or the first of its numbers."""
    found = attrs.get(name)
    return float(found.ravel()[0]) if isinstance(found, np.ndarray) else default


def known_cells(raw: NDArray[Any], attrs: Attributes, filled: bool = True) -> Bools:
    """Which numbers of a variable, as a file has them, are known. filled: whether the fill by default is no number."""
    known = ~np.isnan(raw) if raw.dtype.kind == "f" else np.ones(raw.shape, bool)
    fills = [attrs[n] for n in FILLS if isinstance(attrs.get(n), np.ndarray)]
    if filled and "_FillValue" not in attrs and (default := DEFAULT_FILL.get(raw.dtype.str[1:])) is not None:
        fills.append(np.array(default, raw.dtype))
    for fill in fills:
        for value in np.asarray(fill).ravel():
            if not np.isnan(value):  # which is not known anyway
                known &= raw != as_type(value, raw.dtype)
    low, high = valid_range(attrs)
    if low is not None:
        known &= raw >= as_type(low, raw.dtype)
    if high is not None:
        known &= raw <= as_type(high, raw.dtype)
    return np.asarray(known)


def as_type(value: Any, dtype: np.dtype[Any]) -> Any:
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
