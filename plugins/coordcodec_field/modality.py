"""The modality "field"."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Bools, Grid, SampleType, Signal, grid_of, samples_on
from coordcodec.data import Field as Function
from coordcodec.errors import ContainerError, RecipeError
from coordcodec.hookspecs import Source
from coordcodec.recipe import Recipe
from coordcodec_field.cells import LARGEST, Cells, cells_of, is_packed, stored
from coordcodec_field.choice import CHOICES, choose
from coordcodec_field.circle import check_axes, circle_of
from coordcodec_field.layout import Layout, layout_of, packed, sample_dtype
from coordcodec_field.metrics import scores
from coordcodec_field.netcdf import opened, write_file
from coordcodec_field.rendering import array_of, contents_of, decoded

PACKED = ("unpack", "keep")


class Field:
    """Numbers on one to four axes, of a NetCDF file or an array: with their mask, unit, attributes and coordinates.

    Samples are the variable's numbers in their unit. meta has "low" and "high", the range of those that are known,
    "type" where it is not float32, and as byte strings all that the file says besides ("about") and those of its
    coordinates that are no straight lines ("axes").
    """

    name = "field"
    suffixes: tuple[str, ...] = (".nc", ".nc4", ".cdf")
    rate_unit = "bits/sample"
    main_score = "psnr_db"
    defaults = Recipe(rate=0.5, siren={"depth": 2, "omega_0": 10})
    read_options: Mapping[str, str] = {
        "variable": "the name of the variable; default: the first of those with the most axes",
        "coordinates": "auto, all, or axes: which coordinates are kept besides those of single axes; default: auto, "
        "those on several axes where they take less than 0.05 bits per sample",
        "packed": "unpack or keep: whether integers with a scale_factor become the numbers that they stand for, or "
        "stay integers (for --lossless); default: unpack",
    }
    write_options: Mapping[str, str] = {}

    def read(
        self,
        source: Source,
        *,
        variable: str | None = None,
        coordinates: str = "auto",
        packed: str = "unpack",
        **options: Any,
    ) -> Signal:
        """Read a variable of a NetCDF file, or an array of numbers on 1 to 4 axes, NaN or masked where none is known.

        Warns of what else the file has. Raises SignalError for what cannot be read, RecipeError for other options.
        """
        if options:
            raise RecipeError(f"fields have no option {', '.join(options)}; they have {', '.join(self.read_options)}")
        for name, given, known in (("coordinates", coordinates, CHOICES), ("packed", packed, PACKED)):
            if given not in known:
                raise RecipeError(f"{name} is one of {', '.join(known)}, got {given!r:.40}")
        wanted, array = None if variable is None else str(variable), isinstance(source, np.ndarray)
        with nullcontext(contents_of(source)) if isinstance(source, np.ndarray) else opened(source) as contents:
            chosen = choose(contents, wanted, coordinates)
            check_axes(chosen.variable, chosen.others)
            cells = cells_of(chosen.name, chosen.variable, packed == "unpack", filled=not array)
        dims, shape = chosen.variable.dims, chosen.variable.shape
        layout = Layout(chosen.name, dims, shape, cells.attrs, chosen.others, contents.attrs, cells.stored)
        if is_packed(cells.samples, cells.attrs):
            cells.remarks.append(f"{chosen.name} is kept packed: errors are in its packed numbers, not in its unit")
        _warn([*chosen.words(), *contents.lost, *cells.remarks])
        return self._signal(layout, cells, circle_of(chosen.variable, chosen.others))

    def _signal(self, layout: Layout, cells: Cells, circle: str | None) -> Signal:
        meta: dict[str, Any] = {"low": cells.low, "high": cells.high, **packed(layout)}
        meta |= {} if cells.samples.dtype == np.float32 else {"type": cells.samples.dtype.name}
        axes = [d for d, n in zip(layout.dims, layout.shape, strict=True) if n > 1]
        grid = Grid(tuple(layout.squeezed), periodic=tuple(d == circle for d in axes) or (False,))
        scaling = self._type({**meta, "shape": layout.squeezed, "channels": 1}, layout).scaling
        known = cells.known.reshape(-1)
        samples = cells.samples.reshape(-1, 1)
        return Signal(grid, modality=self.name, meta=meta, samples=samples, mask=known, **scaling)

    def sample_type(self, meta: Mapping[str, Any]) -> SampleType:
        """Numbers of low to high, in their unit; packed integers that were kept have none."""
        return self._type(meta, layout_of(meta))

    def _type(self, meta: Mapping[str, Any], layout: Layout) -> SampleType:
        low, high, dtype = meta.get("low"), meta.get("high"), sample_dtype(meta)
        if not isinstance(low, float) or not isinstance(high, float) or not -LARGEST <= low <= high <= LARGEST:
            raise ContainerError(f"not a field: numbers from {low!r:.40} to {high!r:.40}")
        half = (high - low) / 2
        unit = "" if is_packed(np.empty(0, dtype), layout.attrs) else layout.unit
        return SampleType.of(dtype, 1, half if half > 1e-300 else 1.0, low + half, unit)

    def render(self, field: Function, meta: Mapping[str, Any], **options: Any) -> Any:
        """The field as an xarray.DataArray, with its coordinates and attributes, and NaN where nothing is known.

        Integers of which some are not known become floating-point numbers for it.
        """
        layout, numbers, known = self._numbers(field, meta, options)
        if known.all():
            return array_of(layout, numbers)
        short = numbers.dtype.itemsize <= (2 if numbers.dtype.kind in "iu" else 4)
        hidden = np.where(known, numbers, np.float32("nan")) if short else np.where(known, numbers, np.nan)
        return array_of(layout, hidden)

    def write(self, field: Function, meta: Mapping[str, Any], target: BinaryIO, *, format: str, **options: Any) -> None:
        """Write NetCDF-4, or as .npy the samples alone, NaN where none is known. Raises RecipeError."""
        if format not in (*self.suffixes, ".npy"):
            raise RecipeError(f"fields are written as {', '.join(self.suffixes)} or .npy, not as {format}")
        if format == ".npy":
            np.save(target, self.render(field, meta, **options).values)
            return
        layout, numbers, _ = self._numbers(field, meta, options)
        try:
            write_file(layout.contents(numbers), target)
        except RecipeError:
            raise
        except Exception as error:  # noqa: BLE001  names and attributes may be forged in any way
            raise ContainerError(f"cannot be written as NetCDF: {error}".splitlines()[0][:200]) from None

    def _numbers(
        self, field: Function, meta: Mapping[str, Any], options: Mapping[str, Any]
    ) -> tuple[Layout, NDArray[Any], Bools]:
        """What is written, of the variable's shape, and which of it is known."""
        if options:
            raise RecipeError(f"fields have no option {', '.join(options)}")
        layout = layout_of(meta)
        kind = self._type(meta, layout)
        samples, known = decoded(field, grid_of(meta), kind)
        dtype = np.dtype(layout.stored or kind.dtype)
        try:
            numbers = stored(samples, known, layout.attrs, dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise ContainerError(f"not a field: {error}") from None
        return layout, numbers.reshape(layout.shape), known.reshape(layout.shape)

    def score(self, field: Function, signal: Signal) -> dict[str, float | None]:
        """PSNR of the range of what is known, in dB; root mean square and largest error in the samples' unit.

        They are those of the numbers that `write` writes.
        """
        assert signal.samples is not None
        _, written, _ = self._numbers(field, signal.meta, {})
        return scores(signal.samples, written.reshape(-1, 1), signal.mask)

    def rate(self, num_bytes: int, meta: Mapping[str, Any]) -> float:
        """Bits per sample of the grid, known or not."""
        return 8 * num_bytes / len(grid_of(meta))

    def preview(self, field: Function, signal: Signal, target: BinaryIO) -> None:
        """Write a PNG of a slice of the original, the decoded field, and their difference."""
        from coordcodec_field.picture import draw

        assert signal.sample_type is not None
        draw(signal, samples_on(field, grid_of(signal.meta), signal.sample_type), target)


def _warn(remarks: list[str]) -> None:
    for remark in remarks:
        warnings.warn(remark, stacklevel=3)
