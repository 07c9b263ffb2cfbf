"""Moved to `coordcodec.layers.siren.network`; this name works until 1.0."""

from coordcodec.layers.siren.network import CPU_SLICE, Params, apply, as_field, as_params, filled, init

__all__ = ["CPU_SLICE", "Params", "apply", "as_field", "as_params", "filled", "init"]
