"""The type of a signal's samples, and how values become samples and back. NumPy only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError

DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")
"""The types that samples may have, in the order in which files number them."""
_SLICE = 1 << 16
MAX_UNIT = 64
"""Bytes of a unit."""


@dataclass(frozen=True)
class SampleType:
    """What samples are: sample = offset + scale * value.

    dtype: one of DTYPES. scale, offset: per channel, float64, finite, scale not 0. unit: at most 64 bytes of UTF-8.

    Raises SignalError when any of this does not hold.
    """

    dtype: str
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    unit: str = ""

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise SignalError(f"samples may be {', '.join(DTYPES)}, got {self.dtype}")
        if len(self.scale) != len(self.offset) or not self.scale:
            raise SignalError(f"a scale and an offset per channel, got {len(self.scale)} and {len(self.offset)}")
        if not all(math.isfinite(s) and s != 0 for s in self.scale):
            raise SignalError(f"scales must be finite and not 0, got {_listed(self.scale)}")
        if not all(math.isfinite(o) for o in self.offset):
            raise SignalError(f"offsets must be finite, got {_listed(self.offset)}")
        unit: object = self.unit
        if not isinstance(unit, str):
            raise SignalError(f"a unit is a text such as 'K', got {unit!r:.80}")
        if not unit.isprintable() or len(unit.encode()) > MAX_UNIT:
            raise SignalError(f"a unit is printable text of at most {MAX_UNIT} bytes, got {unit[:80]!r}")

    @staticmethod
    def of(
        dtype: np.dtype[Any],
        channels: int,
        scale: float | Sequence[float] = 1.0,
        offset: float | Sequence[float] = 0.0,
        unit: str = "",
    ) -> SampleType:
        """From a NumPy type, and one scale and offset for all channels or one for each. Raises SignalError."""
        scales, offsets = (_per_channel(name, v, channels) for name, v in (("scale", scale), ("offset", offset)))
        return SampleType(np.dtype(dtype).newbyteorder("=").name, scales, offsets, unit)

    @property
    def whole(self) -> bool:
        """Whether samples are integers."""
        return not self.dtype.startswith("float")

    @property
    def scaling(self) -> dict[str, Any]:
        """Scale, offset and unit, as `Signal` takes them."""
        return {"scale": self.scale, "offset": self.offset, "unit": self.unit}

    def values(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        """(n, c) samples as values, float32; NaN stays NaN."""
        scale, offset = np.array(self.scale), np.array(self.offset)
        out = np.empty(samples.shape, np.float32)
        with np.errstate(over="ignore"):  # who makes a signal of them says what is out of range
            for start in range(0, len(samples), _SLICE):  # float64 of them all might not fit
                part = samples[start : start + _SLICE].astype(np.float64)
                out[start : start + _SLICE] = (part - offset) / scale
        return out

    def samples(self, values: NDArray[np.floating[Any]], fill: float | None = None) -> NDArray[Any]:
        """(n, c) values as samples: integers rounded to the nearest, and clipped to what values in [-1, 1] stand for
        and to their type.

        fill: what stands for NaN; default: NaN, or the least integer of the type.

        Raises SignalError for a fill that the type does not have.
        """
        self._check_fill(fill)
        out = np.empty(values.shape, self.dtype)
        for start in range(0, len(values), _SLICE):
            out[start : start + _SLICE] = self._slice(values[start : start + _SLICE], fill)
        return out

    def check(self, samples: NDArray[Any], values: NDArray[np.float32], known: NDArray[np.bool_] | None) -> None:
        """Raise SignalError unless (n, c) samples and values agree, on up to 65,536 evenly spread ones that are known,
        and all known integers are within offset - |scale| and offset + |scale|."""
        scale, offset = np.abs(np.array(self.scale)), np.array(self.offset)
        if self.whole:
            own = samples if known is None else samples[known]
            ends = np.stack([own.min(0), own.max(0)]).astype(np.float64)
            if (np.abs(ends - offset) > scale + 0.5).any():
                raise SignalError(
                    f"samples must lie in offset - |scale| to offset + |scale|, but they go from {ends[0].min():g} to "
                    f"{ends[1].max():g} with a scale of {_listed(self.scale)} and an offset of {_listed(self.offset)}"
                )
        rows = np.arange(len(samples)) if known is None else np.flatnonzero(known)
        rows = rows[:: max(1, len(rows) // _SLICE)]
        meant = self._clipped(values[rows].astype(np.float64) * np.array(self.scale) + offset)
        away = np.abs(samples[rows].astype(np.float64) - meant)
        away /= (0.5 if self.whole else 0.0) + 2.0**-20 * (scale + np.abs(offset))
        if float(away.max()) > 1:
            row, channel = np.unravel_index(int(away.argmax()), away.shape)
            raise SignalError(
                f"samples and values must agree: sample = offset + scale * value; sample {rows[row]} is "
                f"{samples[rows[row], channel]:g}, but its value {values[rows[row], channel]:g} means "
                f"{meant[row, channel]:g}"
            )

    def _clipped(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, c) samples of integers, not yet rounded, clipped to what values and the type can be; others as given."""
        if not self.whole:
            return scaled
        limits, reach, middle = np.iinfo(self.dtype), np.abs(np.array(self.scale)), np.array(self.offset)
        return np.clip(scaled, np.maximum(middle - reach, limits.min), np.minimum(middle + reach, limits.max))

    def _check_fill(self, fill: float | None) -> None:
        if fill is None or not self.whole:
            return
        limits = np.iinfo(self.dtype)
        if not (limits.min <= fill <= limits.max and fill == int(fill)):
            raise SignalError(f"a fill of {self.dtype} is a whole number, {limits.min} to {limits.max}; got {fill!r}")

    def _slice(self, values: NDArray[np.floating[Any]], fill: float | None) -> NDArray[Any]:
        scaled = values.astype(np.float64) * np.array(self.scale) + np.array(self.offset)
        unknown = np.isnan(scaled)
        if not self.whole:
            return np.where(unknown, np.nan if fill is None else fill, scaled).astype(self.dtype)
        limits = np.iinfo(self.dtype)
        rounded = np.rint(self._clipped(np.where(unknown, np.array(self.offset), scaled)))
        rounded = np.clip(rounded, limits.min, limits.max).astype(self.dtype)
        return np.where(unknown, limits.min if fill is None else int(fill), rounded).astype(self.dtype)


class LateValues:
    """The values of a signal: those that it was given, or made of its samples when they are first asked for."""

    def __get__(self, signal: Any, owner: Any = None) -> Any:
        if signal is None:
            return None  # the default
        facts = signal.__dict__
        if facts["values"] is None and facts.get("_sample_type") is not None:
            facts["values"] = facts["_sample_type"].values(facts["samples"])
        return facts["values"]

    def __set__(self, signal: Any, values: Any) -> None:
        signal.__dict__["values"] = values


def _per_channel(name: str, given: float | Sequence[float], channels: int) -> tuple[float, ...]:
    try:
        numbers = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise SignalError(f"{name} is one number or one per channel, got {given!r:.80}") from None
    if numbers.shape not in ((), (channels,)):
        raise SignalError(f"{name} is one number or one per channel, {channels} here; got shape {numbers.shape}")
    return tuple(float(n) for n in np.broadcast_to(numbers, (channels,)))


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{n:g}" for n in numbers[:8])
