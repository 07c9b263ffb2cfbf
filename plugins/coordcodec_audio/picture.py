"""A picture of a sound and what was decoded: waveforms, their difference, spectrograms."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Field, Floats, Grid, Signal
from coordcodec_audio.files import as_written
from coordcodec_audio.metrics import FLOOR_DB, MOST_DB, decibels, power_spectrum
from coordcodec_audio.rendering import Facts, render

COLUMNS = 1000
"""Columns of a picture. Longer sounds are looked at in one window per column: work does not grow with length."""
LONGEST_WINDOW = 2048
RANGE_DB = 80
"""Between the brightest and the darkest colour of the spectrograms."""

_WHOLE = 1 << 22
"""A sound of so many samples, over all channels, is decoded once and whole."""
_Fetch = Callable[[int, int], Floats]


@dataclass
class _Columns:
    """What is drawn, per column; kinds are original, decoded, difference.

    low, high: (kinds, columns), the extremes over time and channels. levels: (2, columns, frequencies), in dB, the
    mean power of the channels. signal, noise: sums of squares of all that was looked at. partial: not all was.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    levels: NDArray[np.float64]
    signal: float = 0.0
    noise: float = 0.0
    partial: bool = False


def draw(field: Field, signal: Signal, target: BinaryIO) -> None:
    """Write a PNG of 1200 x 900 pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    facts = Facts.of(signal.meta)
    columns = _look(_fetcher(field, facts), signal.values, facts)
    figure = Figure(figsize=(12, 9), dpi=100, layout="constrained")
    axes = figure.subplots(5, 1, sharex=True, height_ratios=(2, 2, 2, 3, 3))
    _draw_waveforms(axes[:3], columns, facts)
    image = _draw_spectrograms(axes[3:], columns, facts)
    figure.colorbar(image, ax=list(axes[3:]), label="level, dB of full scale", pad=0.01)
    axes[-1].set_xlabel("time, s")
    channels = "mono" if facts.channels == 1 else f"{facts.channels} channels"
    figure.suptitle(f"{facts.frames / facts.rate:.4g} s, {facts.rate} Hz, {channels}: {_snr(columns)}")
    FigureCanvasAgg(figure).print_png(target)


def _fetcher(field: Field, facts: Facts) -> _Fetch:
    """Decoded samples start <= i < stop, (m, c), as they are written."""
    if facts.frames * facts.channels <= _WHOLE:
        whole = as_written(render(field, facts)[0], facts.depth)
        return lambda start, stop: whole[start:stop]
    grid = Grid((facts.frames,))

    def fetch(start: int, stop: int) -> Floats:
        return as_written(np.clip(field(grid.window([(start, stop)]).coords()), -1, 1), facts.depth)

    return fetch


def _look(fetch: _Fetch, original: Floats, facts: Facts) -> _Columns:
    n, count = facts.frames, min(COLUMNS, facts.frames)
    width = min(LONGEST_WINDOW, 1 << max(4, round(math.log2(0.04 * facts.rate + 1))), 1 << max(4, n.bit_length()))
    edges = np.linspace(0, n, count + 1).round().astype(int)
    empty = np.empty((3, count))
    columns = _Columns(empty, empty.copy(), np.empty((2, count, width // 2 + 1)))
    for i in range(count):
        first, last = int(edges[i]), int(edges[i + 1])
        begin = (first + last - width) // 2  # of a window around the column, which may reach beyond the sound
        start, stop = max(0, begin), min(n, begin + width)
        pair = [original[start:stop].astype(np.float64), fetch(start, stop).astype(np.float64)]
        mine = slice(max(first - start, 0), min(last, stop) - start)
        columns.partial = columns.partial or last - first > width
        for k, samples in enumerate((*pair, pair[1] - pair[0])):
            columns.low[k, i], columns.high[k, i] = samples[mine].min(), samples[mine].max()
        columns.signal += float((pair[0][mine] ** 2).sum())
        columns.noise += float(((pair[1] - pair[0])[mine] ** 2).sum())
        for k, samples in enumerate(pair):
            padded = np.zeros((samples.shape[1], width))
            padded[:, start - begin : stop - begin] = samples.T
            columns.levels[k, i] = decibels(power_spectrum(padded).mean(axis=0))
    return columns


def _snr(columns: _Columns) -> str:
    if columns.signal == 0:
        return "silence"
    ratio = columns.signal / columns.noise if columns.noise else math.inf
    text = f"SNR {10 * math.log10(ratio):.2f} dB" if 0 < ratio < 10 ** (MOST_DB / 10) else "no difference"
    return f"{text}, of one window per column" if columns.partial else text


def _draw_waveforms(axes: Any, columns: _Columns, facts: Facts) -> None:
    count = columns.low.shape[1]
    low, high = columns.low * facts.scale, columns.high * facts.scale
    duration = facts.frames / facts.rate
    times = (np.arange(count) + (0 if count == facts.frames else 0.5)) * (duration / count)
    peak = float(max(np.abs(low).max(), np.abs(high).max())) or 1.0
    colours = ("tab:blue", "tab:orange", "tab:red")
    for k, (name, colour) in enumerate(zip(("original", "decoded", "difference"), colours, strict=True)):
        if count == facts.frames and facts.channels == 1:
            axes[k].plot(times, low[k], color=colour, marker="." if count <= 100 else "", linewidth=0.8)
        else:
            axes[k].fill_between(times, low[k], high[k], color=colour, linewidth=0.6)
        axes[k].set(xlim=(0, duration), ylim=(-1.05 * peak, 1.05 * peak), ylabel=name)
        axes[k].grid(alpha=0.3)


def _draw_spectrograms(axes: Any, columns: _Columns, facts: Facts) -> Any:
    brightest = 10 * math.ceil(max(float(columns.levels[0].max()), FLOOR_DB + RANGE_DB) / 10)
    extent = (0, facts.frames / facts.rate, 0, facts.rate / 2000)
    for axis, levels, name in zip(axes, columns.levels, ("original", "decoded"), strict=True):
        image = axis.imshow(
            levels.T, origin="lower", aspect="auto", extent=extent, vmin=brightest - RANGE_DB, vmax=brightest,
            cmap="magma", interpolation="nearest",
        )  # fmt: skip
        axis.set_ylabel(f"{name}, kHz")
    return image
