"""Arrays in and out: NumPy's become variables, decoded samples become NumPy's and xarray's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Bools, Field, Grid, SampleType, on_grid, samples_on
from coordcodec.errors import ContainerError, SignalError
from coordcodec_field.choice import MAX_AXES
from coordcodec_field.layout import MAX_SAMPLES, Layout
from coordcodec_field.netcdf import Attribute, Contents, Variable, library


def decoded(field: Field, grid: Grid, kind: SampleType) -> tuple[NDArray[Any], Bools]:
    """The samples of a grid, (n,), and which are known."""
    if not kind.whole:
        samples = samples_on(field, grid, kind)[:, 0]
        return samples, ~np.isnan(samples)
    limits, middle, reach = np.iinfo(kind.dtype), kind.offset[0], abs(kind.scale[0])
    for spare in (limits.min, limits.max):
        if not middle - reach - 0.5 <= spare <= middle + reach + 0.5:
            samples = samples_on(field, grid, kind, spare)[:, 0]
            return samples, samples != spare
    known: Bools = ~np.isnan(on_grid(field, grid)[:, 0])
    return samples_on(field, grid, kind)[:, 0], known


def contents_of(source: NDArray[Any]) -> Contents:
    """An array as a file's variable; what a MaskedArray hides is missing. Raises SignalError."""
    if source.dtype.kind not in "fiu" or not source.ndim or not source.size:
        raise SignalError(f"a field is an array of numbers on 1 to {MAX_AXES} axes, got {source.dtype} {source.shape}")
    if source.size > MAX_SAMPLES:
        raise SignalError(f"a field has at most {MAX_SAMPLES} samples, got {source.size}")
    data, hidden, attrs = np.asarray(source), np.ma.getmaskarray(source), dict[str, Attribute]()
    if hidden.any() and data.dtype.kind == "f":
        data = np.where(hidden, data.dtype.type(np.nan), data)
    elif hidden.any():
        own, limits = data[~hidden], np.iinfo(data.dtype)
        spare = next((v for v in (limits.min, limits.max) if not (own == v).any()), None)
        if spare is None:
            data = np.where(hidden, np.nan, data)
        else:
            data, attrs = np.where(hidden, data.dtype.type(spare), data), {"_FillValue": np.array(spare, data.dtype)}
    return Contents({"data": Variable(tuple(f"axis_{k}" for k in range(source.ndim)), data, attrs)})


def array_of(layout: Layout, numbers: NDArray[Any]) -> Any:
    """An xarray.DataArray of decoded numbers, NaN where none is known. Raises ContainerError for forged attributes."""
    xarray, contents = library("xarray"), layout.contents(numbers)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the file said is taken as it was
            made = xarray.Dataset(
                {n: (v.dims, v.data, _native(v)) for n, v in contents.variables.items()}, attrs=_native(contents)
            )
            found = xarray.decode_cf(made, decode_times=False, decode_coords="all")
            return found.set_coords([n for n in layout.others if n in found.data_vars])[layout.name].load()
    except Exception as error:  # noqa: BLE001  attributes may be forged in any way
        raise ContainerError(f"not a field: {error}".splitlines()[0][:200]) from None


def _native(of: Variable | Contents) -> dict[str, Any]:
    return {n: v[()] if isinstance(v, np.ndarray) and not v.ndim else v for n, v in of.attrs.items()}
