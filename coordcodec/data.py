"""What flows through the codec: signals and fields, with the grids and symbols that they are made of.

NumPy only; every type is frozen and checks itself when it is made, so that no other module has to.
A plugin author needs this page and `hookspecs.py`, nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError
from coordcodec.grid import MAX_DIMS, SLICE, Coords, Floats, Grid, checked_coords, circles
from coordcodec.mask import Bools, Mask, known_of
from coordcodec.plain import check_extras, check_meta
from coordcodec.samples import LateValues, SampleType
from coordcodec.symbols import Quantized, Symbols, round_step

__all__ = [
    "MAX_CHANNELS",
    "MAX_DIMS",
    "NAME",
    "SLICE",
    "Bools",
    "Coords",
    "Field",
    "Floats",
    "Grid",
    "Mask",
    "Quantized",
    "SampleType",
    "Signal",
    "Symbols",
    "check_meta",
    "grid_of",
    "on_grid",
    "round_step",
    "sample",
    "samples_on",
]

Field = Callable[[Coords], Floats]
"""A decoded signal: (n, d) coords in [-1, 1] -> (n, c) float32 values, nominally in [-1, 1], NaN where no sample is
known. Those that come out of a file have a method `on_grid`, too; see the function of that name."""

MAX_CHANNELS = 255
_FROM_SAMPLES: Any = LateValues()

NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
"""The names of modalities and quantizers."""


def sample(field: Field, grid: Grid, size: int = SLICE) -> Iterator[tuple[slice, Floats]]:
    """Evaluate a field on a grid in slices: yields (slice of the flattened grid, (m, c) float32 values)."""
    for part, coords in grid.slices(size):
        yield part, field(coords)


def on_grid(field: Field, grid: Grid) -> Floats:
    """A field's values on a grid, (n, c) float32; at the signal's own samples exactly what was decoded."""
    own: Callable[[Grid], Floats] | None = getattr(field, "on_grid", None)
    return np.concatenate([values for _, values in sample(field, grid)]) if own is None else own(grid)


def grid_of(meta: Mapping[str, Any]) -> Grid:
    """The grid of a signal, from the keys that it adds to its meta. Raises SignalError where they say none."""
    return Grid(tuple(meta["shape"]), periodic=tuple(meta.get("periodic", ())))


def samples_on(field: Field, grid: Grid, kind: SampleType, fill: float | None = None) -> NDArray[Any]:
    """A field's samples on a grid, (n, c); of a file that promises something of them exactly those.

    kind, fill: see `SampleType.samples`.
    """
    own: Callable[..., NDArray[Any]] | None = getattr(field, "samples_on", None)
    return kind.samples(on_grid(field, grid), fill) if own is None else own(grid, kind, fill)


@dataclass(frozen=True)
class Signal:
    """Samples of a function: what a modality's `read` returns and what the codec compresses.

    coords: a Grid, or (n, d) float32 in [-1, 1] for scattered points.
    values: (n, c) float32 in [-1, 1]; NaN is the same as `mask` False. May be left out where samples, scale and offset
        say it; of whole numbers that are all known they are then made when they are first asked for.
    modality: name of the modality that read it; stored in the file.
    meta: what `write` needs beyond the grid's shape and the number of channels; small, stored in the file.
        Values are bool, int, finite float, str, or lists of those; or bytes, which may be long. The keys "shape" (list
        of int, empty for scattered points), "channels" (int) and, on a grid with periodic axes, "periodic" (list of
        bool) are added here, cost nothing, and are there again at decode time.
    original: the data in whatever form the modality's `score` and `preview` want to compare with, if the samples
        are not enough for them (a mesh, say); never stored.

    All of the following is optional:
    extras: what else its source says, by name, which neither `write` nor `score` needs: a colour profile, tags. Files
        hold it where the recipe says so, by default if they are lossless; at decode time it then stands in meta.
    samples: (n, c) the data in its own type and unit: int8 to int32, uint8 to uint32, float32 or float64. Where values
        are given too, they agree. NaN is the same as `mask` False.
    scale, offset: per channel, or one for all: sample = offset + scale * value; float64, finite, scale not 0.
    unit: of the samples, up to 64 bytes of UTF-8.
    mask: (n,) bool, True for known samples, one for all channels. Unknown samples are ignored by every fit and decode
        to NaN. What a NumPy MaskedArray of values or samples hides is not known either.
    periodic: one bool per axis of a grid: whether it is a closed circle, such as one of longitudes; default: what the
        grid says.

    Raises SignalError when any of this does not hold.
    """

    coords: Grid | Floats
    values: Floats = _FROM_SAMPLES
    modality: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    original: Any = field(default=None, repr=False, compare=False)
    samples: NDArray[Any] | None = field(default=None, repr=False)
    scale: float | Sequence[float] = 1.0
    offset: float | Sequence[float] = 0.0
    unit: str = ""
    mask: Bools | None = field(default=None, repr=False)
    periodic: Sequence[bool] = ()
    extras: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.modality):
            raise SignalError(f"a modality's name is 1 to 32 of a-z, 0-9, _ and -, got {self.modality!r}")
        sample_type, samples = self._checked_samples()
        waits = self._waits(sample_type, samples)
        given: Any = samples if waits else self._given(sample_type, samples)
        coords = checked_coords(self.coords, len(given), circles(self.periodic))
        if waits:
            values, mask = None, None
        else:
            values, mask = _checked_values(given, known_of([self.values, self.samples], self.mask, len(given)))
            if sample_type is not None and samples is not None:
                sample_type.check(samples, values, mask)
        periodic = coords.periodic if isinstance(coords, Grid) else ()
        free: dict[str, Any] = {"shape": list(coords.shape) if isinstance(coords, Grid) else []}
        free |= {"channels": int(np.shape(given)[1]), **({"periodic": list(periodic)} if any(periodic) else {})}
        given = {k: v for k, v in self.meta.items() if k not in free}
        for name, value in {
            "values": values,
            "coords": coords,
            "mask": mask,
            "periodic": periodic,
            "samples": samples,
            "meta": check_meta({**given, **free}),
            "extras": check_extras(self.extras, {**given, **free}),
        }.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_sample_type", sample_type)

    def _checked_samples(self) -> tuple[SampleType | None, NDArray[Any] | None]:
        if self.samples is None:
            return None, None
        samples = np.asarray(self.samples)  # of a MaskedArray what lies under its mask
        if samples.ndim != 2 or not 1 <= samples.shape[1] <= MAX_CHANNELS:
            raise SignalError(f"samples must be (n, c) with 1 <= c <= {MAX_CHANNELS}, got shape {samples.shape}")
        return SampleType.of(samples.dtype, samples.shape[1], self.scale, self.offset, self.unit), samples

    def _waits(self, kind: SampleType | None, samples: NDArray[Any] | None) -> bool:
        """Whether values can wait until somebody asks: those of whole numbers that are all known, and checked here."""
        given: Any = self.values
        if given is not None or kind is None or samples is None or not kind.whole or not len(samples):
            return False
        if known_of([self.samples], self.mask, len(samples)) is not None:
            return False
        ends = np.stack([samples.min(0), samples.max(0)])
        kind.check(ends, _checked_values(kind.values(ends), None)[0], None)
        return True

    def _given(self, sample_type: SampleType | None, samples: NDArray[Any] | None) -> Any:
        given: Any = self.values
        if given is not None:
            if samples is not None and np.shape(given) != samples.shape:
                raise SignalError(f"values {np.shape(given)} and samples {samples.shape} must have one shape")
            return given
        if sample_type is None or samples is None:
            raise SignalError("a signal needs values, or samples with their scale and offset")
        return sample_type.values(samples)

    def with_extras(self) -> Signal:
        """The same with its extras in its meta, as they are at decode time."""
        if not self.extras:
            return self
        return replace(self, values=self.__dict__["values"], meta={**self.meta, **self.extras}, extras={})

    @property
    def sample_type(self) -> SampleType | None:
        """Type, scale, offset and unit of the samples; None without samples."""
        found: SampleType | None = self.__dict__["_sample_type"]
        return found

    @property
    def dims(self) -> int:
        """The dimension of the coordinates, d."""
        return self.coords.dims if isinstance(self.coords, Grid) else int(self.coords.shape[1])

    @property
    def channels(self) -> int:
        """The number of values per point, c."""
        return int(self.meta["channels"])

    @property
    def points(self) -> int:
        """The number of points, n."""
        return len(self.coords)

    @property
    def size(self) -> int:
        """The number of values, n c."""
        return self.points * self.channels

    def part(self, points: slice) -> Floats:
        """The values of some points, (m, c) float32; where all wait to be made, those alone are."""
        kept, kind = self.__dict__["values"], self.sample_type
        if kept is None and kind is not None and self.samples is not None:
            return kind.values(self.samples[points])
        return self.values[points]

    @property
    def grid_mask(self) -> Mask | None:
        """The mask of a grid, as a file stores it; None where all samples are known, and for scattered points."""
        if self.mask is None or not isinstance(self.coords, Grid):
            return None
        return Mask.of(self.coords, self.mask)


def _checked_values(values: Any, known: Bools | None) -> tuple[Floats, Bools | None]:
    """Values, 0 where they are not known, and which are; None where all are."""
    kind = np.asarray(values).dtype
    if kind.kind not in "biuf":
        raise SignalError(f"values must be real numbers, got {kind}; convert them in read()")
    array = np.asarray(values, dtype=np.float32)
    if array.ndim != 2 or not 1 <= array.shape[1] <= MAX_CHANNELS or not len(array):
        raise SignalError(f"values must be (n, c) with n >= 1 and 1 <= c <= {MAX_CHANNELS}, got shape {array.shape}")
    if known is not None:
        array = np.where(known[:, None], array, np.float32(0))
    lowest, highest = float(array.min()), float(array.max())
    if not (lowest >= -1.0001 and highest <= 1.0001):
        raise SignalError(f"values must be finite and in [-1, 1], got [{lowest:g}, {highest:g}]; scale them in read()")
    return array, known
