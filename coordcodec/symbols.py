"""Quantized tensors: integers and their steps. NumPy only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def round_step(step: float) -> float:
    """The smallest step >= `step` that a file can hold: the upper two bytes of an IEEE binary32.

    step: finite and > 0. Steps below 2^-100 become 2^-100, above 2^100 become 2^100.
    """
    bits = int(np.float32(min(max(step, 2.0**-100), 2.0**100)).view(np.uint32))
    rounded = np.uint32((bits + 0xFFFF) & 0xFFFF0000)
    return float(rounded.view(np.float32))


@dataclass(frozen=True)
class Quantized:
    """One tensor as integers: value = step * symbol.

    symbols: int32 array of the tensor's shape; int8 and int16 stay as they are.
    step: the quantization step, > 0, one that a file can hold (see `round_step`). A step of 0 says that the
        symbols are the bit patterns of IEEE binary16 numbers, each in [0, 65535].

    Raises ValueError otherwise.
    """

    symbols: NDArray[Any]
    step: float

    def __post_init__(self) -> None:
        symbols = np.asarray(self.symbols)
        if symbols.dtype.kind not in "iu":
            raise ValueError(f"symbols must be integers, got {symbols.dtype}")
        if self.step != 0 and not (self.step > 0 and round_step(self.step) == self.step):
            raise ValueError(f"step {self.step!r} does not fit two bytes; use coordcodec.data.round_step")
        small = symbols.dtype in (np.int8, np.int16)
        object.__setattr__(self, "symbols", symbols if small else symbols.astype(np.int32, copy=False))
        object.__setattr__(self, "step", float(self.step))

    def dequantize(self) -> Floats:
        """The tensor's values: float32, of the symbols' shape."""
        if self.step == 0:
            return self.symbols.astype(np.uint16).view(np.float16).astype(np.float32)
        return self.symbols.astype(np.float32) * np.float32(self.step)


Symbols = Mapping[str, Quantized]
"""A network's tensors by name, in the order in which the file holds them."""
