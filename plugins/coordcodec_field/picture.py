"""A picture of a slice of a field and what was decoded, with their difference."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Grid, Signal
from coordcodec_field.layout import layout_of
from coordcodec_field.metrics import scores

LONGEST = 1000
"""Samples along an axis that are drawn; of more, every second, third ... one."""
_NAMES = ("original", "decoded", "difference")


def draw(signal: Signal, samples: NDArray[Any], target: BinaryIO) -> None:
    """Write a PNG. samples: the decoded ones, (n, 1)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    assert isinstance(signal.coords, Grid)
    assert signal.samples is not None
    layout, found = layout_of(signal.meta), scores(signal.samples, samples, signal.mask)
    planes = [_slice(array, signal, signal.coords) for array in (signal.samples, samples)]
    planes.append(planes[1] - planes[0])
    figure = Figure(figsize=(15, 5), dpi=100, layout="constrained")
    axes = figure.subplots(1, 3)
    for axis, plane, name in zip(axes, planes, _NAMES, strict=True):
        _panel(axis, plane, planes[0], name, layout.unit)
    psnr = "constant" if found["psnr_db"] is None else f"PSNR {found['psnr_db']:.2f} dB"
    shape = " x ".join(map(str, layout.shape))
    figure.suptitle(f"{layout.name}, {shape}: {psnr}, largest error {found['max_error']:.3g} {layout.unit}", wrap=True)
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a name may have dollar signs
    FigureCanvasAgg(figure).print_png(target)


def _slice(samples: NDArray[Any], signal: Signal, grid: Grid) -> NDArray[np.float64]:
    """The last two axes, amid the others; NaN where nothing is known."""
    array = samples[:, 0].astype(np.float64)
    if signal.mask is not None:
        array = np.where(signal.mask, array, np.nan)
    array = array.reshape(grid.shape)
    while array.ndim > 2:
        array = array[len(array) // 2]
    steps = tuple(slice(None, None, -(-n // LONGEST)) for n in array.shape)
    return np.asarray(array[steps])


def _panel(axis: Any, plane: NDArray[np.float64], original: NDArray[np.float64], name: str, unit: str) -> None:
    finite = original[np.isfinite(original)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    largest = float(np.nanmax(np.abs(plane))) if np.isfinite(plane).any() else 1.0
    axis.set_title(name)
    if plane.ndim == 1:
        axis.plot(plane, linewidth=0.8, marker="." if len(plane) <= 100 else "")
        axis.set_ylabel(unit)
        return
    if name == "difference":
        low, high = -(largest or 1.0), largest or 1.0
    image = axis.imshow(
        plane, vmin=low, vmax=high, cmap="RdBu_r" if name == "difference" else "viridis", aspect="auto",
        interpolation="nearest",
    )  # fmt: skip
    axis.figure.colorbar(image, ax=axis, label=unit, orientation="horizontal")
