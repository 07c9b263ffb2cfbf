"""Which network to fit, and where its fit starts.

Where a target in bytes is given, the width follows from how many bits a parameter usually takes. A learned
initialisation decides the network that it is for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from coordcodec import inits
from coordcodec.data import Grid, Signal
from coordcodec.errors import InitialisationError, RecipeError
from coordcodec.inits import Initialisation
from coordcodec.layers.protocol import Goal, Proposal, Remark, TooFewBytes
from coordcodec.partition import Partition, gain_codes
from coordcodec.plugins import in_loop
from coordcodec.recipe import Recipe
from coordcodec.specs import SirenChoices, SirenSpec
from coordcodec.stream.weights import MAX_PARAMETERS

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


def propose(signal: Signal, goal: Goal, recipe: Recipe) -> Proposal:
    """The network to fit and where it starts; see `coordcodec.layers.protocol.Layer`.

    Raises TooFewBytes when the goal is below the smallest section, InitialisationError when the recipe names an
    initialisation that does not fit, RecipeError for a width that is too much.
    """
    partition = choose_partition(signal, recipe.siren, goal.file)
    gains = gain_codes(signal, partition) if recipe.siren.gains else b""
    choice = _Choice(signal, goal, recipe.siren, partition, gains)
    if recipe.init == "auto":
        init = choice.shipped(recipe)
    else:
        init = None if recipe.init == "none" else _named(signal, recipe)
    if init is None:
        return choice.named() if goal.bytes is None else choice.within(goal.bytes)
    return choice.learned(init)


def choose_partition(signal: Signal, choices: SirenChoices, target: int | None) -> Partition:
    """How to cut a signal's domain: scattered points are one part. target: bytes of the file, None if open."""
    if not isinstance(signal.coords, Grid):
        return Partition((1,) * signal.dims)
    most = choices.part_points
    if target is not None and choices.part_bytes is not None:
        most = min(most, math.ceil(len(signal.coords) / max(1, round(target / choices.part_bytes))))
    return Partition.of(signal.coords, most, choices.margin)


def useful_frequencies(signal: Signal, choices: SirenChoices, partition: Partition) -> int:
    """How many frequencies sigma^k pi a part can show: on a grid those up to its longest axis' Nyquist frequency."""
    if not isinstance(signal.coords, Grid):
        return choices.num_frequencies
    # In units of pi, of an axis that spans [-1, 1].
    highest = max((n - 1) / count for n, count in zip(signal.coords.shape, partition.counts, strict=True)) / 2
    return sum(choices.sigma**k <= highest for k in range(choices.num_frequencies))


def deepest(choices: SirenChoices) -> int:
    """The depth of a network that no learned initialisation decides, if it is wide enough for `extra_depth`."""
    return min(16, choices.depth + choices.extra_depth) if in_loop(choices.quantizer) else choices.depth


@dataclass(frozen=True)
class _Choice:
    """What a network is chosen by."""

    signal: Signal
    goal: Goal
    choices: SirenChoices
    partition: Partition
    gains: bytes

    @property
    def half(self) -> bool:
        return self.choices.quantizer == "half"

    def spec(self, depth: int, width: int) -> SirenSpec:
        return self._cut(SirenSpec(self.signal.dims, self.signal.channels, width, depth, self.frequencies, self.sigma))

    @cached_property
    def frequencies(self) -> int:
        return useful_frequencies(self.signal, self.choices, self.partition)

    def _cut(self, network: SirenSpec) -> SirenSpec:
        sizes = (network.dims, network.channels, network.width, network.depth, network.num_frequencies, network.sigma)
        return SirenSpec(*sizes, self.partition, self.gains, self.periodic)

    @property
    def periodic(self) -> tuple[bool, ...]:
        return tuple(self.signal.periodic) if any(self.signal.periodic) else ()

    @property
    def sigma(self) -> int:
        return round(self.choices.sigma * 1000)

    def expected(self, spec: SirenSpec) -> float:
        """The bytes that a section with this network will take, about."""
        numbers = len(self.partition) * spec.parameters
        return spec.header_bytes(False, self.half) + numbers * self._bits_per_parameter(spec) / 8

    def _bits_per_parameter(self, spec: SirenSpec) -> float:
        """Coded bits per parameter at nominal width: a grid spans the largest parameter, most are far smaller."""
        if self.half:
            return 16.0
        if in_loop(self.choices.quantizer):
            return self.choices.coded_bits + NARROW_BITS / spec.width
        saved = min(0.35 + 0.21 * math.log2(1 + spec.width), 0.3 * self.choices.bits)
        return self.choices.bits - saved

    def smallest(self, spec: SirenSpec, init: bool) -> int:
        """The bytes that are always enough for this network, however coarsely quantized."""
        per_parameter = 16 if self.half else math.log2(3) + 0.02
        numbers = len(self.partition) * spec.parameters
        return spec.header_bytes(init, self.half) + math.ceil(numbers * per_parameter / 8) + 4

    def named(self) -> Proposal:
        """The network of the width that the choices name."""
        spec = self.spec(*_named_architecture(self.choices))
        if spec.parameters * len(self.partition) > MAX_PARAMETERS:
            raise RecipeError(
                f"width {self.choices.width} is too much for one file of {len(self.partition)} networks; choose less"
            )
        return Proposal(spec)

    def candidates(self) -> list[SirenSpec]:
        """All networks to choose from, ever larger ones."""
        if self.choices.architectures:
            return [self.spec(depth, width) for depth, width in self.choices.architectures]
        depth = deepest(self.choices)
        deep = [self.spec(depth, width) for width in range(DEEP_WIDTH, 1025)]
        plain = [self.spec(self.choices.depth, width) for width in range(1, 1025)]
        return [spec for spec in plain if spec.parameters < deep[0].parameters] + deep

    def within(self, target: int) -> Proposal:
        """The network whose section will take about `target` bytes."""
        parts = len(self.partition)
        candidates = [c for c in self.candidates() if c.parameters * parts <= MAX_PARAMETERS]
        smallest = self.smallest(candidates[0], False)
        if target < smallest:
            raise TooFewBytes(Proposal(candidates[0]), smallest)
        fitting = [c for c in candidates if self.expected(c) <= target] or candidates[:1]
        most = max(256, 4 * self.signal.size // parts)
        useful = [c for c in fitting if c.parameters <= most] or fitting[:1]
        remarks = []
        if len(useful) < len(fitting):
            limited = f"{{}} is more than this signal can use: its network is limited to {most} parameters"
            remarks.append(Remark(limited, (target,)))
        whole = target + self.goal.elsewhere
        if self.choices.architectures and self.expected(useful[-1]) + self.goal.elsewhere < 0.92 * whole:
            listed = ", ".join("{}" for _ in candidates)
            sizes = tuple(round(self.expected(c) + self.goal.elsewhere) - self.goal.elsewhere for c in candidates)
            remarks.append(Remark(f"this preset has fixed sizes: {listed}; using the largest within the target", sizes))
        return Proposal(useful[-1], None, tuple(remarks))

    def learned(self, init: Initialisation) -> Proposal:
        """The network of an initialisation."""
        spec = self._cut(init.spec)
        proposal, smallest = Proposal(spec, init), self.smallest(spec, True)
        if self.goal.bytes is not None and self.goal.bytes < smallest:
            raise TooFewBytes(proposal, smallest)
        return proposal

    def shipped(self, recipe: Recipe) -> Initialisation | None:
        """The shipped initialisation for this kind of data and size, if there is one and it is the best choice."""
        choices = self.choices
        if choices.architectures or self.half:  # other networks, and coding that has no use for it
            return None
        short = recipe.time_budget is not None and recipe.time_budget < SHORT
        hasty = choices.planned_steps(0, recipe.effort) < PATIENT or short
        if deepest(choices) > choices.depth and self.goal.bytes is not None and not hasty:
            return None
        fitting = [entry for entry in inits.available() if self._suits(entry)]
        return inits.load(max(fitting, key=lambda entry: entry.spec.width).path) if fitting else None

    def _suits(self, entry: inits.Entry) -> bool:
        spec, choices = entry.spec, self.choices
        wanted = (self.signal.dims, self.signal.channels, choices.depth, choices.num_frequencies, self.sigma)
        same = not self.periodic and (spec.dims, spec.channels, spec.depth, spec.num_frequencies, spec.sigma) == wanted
        numbers = len(self.partition) * spec.parameters
        if not (entry.shipped and entry.modality == self.signal.modality and same and numbers <= MAX_PARAMETERS):
            return False
        if self.goal.bytes is None:
            return spec.width == choices.width
        fewest, most = LEARNED_BITS
        fewest = max(fewest, choices.coded_bits - LEARNED_LESS) if in_loop(choices.quantizer) else fewest
        left = self.goal.bytes - self._cut(spec).header_bytes(True, False)
        return fewest <= left * 8 / numbers <= most


def _named(signal: Signal, recipe: Recipe) -> Initialisation:
    """The initialisation that a recipe names. Raises InitialisationError when it does not fit signal and recipe."""
    init, width = inits.named(recipe.init), recipe.siren.width
    given = f"initialisation {init.name} is for {init.modality}"
    if init.modality != signal.modality:
        raise InitialisationError(f"{given}, this is {signal.modality}; choose another with --init, or --init none")
    if (init.spec.dims, init.spec.channels) != (signal.dims, signal.channels):
        raise InitialisationError(
            f"{given} of {init.spec.dims} dimensions and {init.spec.channels} channels, this has {signal.dims} and "
            f"{signal.channels}; choose another with --init, or --init none"
        )
    if any(signal.periodic):
        raise InitialisationError(f"{given} without periodic axes, this signal has some; use --init none")
    if width is not None and width != init.spec.width:
        raise InitialisationError(f"{given} of width {init.spec.width}, got width {width}; leave the width out")
    return init


def _named_architecture(choices: SirenChoices) -> tuple[int, int]:
    """The depth and width of choices that name a width."""
    assert choices.width is not None
    if not choices.architectures:
        return choices.depth, choices.width
    for depth, width in choices.architectures:
        if width == choices.width:
            return depth, width
    raise RecipeError(f"this preset has the widths {[w for _, w in choices.architectures]}, got {choices.width}")
