"""Other codecs: what one is, and how its best setting for a size is found."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from coordcodec.bench.rows import Row
from coordcodec.data import Signal

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
    """

    name: str
    smallest: float
    largest: float
    whole: bool = True
    log: bool = False

    def at(self, share: float) -> float:
        """The number at a share of the way from smallest to largest file."""
        if self.log:
            value: float = self.smallest * (self.largest / self.smallest) ** share
        else:
            value = self.smallest + (self.largest - self.smallest) * share
        return round(value) if self.whole else value


class Peer(Protocol):
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


class Arena(Protocol):
    """Where the codecs of one modality meet: what they are given, and how all of them are scored.

    main_score: what the best setting is chosen by, and what curves show. falling: smaller is better.
    """

    modality: str
    main_score: str
    falling: bool
    peers: Mapping[str, Peer]

    def original(self, signal: Signal) -> Any:
        """What a peer encodes."""
        ...

    def score(self, decoded: Any, signal: Signal) -> dict[str, float | None]:
        """What was decoded beside its original: the scores of our own files, by the same functions."""
        ...


@dataclass
class Trial:
    """One file of a peer: its mode and level, the bytes, seconds to encode it, and what decoding it gave."""

    mode: str
    level: float
    data: bytes
    encode_seconds: float
    decode_seconds: float = math.nan
    scores: dict[str, float | None] = field(default_factory=dict)


class Search:
    """All that was tried of one peer on one signal; sizes are looked for one after another."""

    def __init__(self, peer: Peer, arena: Arena, signal: Signal) -> None:
        self.peer, self.arena, self.signal = peer, arena, signal
        self.original = arena.original(signal)
        self.trials: dict[tuple[str, float], Trial] = {}

    def best(self, size: int) -> Row:
        """The row of the best file of at most NEAR times `size` bytes; of the smallest, if none is so small."""
        limit = round(size * NEAR)
        for mode in self.peer.modes:
            self._approach(mode, limit)
        small = [trial for trial in self.trials.values() if len(trial.data) <= limit]
        if small:
            chosen = [t for mode in self.peer.modes for t in _largest([t for t in small if t.mode == mode.name])]
        else:
            least = min(len(trial.data) for trial in self.trials.values())
            chosen = [trial for trial in self.trials.values() if len(trial.data) == least]
        for trial in chosen:
            self._decode(trial)
        winner = max(chosen, key=self._merit)
        name = self.arena.main_score
        return {
            "bytes": len(winner.data),
            "scores": winner.scores,
            "encode_seconds": round(winner.encode_seconds, 4),
            "decode_seconds": round(winner.decode_seconds, 4),
            "setting": f"{winner.mode} {winner.level:.6g}",
            "tried": sorted([len(trial.data), trial.scores[name]] for trial in chosen),
            **({} if small else {"missed": True}),
            "data": winner.data,
        }

    def _merit(self, trial: Trial) -> float:
        value = trial.scores[self.arena.main_score]
        if value is None:
            return -math.inf
        return -value if self.arena.falling else value

    def _approach(self, mode: Mode, limit: int) -> None:
        """Encode at ever closer levels on both sides of the limit."""
        low, high = 0.0, 1.0
        if self._size(mode, low) > limit or self._size(mode, high) <= limit:
            return
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            if mode.whole and abs(mode.at(high) - mode.at(low)) <= 1:
                break
            if self._size(mode, middle) <= limit:
                low = middle
            else:
                high = middle

    def _size(self, mode: Mode, share: float) -> int:
        level = mode.at(share)
        trial = self.trials.get((mode.name, level))
        if trial is None:
            start = time.perf_counter()
            data = self.peer.encode(self.original, mode.name, level)
            trial = Trial(mode.name, level, data, time.perf_counter() - start)
            self.trials[mode.name, level] = trial
        return len(trial.data)

    def _decode(self, trial: Trial) -> None:
        if not trial.scores:
            start = time.perf_counter()
            decoded = self.peer.decode(trial.data, self.original)
            trial.decode_seconds = time.perf_counter() - start
            trial.scores = self.arena.score(decoded, self.signal)


def _largest(trials: list[Trial]) -> list[Trial]:
    return sorted(trials, key=lambda trial: len(trial.data))[-SCORED:]


def needs(load: Callable[[], Any], install: str) -> Any:
    """What `load` returns. Raises NotInstalled where it raises ImportError."""
    try:
        return load()
    except ImportError:
        raise NotInstalled(install) from None
