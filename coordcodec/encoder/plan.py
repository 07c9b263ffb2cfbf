"""What is decided before the work: the size, which layer, its Spec, and where its fit starts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

from coordcodec.clock import Progress
from coordcodec.data import Floats, Signal, Symbols
from coordcodec.encoder.promise import promise_of
from coordcodec.errors import RecipeError
from coordcodec.hookspecs import Modality, Sampled
from coordcodec.inits import Initialisation
from coordcodec.layers import LAYERS, Layer
from coordcodec.layers.protocol import Goal, Proposal, TooFewBytes
from coordcodec.recipe import Recipe
from coordcodec.specs import Spec
from coordcodec.stream.container import Container, Frame, Promise, Section

SHARE = 0.5
"""Of the target, what a layer takes that another one stands on."""
USUAL_QUALITY, QUALITY_OCTAVE = 50, 12
"""The quality that is a modality's default target, and by how much more it is for twice the bytes."""


@dataclass(frozen=True)
class Plan:
    """What a file will be made of.

    signal, modality, recipe: what was given. layer, spec, init: the last layer, and the learned initialisation that its
    fit starts from, if any. goal: what its section is to reach. frame: the file without it, with the layers before it.
    """

    signal: Signal
    modality: Modality
    recipe: Recipe
    layer: Layer
    spec: Spec
    init: Initialisation | None
    goal: Goal
    frame: Frame
    below: Floats | None = None

    @property
    def target(self) -> int | None:
        """The most bytes that the file may take, None if it is open."""
        return self.goal.file

    def refined(self, progress: Progress | None = None) -> Plan:
        """The plan with the Spec that is fitted, which trials may tell."""
        spec = self.layer.refine(self.signal, self.spec, self.goal, self.recipe, progress)
        return replace(self, spec=spec)

    def size(self, symbols: Symbols) -> int:
        """The bytes of the file of these symbols."""
        return self.frame.size(self.section(symbols))

    def file(self, symbols: Symbols) -> bytes:
        """The file of these symbols."""
        return self.frame.pack(self.section(symbols))

    def section(self, symbols: Symbols) -> Section:
        """The last layer's section."""
        chunks = self.layer.encode(symbols, self.spec, self.init)
        return Section(self.spec, chunks, self.init.id if self.init else b"")


@dataclass(frozen=True)
class Before:
    """What stands before a layer: sections, and the values that they decode to, (n, c) float32."""

    sections: tuple[Section, ...] = ()
    values: Floats | None = None


def make_plan(
    signal: Signal,
    modality: Modality,
    recipe: Recipe,
    kind: str | None = None,
    share: float = 1.0,
    before: Before | None = None,
    reserved: int = 0,
) -> Plan:
    """The plan for a signal. Warns of what a user should know.

    kind: of the layer; default: the recipe's first. share: of the target that it may take. before: the layers
        before it. reserved: bytes of the target for layers that are not made yet.

    Raises RecipeError when the target is below the smallest possible file; a lenient recipe and a quality get that file
    and a warning instead. Raises InitialisationError when the recipe names an initialisation that does not fit.
    """
    before = before or Before()
    layer = LAYERS[kind or kinds_for(signal, modality, recipe)[0]]
    promise = promise_of(signal, recipe)
    frame = Frame(replace(frame_of(signal, modality, promise), sections=before.sections), layer.early)
    elsewhere = frame.bytes
    target = target_bytes(recipe, modality, signal)
    target = None if target is None else round(share * target) - reserved
    goal = Goal(None if target is None else target - elsewhere, elsewhere)
    if promise:
        goal = Goal(None, elsewhere, promise.max_error, promise.max_error is None)
    words = _Words(signal, modality, recipe)
    try:
        proposal = layer.propose(signal, goal, recipe, before.values)
    except TooFewBytes as error:
        assert target is not None
        words.too_few(target, error.smallest + elsewhere)
        proposal, goal = error.proposal, replace(goal, bytes=error.smallest)
    words.remarks(proposal, elsewhere)
    return Plan(signal, modality, recipe, layer, proposal.spec, proposal.init, goal, frame, before.values)


def kinds_for(signal: Signal, modality: Modality, recipe: Recipe) -> tuple[str, ...]:
    """The kinds of layers that a file is made of, see `choose_kinds`."""
    return choose_kinds(signal, modality, recipe).names


@dataclass(frozen=True)
class Kinds:
    """The kinds of layers of a file, in its order, and why these."""

    names: tuple[str, ...]
    why: str


def choose_kinds(signal: Signal, modality: Modality, recipe: Recipe) -> Kinds:
    """The kinds of layers that a file is made of.

    Where the recipe leaves it open: the kind of which something is asked, or else the one that takes this signal and
    makes the smaller file of it.
    """
    if recipe.layers != "auto":
        return Kinds(tuple(recipe.layers.split("+")), "asked for")
    if recipe.promised:
        able = [name for name, choices in recipe.choices.items() if choices.promises]
        return Kinds((able[0],), "it can promise something of every sample")
    usual = modality.defaults.choices
    asked = [name for name, choices in recipe.choices.items() if choices.fixed or choices != usual[name]]
    if asked:
        return Kinds((asked[0],), "something is asked of it")
    if recipe.init != "auto" and (able := [name for name, choices in recipe.choices.items() if choices.learned]):
        return Kinds((able[0],), f"--init {recipe.init} is asked of it")
    target, shape = target_bytes(recipe, modality, signal), signal.meta["shape"]
    open_to = {name: choices for name, choices in recipe.choices.items() if choices.automatic}
    able = [name for name, choices in open_to.items() if choices.suits(shape, signal.size, target)]
    others = " and ".join(name for name in open_to if name not in able)
    given = f"{signal.size:,} values {'on a grid' if shape else 'at scattered points'}"
    given += f" in {target:,} bytes" if target is not None else ""
    return Kinds((able[-1],), f"{given} do not suit {others}" if others else "it makes the smaller file of such data")


def frame_of(signal: Signal, modality: Modality, promise: Promise | None = None) -> Container:
    """The file of a signal without its layers; it leaves out the type of samples only where it needs no version 5."""
    periodic, kind = signal.periodic if any(signal.periodic) else (), signal.sample_type
    told = kind is None or (isinstance(modality, Sampled) and modality.sample_type(signal.meta) == kind)
    plain = Container(signal.modality, signal.dims, signal.meta, (), tuple(periodic), signal.grid_mask)
    return plain if told and plain.simple and not promise else replace(plain, samples=kind, promise=promise)


def smallest_bytes(signal: Signal, modality: Modality, recipe: Recipe) -> int:
    """The bytes of the smallest file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_plan(signal, modality, recipe.replace(num_bytes=1, lenient=True)).target or 1


def target_bytes(recipe: Recipe, modality: Modality, signal: Signal) -> int | None:
    """The most bytes that the file may take, or None when the recipe names a fixed size or a score instead."""
    if recipe.quality is not None:
        usual = target_bytes(modality.defaults, modality, signal)
        if usual is None:
            raise RecipeError(
                f"{modality.name} has no default size that a quality could refer to; use rate or num_bytes"
            )
        return max(1, round(usual * 2 ** ((recipe.quality - USUAL_QUALITY) / QUALITY_OCTAVE)))
    if recipe.promised:
        return None
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


@dataclass(frozen=True)
class _Words:
    """Says sizes as a user thinks of them."""

    signal: Signal
    modality: Modality
    recipe: Recipe

    def size(self, count: int) -> str:
        unit = self.modality.rate_unit
        rate = "" if unit == "bytes" else f" ({_enough(self.modality.rate(count, self.signal.meta))} {unit})"
        return f"{count} bytes{rate}"

    def remarks(self, proposal: Proposal, elsewhere: int) -> None:
        for remark in proposal.remarks:
            _warn(remark.text.format(*(self.size(size + elsewhere) for size in remark.sizes)))

    def too_few(self, target: int, smallest: int) -> None:
        """Warn that the smallest file takes the place of a target below it; an error if somebody chose the target."""
        recipe, least = self.recipe, self.size(smallest)
        asked = f"{target} bytes" if recipe.rate is None else f"{recipe.rate:g} {self.modality.rate_unit}"
        if recipe.quality is not None:
            _warn(f"quality {recipe.quality} is too little for this signal: writing at most {least}")
        elif recipe.lenient:
            _warn(f"the default of {asked} is too little for this signal: writing at most {least}")
        else:
            raise RecipeError(f"{asked} is too little for this signal: its smallest possible file takes {least}")


def _enough(rate: float) -> str:
    """A rate in four digits, rounded up: what is shown must be enough when it is typed."""
    shown = float(f"{rate:.4g}")
    return f"{shown if shown >= rate else float(f'{rate * 1.0005:.4g}'):g}"


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=6)
