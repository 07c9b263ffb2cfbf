"""Parameters to integers: the built-in quantizers, registered as any plugin registers its own."""

from __future__ import annotations

from coordcodec.hookspecs import Quantizer, hookimpl

COORDCODEC_API = 2


@hookimpl
def register_quantizers() -> list[Quantizer]:
    """The quantizers that come with the core."""
    from coordcodec.quant.adaround import AdaRound
    from coordcodec.quant.qat import QuantizationAware
    from coordcodec.quant.rd import RateDistortion
    from coordcodec.quant.uniform import Half, Uniform

    return [Uniform(), AdaRound(), QuantizationAware(), RateDistortion(), Half()]
