"""Recipe: every choice that an encoder makes, in one frozen, validated object."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from coordcodec.errors import RecipeError, UnknownChoice, UnknownName
from coordcodec.given import plain, shown
from coordcodec.specs import CHOICES, PRESETS, RENAMED, SUMS, Choices, check_ranges

EFFORTS = range(1, 10)
PRECISIONS = "auto", "float32", "bfloat16"
LAYERS = "auto", *CHOICES, *SUMS
TARGETS = ("rate", "num_bytes", "quality", "target_score", "max_error", "lossless")
_SAID = {"num_bytes": "bytes", "target_score": "score", "max_error": "largest error"}


@dataclass(frozen=True, init=False)
class Recipe:
    """Every encoder choice. A decoder needs none of it.

    At most one target is set:
    rate: the file's rate in the modality's unit, > 0; met from below.
    num_bytes: the file's size in bytes, > 0; met from below.
    quality: 1 to 100; 50 is the size of the modality's default target, 12 more are twice the bytes.
    target_score: the modality's main score (psnr_db for pictures); the smallest file that reaches it, found by a few
        fits, see `coordcodec.encoder.search`. Or a choice of a layer that fixes the size, such as a width.
    max_error: no sample is further than this from the original, > 0, in the samples' unit; a number, or a text such as
        "0.1K" (the unit is checked) or "0.5%" (of the range of the samples).
    lossless: samples that are integers come back exactly.
    lenient: a rate or size too small to be met gives the smallest file and a warning instead of an error; set
        where the target is a default and not somebody's choice.

    How to work:
    effort: 1 (seconds) to 9 (as long as it helps); decides the steps of a fit unless a layer's choices do.
    time_budget: seconds that fit, quantization and coding may take, >= 0, whatever effort or steps say; which bytes
        come out then depends on the machine. None: no limit.
    strip: leave out what the source says besides its samples, such as a colour profile, EXIF or tags; None: of all
        files but lossless ones.
    layers: what the file is made of: a kind of layer, see `coordcodec.specs`; or "auto".
    init: where the fit starts. "auto": at the shipped learned initialisation that fits the modality and the size, if
        there is one and it helps; "none": at random, so that the file stands alone; else the name or the path of a
        learned initialisation, which then decides the network.
    precision: of the matrix products of the fit: "float32", "bfloat16", or "auto": bfloat16 where the processor has
        units for it and the network is wide enough to gain from them.
    threads: CPU threads that share the fit, 1 to 1024, four at most are used; None: as many as PyTorch uses. They
        change the time, never the bytes.
    seed: 0 to 2^32 - 1.
    device: "auto", "cpu", "cuda" or another name that torch knows.

    choices: what else each kind of layer may be told, by kind; see `coordcodec.specs`. A kind's name is a keyword too:
        Recipe(rate=32, siren={"depth": 2}), and an attribute: recipe.siren.depth.

    Names of a kind's choices that are given without the kind are those of earlier versions; they work, with a
    DeprecationWarning, until 1.0. Raises RecipeError for values out of range and for contradictions, UnknownChoice,
    which is a TypeError too, for names that there are not.
    """

    rate: float | None = None
    num_bytes: int | None = None
    quality: int | None = None
    target_score: float | None = None
    max_error: float | str | None = None
    lossless: bool | None = None
    lenient: bool = False
    effort: int = 5
    time_budget: float | None = None
    strip: bool | None = None
    layers: str = "auto"
    init: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    seed: int = 0
    device: str = "auto"
    choices: Mapping[str, Choices] = field(default_factory=dict)

    def __init__(self, **given: Any) -> None:
        """See the class for the names."""
        given = plain(_by_kind(given, stacklevel=2))
        known = {f.name: f for f in dataclasses.fields(self)}
        _check_known(given, [*known, *CHOICES])
        kinds = dict(given.pop("choices", {}))
        for name, kind in CHOICES.items():
            kinds[name] = _made(kind, kinds.get(name, kind()), given.pop(name, {}))
        for name, value in known.items():
            object.__setattr__(self, name, given.get(name, value.default))
        object.__setattr__(self, "choices", MappingProxyType(kinds))
        self._check()

    def _check(self) -> None:
        object.__setattr__(self, "lossless", self.lossless or None)
        targets = [_SAID.get(name, name) for name in TARGETS if getattr(self, name) is not None]
        targets += [choice.fixed for choice in self.choices.values() if choice.fixed]
        if len(targets) > 1:
            names = "rate, bytes, quality, score, largest error, lossless, width and step"
            raise RecipeError(f"choose one of {names}, got {' and '.join(targets)}")
        if self.target_score is not None and self.time_budget is not None:
            raise RecipeError("a score takes several fits and cannot be met within a time; choose one of the two")
        check_ranges(self, _RANGES)
        _check_bound(self.max_error)
        for name, choices in (("precision", PRECISIONS), ("layers", LAYERS)):
            if getattr(self, name) not in choices:
                raise UnknownName(name, getattr(self, name), choices)
        able = [name for name, kind in CHOICES.items() if kind.promises]
        if self.promised and self.layers not in ("auto", *able):
            raise RecipeError(
                f"layers {self.layers} can promise nothing of an error; choose auto or {' or '.join(able)}"
            )

    @property
    def promised(self) -> bool:
        """Whether something is promised of every sample."""
        return self.max_error is not None or bool(self.lossless)

    @property
    def stripped(self) -> bool:
        """Whether the file leaves out what the source says besides its samples."""
        return not self.lossless if self.strip is None else self.strip

    def __getattr__(self, name: str) -> Any:
        """The choices of a kind of layer; or, deprecated, one of them without the kind."""
        if not name.startswith("_"):
            choices: Mapping[str, Choices] = self.__dict__.get("choices", {})
            if name in choices:
                return choices[name]
            kind, choice = kind_and_choice(name)
            if kind is not None and kind in choices:
                _deprecated(f"recipe.{name}", f"recipe.{kind}.{choice}", stacklevel=2)
                return getattr(choices[kind], choice)
        raise AttributeError(f"a recipe has no {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled by its fields: read-only mappings are neither."""
        return _again, (self._given(),)

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._given().items(), key=lambda item: item[0])))

    def _given(self) -> dict[str, Any]:
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "choices"}
        return {**own, **self.choices}

    def replace(self, **changes: Any) -> Recipe:
        """This recipe with some choices changed. A new target takes the place of the old one."""
        changes = plain(_by_kind(changes, stacklevel=2))
        asked = {name: changes.pop(name, {}) for name in self.choices}
        kinds = {name: _made(CHOICES[name], kind, asked[name]) for name, kind in self.choices.items()}
        fixing = [name for name, kind in kinds.items() if kind.fixed and kind.fixed in _as_dict(asked[name])]
        if fixing or any(changes.get(name) is not None for name in TARGETS):
            changes = {**dict.fromkeys(TARGETS), "lenient": False} | changes
            kinds = {name: kind if name in fixing else kind.released() for name, kind in kinds.items()}
        return Recipe(**{**self._given(), **changes, **kinds})

    def with_preset(self, name: str) -> Recipe:
        """This recipe with a preset's choices. Raises UnknownName."""
        if name not in PRESETS:
            raise UnknownName("preset", name, PRESETS)
        return self.replace(**PRESETS[name])


_RANGES = (
    ("rate", 1e-9, 1e9),
    ("num_bytes", 1, 1 << 30),
    ("quality", 1, 100),
    ("target_score", -1000, 1e9),
    ("time_budget", 0, 1e8),
    ("effort", EFFORTS[0], EFFORTS[-1]),
    ("threads", 1, 1024),
    ("seed", 0, 2**32 - 1),
)


def _check_bound(bound: object) -> None:
    """Raise RecipeError unless a largest error is a number or a text that may be one."""
    if isinstance(bound, int) and not isinstance(bound, bool) and abs(bound) > 10**300:
        raise RecipeError(f"a largest error must be above 0 and at most 1e300, got {shown(bound)}")
    short = isinstance(bound, str) and len(bound) <= 100
    if bound is not None and (isinstance(bound, bool) or not (short or isinstance(bound, int | float))):
        raise RecipeError(f"a largest error is a number, or a text such as '0.5%' or '0.1K'; got {shown(bound)}")


def _check_known(given: Mapping[str, Any], known: list[str]) -> None:
    unknown = [name for name in given if name not in known]
    if not unknown:
        return
    meant = {said: name for name, said in _SAID.items()} | {"size": "num_bytes", "psnr": "target_score"}
    near = [meant.get(name) or next(iter(get_close_matches(name, known, 1)), "") for name in unknown]
    hint = f"did you mean {', '.join(filter(None, near))}? " if any(near) else ""
    raise UnknownChoice(f"a recipe has no {', '.join(unknown)}; {hint}it has {', '.join(known)}")


def _again(given: dict[str, Any]) -> Recipe:
    return Recipe(**given)


def kind_and_choice(name: str) -> tuple[str | None, str]:
    """The kind of layer that has a choice of that name, and what it is called today."""
    name = RENAMED.get(name, name)
    return next((kind for kind, choices in CHOICES.items() if name in choices.__dataclass_fields__), None), name


def _by_kind(given: Mapping[str, Any], stacklevel: int) -> dict[str, Any]:
    """The same with the names of earlier versions moved to the kinds that they are of."""
    found = dict(given)
    for name in given:
        kind, choice = kind_and_choice(name)
        if kind:
            _deprecated(f"{name}=", f'{kind}={{"{choice}": ...}}', stacklevel + 1)
            found[kind] = {**_as_dict(found.get(kind, {})), choice: found.pop(name)}
    return found


def _as_dict(choices: Choices | Mapping[str, Any]) -> dict[str, Any]:
    return dict(choices) if isinstance(choices, Mapping) else dict(vars(choices))


def _made(kind: type[Choices], before: Choices | Mapping[str, Any], changes: Choices | Mapping[str, Any]) -> Choices:
    """Choices of a kind, changed by others."""
    if not isinstance(changes, Mapping):
        return changes
    unknown = set(_as_dict(before)) | set(changes)
    unknown -= set(kind.__dataclass_fields__)
    if unknown:
        raise UnknownChoice(f"{kind.kind} has no choice {', '.join(sorted(unknown))}; see coordcodec.specs")
    return kind(**{**_as_dict(before), **changes})


def _deprecated(old: str, new: str, stacklevel: int) -> None:
    warnings.warn(f"{old} is a choice of one kind of layer; write {new}", DeprecationWarning, stacklevel + 1)
