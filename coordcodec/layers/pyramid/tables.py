"""The distributions of latents: discretised Laplacians in whole numbers, the same on every machine.

A location is in sixteenths. Scale k stands for b = 2^((k - 28) / 7); DECAYS[k] is exp(-1 / (16 b)) in 2^-32. Part of
the format, see `docs/format.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SCALES, MIDDLE, PER_OCTAVE = 64, 28, 7
SIXTEENTHS = 16
MOST = 300
"""A latent further than that from its location is always an escape."""
_RARE = 8
"""Of 65536: what lies beyond where one side is less likely than that is an escape."""
DECAYS = (
    1580030169,
    1736237259,
    1891005286,
    2043056144,
    2191297523,
    2334825402,
    2472918876,
    2605029347,
    2730765871,
    2849878218,
    2962238903,
    3067825158,
    3166701556,
    3259003789,
    3344923893,
    3424697083,
    3498590251,
    3566892094,
    3629904781,
    3687937041,
    3741298530,
    3790295335,
    3835226456,
    3876381136,
    3914036905,
    3948458221,
    3979895599,
    4008585141,
    4034748382,
    4058592392,
    4080310062,
    4100080548,
    4118069806,
    4134431211,
    4149306217,
    4162825044,
    4175107375,
    4186263044,
    4196392721,
    4205588561,
    4213934840,
    4221508558,
    4228380000,
    4234613280,
    4240266839,
    4245393915,
    4250042980,
    4254258141,
    4258079520,
    4261543595,
    4264683523,
    4267529426,
    4270108667,
    4272446091,
    4274564256,
    4276483635,
    4278222805,
    4279798624,
    4281226380,
    4282519944,
    4283691893,
    4284753632,
    4285715501,
    4286586875,
)


@dataclass(frozen=True)
class Tables:
    """For each scale the symbols of a latent minus its location, -most - 1 to most + 1, the ends being escapes.

    most: (SCALES,). starts: where each scale's intervals begin in `edges`. edges: int32; for scale k and the sixteenth
    f + 8 of a location that is f above a whole number, 2 most + 4 ascending numbers from 0 to 65536 from
    starts[k] + (f + 8) (2 most + 4) on.
    """

    most: NDArray[np.int64]
    starts: NDArray[np.int64]
    edges: NDArray[np.int32]


def _tails(decay: int) -> list[int]:
    """E[j], of 65536: how likely a latent is to lie j sixteenths or more above its location."""
    exact, found = 1 << 31, list[int]()
    for _ in range(SIXTEENTHS * (MOST + 2)):
        found.append(exact >> 16)
        exact = exact * decay >> 32
    return found


@lru_cache(maxsize=1)
def tables() -> Tables:
    """The tables of all scales."""
    most, starts, edges = list[int](), list[int](), list[int]()
    for decay in DECAYS:
        tails = _tails(decay)
        last = next((d for d in range(2, MOST) if tails[SIXTEENTHS * d] < _RARE), MOST)
        most.append(last)
        starts.append(len(edges))
        symbols = 2 * last + 3
        for sixteenth in range(-8, 8):
            places = [SIXTEENTHS * (i - 1 - last) - 8 - sixteenth for i in range(1, symbols)]
            below = [65536 - tails[x] if x >= 0 else tails[-x] for x in places]
            edges += [0, *((b * (65536 - symbols) >> 16) + i for i, b in enumerate(below, 1)), 65536]
    return Tables(np.array(most, np.int64), np.array(starts, np.int64), np.array(edges, np.int32))


@lru_cache(maxsize=1)
def prices() -> NDArray[np.float32]:
    """The bits of an interval by its width, of 65536. Encoder only."""
    return (16 - np.log2(np.maximum(np.arange(65537), 0.5))).astype(np.float32)
