"""An opened file: bytes become a function of coordinates."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from coordcodec import inits, plugins
from coordcodec.clock import Progress
from coordcodec.data import Coords, Field, Floats, Signal, Symbols
from coordcodec.errors import ContainerError, InitialisationError, PluginError, SignalError
from coordcodec.files import check_writable, read_bytes, write_bytes
from coordcodec.hookspecs import Modality
from coordcodec.inits import Initialisation
from coordcodec.inr.spec import SirenSpec, unpack_spec
from coordcodec.partition import Partition, gain_of
from coordcodec.plugins import installed
from coordcodec.stream import container, contexts, file
from coordcodec.stream.container import Container

Source = bytes | str | os.PathLike[str] | BinaryIO


def open_file(source: Source, init: Initialisation | str | os.PathLike[str] | None = None) -> Compressed:
    """Read and check a file's header; its payload is decoded when the field is first asked for.

    init: the learned initialisation that the file was made with, its path or its name. Without it the one that the
    file names is looked for among those at hand when it is needed.

    Raises ContainerError when it is not a valid file, FileError when it cannot be read, InitialisationError when it was
    made with another initialisation or with none.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif isinstance(source, str | os.PathLike):
        data = read_bytes(source)
    else:
        data = source.read()
    parsed = container.unpack(data)
    opened = Compressed(data, parsed, unpack_spec(*parsed.network, parsed.dims, parsed.meta["channels"]))
    file.check(parsed, opened.shapes)
    if init is None:
        return opened
    given = init if isinstance(init, Initialisation) else inits.named(os.fspath(init))
    if given.id != parsed.init:
        named = f"the file names {parsed.init.hex()}" if parsed.init else "the file names none"
        raise InitialisationError(
            f"{given.name} is not the initialisation this file was made with (hash {given.id.hex()}, {named})"
        )
    opened._check_init(given)
    return replace(opened, init=given)


@dataclass(frozen=True)
class Encoded:
    """A compressed signal and how it was made.

    data: the file. spec: its network. steps: minibatch steps taken for it, those of the quantizer included.
    fitted: steps of the fit.
    bits: width of the quantization grid, not necessarily whole. device: where it was fitted. init: the learned
    initialisation that the file needs, if it needs one. precision: of the matrix products that the fit began with.
    threads: CPU threads that shared the fit.
    """

    data: bytes
    spec: SirenSpec
    steps: int
    bits: float
    device: str
    init: Initialisation | None = None
    fitted: int = 0
    precision: str = "float32"
    threads: int = 1


@dataclass(frozen=True)
class Compressed:
    """An opened file: a function of coordinates, and what its plugin makes of it.

    data: the bytes. container: the same, parsed. spec: the network. device: where the field is evaluated.
    progress: called with ("decode", points evaluated so far, 0). init: the learned initialisation, if it was given.
    """

    data: bytes
    container: Container
    spec: SirenSpec
    device: str = "cpu"
    progress: Progress | None = None
    init: Initialisation | None = None

    def to(self, device: str, progress: Progress | None = None) -> Compressed:
        """The same file, decoded on another device ("auto", "cpu", "cuda"), reporting the points it evaluates."""
        from coordcodec.inr.device import find_device

        return replace(self, device=str(find_device(device)), progress=progress)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The tensors in the file by name, each (parts, ...)."""
        return {name: (prod(self.container.parts), *shape) for name, shape in self.spec.shapes().items()}

    @cached_property
    def initialisation(self) -> Initialisation | None:
        """The learned initialisation that the file names, None if it names none.

        Raises MissingInitialisation when it is not at hand, ContainerError when it does not fit the file.
        """
        if not self.container.init or self.init:
            return self.init
        found = inits.find(self.container.init, self.spec, self.container.modality)
        self._check_init(found)
        return found

    def _check_init(self, init: Initialisation) -> None:
        if (init.spec, init.modality) != (self.spec, self.container.modality):
            theirs, ours = f"{init.modality}, {init.spec}", f"{self.container.modality}, {self.spec}"
            raise ContainerError(f"damaged file: it names an initialisation of {theirs}, but it is of {ours}")

    @cached_property
    def symbols(self) -> Symbols:
        """The integers in the file. Raises ContainerError when the payload is damaged."""
        init = self.initialisation
        return file.read(self.container, self.shapes, init.offsets() if init else None)

    @cached_property
    def field(self) -> Field:
        """The decoded function: (n, d) coordinates in [-1, 1] -> (n, c) float32 values.

        Needs no plugin, but the initialisation that the file names; raises MissingInitialisation without it.
        """
        import torch

        from coordcodec.inr.siren import as_field

        arrays = {name: tensor.dequantize() for name, tensor in self.symbols.items()}
        if self.initialisation:
            arrays = {name: self.initialisation.theta[name] + update for name, update in arrays.items()}
        partition = Partition(self.container.parts, self.container.margin)
        gains = [gain_of(code) for code in self.container.gains]
        field = as_field(self.spec, arrays, partition, torch.device(self.device), gains)
        return _watched(field, self.progress) if self.progress else field

    @property
    def modality(self) -> Modality:
        """The plugin of this kind of data. Raises UnknownName when it is not installed."""
        return plugins.modality(self.container.modality, installed())

    def render(self, **options: Any) -> Any:
        """The decoded data as an array or whatever is natural for the modality; the options are the modality's."""
        return self.modality.render(self.field, self.container.meta, **options)

    def export(self, format: str = "", **options: Any) -> bytes:
        """The bytes of an ordinary file of what `render` returns, of the kind that a suffix such as ".png" names."""
        buffer = BytesIO()
        format = format.lower() or self.modality.suffixes[0]
        self.modality.write(self.field, self.container.meta, buffer, format=format, **options)
        return buffer.getvalue()

    def write(self, target: str | os.PathLike[str], *, force: bool = False, **options: Any) -> None:
        """Write what `render` returns to a path, whole or not at all; its suffix decides the kind of file."""
        check_writable(target, force)
        write_bytes(target, self.export(Path(target).suffix, **options), force)

    def score(self, signal: Signal) -> dict[str, float | None]:
        """How close this comes to a signal, by the modality's scores. Raises SignalError for another signal's."""
        theirs, ours = signal.meta, self.container.meta
        if (
            signal.modality != self.container.modality
            or signal.dims != self.container.dims
            or dict(theirs) != dict(ours)
        ):
            raise SignalError(f"not the original of this file: that has {dict(theirs)}, the file {dict(ours)}")
        return self.modality.score(self.field, signal)

    @property
    def rate(self) -> float:
        """8 * len(data) in the modality's unit."""
        return self.modality.rate(len(self.data), self.container.meta)

    @property
    def info(self) -> dict[str, Any]:
        """What the file says of itself; rate and rate_unit are None when the plugin is not installed."""
        parsed, payload = self.container, len(self.container.payload)
        table, taken = list(zip(self.spec.shapes(), parsed.tensors, strict=False)), 4 * len(parsed.tensors)
        sections = {"header": len(self.data) - payload - taken - 4, "tensors": taken, "payload": payload, "checksum": 4}
        try:
            rate, unit = self.rate, self.modality.rate_unit
        except (LookupError, PluginError):
            rate, unit = None, None
        return {
            "format": self.data[len(container.MAGIC)],
            "modality": parsed.modality,
            "bytes": len(self.data),
            "sections": sections,
            "rate": rate,
            "rate_unit": unit,
            "meta": dict(parsed.meta),
            "parts": list(parsed.parts),
            "margin": parsed.margin,
            "gains": len(parsed.gains),
            "init": self._init_info(),
            "network": self.spec.describe(),
            "coding": "binary16" if parsed.coding == container.BINARY16 else "range coder",
            "contexts": {name: contexts.NAMES[code.model.context] for name, code in table if code.model.context},
            "bits": parsed.bits,
        }

    def _init_info(self) -> dict[str, Any] | None:
        if not self.container.init:
            return None
        digits = self.container.init.hex()
        names = [self.init.name] if self.init else [e.name for e in inits.available() if e.sha256.startswith(digits)]
        return {"hash": digits, "name": names[0] if names else None, "available": bool(names)}


def _watched(field: Field, progress: Progress) -> Field:
    done = 0

    def watched(coords: Coords) -> Floats:
        nonlocal done
        done += len(coords)
        progress("decode", done, 0)
        return field(coords)

    return watched
