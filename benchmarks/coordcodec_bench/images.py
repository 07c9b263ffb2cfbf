"""Pictures beside the codecs of the day.

Each is run for the smallest squared error, since PSNR is what decides: the options below were chosen on Kodak pictures
at equal bytes, and files hold no metadata. Everything runs on one thread. `coordcodec_bench.published` compares what
they reach with what others measured.
"""

from __future__ import annotations

import numpy as np

from coordcodec.data import Grid, Signal
from coordcodec.errors import SignalError
from coordcodec_bench.baseline import Baseline
from coordcodec_bench.image_codecs import CODECS, Pixels


class Images:
    """Where the codecs of pictures meet: the scores of our own files, of pictures of 8 bits."""

    modality = "image"
    main_score = "psnr_db"
    falling = False
    codecs: dict[str, Baseline] = {baseline.name: baseline for baseline in CODECS}

    def original(self, signal: Signal) -> Pixels:
        """The picture: (h, w, c) uint8, c = 1 or 3. Raises SignalError for one of 16 bits or with alpha."""
        depth = signal.meta.get("depth", 8)
        if not isinstance(signal.coords, Grid) or signal.dims != 2 or depth != 8 or signal.channels not in (1, 3):
            raise SignalError(
                f"baselines of images take 8-bit grey or RGB pictures, got {signal.channels} channels of {depth} bits; "
                "convert it, or measure our own codecs alone"
            )
        levels = np.rint((signal.values.astype(np.float64) + 1) * 127.5).clip(0, 255)
        return levels.astype(np.uint8).reshape(*signal.coords.shape, signal.channels)

    def score(self, decoded: Pixels, signal: Signal) -> dict[str, float | None]:
        """`psnr_db` (at most 100) over all samples and `ms_ssim` (None below 161 pixels) of a decoded picture."""
        from coordcodec_image.metrics import ms_ssim, psnr_db

        difference = decoded.astype(np.float64) - self.original(signal)
        return {"psnr_db": psnr_db(float((difference**2).mean()), 255), "ms_ssim": ms_ssim(decoded, signal, 255)}


BASELINES = Images()
