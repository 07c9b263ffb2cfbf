"""What a run of `learn-init` was asked for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from coordcodec.errors import RecipeError
from coordcodec.inits import SUFFIX

CHECKPOINT = ".checkpoint" + SUFFIX

_RANGES: tuple[tuple[str, float, float], ...] = (
    ("width", 1, 1024),
    ("outer_steps", 1, 10**7),
    ("inner_steps", 0, 16),
    ("inner_lr", 1e-6, 1e3),
    ("outer_lr", 1e-6, 1),
    ("tasks_per_step", 1, 4096),
    ("points", 64, 1 << 20),
    ("seed", 0, 2**32 - 1),
    ("limit", 2, 10**9),
    ("most_unreadable", 0, 1),
    ("fits", 1, 4096),
    ("fit_steps", 1, 10**6),
)
_LATER = {
    "output",
    "device",
    "most_unreadable",
    "fits",
    "fit_steps",
    "licence",
    "resume",
    "force",
}
"""What may differ when a run goes on: it has no share in the state that a checkpoint holds."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every choice of a run; see `coordcodec learn-init --help`. Raises RecipeError for values out of range.

    folders: where the signals are. modality: their kind. width: of the network. output: the file to write; empty: named
        after modality and width.
    outer_steps, inner_steps, inner_lr, outer_lr, first_order: see `inr.maml.Settings`.
    tasks_per_step, points: tasks of an outer step, and points of each of their minibatches.
    rate, num_bytes: the target that decides how signals are cut; None: the modality's default.
    limit: take so many of the files, evenly spread; None: all. most_unreadable: the share of them that may be so: a
        folder with more is probably not the folder that was meant.
    fits, fit_steps: how many tasks are fitted for how long, to learn how large updates are.
    options: of the modality's `read`.
    """

    folders: tuple[str, ...]
    modality: str
    width: int
    output: str = ""
    outer_steps: int = 2000
    inner_steps: int = 3
    inner_lr: float = 1.0
    outer_lr: float = 0.004
    first_order: bool = False
    tasks_per_step: int = 8
    points: int = 1024
    seed: int = 0
    device: str = "auto"
    rate: float | None = None
    num_bytes: int | None = None
    limit: int | None = None
    most_unreadable: float = 0.05
    fits: int = 48
    fit_steps: int = 1000
    licence: str = ""
    resume: bool = False
    force: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, lowest, highest in _RANGES:
            value = getattr(self, name)
            if value is not None and not lowest <= value <= highest:
                raise RecipeError(f"{option(name)} must be in {lowest:g} to {highest:g}, got {value!r}")
        if not self.output:
            object.__setattr__(self, "output", f"{self.modality}-w{self.width}{SUFFIX}")
        if Path(self.output).suffix != SUFFIX:
            raise RecipeError(f"an initialisation is a {SUFFIX} file, got {self.output}; name it something{SUFFIX}")

    @property
    def name(self) -> str:
        """What the initialisation calls itself: the output's name in the letters that names have."""
        return re.sub(r"[^a-z0-9_.-]", "-", Path(self.output).stem.lower())[:64]

    @property
    def checkpoint(self) -> Path:
        """Where the state of the run is kept."""
        return Path(self.output).with_suffix(CHECKPOINT)

    @property
    def picture(self) -> Path:
        """Where the learning curve is drawn."""
        return Path(self.output).with_suffix(".png")

    def lasting(self) -> dict[str, Any]:
        """The choices that a run must keep to when it goes on."""
        found = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _LATER}
        return {
            **found,
            "folders": [str(Path(folder).resolve()) for folder in self.folders],
            "options": dict(self.options),
        }

    def command(self) -> str:
        """The command that asks for this, without paths."""
        words = ["coordcodec", "learn-init", *(Path(folder).resolve().name for folder in self.folders)]
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in ("modality", "width") or (f.init and value != f.default and f.name not in _UNSAID):
                words += [option(f.name)] if value is True else [option(f.name), str(value)]
        for name, value in self.options.items():
            words += [
                f"--{name.replace('_', '-')}",
                ",".join(map(str, value)) if isinstance(value, tuple) else str(value),
            ]
        return shlex.join([*words, "-o", Path(self.output).name])


_UNSAID = {"folders", "output", "device", "resume", "force", "options"}


def option(name: str) -> str:
    """What the command line calls a choice."""
    return "--bytes" if name == "num_bytes" else f"--{name.replace('_', '-')}"
