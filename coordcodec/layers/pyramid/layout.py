"""Numbers that the coder of latents is made of. Part of the format, see `docs/format.md`; needs no Numba."""

from __future__ import annotations

ENCODE, DECODE = 0, 1
"""What the coder does: write, or read."""
LOW, RANGE, CODE, POSITION, END, MODE = range(6)
"""The places of the range coder's registers."""
TOP, FULL = 1 << 40, 1 << 48
"""The range has 41 to 48 bits: what is lost where it is cut into 65536 parts is next to nothing."""
KEPT = TOP - 1
BYTES = 6
"""Of the registers."""
LARGEST = (1 << 15) - 1
"""Of a latent."""
ORDER = 4
"""Of the Exp-Golomb code of what is beyond an escape."""
INPUT, FRACTION = 255, 6
"""Latents are cut to that many as inputs; activations are in 2^-6."""
