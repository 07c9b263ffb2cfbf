"""Meet a size: which network to fit, and how finely to quantize it, so that the file stays within its target.

The target is met from below. The width is chosen before the fit, from how many bits a parameter usually takes;
after the fit the quantization is refined until the real file, header and checksum included, just fits.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from coordcodec.data import Grid, Signal, Symbols
from coordcodec.errors import RecipeError
from coordcodec.hookspecs import Modality
from coordcodec.inr.spec import SirenSpec
from coordcodec.partition import Partition
from coordcodec.recipe import Recipe
from coordcodec.stream.container import MAX_PARAMETERS

LOWEST_BITS, HIGHEST_BITS = 2.0, 12.0
_AIM, _TOLERANCE = 0.988, 0.006
"""The quantizer may add a little to what plain rounding takes: aim for this share of the target, this closely."""
_LEAST = 0.93
"""A result below this share of the target is worth another try."""


@dataclass(frozen=True)
class Sizes:
    """What is known about a file's size before it exists.

    side: bytes of everything but the payload, as a function of the network.
    parts: how many networks share the file.
    """

    side: Callable[[SirenSpec], int]
    parts: int

    def expected(self, spec: SirenSpec, recipe: Recipe) -> float:
        """The bytes that a file with this network will take, about."""
        return self.side(spec) + self.parts * spec.parameters * _bits_per_parameter(spec, recipe) / 8

    def smallest(self, spec: SirenSpec, recipe: Recipe) -> int:
        """The bytes that are always enough for this network, however coarsely quantized."""
        per_parameter = 16 if recipe.quantizer == "half" else math.log2(3) + 0.02
        return self.side(spec) + math.ceil(self.parts * spec.parameters * per_parameter / 8) + 4


def _bits_per_parameter(spec: SirenSpec, recipe: Recipe) -> float:
    """Coded bits per parameter at nominal width: a grid spans the largest parameter, most are far smaller."""
    if recipe.quantizer == "half":
        return 16.0
    saved = min(0.35 + 0.21 * math.log2(1 + spec.width), 0.3 * recipe.bits)
    return recipe.bits - saved


def target_bytes(recipe: Recipe, modality: Modality, signal: Signal) -> int | None:
    """The most bytes that the file may take, or None when the recipe names a width instead."""
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


def useful_frequencies(signal: Signal, recipe: Recipe, partition: Partition) -> int:
    """How many frequencies sigma^k pi a part can show: on a grid those up to its longest axis' Nyquist frequency."""
    if not isinstance(signal.coords, Grid):
        return recipe.num_frequencies
    # In units of pi, of an axis that spans [-1, 1].
    highest = max((n - 1) / count for n, count in zip(signal.coords.shape, partition.counts, strict=True)) / 2
    return sum(recipe.sigma**k <= highest for k in range(recipe.num_frequencies))


def choose_spec(
    signal: Signal,
    modality: Modality,
    recipe: Recipe,
    partition: Partition,
    target: int | None,
    side: Callable[[SirenSpec], int],
) -> tuple[SirenSpec, int | None]:
    """The network to fit and the most bytes for the file, None when the recipe names a width.

    target: see `target_bytes`. side: bytes of everything but the payload, as a function of the network.
    Raises RecipeError when the target is below the smallest possible file; a lenient recipe gets that file and a
    warning instead.
    """

    sizes, frequencies = Sizes(side, len(partition)), useful_frequencies(signal, recipe, partition)

    def spec(depth: int, width: int) -> SirenSpec:
        return SirenSpec(signal.dims, signal.channels, width, depth, frequencies, round(recipe.sigma * 1000))

    def words(count: int) -> str:
        return f"{count} bytes ({_enough(modality.rate(count, signal.meta))} {modality.rate_unit})"

    if target is None:
        named = spec(*_named_architecture(recipe))
        if named.parameters * sizes.parts > MAX_PARAMETERS:
            raise RecipeError(f"width {recipe.width} is too much for one file of {sizes.parts} networks; choose less")
        return named, None
    candidates = [spec(d, w) for d, w in recipe.architectures] or [spec(recipe.depth, w) for w in range(1, 1025)]
    candidates = [c for c in candidates if c.parameters * sizes.parts <= MAX_PARAMETERS]
    smallest = sizes.smallest(candidates[0], recipe)
    if target < smallest:
        asked = f"{target} bytes" if recipe.rate is None else f"{recipe.rate:g} {modality.rate_unit}"
        if not recipe.lenient:
            raise RecipeError(
                f"{asked} is too little for this signal: its smallest possible file takes {words(smallest)}"
            )
        _warn(f"the default of {asked} is too little for this signal: writing at most {words(smallest)}")
        return candidates[0], smallest
    fitting = [c for c in candidates if sizes.expected(c, recipe) <= target] or candidates[:1]
    most = max(256, 4 * signal.values.size // sizes.parts)
    useful = [c for c in fitting if c.parameters <= most] or fitting[:1]
    if len(useful) < len(fitting):
        _warn(f"{words(target)} is more than this signal can use: its network is limited to {most} parameters")
    if recipe.architectures and sizes.expected(useful[-1], recipe) < 0.92 * target:
        listed = ", ".join(words(round(sizes.expected(c, recipe))) for c in candidates)
        _warn(f"this preset has fixed sizes: {listed}; using the largest within the target")
    return useful[-1], target


def _enough(rate: float) -> str:
    """A rate in four digits, rounded up: what is shown must be enough when it is typed."""
    shown = float(f"{rate:.4g}")
    return f"{shown if shown >= rate else float(f'{rate * 1.0005:.4g}'):g}"


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=4)


def _named_architecture(recipe: Recipe) -> tuple[int, int]:
    """The depth and width of a recipe that names a width."""
    assert recipe.width is not None
    if not recipe.architectures:
        return recipe.depth, recipe.width
    for depth, width in recipe.architectures:
        if width == recipe.width:
            return depth, width
    raise RecipeError(f"this preset has the widths {[w for _, w in recipe.architectures]}, got {recipe.width}")


def fitted_symbols(
    quantize: Callable[[float], Symbols],
    estimate: Callable[[float], int],
    size: Callable[[Symbols], int],
    bits: float,
    target: int,
    parameters: int,
) -> tuple[Symbols, float]:
    """Quantize so that the file takes at most `target` bytes and, where that is possible, not much less.

    quantize: bits -> symbols by the chosen quantizer. estimate: bits -> size of the file after plain rounding.
    size: symbols -> size of the file. bits: where to start. parameters: in all, for the slope of size over bits.
    """
    bits = _bits_for(estimate, bits, target, parameters)
    best: tuple[int, Symbols, float] | None = None
    for attempt in range(9):
        symbols = quantize(bits)
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
