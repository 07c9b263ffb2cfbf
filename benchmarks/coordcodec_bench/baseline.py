"""Other codecs: what one is, and how its best setting for a size is found."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from coordcodec.data import Signal
from coordcodec_bench.rows import Row

NEAR = 1.03
"""A file may be larger than the target by this factor: rounding of sizes favours the others, never ours."""
HALVINGS = 12
SCORED = 3
"""So many of a mode's largest files that are small enough are decoded: sizes and errors do not only go one way."""


class NotInstalled(Exception):
    """A codec whose library or program is missing; the message is the command that installs it."""


@dataclass(frozen=True)
class Mode:
    """One way to run a codec, steered by a single number: from `smallest`, the smallest file, to `largest`.

    log: search evenly in the number's logarithm. whole: the number is whole.
    halvings: how often the interval that holds the size is halved.
    dense: so many levels on both sides of the closest are tried too, and as many files decoded: for a quick codec
        whose sizes and errors do not only go one way.
    beside: shares of the size, below 1, for which a file is made and decoded too: curves need them.
    """

    name: str
    smallest: float
    largest: float
    whole: bool = True
    log: bool = False
    halvings: int = HALVINGS
    dense: int = 0
    beside: tuple[float, ...] = ()

    def at(self, share: float) -> float:
        """The number at a share of the way from smallest to largest file."""
        if self.log:
            value: float = self.smallest * (self.largest / self.smallest) ** share
        else:
            value = self.smallest + (self.largest - self.smallest) * share
        return round(value) if self.whole else value


class Baseline(Protocol):
    """Another codec.

    install: the command that installs what it needs.
    note: what is special about how it is run, in a few words; may be empty.
    """

    name: str
    install: str
    note: str
    modes: tuple[Mode, ...]

    def version(self) -> str:
        """Its exact version. Raises ImportError or NotInstalled."""
        ...

    def encode(self, original: Any, mode: str, level: float) -> bytes:
        """A file."""
        ...

    def decode(self, data: bytes, original: Any) -> Any:
        """What a file holds, in the form of the original, from which only shape and type may be taken."""
        ...


class Baselines(Protocol):
    """Where the codecs of one modality meet: what they are given, and how all of them are scored.

    main_score: what the best setting is chosen by, and what curves show. falling: smaller is better.
    """

    modality: str
    main_score: str
    falling: bool

    @property
    def codecs(self) -> Mapping[str, Baseline]:
        """The others, by name."""
        ...

    def original(self, signal: Signal) -> Any:
        """What a baseline encodes."""
        ...

    def score(self, decoded: Any, signal: Signal) -> dict[str, float | None]:
        """What was decoded beside its original: the scores of our own files, by the same functions."""
        ...


@dataclass
class Trial:
    """One file of a baseline: its mode and level, the bytes, seconds to encode it, and what decoding it gave."""

    mode: str
    level: float
    data: bytes
    encode_seconds: float
    decode_seconds: float = math.nan
    scores: dict[str, float | None] = field(default_factory=dict)


class Search:
    """All that was tried of one baseline on one signal; sizes are looked for one after another."""

    def __init__(self, baseline: Baseline, baselines: Baselines, signal: Signal) -> None:
        self.baseline, self.baselines, self.signal = baseline, baselines, signal
        self.original = baselines.original(signal)
        self.trials: dict[tuple[str, float], Trial] = {}

    def best(self, size: int) -> Row:
        """The row of the best file of at most NEAR times `size` bytes; of the smallest, if none is so small."""
        limit = round(size * NEAR)
        for mode in self.baseline.modes:
            for share in (1.0, *mode.beside):
                self._approach(mode, limit * share)
        small = [trial for trial in self.trials.values() if len(trial.data) <= limit]
        if small:
            chosen = [t for mode in self.baseline.modes for t in _chosen(mode, small, limit)]
        else:
            least = min(len(trial.data) for trial in self.trials.values())
            chosen = [trial for trial in self.trials.values() if len(trial.data) == least]
        for trial in chosen:
            self._decode(trial)
        winner = max(chosen, key=self._merit)
        level = winner.level if isinstance(winner.level, int) else f"{winner.level:.6g}"
        name = self.baselines.main_score
        return {
            "bytes": len(winner.data),
            "scores": winner.scores,
            "encode_seconds": round(winner.encode_seconds, 4),
            "decode_seconds": round(winner.decode_seconds, 4),
            "setting": f"{winner.mode} {level}",
            "tried": [[len(t.data), t.scores[name]] for t in sorted(chosen, key=lambda trial: len(trial.data))],
            **({} if small else {"missed": True}),
            "data": winner.data,
        }

    def _merit(self, trial: Trial) -> float:
        value = trial.scores[self.baselines.main_score]
        if value is None:
            return -math.inf
        return -value if self.baselines.falling else value

    def _approach(self, mode: Mode, limit: float) -> None:
        """Encode at ever closer levels on both sides of the limit; the largest file, slow to make, only if need be."""
        low, high = 0.0, 1.0
        if self._size(mode, low) > limit:
            return
        for _ in range(mode.halvings):
            if low >= 0.75 and high == 1.0 and self._size(mode, high) <= limit:
                return
            middle = (low + high) / 2
            if mode.whole and abs(mode.at(high) - mode.at(low)) <= 1:
                break
            if self._size(mode, middle) <= limit:
                low = middle
            else:
                high = middle
        if high == 1.0:
            self._size(mode, high)
        for step in range(-mode.dense, mode.dense + 1):
            self._size(mode, min(max(low + step / 2**mode.halvings, 0.0), 1.0))

    def _size(self, mode: Mode, share: float) -> int:
        level = mode.at(share)
        trial = self.trials.get((mode.name, level))
        if trial is None:
            start = time.perf_counter()
            data = self.baseline.encode(self.original, mode.name, level)
            trial = Trial(mode.name, level, data, time.perf_counter() - start)
            self.trials[mode.name, level] = trial
        return len(trial.data)

    def _decode(self, trial: Trial) -> None:
        if not trial.scores:
            start = time.perf_counter()
            decoded = self.baseline.decode(trial.data, self.original)
            trial.decode_seconds = time.perf_counter() - start
            scores = self.baselines.score(decoded, self.signal)
            trial.scores = {name: v if v is not None and math.isfinite(v) else None for name, v in scores.items()}


def _chosen(mode: Mode, small: list[Trial], limit: float) -> list[Trial]:
    """The files of a mode that are worth decoding, each once."""
    distinct = {trial.data: trial for trial in small if trial.mode == mode.name}
    ordered = sorted(distinct.values(), key=lambda trial: len(trial.data))
    chosen = ordered[-max(SCORED, mode.dense) :]
    for share in mode.beside:
        below = [trial for trial in ordered if len(trial.data) <= limit * share][-1:]
        chosen += [trial for trial in below if trial not in chosen]
    return chosen


def needs(load: Callable[[], Any], install: str) -> Any:
    """What `load` returns. Raises NotInstalled where it raises ImportError."""
    try:
        return load()
    except ImportError:
        raise NotInstalled(install) from None
