"""Rounding for a fit that has seen the rate."""

from __future__ import annotations

from coordcodec.quant.qat import QuantizationAware


class RateDistortion(QuantizationAware):
    """Quantization-aware training behind a fit in whose loss the code length took part."""

    name = "rd"
    in_loop = True
