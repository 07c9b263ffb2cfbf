"""Built-in starts: what a state knows before its first decision. They are part of the format and never change.

A file starts/N.bin is a zlib stream of a byte per probability, then weights as little-endian int16 in 1/256. A byte
of 0 is a probability of one half that has never been seen. Any other byte is 1 + LEVELS * trust + level: the stretched
probability is STEP * (level - LEVELS // 2), and its age is AGES[trust]. Probabilities with a node stand node by node.
`python -m coordcodec_bench.grid_starts` made the files.
"""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coordcodec.errors import ContainerError
from coordcodec.stream.grid import layout as at
from coordcodec.stream.grid import tables

IntArray = npt.NDArray[np.int32]
Parts = tuple[IntArray, IntArray, IntArray]
FOLDER = Path(__file__).parent / "starts"
BLANK, LEARNED = (0, 3), (1, 2)
"""Models that know nothing, and those that have a file. What made-up fields taught made real ones longer."""
AGES = (1, 8)
"""Ages of what was seen a few times in training and of what was seen often."""
WEIGHTS_AGE = 100
STEP, LEVELS = 48, 92
_NODED = at.NODES * sum(at.SIZES)


def blank() -> Parts:
    """Knows nothing: probabilities of one half, equal weights, maps that change nothing."""
    probabilities = np.full(at.PROBABILITIES, 1 << 29, np.int32)
    weights = np.zeros(at.WEIGHTS, np.int32)
    sets = weights[: at.SETS * at.INPUTS].reshape(at.SETS, at.INPUTS)
    sets[:, : at.MODELS] = at.UNIT * 18 // 100
    sets[at.SIGN_SET] = at.UNIT * 2 // 5
    squash = tables.squash()
    steps = [int(squash[min(128 * j - 2048, 2047) + at.REACH]) << 6 for j in range(at.STEPS)]
    maps = np.tile(np.array(steps, np.int32), at.MAPS // at.STEPS)
    return probabilities, weights, maps


def _nodes_first(flat: npt.NDArray[np.uint8], back: bool = False) -> npt.NDArray[np.uint8]:
    """Order the probabilities that have nodes node by node, or `back` to context by context."""
    head = flat[:_NODED].reshape((at.NODES, -1) if back else (-1, at.NODES))
    return np.concatenate([head.T.reshape(-1), flat[_NODED:]])


def dump(probabilities: IntArray, weights: IntArray) -> bytes:
    """A start out of what a state has learned."""
    age, p = probabilities & 255, probabilities >> 18
    level = np.clip(np.rint(tables.stretch()[p] / STEP).astype(int) + LEVELS // 2, 0, LEVELS - 1)
    known = np.where(age > 3, 1 + LEVELS * (age > 20) + level, 0).astype(np.uint8)
    ages = weights[at.SETS * at.INPUTS :]
    sets = weights[: at.SETS * at.INPUTS].reshape(at.SETS, at.INPUTS).copy()
    sets[ages < 50] = blank()[1][: at.SETS * at.INPUTS].reshape(at.SETS, at.INPUTS)[ages < 50]
    coarse = np.clip(np.rint(sets / 256), -(1 << 15), (1 << 15) - 1).astype("<i2")
    return zlib.compress(_nodes_first(known).tobytes() + coarse.tobytes(), 9)


def load(packed: bytes) -> Parts:
    """The parts of a state, out of a start."""
    probabilities, weights, maps = blank()
    whole = zlib.decompress(packed)
    known = _nodes_first(np.frombuffer(whole[: at.PROBABILITIES], np.uint8), back=True).astype(int)
    trust, level = np.divmod(known - 1, LEVELS)
    reached = np.clip(STEP * (level - LEVELS // 2), -at.REACH, at.REACH - 1) + at.REACH
    p = tables.squash()[reached].astype(np.int32)
    probabilities = np.where(known > 0, (p << 14) | np.array(AGES)[np.clip(trust, 0, 1)], probabilities)
    weights[: at.SETS * at.INPUTS] = np.frombuffer(whole[at.PROBABILITIES :], "<i2").astype(np.int32) * 256
    weights[at.SETS * at.INPUTS :] = WEIGHTS_AGE
    return probabilities.astype(np.int32), weights, maps


@cache
def parts(model: int) -> Parts:
    """The parts of a state that starts with a built-in model. Raises ContainerError for an unknown number."""
    if model in BLANK:
        return blank()
    if model not in LEARNED:
        raise ContainerError(f"coder model {model} is not known; the file was made by a newer version")
    return load((FOLDER / f"{model}.bin").read_bytes())
