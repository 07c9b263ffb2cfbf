"""How close one picture is to another."""

from __future__ import annotations

import math

import numpy as np

from coordcodec.data import Signal
from coordcodec_image.raster import Pixels

MOST_PSNR_DB = 100.0
"""The score of identical pictures, whose PSNR is infinite."""
MS_SSIM_SIDE = 161
"""MS-SSIM halves the picture four times and then needs 11 pixels (Wang et al. 2003)."""


def psnr_db(error: float, peak: int) -> float:
    """PSNR in dB, at most 100, of a mean squared error."""
    return MOST_PSNR_DB if error == 0 else min(MOST_PSNR_DB, 10 * math.log10(peak**2 / error))


def ms_ssim(decoded: Pixels, signal: Signal, peak: int) -> float | None:
    """MS-SSIM (Wang et al. 2003) of a decoded picture, 0 to 1; None when a side has fewer than 161 pixels."""
    if min(decoded.shape[:2]) < MS_SSIM_SIDE:
        return None
    import torch
    from pytorch_msssim import ms_ssim as measure

    original = torch.from_numpy(signal.values.reshape(decoded.shape)).permute(2, 0, 1)[None]
    ours = torch.from_numpy(decoded.astype(np.float32)).permute(2, 0, 1)[None]
    with torch.device("cpu"), torch.autocast("cpu", enabled=False):  # whatever the caller has set
        return float(measure(ours, (original + 1) * (peak / 2), data_range=peak))
