"""Coordinates of axes: whether they are sound, and which axis is a closed circle of longitudes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from coordcodec.errors import SignalError
from coordcodec_field.missing import known_cells
from coordcodec_field.netcdf import Variable

_EAST = ("degrees_east", "degree_east", "degrees_e", "degree_e", "degreese", "degreee")


def check_axes(variable: Variable, others: Mapping[str, Variable]) -> None:
    """Raise SignalError for coordinates of an axis that are missing or not finite."""
    for dim in variable.dims:
        along = others.get(dim)
        if along is None:
            continue
        known = known_cells(along.data, along.attrs, filled=along.dtype.kind == "f")
        if count := int((~(known & np.isfinite(along.data))).sum()):
            raise SignalError(f"the coordinate {dim} has {count} numbers that are missing, NaN or infinite")


def circle_of(variable: Variable, others: Mapping[str, Variable]) -> str | None:
    """The axis whose longitudes are evenly spaced and close a circle; None without one."""
    for name, other in others.items():
        if len(other.dims) != 1 or other.dims[0] not in variable.dims:
            continue
        east = other.text("units").lower() in _EAST or other.text("standard_name") == "longitude"
        if (name == other.dims[0] or east) and east and _closed(other.data.astype(np.float64)):
            return other.dims[0]
    return None


def _closed(longitudes: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    count = len(longitudes)
    if count < 3 or not np.isfinite(longitudes).all():
        return False
    steps = np.diff(longitudes)
    mean = float(steps.mean())
    even = bool((np.abs(steps - mean) <= abs(mean) / 100).all())
    return even and abs(abs(mean) * count - 360) <= abs(mean) / 100
