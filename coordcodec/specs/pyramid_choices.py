"""Pyramid: what an encoder may be told of latents at several scales and their networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from coordcodec.errors import RecipeError
from coordcodec.specs.pyramid import MAX_LEVELS, MAX_NEIGHBOURS, MAX_WIDTH
from coordcodec.specs.ranges import check_ranges

_STEPS = (120, 250, 500, 900, 1600, 2700, 4200, 6200, 9000)
"""Steps of a fit by effort, from 1 on."""


@dataclass(frozen=True, kw_only=True)
class PyramidChoices:
    """What an encoder may be told of pyramids.

    tradeoff: what a bit per sample weighs against the mean squared error in units of the signal's variance, > 0, in
        place of a target.
    finest: the finest level that has latents: 0, the default, is one latent per sample, 1 half as many along each axis.
    levels: 1 to 12; None: down to a few latents along the longest axis, at most 7.
    synthesis, context: widths of the two hidden layers of each network, multiples of 4 up to 64. None: by the size.
    neighbours: latents of the same level that the context network sees, 1 to 20. None: 12.
    steps: of the fit, >= 0; None: by effort.
    lr: peak learning rate of the networks, > 0; latents have eight times as much, in steps of quantization.

    Raises RecipeError for values out of range.
    """

    kind: ClassVar[str] = "pyramid"
    promises: ClassVar[bool] = False
    """Whether a layer of this kind can keep a largest error."""
    learned: ClassVar[bool] = False
    """Whether its fit may start at a learned initialisation."""
    automatic: ClassVar[bool] = False
    """Whether it may be chosen where nobody asks for it."""

    tradeoff: float | None = None
    finest: int = 0
    levels: int | None = None
    synthesis: tuple[int, int] | None = None
    context: tuple[int, int] | None = None
    neighbours: int | None = None
    steps: int | None = None
    lr: float = 4e-2

    def __post_init__(self) -> None:
        check_ranges(self, _RANGES)
        for name in ("synthesis", "context"):
            widths = getattr(self, name)
            if widths is not None:
                object.__setattr__(self, name, _widths(name, widths))

    @staticmethod
    def suits(shape: Sequence[int], values: int, target: int | None) -> bool:
        """Whether a file of this kind is the best there is. So far it is behind detail layers where it was measured."""
        return False

    @property
    def fixed(self) -> str:
        """The choice that fixes the size in place of a target, or nothing."""
        return "" if self.tradeoff is None else "tradeoff"

    def released(self) -> PyramidChoices:
        """The same without a fixed size."""
        return replace(self, tradeoff=None)

    def planned_steps(self, effort: int) -> int:
        """How many steps to fit."""
        return _STEPS[effort - 1] if self.steps is None else self.steps


def _widths(name: str, widths: object) -> tuple[int, int]:
    given = tuple(widths) if isinstance(widths, Sequence) else ()
    if len(given) != 2 or not all(isinstance(w, int) and 4 <= w <= MAX_WIDTH and w % 4 == 0 for w in given):
        raise RecipeError(f"{name} needs two widths, multiples of 4 up to {MAX_WIDTH}, got {widths!r:.60}")
    return given[0], given[1]


_RANGES = (
    ("tradeoff", 1e-9, 1e3),
    ("finest", 0, MAX_LEVELS - 1),
    ("levels", 1, MAX_LEVELS),
    ("neighbours", 1, MAX_NEIGHBOURS),
    ("steps", 0, 10**8),
    ("lr", 1e-9, 10),
)
