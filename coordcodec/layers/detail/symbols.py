"""The symbols of a detail layer by name, and their code if they have it already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Quantized

Ints = NDArray[np.int32]


class Detailed(dict[str, Quantized]):
    """Symbols of a detail layer.

    "step": the code of the step, see `quantize`. "points": three, see `quantize.restored`. "plane0" and so on: the
    planes, each (channels, *its shape). "residual": (channels, *shape), where there is one.
    chunks: their code, where they were made by the coder itself; None: not coded yet.
    """

    chunks: tuple[bytes, ...] | None = None

    @staticmethod
    def of(step: int, points: Sequence[int], planes: Sequence[Ints], residual: Ints | None = None) -> Detailed:
        """From their parts."""
        found = Detailed(step=_ints([step]), points=_ints(points))
        found |= {f"plane{k}": Quantized(plane, 1.0) for k, plane in enumerate(planes)}
        return found if residual is None else Detailed(found, residual=Quantized(residual, 1.0))

    @property
    def step(self) -> int:
        """The code of the step."""
        return int(self["step"].symbols[0])

    @property
    def points(self) -> tuple[int, int, int]:
        """The reconstruction points."""
        first, second, third = (int(n) for n in self["points"].symbols)
        return first, second, third

    @property
    def planes(self) -> list[Ints]:
        """The planes in order."""
        return [q.symbols for name, q in self.items() if name.startswith("plane")]

    @property
    def residual(self) -> Ints | None:
        """The residual, if there is one."""
        found = self.get("residual")
        return None if found is None else found.symbols


def _ints(numbers: Sequence[int]) -> Quantized:
    return Quantized(np.asarray(numbers, np.int32), 1.0)
