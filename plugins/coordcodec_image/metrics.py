"""How close one picture is to another."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Floats, Signal
from coordcodec_image.raster import Pixels

MOST_PSNR_DB = 100.0
"""The score of identical pictures, whose PSNR is infinite."""
MS_SSIM_SIDE = 161
"""MS-SSIM halves the picture four times and then needs 11 pixels (Wang et al. 2003)."""

WEIGHTS = 0.0448, 0.2856, 0.3001, 0.2363, 0.1333
"""Of its scales (Wang et al. 2003)."""
_WINDOW = 11
_BAND = 1 << 20
"""Pixels that are compared at a time."""

Doubles = NDArray[np.float64]
Rows = Callable[[slice], Floats]
"""Some rows of one channel of a picture."""


def psnr_db(error: float, peak: int) -> float:
    """PSNR in dB, at most 100, of a mean squared error."""
    return MOST_PSNR_DB if error == 0 else min(MOST_PSNR_DB, 10 * math.log10(peak**2 / error))


def as_pixels(values: Floats, peak: int) -> Doubles:
    """Values as the whole numbers that they stand for, 0 to peak."""
    return np.asarray(np.rint((values.astype(np.float64) + 1) * (peak / 2)))


def ms_ssim(decoded: Pixels, signal: Signal, peak: int) -> float | None:
    """MS-SSIM (Wang et al. 2003) of a decoded picture, 0 to 1; None when a side has fewer than 161 pixels.

    A channel and a band of rows at a time, so that 108 megapixels take less than 1 GB.
    """
    height, width, channels = decoded.shape
    if min(height, width) < MS_SSIM_SIDE:
        return None
    found = list[float]()
    for channel in range(channels):

        def original(rows: slice, channel: int = channel) -> Floats:
            values = signal.part(slice(rows.start * width, rows.stop * width))[:, channel]
            return ((values + 1) * np.float32(peak / 2)).reshape(-1, width)

        def ours(rows: slice, channel: int = channel) -> Floats:
            return decoded[rows, :, channel].astype(np.float32)

        pair: tuple[Rows, Rows] = original, ours
        product, shape = 1.0, (height, width)
        for scale, weight in enumerate(WEIGHTS):
            whole, contrast = _means(pair, shape, peak)
            product *= max(0.0, whole if scale == len(WEIGHTS) - 1 else contrast) ** weight
            if scale < len(WEIGHTS) - 1:
                halves = [_halved(rows, shape) for rows in pair]
                shape = halves[0].shape[0], halves[0].shape[1]
                pair = halves[0].__getitem__, halves[1].__getitem__
        found.append(product)
    return float(np.mean(found))


def _means(pair: tuple[Rows, Rows], shape: tuple[int, int], peak: int) -> tuple[float, float]:
    """The means of SSIM and of its contrast term over one channel of two pictures."""
    import torch
    from pytorch_msssim.ssim import _fspecial_gauss_1d, _ssim  # what its `ms_ssim` is made of

    inner, band, sums = shape[0] - _WINDOW + 1, max(1, _BAND // shape[1]), np.zeros(2)
    with torch.device("cpu"), torch.autocast("cpu", enabled=False):  # whatever the caller has set
        window = _fspecial_gauss_1d(_WINDOW, 1.5)[None]
        for top in range(0, inner, band):
            count = min(band, inner - top)
            rows = slice(top, top + count + _WINDOW - 1)
            one, other = (torch.from_numpy(np.ascontiguousarray(given(rows)))[None, None] for given in pair)
            sums += [count * float(mean) for mean in _ssim(one, other, peak, window, size_average=False)]
    return float(sums[0] / inner), float(sums[1] / inner)


def _halved(rows: Rows, shape: tuple[int, int]) -> Floats:
    """Means of two by two pixels; before an odd side there is a row, or a column, of zeros."""
    (height, width), (above, before) = shape, (n % 2 for n in shape)
    found = np.empty(((height + above) // 2, (width + before) // 2), np.float32)
    band = max(1, _BAND // width)
    for top in range(0, len(found), band):
        bottom = min(top + band, len(found))
        given = rows(slice(max(0, 2 * top - above), 2 * bottom - above))
        wide = np.pad(given, ((2 * (bottom - top) - len(given), 0), (before, 0)))
        found[top:bottom] = wide.reshape(bottom - top, 2, -1, 2).mean((1, 3))
    return found
