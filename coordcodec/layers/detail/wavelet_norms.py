"""L2 norms of the wavelets' synthesis bases along one axis, times 2^16. Frozen: steps in files are made of them.

The impulse response of the inverse without rounding, far from a border, after 0 to 16 levels; `tests/test_bases.py`
computes them.
"""

from __future__ import annotations

NORM_BITS = 16

# fmt: off
NORMS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "5/3": (
        (65536, 80265, 108679, 151939, 214249, 302772, 428105, 605405, 856162,
         1210792, 1712318, 2421583, 3424635, 4843165, 6849270, 9686330, 13698540),
        (65536, 55561, 62924, 82532, 114322, 160817, 227125, 321095, 454059,
         642124, 908095, 1284239, 1816187, 2568476, 3632374, 5136952, 7264748),
    ),
    "9/7": (
        (65536, 74697, 87930, 102136, 117775, 135506, 155814, 179139, 205947,
         236765, 272194, 312925, 359750, 413582, 475469, 546617, 628411),
        (65536, 58148, 64452, 76820, 89809, 103762, 119444, 137363, 157930,
         181567, 208737, 239972, 275881, 317163, 364622, 419183, 481908),
    ),
}
# fmt: on
"""Per kind, of the low and of the high half, by level."""
