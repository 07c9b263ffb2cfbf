"""Detail: what an encoder may be told of integers on the signal's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from coordcodec.errors import RecipeError, UnknownName
from coordcodec.specs.detail import BASES, MAX_AXES, MAX_TILE, MIN_TILE
from coordcodec.specs.ranges import check_ranges

_FEW_VALUES, _FEW_BYTES, _SPARSE = 1024, 256, 4096
"""A network is the smaller file below so many values, and below so many bytes and one for each 4096 values."""


@dataclass(frozen=True, kw_only=True)
class DetailChoices:
    """What an encoder may be told of detail layers.

    basis: "auto", or one of "identity", "9/7", "5/3" (wavelets), "lapped" (cosines along one axis).
    step: the quantization step of a lossy layer, in the samples' unit, > 0, in place of a target.
    rounding: how much a bit weighs against squared error when a coefficient is rounded, in hundredths of what theory
        says, 0 to 1000; 0 rounds to the nearest.
    tile: of the coefficients of a tile and channel, the logarithm to base 2, 12 to 26; 0: all is one tile; None: arrays
        of more than 2^20 samples are cut into tiles of so many, sounds of more than 2^19 into tiles of 2^18. Tiles are
        coded on several cores, and a region needs only those that it touches.

    Raises RecipeError for values out of range, UnknownName for another basis.
    """

    kind: ClassVar[str] = "detail"
    promises: ClassVar[bool] = True
    """Whether a layer of this kind can keep a largest error."""
    learned: ClassVar[bool] = False
    """Whether its fit may start at a learned initialisation."""
    automatic: ClassVar[bool] = True
    """Whether it may be chosen where nobody asks for it."""

    basis: str = "auto"
    step: float | None = None
    rounding: float = 100.0
    tile: int | None = None

    def __post_init__(self) -> None:
        check_ranges(self, (("step", 1e-30, 1e30), ("rounding", 0, 1000), ("tile", 0, MAX_TILE)))
        if self.tile is not None and 0 < self.tile < MIN_TILE:
            raise RecipeError(f"tiles hold 2^{MIN_TILE} to 2^{MAX_TILE} coefficients, got 2^{self.tile}; 0 is for none")
        if self.basis not in ("auto", *BASES):
            raise UnknownName("basis", self.basis, ("auto", *BASES))

    @staticmethod
    def suits(shape: Sequence[int], values: int, target: int | None) -> bool:
        """Whether a file of this kind is the best there is.

        shape: of the signal's grid, empty for scattered points. values: how many, channels counted. target: bytes. Of a
        few samples, or in a few bytes, a network is the better file.
        """
        enough = target is None or target >= _FEW_BYTES + values // _SPARSE
        return 1 <= len(shape) <= MAX_AXES and values >= _FEW_VALUES and enough

    @property
    def fixed(self) -> str:
        """The choice that fixes the size in place of a target, or nothing."""
        return "" if self.step is None else "step"

    def released(self) -> DetailChoices:
        """The same without a fixed size."""
        return replace(self, step=None)
