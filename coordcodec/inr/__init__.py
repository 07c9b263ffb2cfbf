"""Moved to `coordcodec.layers.siren`, `coordcodec.compute` and `coordcodec.specs`; these names work until 1.0."""

import warnings

warnings.warn(
    "coordcodec.inr has moved to coordcodec.layers.siren, coordcodec.compute and coordcodec.specs",
    DeprecationWarning,
    stacklevel=2,
)
