"""Whether a file is whole, and whether it is what its encoder meant."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np

from coordcodec.data import Floats, Grid, Signal, grid_of, on_grid
from coordcodec.decoder import Compressed, open_file
from coordcodec.encoder.encode import Encoded
from coordcodec.errors import ContainerError, UnknownName
from coordcodec.field import SumField
from coordcodec.layers import layer_of

_SLICE = 1 << 18
_CLOSE = 1e-4
"""Of the largest value: sums of floats in another order may differ by less."""


def check_whole(opened: Compressed) -> int:
    """Decode all of an opened file, whose checksums have been compared, and keep nothing; returns how many points.

    Those of its grid; of scattered points, whose places no file holds, the corners of the domain and its centre. Where
    the modality is installed, it must accept what the file says of its data.

    Raises ContainerError for a damaged file, DecodeLimit, MissingInitialisation.
    """
    with suppress(UnknownName):  # the field needs no plugin
        _ = opened.rate, opened.sample_type
    field = opened.job()
    if not opened.container.meta["shape"]:
        corners = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * opened.container.dims), -1)
        return len(field(corners.reshape(-1, opened.container.dims)))
    grid, points = grid_of(opened.container.meta), 0
    for window in _rows(grid):
        points += len(field.on_grid(window))
    return points


def _rows(grid: Grid) -> list[Grid]:
    """A grid in windows of whole rows, so that little is held at once."""
    rows = max(1, _SLICE * grid.shape[0] // max(1, math.prod(grid.shape)))
    starts = range(0, grid.shape[0], rows)
    return [grid.window([(s, min(s + rows, grid.shape[0])), *((0, n) for n in grid.shape[1:])]) for s in starts]


def check_meant(data: bytes, encoded: Encoded, signal: Signal) -> None:
    """Raise ContainerError unless a file's bytes decode to what its encoder meant, at the signal's own samples.

    Layers that are exact must give the same integers, others the same values but for the rounding of their sums.
    """
    if data != encoded.data:
        raise ContainerError("the bytes on the disk are not those that were written")
    opened = open_file(data, encoded.init, time_limit=None).to(encoded.device)
    layers = []
    for section, symbols in zip(opened.container.sections, encoded.meant, strict=True):
        init = encoded.init if section.init else None
        layers.append(layer_of(section.spec).field(section.spec, symbols, init, encoded.device))
    meant = _values(SumField(layers, opened.container.mask), signal)
    found = _values(opened.field, signal)
    exact = all(section.spec.exact for section in opened.container.sections)
    margin = 0.0 if exact else _CLOSE * max(1.0, float(np.nanmax(np.abs(meant), initial=0)))
    unknown = np.isnan(meant)
    if not np.array_equal(unknown, np.isnan(found)):
        raise ContainerError("other samples are unknown than was meant")
    worst = float(np.abs(found - meant)[~unknown].max(initial=0))
    if worst > margin:
        raise ContainerError(f"it decodes to values that differ by up to {worst:.3g} from what was meant")


def _values(field: SumField, signal: Signal) -> Floats:
    return on_grid(field, signal.coords) if isinstance(signal.coords, Grid) else field(signal.coords)
