"""Which tasks are at hand, which are held back, and which one outer step gets."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import lru_cache

import torch

from coordcodec.clock import Progress
from coordcodec.errors import FileError, SignalError
from coordcodec.layers.learnable import Task
from coordcodec.learning.tasks import Left, Mixed, Reader, find_files, find_others, held_bytes, spread
from coordcodec.plugins import installed

Told = Callable[[str], None]

MOST_BYTES = 1 << 30
"""Of samples held at a time."""
GENERATION = 1000
"""Outer steps after which a quarter of the signals held makes room for others, where not all fit."""
EVERY, MOST_HELD_BACK = 10, 16
"""Every tenth signal is held back for validation, but no more than so many; and so many parts of each of them."""


class Pool:
    """The tasks of all files that a plan names.

    signals, samples, tasks: how many there are to learn from. at_hand: the tasks that are held now. held_back: tasks
    that are never trained on. left: the files that were left out.

    Every file is read once when this is made. If the samples exceed MOST_BYTES, some signals are held at a time, and
    every GENERATION outer steps a quarter of them is replaced. What a step gets follows from the seed and the step
    alone, so that a run that goes on, and several processes, agree about it.

    Raises FileError or SignalError for folders from which nothing can be learned.
    """

    def __init__(self, reader: Reader, watch: Progress) -> None:
        plan = reader.plan
        self.reader, self.left = reader, Left()
        self.files = find_files(plan.folders, reader.modality.suffixes, plan.limit)
        known = [entry.object for entry in installed().modalities.entries.values()]
        self.left.others = [str(path) for path in find_others(plan.folders, reader.modality, known)]
        self.held: dict[int, list[Task]] = {}
        self.held_back: list[Task] = []
        self._sizes: dict[int, int] = {}
        self.samples = self.tasks = 0
        self._survey(watch)
        self.signals = len(self._sizes)
        order = torch.randperm(self.signals, generator=torch.Generator().manual_seed(plan.seed)).tolist()
        self._order = [list(self._sizes)[i] for i in order]
        self.rotating = sum(self._sizes.values()) > MOST_BYTES
        self.generation = -1
        self.at_hand: list[Task] = []
        self._enter(0)

    def _survey(self, watch: Progress) -> None:
        """Read every file."""
        wanted = min(math.ceil(len(self.files) / EVERY), MOST_HELD_BACK)
        aside, due, room = set(spread(range(len(self.files)), wanted)), 0, MOST_BYTES
        for number in range(len(self.files)):
            watch("read", number, len(self.files))
            due += number in aside
            tasks = self._judged(number)
            if tasks and due:  # for one that was left out the next one is held back
                self.held_back += _alone(spread(tasks, MOST_HELD_BACK))
                due -= 1
            elif tasks:
                self._sizes[number] = held_bytes(tasks)
                self.samples += sum(len(task.values) for task in tasks)
                self.tasks += len(tasks)
                room -= self._sizes[number]
                if room >= 0:
                    self.held[number] = tasks
        self.left.check(len(self.files), self.reader.plan.most_unreadable)
        if not self.held_back or not self._sizes:
            raise SignalError(
                f"{', '.join(self.reader.plan.folders)}: learning takes at least two signals, one to learn from and "
                f"one to hold back; found {len(self._sizes) + bool(self.held_back)}"
            )

    def _judged(self, number: int) -> list[Task]:
        """A file's tasks; none if it is left out, which is noted."""
        path = self.files[number]
        try:
            tasks = self._read(number)
        except Mixed:
            raise
        except (SignalError, FileError) as error:
            self.left.unreadable.append(f"{path}: {error}")
            return []
        if tasks is None:
            self.left.other_channels.append(str(path))
            return []
        if not tasks:
            self.left.small.append(str(path))
        return tasks

    def _read(self, number: int) -> list[Task] | None:
        with warnings.catch_warnings():
            # What a file holds besides its signal (colour profiles, comments) is not missed here.
            warnings.simplefilter("ignore", UserWarning)
            signal = self.reader.read(self.files[number])
        return None if signal is None else self.reader.cut(signal, self.reader.plan.seed + 1009 * number)

    def at(self, step: int) -> list[Task]:
        """The tasks of an outer step, each once; fewer than the plan says if there are no more."""
        generation, offset = divmod(step, GENERATION) if self.rotating else (0, step)
        if generation != self.generation:
            self._enter(generation)
        count = min(self.reader.plan.tasks_per_step, len(self.at_hand))
        epoch, place = divmod(offset, len(self.at_hand) // count)
        order = _permutation(len(self.at_hand), self.reader.plan.seed, generation, epoch)
        return [self.at_hand[i] for i in order[place * count : (place + 1) * count]]

    def some(self, count: int, seed: int) -> list[Task]:
        """So many of the tasks at hand, or all, chosen by a seed."""
        order = _permutation(len(self.at_hand), self.reader.plan.seed, 0, -1 - seed)
        return [self.at_hand[i] for i in sorted(order[:count])]

    def _enter(self, generation: int) -> None:
        """Hold the signals of a generation: a window of the order, each time a quarter of the first one further on."""
        shift = math.ceil(len(self._window(0)) / 4)
        members = self._window(generation * shift)
        # First out, then in: memory is what this is about.
        self.at_hand = []
        self.held = {number: self.held[number] for number in members if number in self.held}
        for number in members:
            if number not in self.held:
                tasks = self._read(number)
                if not tasks:
                    raise SignalError(f"{self.files[number]} has changed since it was first read; begin anew")
                self.held[number] = tasks
        self.at_hand = [task for number in sorted(self.held) for task in self.held[number]]
        self.generation = generation

    def _window(self, start: int) -> list[int]:
        """As many signals as may be held, from a place in the order on."""
        room = MOST_BYTES
        found: list[int] = []
        for i in range(self.signals):
            number = self._order[(start + i) % self.signals]
            room -= self._sizes[number]
            if room < 0 and found:
                break
            found.append(number)
        return found


def _alone(tasks: list[Task]) -> list[Task]:
    """These tasks with values of their own: parts of a sound share its samples, however long it is."""
    for task in tasks:
        task.values = task.values.clone()
    return tasks


@lru_cache(maxsize=8)
def _permutation(count: int, seed: int, generation: int, epoch: int) -> tuple[int, ...]:
    mixed = (seed * 1_000_003 + generation * 10_007 + epoch * 101 + 1) % (1 << 63)
    return tuple(torch.randperm(count, generator=torch.Generator().manual_seed(mixed)).tolist())
