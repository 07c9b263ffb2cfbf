"""An opened file: bytes become a function of coordinates."""

from __future__ import annotations

import math
import os
import warnings
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from io import BytesIO
from typing import Any, BinaryIO

from numpy.typing import NDArray

from coordcodec import plugins
from coordcodec.clock import Progress
from coordcodec.data import Field, SampleType, Signal, Symbols, grid_of
from coordcodec.errors import ContainerError, PluginError, RecipeError, SignalError
from coordcodec.field import SumField
from coordcodec.files import check_writable, read_bytes, read_stream, suffix_of, write_bytes
from coordcodec.given import options_of
from coordcodec.hookspecs import Modality
from coordcodec.info import Info, facts_of, in_short, init_facts
from coordcodec.inits import Initialisation
from coordcodec.layers import layer_of
from coordcodec.layers.budget import TIME_LIMIT, Budget, budget_of
from coordcodec.needed import given_init, needed_init
from coordcodec.plain import difference
from coordcodec.plugins import told_by_a_file
from coordcodec.specs import Spec
from coordcodec.stream import container
from coordcodec.stream.container import Container, Section

MAX_SAMPLES = 1 << 30
"""Values, channels counted, that `Compressed.samples` returns at most."""

Source = bytes | str | os.PathLike[str] | BinaryIO


def open_file(
    source: Source,
    init: Initialisation | str | os.PathLike[str] | None = None,
    partial: bool = False,
    time_limit: float | None = TIME_LIMIT,
) -> Compressed:
    """Read and check a file's header; its payload is decoded when the field is first asked for.

    init: the learned initialisation that the file was made with, its path or its name. Without it the one that the
    file names is looked for among those at hand when it is needed.
    partial: the source may be a file's beginning; what is whole of its layers and chunks is decoded, and a promise no
        longer holds.
    time_limit: seconds that a decode may take by an estimate, see `coordcodec.layers.budget`; None: any time.

    Raises ContainerError when it is not a valid file, FileError when it cannot be read, InitialisationError when it was
    made with another initialisation or with none.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif isinstance(source, str | os.PathLike):
        data = read_bytes(source)
    else:
        data = read_stream(source)
    parsed = container.unpack(data, partial)
    for section in parsed.sections:
        layer_of(section.spec).check(section.spec, section.init, section.chunks, section.cut)
    opened = Compressed(data, parsed, partial=partial, time_limit=time_limit)
    if init is None:
        return opened
    return replace(opened, init=given_init(parsed, init))


@dataclass(frozen=True, repr=False)
class Compressed:
    """An opened file: a function of coordinates, and what its plugin makes of it.

    data: the bytes. container: the same, parsed. device: where the field is evaluated, with how many CPU threads
    (None: as many as PyTorch uses). progress: called with ("decode", points evaluated so far, 0). init: the learned
    initialisation, if it was given. partial: whether the bytes may be a file's beginning. time_limit: see `open_file`;
    what takes longer raises DecodeLimit.
    """

    data: bytes
    container: Container = field(compare=False)
    device: str = "cpu"
    progress: Progress | None = field(default=None, compare=False)
    init: Initialisation | None = field(default=None, compare=False)
    threads: int | None = field(default=None, compare=False)
    partial: bool = False
    time_limit: float | None = field(default=TIME_LIMIT, compare=False)

    def __repr__(self) -> str:
        return f"<Compressed {in_short(self.data, self.container)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled as its bytes, which are opened again; without progress, whose receiver stays here."""
        return _opened_again, (self.data, self.partial, self.device, self.init, self.threads, self.time_limit)

    def to(self, device: str, progress: Progress | None = None, threads: int | None = None) -> Compressed:
        """The same file, decoded on another device ("auto", "cpu", "cuda"), reporting the points it evaluates.

        Raises RecipeError for a device that is not there and for less than one thread.
        """
        from coordcodec.compute.device import find_device

        if threads is not None and threads < 1:
            raise RecipeError(f"threads must be at least 1, got {threads}")
        return replace(self, device=str(find_device(device)), progress=progress, threads=threads)

    @property
    def section(self) -> Section:
        """The layer of the file."""
        return self.container.sections[0]

    @property
    def spec(self) -> Spec:
        """Deprecated: the Spec of the only layer; see `container.sections`."""
        warnings.warn("Compressed.spec is that of one layer; use container.sections", DeprecationWarning, stacklevel=2)
        return self.section.spec

    @cached_property
    def initialisation(self) -> Initialisation | None:
        """The learned initialisation that the file names, None if it names none.

        Raises MissingInitialisation when it is not at hand, ContainerError when it does not fit the file.
        """
        return self.init or needed_init(self.container)

    @cached_property
    def symbols(self) -> Symbols:
        """The integers of the first layer. Raises ContainerError when its chunks are damaged."""
        section = self.section
        init = self.initialisation if section.init else None
        return layer_of(section.spec).decode(section.chunks, section.spec, init)

    @cached_property
    def field(self) -> SumField:
        """The decoded function: (n, d) coordinates in [-1, 1] -> (n, c) float32 values, NaN where no sample is known.

        Its `on_grid` gives what was decoded on a grid. Needs no plugin, but the initialisation that the file names;
        raises MissingInitialisation without it.
        """
        self._budget.check(0)
        layers = list(map(self._field, self.container.sections))
        return SumField(layers, self.container.mask, self.progress, spend=self._budget.spend)

    @cached_property
    def _budget(self) -> Budget:
        return budget_of(self.container, self.time_limit)

    def job(self, **options: Any) -> SumField:
        """The field for one job, with a budget for all of it. options: the modality's; none: all of the grid."""
        return replace(self.field, spend=self._budget.begun(options).spend)

    def _field(self, section: Section) -> Field:
        init = self.initialisation if section.init else None
        return layer_of(section.spec).open(section.chunks, section.spec, init, self.device, self.threads)

    @property
    def sample_type(self) -> SampleType | None:
        """The type, scale, offset and unit of the samples; None where neither the file nor its plugin says them."""
        kind = getattr(self.modality, "sample_type", None) if self.container.samples is None else None
        with told_by_a_file(self.modality) if kind else nullcontext():
            return self.container.samples if kind is None else kind(self.container.meta)

    def samples(self, fill: float | None = None) -> NDArray[Any]:
        """The decoded data at the signal's own samples, in their own type and unit: (n, c), in the grid's order.

        fill: what stands for a sample that is not known; default: NaN, or the least integer of the type.

        Raises SignalError for scattered points, whose places no file holds, for data without a type of samples, and for
        more than MAX_SAMPLES values; UnknownName when it takes a plugin that is not installed.
        """
        shape, channels = self.container.meta["shape"], self.container.meta["channels"]
        if not shape:
            raise SignalError("a file does not hold the places of scattered points; ask its field for those you have")
        if math.prod(shape) * channels > MAX_SAMPLES:
            raise SignalError(
                f"a grid of shape {shape} has too many samples to return at once; ask field.on_grid for a window of it"
            )
        kind = self.sample_type
        if kind is None:
            raise SignalError(f"this file does not say what its samples are, nor does {self.container.modality!r}")
        grid = grid_of(self.container.meta)
        return self.job().samples_on(grid, kind, fill)

    @property
    def modality(self) -> Modality:
        """The plugin of this kind of data. Raises MissingPlugin, an UnknownName, when it is not installed."""
        return plugins.modality_of(self.container.modality)

    def render(self, **options: Any) -> Any:
        """The decoded data as an array or whatever is natural for the modality; the options are the modality's."""
        options = options_of(options)
        with told_by_a_file(self.modality):
            return self.modality.render(self.job(**options), self.container.meta, **options)

    def export(self, format: str = "", **options: Any) -> bytes:
        """The bytes of an ordinary file of what `render` returns, of the kind that a suffix such as ".png" names."""
        buffer = BytesIO()
        format = format.lower() or self.modality.suffixes[0]
        options = options_of(options)
        with told_by_a_file(self.modality):
            self.modality.write(self.job(**options), self.container.meta, buffer, format=format, **options)
        return buffer.getvalue()

    def write(self, target: str | os.PathLike[str], *, force: bool = False, **options: Any) -> None:
        """Write what `render` returns to a path, whole or not at all; its suffix decides the kind of file."""
        check_writable(target, force)
        write_bytes(target, self.export(suffix_of(target, self.modality.suffixes), **options), force)

    def score(self, signal: Signal) -> dict[str, float | None]:
        """How close this comes to a signal, by the modality's scores. Raises SignalError for another signal's."""
        theirs, ours = signal.meta, self.container.meta
        ours = {key: value for key, value in ours.items() if key in theirs or not isinstance(value, bytes)}  # no extras
        kinds = (signal.modality, signal.dims), (self.container.modality, self.container.dims)
        if kinds[0] != kinds[1] or dict(theirs) != dict(ours):
            raise SignalError(f"not the original of this file: {difference(theirs, ours)}")
        return self.modality.score(self.job(), signal)

    @property
    def rate(self) -> float:
        """8 * len(data) in the modality's unit."""
        with told_by_a_file(self.modality):
            return self.modality.rate(len(self.data), self.container.meta)

    @property
    def info(self) -> Info:
        """What the file says of itself; rate and rate_unit are None when the plugin is not installed."""
        try:
            rate, unit = self.rate, self.modality.rate_unit
        except (LookupError, PluginError, ContainerError):
            rate, unit = None, None
        init = init_facts(self.container.init.hex(), self.init)
        return Info(facts_of(self.data, self.container, rate, unit) | {"init": init})


def _opened_again(
    data: bytes,
    partial: bool,
    device: str,
    init: Initialisation | None,
    threads: int | None,
    time_limit: float | None,
) -> Compressed:
    opened = open_file(data, partial=partial, time_limit=time_limit)
    return replace(opened, device=device, init=init, threads=threads)
