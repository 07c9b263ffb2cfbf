"""The core's side of the seam: what a plugin registers and what it returns is checked where it comes in.

A plugin that breaks its contract is told so in one line that names it; `coordcodec.testing` is where its author
finds out earlier.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coordcodec.clock import OutOfTime
from coordcodec.data import Coords, Field, Floats, Grid, SampleType, Signal, on_grid, samples_on
from coordcodec.errors import CoordCodecError, PluginError, reason
from coordcodec.hookspecs import Modality, Previewer, Sampled, Source

DEBUG = "traceback with --debug or COORDCODEC_DEBUG=1"
"""Says where the rest of an error is to be had."""

printing_aside: Callable[[], AbstractContextManager[Any]] = nullcontext
"""Entered around what plugins do. The command line puts something here that keeps their prints off standard output."""


class Checked:
    """A modality whose answers are checked: what breaks the contract raises a PluginError that names the plugin.

    Everything else of the modality (its facts, a preview) is there as it is.
    """

    def __init__(self, modality: Modality, plugin: str) -> None:
        self._modality, self._plugin = modality, plugin
        self.name, self.suffixes, self.rate_unit = modality.name, modality.suffixes, modality.rate_unit
        self.main_score, self.defaults = modality.main_score, modality.defaults
        self.read_options, self.write_options = modality.read_options, modality.write_options
        if isinstance(modality, Previewer):
            self.preview = self._preview  # isinstance(self, Previewer) only sees what is really there
        if isinstance(modality, Sampled):
            self.sample_type = self._sample_type

    def __getattr__(self, name: str) -> Any:
        return getattr(self._modality, name)

    def _sample_type(self, meta: Mapping[str, Any]) -> SampleType | None:
        with self._inside("sample_type"):
            kind: object = self._modality.sample_type(meta)  # type: ignore[attr-defined]
        if kind is None:
            return None
        if not isinstance(kind, SampleType) or len(kind.scale) != meta["channels"]:
            raise self._broken(
                f"must return a SampleType of {meta['channels']} channels from sample_type(), got {kind!r}"
            )
        return kind

    @contextmanager
    def _inside(self, method: str) -> Iterator[None]:
        """Run a method of the plugin: what it prints goes aside, what it raises becomes a PluginError."""
        try:
            with printing_aside():
                yield
        except (CoordCodecError, MemoryError, OutOfTime):
            raise
        except (Exception, SystemExit) as error:  # third-party code may raise anything
            said = f"{type(error).__name__}: {reason(error)}"
            raise PluginError(f"plugin {self._plugin}: {method}() raised {said} ({DEBUG})") from error

    def _broken(self, what: str) -> PluginError:
        return PluginError(f"plugin {self._plugin}: the modality {self.name!r} {what}; update it or tell its author")

    def read(self, source: Source, **options: Any) -> Signal:
        """As the modality reads; raises PluginError for what is no signal of this modality."""
        with self._inside("read"):
            signal: object = self._modality.read(source, **options)
        if not isinstance(signal, Signal):
            raise self._broken(f"must return a coordcodec.Signal from read(), got {type(signal).__name__}")
        if signal.modality != self.name:
            raise self._broken(f"must name itself in the signal, got {signal.modality!r}")
        return signal

    def render(self, field: Field, meta: Mapping[str, Any], **options: Any) -> Any:
        """As the modality renders; raises PluginError for nothing, and for a field that is asked wrongly."""
        with self._inside("render"):
            decoded = self._modality.render(self._asked(field), meta, **options)
        if decoded is None:
            raise self._broken("must return the decoded data from render(), got None")
        return decoded

    def write(self, field: Field, meta: Mapping[str, Any], target: BinaryIO, *, format: str, **options: Any) -> None:
        """As the modality writes; raises PluginError for a target that it closes, and a field asked wrongly."""
        with self._inside("write"):
            self._modality.write(self._asked(field), meta, target, format=format, **options)
        if target.closed:
            raise self._broken("must leave the target of write() open")
        if isinstance(target, BytesIO) and not target.getbuffer().nbytes:
            raise self._broken("must write into the target of write(), it wrote nothing")

    def score(self, field: Field, signal: Signal) -> dict[str, float | None]:
        """As the modality scores; raises PluginError for scores that are no finite numbers."""
        with self._inside("score"):
            scores: object = self._modality.score(self._asked(field), signal)
        if not isinstance(scores, Mapping) or self.main_score not in scores:
            raise self._broken(f"must return its main score {self.main_score!r} from score(), got {scores!r}")
        for name, value in scores.items():
            if value is not None and not (_is_number(value) and math.isfinite(value)):
                raise self._broken(f"must return finite numbers or None from score(), {name} is {value!r}")
        return {str(name): None if value is None else float(value) for name, value in scores.items()}

    def rate(self, num_bytes: int, meta: Mapping[str, Any]) -> float:
        """The modality's rate; raises PluginError for what is none."""
        with self._inside("rate"):
            rate: object = self._modality.rate(num_bytes, meta)
        if not (_is_number(rate) and 0 <= float(rate) < math.inf):  # type: ignore[arg-type]
            raise self._broken(f"must return a number from rate(), got {rate!r}")
        return float(rate)  # type: ignore[arg-type]

    def _preview(self, field: Field, signal: Signal, target: BinaryIO) -> None:
        with self._inside("preview"):
            self._modality.preview(field, signal, target)  # type: ignore[attr-defined]

    def _asked(self, field: Field) -> Field:
        return _Asked(field, self._broken)


@dataclass(frozen=True)
class _Asked:
    """A field that says whose fault it is when it is asked wrongly."""

    field: Field
    broken: Callable[[str], PluginError]

    def __call__(self, coords: Coords) -> Floats:
        given: object = coords
        if not isinstance(given, np.ndarray) or given.ndim != 2:
            shape = given.shape if isinstance(given, np.ndarray) else type(given).__name__
            raise self.broken(f"must ask its field for an array of coords (n, d), it asked with {shape}")
        try:
            return self.field(coords)
        except ValueError as error:
            raise self.broken(f"asked its field wrongly: {error}") from error

    def on_grid(self, grid: Grid) -> Floats:
        """See `coordcodec.data.on_grid`."""
        given: object = grid
        if not isinstance(given, Grid):
            raise self.broken(f"must ask its field for the values on a Grid, it asked with {type(given).__name__}")
        try:
            return on_grid(self.field, grid)
        except ValueError as error:
            raise self.broken(f"asked its field wrongly: {error}") from error

    def samples_on(self, grid: Grid, kind: SampleType, fill: float | None = None) -> NDArray[Any]:
        """See `coordcodec.data.samples_on`."""
        try:
            return samples_on(self.field, grid, kind, fill)
        except ValueError as error:
            raise self.broken(f"asked its field wrongly: {error}") from error


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
