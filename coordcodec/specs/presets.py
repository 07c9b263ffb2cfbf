"""Whole codecs of the literature."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # Strümpler et al. 2022: SIREN with positional encoding, L1, 8 bits, AdaRound, QAT, entropy coding; here with SOAP.
    "basic": {"init": "none", "siren": {"quantizer": "qat"}},
    # Dupont et al. 2021 (COIN): its five architectures (layers x width 5x20, 5x30, 10x28, 10x40, 13x49; their
    # count of layers includes the first), no encoding, 16-bit weights, no entropy coding. Their learning rate of 2e-4
    # holds for weights that are multiplied by omega_0 = 30; here that is folded in.
    "coin": {
        "init": "none",
        "siren": {
            "num_frequencies": 0,
            "part_bytes": None,
            "gains": False,
            "architectures": ((4, 20), (4, 30), (9, 28), (9, 40), (12, 49)),
            "optimizer": "adam",
            "lr": 6e-3,
            "l1": 0.0,
            "quantizer": "half",
        },
    },
}
"""Whole codecs of the literature, as choices of a recipe."""
