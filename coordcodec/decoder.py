"""An opened file: bytes become a function of coordinates."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from coordcodec import inits, plugins
from coordcodec.clock import Progress
from coordcodec.data import Coords, Field, Floats, Signal, Symbols
from coordcodec.errors import ContainerError, InitialisationError, PluginError, SignalError
from coordcodec.files import check_writable, read_bytes, write_bytes
from coordcodec.hookspecs import Modality
from coordcodec.inits import Initialisation
from coordcodec.layers import layer_of
from coordcodec.plugins import installed
from coordcodec.specs import Spec
from coordcodec.stream import container
from coordcodec.stream.container import Container, Section

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
    for section in parsed.sections:
        layer_of(section.spec).check(section.spec, section.init, section.chunks)
    opened = Compressed(data, parsed)
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
class Compressed:
    """An opened file: a function of coordinates, and what its plugin makes of it.

    data: the bytes. container: the same, parsed. device: where the field is evaluated, with how many CPU threads
    (None: as many as PyTorch uses). progress: called with ("decode", points evaluated so far, 0). init: the learned
    initialisation, if it was given.
    """

    data: bytes
    container: Container
    device: str = "cpu"
    progress: Progress | None = None
    init: Initialisation | None = None
    threads: int | None = None

    def to(self, device: str, progress: Progress | None = None, threads: int | None = None) -> Compressed:
        """The same file, decoded on another device ("auto", "cpu", "cuda"), reporting the points it evaluates."""
        from coordcodec.compute.device import find_device

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
        if not self.container.init or self.init:
            return self.init
        found = inits.find(self.container.init, self.section.spec.network, self.container.modality)
        self._check_init(found)
        return found

    def _check_init(self, init: Initialisation) -> None:
        network = self.section.spec.network
        if (init.spec, init.modality) != (network, self.container.modality):
            theirs, ours = f"{init.modality}, {init.spec}", f"{self.container.modality}, {network}"
            raise ContainerError(f"damaged file: it names an initialisation of {theirs}, but it is of {ours}")

    @cached_property
    def symbols(self) -> Symbols:
        """The integers in the file. Raises ContainerError when its chunks are damaged."""
        section = self.section
        return layer_of(section.spec).decode(section.chunks, section.spec, self.initialisation)

    @cached_property
    def field(self) -> Field:
        """The decoded function: (n, d) coordinates in [-1, 1] -> (n, c) float32 values.

        Needs no plugin, but the initialisation that the file names; raises MissingInitialisation without it.
        """
        spec = self.section.spec
        field = layer_of(spec).field(spec, self.symbols, self.initialisation, self.device, self.threads)
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
    def info(self) -> Info:
        """What the file says of itself; rate and rate_unit are None when the plugin is not installed."""
        parsed, section = self.container, self.section
        found = layer_of(section.spec).describe(section.spec, section.init, section.chunks)
        coded = found.pop("sections")
        sections = {"header": len(self.data) - sum(coded.values()) - container.CHECKSUM, **coded}
        try:
            rate, unit = self.rate, self.modality.rate_unit
        except (LookupError, PluginError):
            rate, unit = None, None
        return Info(
            {
                "format": self.data[len(container.MAGIC)],
                "modality": parsed.modality,
                "bytes": len(self.data),
                "sections": {**sections, "checksum": container.CHECKSUM},
                "rate": rate,
                "rate_unit": unit,
                "meta": dict(parsed.meta),
                "init": self._init_info(),
                "layers": [found],
            }
        )

    def _init_info(self) -> dict[str, Any] | None:
        if not self.container.init:
            return None
        digits = self.container.init.hex()
        names = [self.init.name] if self.init else [e.name for e in inits.available() if e.sha256.startswith(digits)]
        return {"hash": digits, "name": names[0] if names else None, "available": bool(names)}


class Info(dict[str, Any]):
    """What a file says of itself. What earlier versions said of the only kind of layer is there, too, until 1.0."""

    _OLD = ("network", "parts", "margin", "gains", "coding", "contexts", "bits")

    def __missing__(self, key: str) -> Any:
        if key not in self._OLD:
            raise KeyError(key)
        warnings.warn(f'info["{key}"] is that of one layer; use info["layers"]', DeprecationWarning, stacklevel=2)
        return self.earlier()[key]

    def earlier(self) -> dict[str, Any]:
        """What earlier versions said of the only kind of layer."""
        layer = self["layers"][0]
        return {key: layer if key == "network" else layer[key] for key in self._OLD}


def _watched(field: Field, progress: Progress) -> Field:
    done = 0

    def watched(coords: Coords) -> Floats:
        nonlocal done
        done += len(coords)
        progress("decode", done, 0)
        return field(coords)

    return watched
