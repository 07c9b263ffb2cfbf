"""Moved to `coordcodec.decoder`; this name works until 1.0."""

import warnings

from coordcodec.clock import Progress
from coordcodec.decoder import Compressed, Source, open_file
from coordcodec.encoder.encode import Encoded

__all__ = ["Compressed", "Encoded", "Progress", "Source", "open_file"]

warnings.warn("coordcodec.compressed has moved to coordcodec.decoder", DeprecationWarning, stacklevel=2)
