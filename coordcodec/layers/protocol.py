"""What a kind of layer does, and what it is asked. Needs no torch.

    propose   cheap: which Spec for a goal, and where its fit starts
    estimate  cheap: the time and the memory that the work will take
    refine    a second: the Spec that is fitted, where only trials on the signal tell it
    fit       the work: one Fitted per signal
    encode    symbols to the chunks of a section; decode: back
    field     symbols to a function of coordinates

The encoder (`coordcodec.encoder`) and the decoder know layers by this page alone; a new kind is a folder here and two
classes in `coordcodec.specs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from coordcodec.clock import Clock, Progress
from coordcodec.data import Field, Floats, Signal, Symbols
from coordcodec.inits import Initialisation
from coordcodec.layers.costs import Cost, Estimate
from coordcodec.recipe import Recipe
from coordcodec.specs import Network, Spec

Chunks = tuple[bytes, ...]


@dataclass(frozen=True)
class Goal:
    """What a layer is to reach.

    bytes: at most so many for its section, side information included; None: open, its choices fix the size.
    elsewhere: bytes of the file outside that section.
    max_error: no sample is further than this from the original, in the samples' unit; lossless: integers come back
        exactly. With one of these bytes is None.
    """

    bytes: int | None = None
    elsewhere: int = 0
    max_error: float | None = None
    lossless: bool = False

    @property
    def promised(self) -> bool:
        """Whether every sample is promised to be near enough."""
        return self.lossless or self.max_error is not None

    @property
    def file(self) -> int | None:
        """The bytes of the whole file, None if open."""
        return None if self.bytes is None else self.bytes + self.elsewhere


@dataclass(frozen=True)
class Remark:
    """What a user should know of a proposal: a text with a {} for each size.

    sizes: bytes of sections; whoever shows the text knows what else the file holds and says rates, too.
    """

    text: str
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """A Spec for a goal, the learned initialisation that a fit starts from, if any, and remarks."""

    spec: Spec
    init: Initialisation | None = None
    remarks: tuple[Remark, ...] = ()


class TooFewBytes(Exception):
    """A goal that no Spec can meet; never leaves the encoder.

    proposal: the Spec that comes closest. smallest: bytes that are always enough for its section.
    """

    def __init__(self, proposal: Proposal, smallest: int) -> None:
        super().__init__(f"at least {smallest} bytes are needed")
        self.proposal, self.smallest = proposal, smallest


@dataclass(frozen=True)
class Facts:
    """How a fit was done.

    steps: minibatch steps of the fit. calls: further ones, of the quantizer. device, precision, threads: where, in
    which number format its products were, and how many CPU threads shared it. trained: whether steps make it better.
    """

    steps: int
    calls: int
    device: str
    precision: str
    threads: int
    trained: bool = True


class Fit(Protocol):
    """What every fitted layer has. fineness: where to begin. bounds: the least and the most."""

    fineness: float
    bounds: tuple[float, float]

    def symbols(self, fineness: float) -> Symbols:
        """The symbols at that fineness; may take time."""
        ...

    def facts(self) -> Facts:
        """How it was done, so far."""
        ...

    def close(self) -> None:
        """Give back threads and memory; no further symbols can be had."""
        ...


class Drafted(Fit, Protocol):
    """One whose symbols take time, so that drafts look for the size. slope: bytes for one more of fineness; 0: there is
    one size."""

    slope: float

    def draft(self, fineness: float) -> Symbols:
        """The symbols of plain rounding, which take about as many bytes; quick."""
        ...


@runtime_checkable
class Continuous(Fit, Protocol):
    """One whose symbols are quick, and whose size follows the fineness, whole numbers, closely."""

    def toward(self, fineness: float, ratio: float) -> float:
        """Where the size should be `ratio` times that at this fineness."""
        ...


Fitted = Drafted | Continuous
"""A layer fitted to one signal, to be quantized as finely as a size allows."""


class Quantizable(Drafted, Protocol):
    """Fitted networks, whose parameters a quantizer takes (`coordcodec.hookspecs.Quantizer`).

    updates: tensors by name, each (parts, ...). loss: of such tensors.
    """

    spec: Network
    updates: Any
    loss: Any


class Layer(Protocol):
    """One kind of layer."""

    kind: str
    early: bool
    """Whether files of versions 1 to 4 hold it."""
    quick: Mapping[str, Any]
    """Choices with which an encode takes a second, for tests."""

    def propose(self, signal: Signal, goal: Goal, recipe: Recipe, below: Floats | None = None) -> Proposal:
        """A Spec whose section meets the goal, found without making one: what a dry run shows.

        below: (n, c), what the layers before this one decode to.

        Raises TooFewBytes, or RecipeError and InitialisationError for choices that do not fit the signal.
        """
        ...

    def refine(self, signal: Signal, spec: Any, goal: Goal, recipe: Recipe, progress: Progress | None = None) -> Any:
        """The proposed Spec, or a better one that only trials on the signal tell. Once, before the fit; takes a second
        at most, besides what must be compiled."""
        ...

    def estimate(self, signal: Signal, proposal: Proposal, goal: Goal, recipe: Recipe) -> Estimate:
        """What the encode of a proposal will take. Raises RecipeError for a device that cannot be used."""
        ...

    def fit(
        self,
        signals: Sequence[Signal],
        spec: Any,
        goals: Sequence[Goal],
        init: Initialisation | None,
        recipe: Recipe,
        clock: Clock,
        progress: Progress | None = None,
        below: Floats | None = None,
    ) -> list[Fitted]:
        """Fit one layer per signal, all of one Spec and from one initialisation. below: see `propose`."""
        ...

    def check(self, spec: Any, init: bytes, chunks: Chunks, cut: bool = False) -> None:
        """Raise ContainerError unless the chunks can hold this Spec's symbols; allocates nothing of their size.

        cut: some are missing at the end.
        """
        ...

    def cost(self, spec: Any, own: int) -> Cost:
        """About what decoding costs on one core, from the Spec alone; other work counts as that many multiply-adds.

        own: the points of the signal's own grid, 0 if it has none.
        """
        ...

    def encode(
        self, symbols: Symbols, spec: Any, init: Initialisation | None, below: Mapping[str, Any] | None = None
    ) -> Chunks:
        """The chunks of a section. below: the samples of the integer-exact layers before this one, if there are any."""
        ...

    def decode(
        self, chunks: Chunks, spec: Any, init: Initialisation | None, below: Mapping[str, Any] | None = None
    ) -> Symbols:
        """What `encode` was given. Raises ContainerError for damaged chunks."""
        ...

    def field(
        self, spec: Any, symbols: Symbols, init: Initialisation | None, device: str, threads: int | None = None
    ) -> Field:
        """The function that the symbols stand for."""
        ...

    def open(
        self, chunks: Chunks, spec: Any, init: Initialisation | None, device: str, threads: int | None = None
    ) -> Field:
        """The function that chunks stand for; it may decode them part by part, and raise ContainerError only then."""
        ...

    def describe(self, spec: Any, init: bytes, chunks: Chunks) -> dict[str, Any]:
        """What a section says of itself, for `info`; "sections" are the bytes of its parts."""
        ...
