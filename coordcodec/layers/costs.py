"""What the work of a layer takes: before an encode, and before a decode. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COMPILING = 15.0
"""Seconds that it takes to compile all kernels."""


@dataclass(frozen=True)
class Estimate:
    """What a layer will take, about, on usual cores (AVX2 or AVX-512, about 2.5 GHz), as many as may be used.

    seconds: of its fit, its quantization and coding. decoding: seconds of a decode of all samples. memory: bytes at the
    peak, besides the process with its libraries and the signal. work: what there is to do, by name. compiling: whether
    kernels must be compiled first, once for all encodes, see `COMPILING`.
    """

    seconds: float
    decoding: float
    memory: int
    work: Mapping[str, int]
    compiling: bool = False


@dataclass(frozen=True)
class Cost:
    """What decoding takes, in multiply-adds. once: before the first value. each: for every point that is asked for."""

    once: float
    each: float
