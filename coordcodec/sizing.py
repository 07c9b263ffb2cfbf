"""Meet a size: which network to fit, and how finely to quantize it, so that the file stays within its target.

The target is met from below. The width is chosen before the fit, from how many bits a parameter usually takes;
after the fit the quantization is refined until the real file, header and checksum included, just fits.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from coordcodec import inits
from coordcodec.data import Grid, Signal, Symbols
from coordcodec.errors import InitialisationError, RecipeError
from coordcodec.hookspecs import Modality
from coordcodec.inits import Initialisation
from coordcodec.inr.spec import SirenSpec
from coordcodec.partition import Partition
from coordcodec.recipe import Recipe
from coordcodec.stream.container import MAX_PARAMETERS

LOWEST_BITS, HIGHEST_BITS = 2.0, 12.0
_AIM, _TOLERANCE = 0.988, 0.006
"""The quantizer may add a little to what plain rounding takes: aim for this share of the target, this closely."""
_LEAST = 0.93
"""A result below this share of the target is worth another try."""


LEARNED_BITS = 4.2, 7.6
"""With a learned initialisation at least and at most so many coded bits per parameter are worth having: for more a
wider network is the better file, for less a narrower one. Of the widths that fit, the widest is taken."""
MOST_SYMBOL = 2047
"""The largest magnitude of a symbol in a file."""


@dataclass(frozen=True)
class Sizes:
    """What is known about a file's size before it exists.

    side: bytes of everything but the payload, as a function of the network and of what the file calls a learned
        initialisation, empty for none.
    parts: how many networks share the file.
    """

    side: Callable[[SirenSpec, bytes], int]
    parts: int

    def expected(self, spec: SirenSpec, recipe: Recipe) -> float:
        """The bytes that a file with this network will take, about."""
        return self.side(spec, b"") + self.parts * spec.parameters * _bits_per_parameter(spec, recipe) / 8

    def room(self, spec: SirenSpec, target: int) -> float:
        """The bits per parameter that a target in bytes leaves for updates of a learned initialisation."""
        return (target - self.side(spec, bytes(inits.ID_BYTES))) * 8 / (self.parts * spec.parameters)

    def smallest(self, spec: SirenSpec, recipe: Recipe, init: bytes = b"") -> int:
        """The bytes that are always enough for this network, however coarsely quantized."""
        per_parameter = 16 if recipe.quantizer == "half" else math.log2(3) + 0.02
        return self.side(spec, init) + math.ceil(self.parts * spec.parameters * per_parameter / 8) + 4


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


def choose_network(
    signal: Signal,
    modality: Modality,
    recipe: Recipe,
    partition: Partition,
    target: int | None,
    side: Callable[[SirenSpec, bytes], int],
) -> tuple[SirenSpec, Initialisation | None, int | None]:
    """The network to fit, where it starts, and the most bytes for the file, None when the recipe names a width.

    target: see `target_bytes`. side: see `Sizes`.
    Raises RecipeError when the target is below the smallest possible file; a lenient recipe gets that file and a
    warning instead. Raises InitialisationError when the recipe names an initialisation that does not fit.
    """
    sizes = Sizes(side, len(partition))
    choice = _Choice(signal, modality, recipe, sizes, useful_frequencies(signal, recipe, partition))
    if recipe.init == "auto":
        init = _shipped(signal, recipe, sizes, target)
    else:
        init = None if recipe.init == "none" else _named(signal, recipe)
    if init is None:
        return choice.named() if target is None else choice.within(target)
    smallest = sizes.smallest(init.spec, recipe, init.id)
    if target is not None and target < smallest:
        target = choice.lowered(target, smallest)
    return init.spec, init, target


@dataclass(frozen=True)
class _Choice:
    """What the network of a file that stands alone is chosen by."""

    signal: Signal
    modality: Modality
    recipe: Recipe
    sizes: Sizes
    frequencies: int

    def spec(self, depth: int, width: int) -> SirenSpec:
        sigma = round(self.recipe.sigma * 1000)
        return SirenSpec(self.signal.dims, self.signal.channels, width, depth, self.frequencies, sigma)

    def words(self, count: int) -> str:
        return f"{count} bytes ({_enough(self.modality.rate(count, self.signal.meta))} {self.modality.rate_unit})"

    def named(self) -> tuple[SirenSpec, None, None]:
        """The network of the width that the recipe names."""
        named = self.spec(*_named_architecture(self.recipe))
        if named.parameters * self.sizes.parts > MAX_PARAMETERS:
            raise RecipeError(
                f"width {self.recipe.width} is too much for one file of {self.sizes.parts} networks; choose less"
            )
        return named, None, None

    def within(self, target: int) -> tuple[SirenSpec, None, int]:
        """The network whose file will take about `target` bytes, or the smallest."""
        recipe, sizes = self.recipe, self.sizes
        pairs = recipe.architectures or [(recipe.depth, w) for w in range(1, 1025)]
        candidates = [c for c in (self.spec(d, w) for d, w in pairs) if c.parameters * sizes.parts <= MAX_PARAMETERS]
        smallest = sizes.smallest(candidates[0], recipe)
        if target < smallest:
            return candidates[0], None, self.lowered(target, smallest)
        fitting = [c for c in candidates if sizes.expected(c, recipe) <= target] or candidates[:1]
        most = max(256, 4 * self.signal.values.size // sizes.parts)
        useful = [c for c in fitting if c.parameters <= most] or fitting[:1]
        if len(useful) < len(fitting):
            _warn(f"{self.words(target)} is more than this signal can use: its network is limited to {most} parameters")
        if recipe.architectures and sizes.expected(useful[-1], recipe) < 0.92 * target:
            listed = ", ".join(self.words(round(sizes.expected(c, recipe))) for c in candidates)
            _warn(f"this preset has fixed sizes: {listed}; using the largest within the target")
        return useful[-1], None, target

    def lowered(self, target: int, smallest: int) -> int:
        """The size of the smallest file in place of a target below it, if the target was nobody's choice."""
        asked = f"{target} bytes" if self.recipe.rate is None else f"{self.recipe.rate:g} {self.modality.rate_unit}"
        if not self.recipe.lenient:
            raise RecipeError(
                f"{asked} is too little for this signal: its smallest possible file takes {self.words(smallest)}"
            )
        _warn(f"the default of {asked} is too little for this signal: writing at most {self.words(smallest)}")
        return smallest


def _shipped(signal: Signal, recipe: Recipe, sizes: Sizes, target: int | None) -> Initialisation | None:
    """The shipped initialisation for this kind of data and size, if there is one."""
    if recipe.architectures or recipe.quantizer == "half":  # other networks, and coding that has no use for it
        return None
    wanted = (signal.dims, signal.channels, recipe.depth, recipe.num_frequencies, round(recipe.sigma * 1000))
    fitting = []
    for entry in inits.available():
        spec = entry.spec
        same = (spec.dims, spec.channels, spec.depth, spec.num_frequencies, spec.sigma) == wanted
        if not (entry.shipped and entry.modality == signal.modality and same):
            continue
        if target is None:
            right = spec.width == recipe.width
        else:
            right = LEARNED_BITS[0] <= sizes.room(spec, target) <= LEARNED_BITS[1]
        if right and sizes.parts * spec.parameters <= MAX_PARAMETERS:
            fitting.append(entry)
    return inits.load(max(fitting, key=lambda entry: entry.spec.width).path) if fitting else None


def _named(signal: Signal, recipe: Recipe) -> Initialisation:
    """The initialisation that a recipe names. Raises InitialisationError when it does not fit signal and recipe."""
    init = inits.named(recipe.init)
    given = f"initialisation {init.name} is for {init.modality}"
    if init.modality != signal.modality:
        raise InitialisationError(f"{given}, this is {signal.modality}; choose another with --init, or --init none")
    if (init.spec.dims, init.spec.channels) != (signal.dims, signal.channels):
        raise InitialisationError(
            f"{given} of {init.spec.dims} dimensions and {init.spec.channels} channels, this has {signal.dims} and "
            f"{signal.channels}; choose another with --init, or --init none"
        )
    if recipe.width is not None and recipe.width != init.spec.width:
        raise InitialisationError(f"{given} of width {init.spec.width}, got width {recipe.width}; leave the width out")
    return init


def spans_at(largest: Mapping[str, float], spans: Mapping[str, float] | None, bits: float) -> Mapping[str, float]:
    """How far the grids reach at so many bits: as far as the largest parameters, or as an initialisation says.

    In the latter case parameters may lie beyond, but no further than a file can say.
    """
    if spans is None:
        return largest
    share = (2 ** (bits - 1) - 1) / MOST_SYMBOL
    return {name: max(span, share * largest[name]) for name, span in spans.items()}


def _enough(rate: float) -> str:
    """A rate in four digits, rounded up: what is shown must be enough when it is typed."""
    shown = float(f"{rate:.4g}")
    return f"{shown if shown >= rate else float(f'{rate * 1.0005:.4g}'):g}"


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=5)


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
