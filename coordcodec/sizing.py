"""Meet a size: the target in bytes, how the domain is cut for it, and how finely to quantize.

The target is met from below: after the fit the quantization is refined until the real file, header and checksum
included, just fits. Before it, the network is chosen (see `networks`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from coordcodec.data import Grid, Signal, Symbols
from coordcodec.errors import RecipeError
from coordcodec.hookspecs import Modality
from coordcodec.partition import Partition
from coordcodec.recipe import Recipe
from coordcodec.stream.weight_models import MAX_BITS, limit_of

LOWEST_BITS, HIGHEST_BITS = 2.0, 12.0
_AIM, _TOLERANCE = 0.988, 0.006
"""The quantizer may add a little to what plain rounding takes: aim for this share of the target, this closely."""
USUAL_QUALITY, QUALITY_OCTAVE = 50, 12
"""The quality that is a modality's default target, and by how much more it is for twice the bytes."""
_LEAST = 0.97
"""A result below this share of the target is worth another try."""


def target_bytes(recipe: Recipe, modality: Modality, signal: Signal) -> int | None:
    """The most bytes that the file may take, or None when the recipe names a width or a score instead."""
    if recipe.quality is not None:
        usual = target_bytes(modality.defaults, modality, signal)
        if usual is None:
            raise RecipeError(
                f"{modality.name} has no default size that a quality could refer to; use rate or num_bytes"
            )
        return max(1, round(usual * 2 ** ((recipe.quality - USUAL_QUALITY) / QUALITY_OCTAVE)))
    if recipe.num_bytes is not None:
        return recipe.num_bytes
    if recipe.rate is None:
        return None
    count = int(recipe.rate / modality.rate(1, signal.meta))
    while modality.rate(count + 1, signal.meta) <= recipe.rate:
        count += 1
    while count and modality.rate(count, signal.meta) > recipe.rate:
        count -= 1
    return count


def choose_partition(signal: Signal, recipe: Recipe, target: int | None) -> Partition:
    """How to cut a signal's domain: scattered points are one part."""
    if not isinstance(signal.coords, Grid):
        return Partition((1,) * signal.dims)
    most = recipe.part_points
    if target is not None and recipe.part_bytes is not None:
        most = min(most, math.ceil(len(signal.coords) / max(1, round(target / recipe.part_bytes))))
    return Partition.of(signal.coords, most, recipe.margin)


def spans_at(largest: Mapping[str, float], spans: Mapping[str, float] | None, bits: float) -> Mapping[str, float]:
    """How far the grids reach at so many bits: as far as the largest parameters, or as an initialisation says.

    In the latter case parameters may lie beyond, but no further than a file can say.
    """
    if spans is None:
        return largest
    share = (2 ** (bits - 1) - 1) / limit_of(MAX_BITS)
    return {name: max(span, share * largest[name]) for name, span in spans.items()}


def fitted_symbols(
    quantize: Callable[[float], Symbols],
    estimate: Callable[[float], int],
    size: Callable[[Symbols], int],
    bits: float,
    target: int,
    parameters: int,
    over: Callable[[], bool] = lambda: False,
) -> tuple[Symbols, float]:
    """Quantize so that the file takes at most `target` bytes and, where that is possible, not much less.

    quantize: bits -> symbols by the chosen quantizer. estimate: bits -> size of the file after plain rounding.
    size: symbols -> size of the file. bits: where to start. parameters: in all, for the slope of size over bits.
    over: whether the time is over; what is then quantized is plain rounding, no match for anything before.
    """
    bits = _bits_for(estimate, bits, target, parameters)
    best: tuple[int, Symbols, float] | None = None
    for attempt in range(9):
        symbols = quantize(bits)
        if best and over():
            break
        taken = size(symbols)
        if taken <= target and (best is None or taken > best[0]):
            best = (taken, symbols, bits)
        if best and (taken > target or taken >= _LEAST * target or attempt == 2):
            break
        moved = bits + (0.99 * target - taken) * 8 / parameters
        if taken > target:  # ever larger steps down: the coarsest grid always fits
            moved = min(moved, bits - 0.03 * 2**attempt)
        moved = _clamp(moved)
        if moved == bits:
            break
        bits = moved
    if best is None:
        raise RecipeError(f"this quantizer made no file of at most {target} bytes; use another one or a larger target")
    return best[1], best[2]


def _clamp(bits: float) -> float:
    return min(max(bits, LOWEST_BITS), HIGHEST_BITS)


def _bits_for(estimate: Callable[[float], int], bits: float, target: int, parameters: int) -> float:
    """The bits at which plain rounding takes just less than the target."""
    low, high = LOWEST_BITS, HIGHEST_BITS
    for _ in range(12):
        taken = estimate(bits)
        if taken > (_AIM + _TOLERANCE) * target:
            high = bits
        elif taken < (_AIM - _TOLERANCE) * target:
            low = bits
        else:
            break
        guess = bits + (_AIM * target - taken) * 8 / parameters
        bits = guess if low < guess < high else (low + high) / 2
        if high - low < 0.01:
            return low
    return bits
