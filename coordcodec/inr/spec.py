"""Moved to `coordcodec.specs`; this name works until 1.0."""

from coordcodec.specs import SIREN, SirenSpec, unpack_spec

__all__ = ["SIREN", "SirenSpec", "unpack_spec"]
