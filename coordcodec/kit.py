"""Moved to `coordcodec.scaffold`; this name works until 1.0."""

import warnings

from coordcodec.scaffold import create, module_of

__all__ = ["create", "module_of"]

warnings.warn("coordcodec.kit has moved to coordcodec.scaffold", DeprecationWarning, stacklevel=2)
