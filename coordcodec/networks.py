"""Which network to fit, and where its fit starts.

Where a target in bytes is given, the width follows from how many bits a parameter usually takes. A learned
initialisation decides the network that it is for.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from coordcodec import inits
from coordcodec.data import Grid, Signal
from coordcodec.errors import InitialisationError, RecipeError
from coordcodec.hookspecs import Modality
from coordcodec.inits import Initialisation
from coordcodec.inr.spec import SirenSpec
from coordcodec.partition import Partition
from coordcodec.plugins import in_loop
from coordcodec.recipe import Recipe
from coordcodec.stream.container import MAX_PARAMETERS

LEARNED_BITS = 3.7, 7.6
"""With a learned initialisation at least and at most so many coded bits per parameter are worth having: for more a
wider network is the better file, for less a narrower one. Of the widths that fit, the widest is taken."""
LEARNED_LESS = 1.1
"""By how much these may be less than the `coded_bits` of a recipe. Chamfer-L1 at effort 5: five meshes in 4 kB, width
40 in place of 32 (4.9 bits in place of 7.2): +3.4, +0.5, -4.4, -6.7 and -9.0 %; the armadillo in 8 kB, width 64 in
place of 56 (4.3 bits in place of 5.5): +5.5 %."""

PATIENT, SHORT = 1500, 15.0
"""Steps, of the smallest networks, and seconds from which on a learned initialisation, which is no deeper than usual,
is no better than a network that stands alone and may be deeper. Measured on photographs."""
NARROW_BITS = 10.8
"""What a network gets, divided by its width, beside a recipe's `coded_bits`: wide ones find neurons to do without."""

DEEP_WIDTH = 32
"""Neurons per hidden layer from which on further layers are worth more than further neurons. At equal bytes, Kodak's
kodim05 and kodim15 at 0.15 and 0.3 bpp, effort 3: depth 5 in place of 3 gains 0.15 dB; a picture of 96 x 72 in 1200
bytes loses 0.3 to 1.2 dB with it."""


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
    if in_loop(recipe.quantizer):
        return recipe.coded_bits + NARROW_BITS / spec.width
    saved = min(0.35 + 0.21 * math.log2(1 + spec.width), 0.3 * recipe.bits)
    return recipe.bits - saved


def _deepest(recipe: Recipe) -> int:
    """The depth of a network that no learned initialisation decides, if it is wide enough for `extra_depth`."""
    return min(16, recipe.depth + recipe.extra_depth) if in_loop(recipe.quantizer) else recipe.depth


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
        unit = self.modality.rate_unit
        rate = "" if unit == "bytes" else f" ({_enough(self.modality.rate(count, self.signal.meta))} {unit})"
        return f"{count} bytes{rate}"

    def named(self) -> tuple[SirenSpec, None, None]:
        """The network of the width that the recipe names."""
        named = self.spec(*_named_architecture(self.recipe))
        if named.parameters * self.sizes.parts > MAX_PARAMETERS:
            raise RecipeError(
                f"width {self.recipe.width} is too much for one file of {self.sizes.parts} networks; choose less"
            )
        return named, None, None

    def candidates(self) -> list[SirenSpec]:
        """All networks to choose from, ever larger ones."""
        recipe = self.recipe
        if recipe.architectures:
            return [self.spec(depth, width) for depth, width in recipe.architectures]
        deepest = _deepest(recipe)
        deep = [self.spec(deepest, width) for width in range(DEEP_WIDTH, 1025)]
        plain = [self.spec(recipe.depth, width) for width in range(1, 1025)]
        return [spec for spec in plain if spec.parameters < deep[0].parameters] + deep

    def within(self, target: int) -> tuple[SirenSpec, None, int]:
        """The network whose file will take about `target` bytes, or the smallest."""
        recipe, sizes = self.recipe, self.sizes
        candidates = [c for c in self.candidates() if c.parameters * sizes.parts <= MAX_PARAMETERS]
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
        recipe = self.recipe
        asked = f"{target} bytes" if recipe.rate is None else f"{recipe.rate:g} {self.modality.rate_unit}"
        if recipe.quality is not None:
            _warn(f"quality {recipe.quality} is too little for this signal: writing at most {self.words(smallest)}")
            return smallest
        if not recipe.lenient:
            raise RecipeError(
                f"{asked} is too little for this signal: its smallest possible file takes {self.words(smallest)}"
            )
        _warn(f"the default of {asked} is too little for this signal: writing at most {self.words(smallest)}")
        return smallest


def _shipped(signal: Signal, recipe: Recipe, sizes: Sizes, target: int | None) -> Initialisation | None:
    """The shipped initialisation for this kind of data and size, if there is one and it is the best choice."""
    if recipe.architectures or recipe.quantizer == "half":  # other networks, and coding that has no use for it
        return None
    hasty = recipe.planned_steps(0) < PATIENT or (recipe.time_budget is not None and recipe.time_budget < SHORT)
    if _deepest(recipe) > recipe.depth and target is not None and not hasty:
        return None
    wanted = (signal.dims, signal.channels, recipe.depth, recipe.num_frequencies, round(recipe.sigma * 1000))
    fewest = max(LEARNED_BITS[0], recipe.coded_bits - LEARNED_LESS) if in_loop(recipe.quantizer) else LEARNED_BITS[0]
    fitting = []
    for entry in inits.available():
        spec = entry.spec
        same = (spec.dims, spec.channels, spec.depth, spec.num_frequencies, spec.sigma) == wanted
        if not (entry.shipped and entry.modality == signal.modality and same):
            continue
        room = None if target is None else sizes.room(spec, target)
        right = spec.width == recipe.width if room is None else fewest <= room <= LEARNED_BITS[1]
        if right and sizes.parts * spec.parameters <= MAX_PARAMETERS:
            fitting.append(entry)
    return inits.load(max(fitting, key=lambda entry: entry.spec.width).path) if fitting else None


def check_init(recipe: Recipe) -> None:
    """Raise UnknownName, FileError or InitialisationError unless what a recipe names as its initialisation is here."""
    if recipe.init not in ("auto", "none"):
        inits.named(recipe.init)


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
