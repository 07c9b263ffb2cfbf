"""The core's side of the seam: what a plugin registers and what it returns is checked where it comes in.

A plugin that breaks its contract is told so in one line that names it; `coordcodec.testing` is where its author
finds out earlier.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import NAME, Coords, Field, Floats, Grid, SampleType, Signal, on_grid, samples_on
from coordcodec.errors import PluginError
from coordcodec.hookspecs import API, Modality, Previewer, Sampled, Source
from coordcodec.recipe import Recipe

_OPTION = re.compile(r"[a-z][a-z0-9_]*")
_OF_DECOMPRESS = frozenset({"device", "force", "help", "init", "json", "output", "quiet"})
_OF_COMPRESS = frozenset(
    {
        *(
            "bits",
            "bytes",
            "dry_run",
            "effort",
            "init",
            "keep_best",
            "modality",
            "preset",
            "preview",
            "quality",
            "quantizer",
        ),
        *("layers", "lossless", "max_error", "precision", "rate", "seed", "strip", "no_strip", "target_psnr"),
        *("target_score", "threads", "time_budget", "verbose", "width"),
    }
)
_COMING = frozenset(
    {
        *("cluster", "debug", "hold_out", "jobs", "layers", "lossless", "max_bytes", "max_error", "points"),
        *("precision", "raw", "recursive", "resume", "threads", "time_limit", "tune", "verify"),
    }
)
"""Names that are kept free for options to come."""
TAKEN = {"read_options": _OF_DECOMPRESS | _OF_COMPRESS | _COMING, "write_options": _OF_DECOMPRESS | _COMING}
"""Options that the command line has itself, or will have, so that no modality can have them."""


def fault_of_api(number: object) -> str:
    """What keeps a plugin that is written for this number of the seam from being used, with the remedy; or nothing."""
    if number in range(1, API + 1) and isinstance(number, int) and not isinstance(number, bool):
        return ""
    if isinstance(number, int) and number > API:
        return f"is written for plugin API {number}, this coordcodec has {API}: pip install -U coordcodec"
    return f"says COORDCODEC_API = {number!r}; expected a whole number from 1 to {API}"


def fault_of(thing: object, protocol: type = Modality) -> str:
    """What keeps an object from being registered, and how to mend it; empty if nothing does."""
    if isinstance(thing, type):
        return f"is a class; return an object of it, {thing.__name__}()"
    if not isinstance(thing, protocol):
        methods = [n for n in vars(protocol) if n == "__call__" or not n.startswith("_")]
        lacking = [n for n in (*getattr(protocol, "__annotations__", {}), *methods) if not hasattr(thing, n)]
        return f"lacks {', '.join(lacking)}; see coordcodec.hookspecs"
    name: object = getattr(thing, "name", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return f"has the name {name!r}; a name is 1 to 32 of a-z, 0-9, _ and -, a letter first"
    if isinstance(thing, Modality):
        return _fault_of_facts(thing)
    seen = getattr(thing, "in_loop", False)
    return "" if isinstance(seen, bool) else f"has the in_loop {seen!r}; expected True, False or none"


def _fault_of_facts(modality: Modality) -> str:
    suffixes: object = modality.suffixes
    defaults: object = modality.defaults
    if not isinstance(suffixes, tuple | list) or not suffixes:
        return f"has the suffixes {suffixes!r}; expected a tuple of at least one, such as ('.npy',)"
    for suffix in suffixes:
        if not isinstance(suffix, str) or not re.fullmatch(r"(\.[a-z0-9_-]+)+", suffix):
            return f"has the suffix {suffix!r}; a suffix is lower case and begins with a dot"
    for fact in ("rate_unit", "main_score"):
        if not isinstance(getattr(modality, fact), str) or not getattr(modality, fact):
            return f"has the {fact} {getattr(modality, fact)!r}; expected a word"
    if not isinstance(defaults, Recipe):
        return f"has defaults of type {type(defaults).__name__}; expected a coordcodec.Recipe"
    if (defaults.rate, defaults.num_bytes) == (None, None) and not any(
        kind.fixed for kind in defaults.choices.values()
    ):
        return "has defaults without a target; set rate, num_bytes or width in them"
    return next((fault for member in TAKEN if (fault := _fault_of_options(modality, member))), "")


def _fault_of_options(modality: Modality, member: str) -> str:
    options: object = getattr(modality, member)
    if not isinstance(options, Mapping) or not all(isinstance(v, str) and v for v in options.values()):
        return f"has {member} that are no mapping; expected the name of each option -> one line of help"
    for name in options:
        if not isinstance(name, str) or not _OPTION.fullmatch(name):
            return f"has the name {name!r} in its {member}; a name is lower case with underscores"
        if name in TAKEN[member]:
            return f"has {name!r} in its {member}, which the command line keeps for itself; choose another name"
    return ""


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
            self.preview = modality.preview  # isinstance(self, Previewer) only sees what is really there
        if isinstance(modality, Sampled):
            self.sample_type = self._sample_type

    def __getattr__(self, name: str) -> Any:
        return getattr(self._modality, name)

    def _sample_type(self, meta: Mapping[str, Any]) -> SampleType | None:
        kind: object = self._modality.sample_type(meta)  # type: ignore[attr-defined]
        if kind is None:
            return None
        if not isinstance(kind, SampleType) or len(kind.scale) != meta["channels"]:
            raise self._broken(
                f"must return a SampleType of {meta['channels']} channels from sample_type(), got {kind!r}"
            )
        return kind

    def _broken(self, what: str) -> PluginError:
        return PluginError(f"plugin {self._plugin}: the modality {self.name!r} {what}; update it or tell its author")

    def read(self, source: Source, **options: Any) -> Signal:
        """As the modality reads; raises PluginError for what is no signal of this modality."""
        signal: object = self._modality.read(source, **options)
        if not isinstance(signal, Signal):
            raise self._broken(f"must return a coordcodec.Signal from read(), got {type(signal).__name__}")
        if signal.modality != self.name:
            raise self._broken(f"must name itself in the signal, got {signal.modality!r}")
        return signal

    def render(self, field: Field, meta: Mapping[str, Any], **options: Any) -> Any:
        """As the modality renders; raises PluginError for nothing, and for a field that is asked wrongly."""
        decoded = self._modality.render(self._asked(field), meta, **options)
        if decoded is None:
            raise self._broken("must return the decoded data from render(), got None")
        return decoded

    def write(self, field: Field, meta: Mapping[str, Any], target: BinaryIO, *, format: str, **options: Any) -> None:
        """As the modality writes; raises PluginError for a target that it closes, and a field asked wrongly."""
        self._modality.write(self._asked(field), meta, target, format=format, **options)
        if target.closed:
            raise self._broken("must leave the target of write() open")

    def score(self, field: Field, signal: Signal) -> dict[str, float | None]:
        """As the modality scores; raises PluginError for scores that are no finite numbers."""
        scores: object = self._modality.score(self._asked(field), signal)
        if not isinstance(scores, Mapping) or self.main_score not in scores:
            raise self._broken(f"must return its main score {self.main_score!r} from score(), got {scores!r}")
        for name, value in scores.items():
            if value is not None and not (_is_number(value) and math.isfinite(value)):
                raise self._broken(f"must return finite numbers or None from score(), {name} is {value!r}")
        return {str(name): None if value is None else float(value) for name, value in scores.items()}

    def rate(self, num_bytes: int, meta: Mapping[str, Any]) -> float:
        """The modality's rate; raises PluginError for what is none."""
        rate: object = self._modality.rate(num_bytes, meta)
        if not (_is_number(rate) and 0 <= float(rate) < math.inf):  # type: ignore[arg-type]
            raise self._broken(f"must return a number from rate(), got {rate!r}")
        return float(rate)  # type: ignore[arg-type]

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
