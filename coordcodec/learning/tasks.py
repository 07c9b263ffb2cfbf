"""Files become tasks: the parts of their signals, cut as they are when they are compressed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch

from coordcodec.data import Signal
from coordcodec.encoder.plan import target_bytes
from coordcodec.errors import FileError, SignalError
from coordcodec.files import suffix_of
from coordcodec.hookspecs import Modality
from coordcodec.layers import learnable
from coordcodec.layers.learnable import Task
from coordcodec.learning.plan import Plan
from coordcodec.recipe import Recipe
from coordcodec.specs import Network

T = TypeVar("T")

LEAST_SAMPLES = 64
"""Parts with fewer samples are no tasks."""


def find_files(folders: Iterable[str], suffixes: Sequence[str], limit: int | None = None) -> list[Path]:
    """The files with these suffixes in folders and all folders below, sorted; with a limit so many, evenly spread.

    Raises FileError for what is no folder, SignalError when there is no such file.
    """
    found = [path for path in _inside(folders) if suffix_of(path, suffixes) in suffixes]
    if not found:
        raise SignalError(f"nothing to learn from in {', '.join(folders)}: no file ends in {', '.join(suffixes)}")
    return spread(found, limit or len(found))


def find_others(folders: Iterable[str], modality: Modality, modalities: Iterable[Modality]) -> list[Path]:
    """The files there that only other modalities read."""
    known = {suffix for other in modalities for suffix in other.suffixes}
    others = known - set(modality.suffixes)
    return [path for path in _inside(folders) if suffix_of(path, known) in others]


def _inside(folders: Iterable[str]) -> list[Path]:
    found: dict[Path, None] = {}
    for folder in folders:
        if not Path(folder).is_dir():
            raise FileError(f"cannot read {folder}: there is no such folder")
        inside = (p for p in Path(folder).rglob("*") if not any(n.startswith(".") for n in p.relative_to(folder).parts))
        found |= dict.fromkeys(sorted(p for p in inside if p.is_file()))
    return list(found)


def spread(things: Sequence[T], most: int) -> list[T]:
    """At most so many of them, evenly spread."""
    count = min(most, len(things))
    return [things[i * len(things) // count] for i in range(count)]


class Reader:
    """Files become tasks of one network.

    spec: the network; its dims and channels are those of the first signal that was read.
    """

    def __init__(self, plan: Plan, modality: Modality, recipe: Recipe, device: torch.device) -> None:
        self.plan, self.modality, self.recipe, self.device = plan, modality, recipe, device
        self.first: tuple[Path, Network] | None = None

    @property
    def spec(self) -> Network:
        """The network."""
        assert self.first is not None, "known from the first signal on"
        return self.first[1]

    def read(self, path: Path) -> Signal | None:
        """A file's signal, None if it has other channels than the first one's.

        Raises SignalError or FileError when it cannot be read or has periodic axes, of which a learned initialisation
        knows nothing; Mixed when it has other axes than the first.
        """
        signal = self.modality.read(path, **self.plan.options)
        if any(signal.periodic):
            raise SignalError(f"{path} has periodic axes; initialisations are learned from signals without")
        if self.first is None:
            self.first = path, self._spec_for(signal)
        first, spec = self.first
        if signal.dims != spec.dims:
            raise Mixed(f"{first} has {spec.dims} axes and {path} has {signal.dims}: they cannot share one network")
        return signal if signal.channels == spec.channels else None

    def _spec_for(self, signal: Signal) -> Network:
        return learnable().network_for(signal, self.recipe, self.plan.width)

    def cut(self, signal: Signal, seed: int) -> list[Task]:
        """The signal's parts of at least LEAST_SAMPLES samples, each scaled by its gain where the recipe says so."""
        target = target_bytes(self.recipe, self.modality, signal)
        parts = learnable().tasks(signal, self.spec, self.recipe, target, self.plan.points, seed, self.device)
        return [part for part in parts if len(part.values) >= LEAST_SAMPLES]


class Mixed(SignalError):
    """Signals that no one network can hold."""


def held_bytes(tasks: Iterable[Task]) -> int:
    """The bytes of the samples of tasks."""
    return sum(task.held_bytes for task in tasks)


@dataclass
class Left:
    """The files that were left out: those that cannot be read, those with other channels than the first, those too
    small. Each with the reason. Besides, those that only other modalities read: they were never meant.
    """

    others: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    other_channels: list[str] = field(default_factory=list)
    small: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many."""
        return len(self.unreadable) + len(self.other_channels) + len(self.small)

    def check(self, files: int, most_unreadable: float) -> None:
        """Raise SignalError when more than this share of `files` cannot be read, or most have other channels."""
        unreadable, others = self.unreadable, self.other_channels
        if len(unreadable) > most_unreadable * files:
            share = f"{len(unreadable)} of {files} files cannot be read, more than {most_unreadable:.0%}"
            raise SignalError(f"{share}, such as {unreadable[0]}; mend them or allow more with --most-unreadable")
        if len(others) > files / 2:
            share = f"{len(others)} of {files} files have other channels than the first"
            raise SignalError(f"{share}, such as {others[0]}; learn from folders of one kind")

    def tell(self, files: int) -> None:
        """Warn of each kind in one line."""
        if self.others:
            number = f"{len(self.others)} {'file' if len(self.others) == 1 else 'files'} of another modality"
            warnings.warn(f"left out: {number}, such as {self.others[0]}", stacklevel=2)
        for names, why in (
            (self.unreadable, "cannot be read"),
            (self.other_channels, "have other channels than the first"),
            (self.small, f"have no part of {LEAST_SAMPLES} samples"),
        ):
            if names:
                warnings.warn(f"left out: {len(names)} of {files} files {why}, such as {names[0]}", stacklevel=2)
