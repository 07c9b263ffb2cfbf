"""Detail: what an encoder may be told of integers on the signal's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from coordcodec.errors import UnknownName
from coordcodec.specs.detail import BASES, MAX_AXES
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

    Raises RecipeError for values out of range, UnknownName for another basis.
    """

    kind: ClassVar[str] = "detail"
    promises: ClassVar[bool] = True
    """Whether a layer of this kind can keep a largest error."""
    learned: ClassVar[bool] = False
    """Whether its fit may start at a learned initialisation."""

    basis: str = "auto"
    step: float | None = None
    rounding: float = 100.0

    def __post_init__(self) -> None:
        check_ranges(self, (("step", 1e-30, 1e30), ("rounding", 0, 1000)))
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
