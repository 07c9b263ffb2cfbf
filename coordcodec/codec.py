"""The straight line: a signal becomes bytes, bytes become a field.

    file -read-> Signal -fit-> Params -quantize-> Symbols -encode-> payload -pack-> bytes
    file <-write- Field <----- Params <-dequantize- Symbols <-decode- payload <-unpack- bytes

This is the only module that knows the three rooms `inr`, `quant` and `stream`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from coordcodec import sizing
from coordcodec.data import Field, Floats, Grid, Quantized, Signal, Symbols
from coordcodec.errors import ContainerError, PluginError, RecipeError, SignalError
from coordcodec.files import check_writable, read_bytes, write_bytes
from coordcodec.hookspecs import Modality, Source
from coordcodec.inr.spec import SirenSpec, unpack_spec
from coordcodec.partition import Partition
from coordcodec.plugins import installed, modality_for
from coordcodec.recipe import Recipe
from coordcodec.stream import container, entropy
from coordcodec.stream.container import BINARY16, PARAMETRIC, Container, TensorCode

File = bytes | str | os.PathLike[str] | BinaryIO
Progress = Callable[[str, int, int], None]
QUANTIZE_SHARE = 0.12
"""Steps that quantization takes, as a share of the fit's."""


@dataclass(frozen=True)
class Encoded:
    """A compressed signal and how it was made.

    data: the file. spec: its network. steps: minibatch steps taken, those of the quantizer included.
    bits: width of the quantization grid, not necessarily whole. device: where it was fitted.
    """

    data: bytes
    spec: SirenSpec
    steps: int
    bits: float
    device: str


def compress(
    source: Source,
    *,
    modality: str | None = None,
    preset: str | None = None,
    progress: Progress | None = None,
    **choices: Any,
) -> bytes:
    """Compress a path, a binary file or an array; returns the bytes of a file.

    modality: name of the kind of data; may be left out for a path whose suffix tells it.
    preset: "basic" (the default) or "coin"; see `coordcodec.recipe.PRESETS`.
    progress: called with (stage, steps done, steps in all).
    choices: any field of `coordcodec.recipe.Recipe`: rate, num_bytes, width, effort, quantizer, bits, seed, device.

    Raises SignalError, UnknownName, RecipeError or PluginError.
    """
    kind = find_modality(source, modality)
    return compress_signal(kind.read(source), kind, make_recipe(kind, preset, **choices), progress).data


def find_modality(source: Source, name: str | None) -> Modality:
    """The modality of that name, or the one that a path's suffix tells."""
    if name is not None:
        return installed().modalities.get(name)
    if isinstance(source, str | os.PathLike):
        return modality_for(os.fspath(source))
    raise RecipeError("arrays and streams do not tell what they are; name the modality")


def make_recipe(modality: Modality, preset: str | None = None, **choices: Any) -> Recipe:
    """A modality's defaults, changed by a preset, changed by the choices that are not None."""
    recipe = modality.defaults.replace(lenient=True)
    if preset is not None:
        recipe = recipe.with_preset(preset)
    return recipe.replace(**{name: value for name, value in choices.items() if value is not None})


def compress_signal(
    signal: Signal, modality: Modality, recipe: Recipe, progress: Progress | None = None
) -> Encoded:
    """Fit, quantize, encode, pack."""
    from coordcodec.inr import fit, objective, siren
    from coordcodec.inr.batches import batches_of

    quantizer = installed().quantizers.get(recipe.quantizer)
    device = find_device(recipe.device)
    partition = Partition.of(signal.coords) if isinstance(signal.coords, Grid) else Partition((1,) * signal.dims)
    target = sizing.target_bytes(recipe, modality, signal)
    spec = _choose_network(signal, modality, recipe, partition, target)

    dtype = objective.choose_precision(recipe.precision, device, spec.width)
    batches = batches_of(signal, partition, spec, recipe.batch, recipe.seed, device)
    loss = objective.Objective(spec, batches, recipe.l1, dtype, device)
    params = siren.init(spec, len(partition), recipe.seed, recipe.omega_0)
    params, steps = fit.fit(
        loss,
        {name: tensor.to(device) for name, tensor in params.items()},
        steps=recipe.planned_steps(spec.parameters),
        lr=recipe.lr,
        optimizer=recipe.optimizer,
        progress=progress,
    )
    calls = _Counter(loss, progress, int(QUANTIZE_SHARE * steps))

    def quantize(bits: float) -> Symbols:
        calls.restart()
        return quantizer(params, calls, bits, calls.budget)

    def file(symbols: Symbols) -> bytes:
        return assemble(signal, spec, partition, symbols)

    bits = float(recipe.bits)
    if target is None or recipe.quantizer == "half":
        symbols = quantize(bits)
    else:
        plain = installed().quantizers.get("uniform")
        symbols, bits = sizing.fitted_symbols(
            quantize,
            lambda bits: len(file(plain(params, loss, bits, 0))),
            lambda symbols: len(file(symbols)),
            bits,
            target,
            spec.parameters * len(partition),
        )
    return Encoded(file(symbols), spec, steps + calls.total, bits, str(device))


def _choose_network(
    signal: Signal, modality: Modality, recipe: Recipe, partition: Partition, target: int | None
) -> SirenSpec:
    def side(spec: SirenSpec) -> int:
        return len(assemble(signal, spec, partition, None, half=recipe.quantizer == "half"))

    def words(count: int) -> str:
        shown = float(f"{modality.rate(count, signal.meta):.4g}")
        while shown < modality.rate(count, signal.meta):  # what is shown must be enough when it is typed
            shown = float(f"{shown * 1.0005:.4g}")
        return f"{count} bytes ({shown:g} {modality.rate_unit})"

    return sizing.choose_spec(signal, recipe, sizing.Sizes(side, len(partition)), target, words)


class _Counter:
    """A loss that counts its calls and reports them as progress."""

    def __init__(self, loss: Callable[[Mapping[str, Any]], Any], progress: Progress | None, budget: int) -> None:
        self.loss, self.progress, self.budget = loss, progress, budget
        self.total = self.done = 0

    def restart(self) -> None:
        self.done = 0

    def __call__(self, params: Mapping[str, Any]) -> Any:
        self.total += 1
        self.done += 1
        if self.progress and (self.done % 20 == 0 or self.done == self.budget):
            self.progress("quantize", self.done, max(self.budget, self.done))
        return self.loss(params)


def find_device(name: str) -> Any:
    """The torch device of that name; "auto" is a GPU where there is one. Raises RecipeError."""
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise RecipeError(f"device {name!r} cannot be used ({reason}); use auto, cpu or cuda") from None
    return device


def assemble(
    signal: Signal, spec: SirenSpec, partition: Partition, symbols: Symbols | None, half: bool = False
) -> bytes:
    """The file of quantized parameters; without symbols the same file without its payload, to know its side's size."""
    if symbols is None:
        symbols = {n: Quantized(np.zeros(0, np.int32), 0.0 if half else 1.0) for n in spec.shapes()}
    tensors = [q.symbols for q in symbols.values()]
    if all(q.step == 0 for q in symbols.values()):
        coding, bits, table = BINARY16, 16, ()
        payload = b"".join(t.astype("<u2").tobytes() for t in tensors)
    else:
        largest = max((int(np.abs(t).max()) for t in tensors if t.size), default=1)
        coding, bits = PARAMETRIC, entropy.bits_of(largest)
        limit = entropy.limit_of(bits)
        models = [entropy.fit_model(t, limit) if t.size else entropy.Model(32, 0) for t in tensors]
        payload = entropy.encode(tensors, models, limit)
        table = tuple(TensorCode(q.step, model) for q, model in zip(symbols.values(), models, strict=True))
    return container.pack(
        Container(
            signal.modality, signal.dims, signal.meta, partition.counts, spec.pack(), coding, bits, table, payload
        )
    )


def open(source: File) -> Compressed:  # noqa: A001
    """Open a compressed file, given as bytes, a path or a binary file.

    Only the header is read here; the payload is decoded when the field is first asked for.
    Raises ContainerError when it is not a valid file, FileError when it cannot be read.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif isinstance(source, str | os.PathLike):
        data = read_bytes(source)
    else:
        data = source.read()
    parsed = container.unpack(data)
    spec = unpack_spec(*parsed.network, parsed.dims, parsed.meta["channels"])
    parameters = spec.parameters * math.prod(parsed.parts)
    if parameters > min(container.MAX_PARAMETERS, 4096 + 256 * len(parsed.payload)):
        raise ContainerError(f"damaged file: {parameters} parameters in a payload of {len(parsed.payload)} bytes")
    if parsed.coding == BINARY16 and len(parsed.payload) != 2 * parameters:
        raise ContainerError(f"damaged file: {len(parsed.payload)} bytes for {parameters} 16-bit parameters")
    if parsed.coding == PARAMETRIC and len(parsed.tensors) != len(spec.shapes()):
        raise ContainerError(f"damaged file: {len(parsed.tensors)} tensors, the network has {len(spec.shapes())}")
    return Compressed(data, parsed, spec)


def _watched(field: Field, progress: Progress) -> Field:
    done = 0

    def watched(coords: Floats) -> Floats:
        nonlocal done
        done += len(coords)
        progress("decode", done, 0)
        return field(coords)

    return watched


def decompress(source: File, target: str | os.PathLike[str], *, force: bool = False, **options: Any) -> None:
    """Decode a file and write it as its modality does; the options are the modality's (scale, size, region ...).

    Raises ContainerError, RecipeError for bad options, FileError when `target` exists and `force` is not set.
    """
    open(source).write(target, force=force, **options)


@dataclass(frozen=True)
class Compressed:
    """An opened file: a function of coordinates, and what its plugin makes of it."""

    data: bytes
    container: Container
    spec: SirenSpec
    device: str = "cpu"
    progress: Progress | None = None

    def to(self, device: str, progress: Progress | None = None) -> Compressed:
        """The same file, decoded on another device ("auto", "cpu", "cuda"), reporting the points it evaluates."""
        return replace(self, device=str(find_device(device)), progress=progress)

    @cached_property
    def symbols(self) -> Symbols:
        """The integers in the file, by tensor, each (parts, ...). Raises ContainerError."""
        parsed, parts = self.container, math.prod(self.container.parts)
        shapes = {name: (parts, *shape) for name, shape in self.spec.shapes().items()}
        counts = [math.prod(shape) for shape in shapes.values()]
        if parsed.coding == BINARY16:
            flat = np.frombuffer(parsed.payload, "<u2").astype(np.int32)
            if not np.isfinite(flat.astype(np.uint16).view(np.float16)).all():
                raise ContainerError("damaged file: a parameter is not a finite number")
            tensors, steps = np.split(flat, np.cumsum(counts)[:-1]), [0.0] * len(counts)
        else:
            models = [t.model for t in parsed.tensors]
            tensors = entropy.decode(parsed.payload, counts, models, entropy.limit_of(parsed.bits))
            steps = [t.step for t in parsed.tensors]
        named = zip(shapes.items(), tensors, steps, strict=True)
        return {name: Quantized(tensor.reshape(shape), step) for (name, shape), tensor, step in named}

    @cached_property
    def field(self) -> Field:
        """The decoded function: (n, d) coordinates in [-1, 1] -> (n, c) float32 values. Needs no plugin."""
        from coordcodec.inr.siren import as_field

        arrays = {name: q.dequantize() for name, q in self.symbols.items()}
        field = as_field(self.spec, arrays, Partition(self.container.parts), find_device(self.device))
        return _watched(field, self.progress) if self.progress else field

    @property
    def modality(self) -> Modality:
        """The plugin of this kind of data. Raises UnknownName when it is not installed."""
        return installed().modalities.get(self.container.modality)

    def render(self, **options: Any) -> Any:
        """The decoded data as an array or whatever is natural for the modality; the options are the modality's."""
        return self.modality.render(self.field, self.container.meta, **options)

    def encode(self, format: str = "", **options: Any) -> bytes:
        """The bytes of a file of what `render` returns, of the kind that a suffix such as ".png" names."""
        buffer = BytesIO()
        format = format.lower() or self.modality.suffixes[0]
        self.modality.write(self.field, self.container.meta, buffer, format=format, **options)
        return buffer.getvalue()

    def write(self, target: str | os.PathLike[str], *, force: bool = False, **options: Any) -> None:
        """Write what `render` returns to a path, whole or not at all; its suffix decides the kind of file."""
        check_writable(target, force)
        write_bytes(target, self.encode(Path(target).suffix, **options), force)

    def score(self, signal: Signal) -> dict[str, float | None]:
        """How close this comes to a signal, by the modality's scores."""
        if signal.meta["shape"] != self.container.meta["shape"] or signal.channels != self.spec.channels:
            ours = (self.container.meta["shape"], self.spec.channels)
            raise SignalError(
                f"not the original of this file: it has shape and channels {signal.meta['shape']}, {signal.channels}, "
                f"the file {ours[0]}, {ours[1]}"
            )
        return self.modality.score(self.field, signal)

    @property
    def rate(self) -> float:
        """8 * len(data) in the modality's unit."""
        return self.modality.rate(len(self.data), self.container.meta)

    @property
    def info(self) -> dict[str, Any]:
        """What the file says of itself; rate and rate_unit are None when the plugin is not installed."""
        parsed, payload = self.container, len(self.container.payload)
        table = 4 * len(parsed.tensors)
        sections = {"header": len(self.data) - payload - table - 4, "tensors": table, "payload": payload, "checksum": 4}
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
            "network": self.spec.describe(),
            "coding": "binary16" if parsed.coding == BINARY16 else "range coder",
            "bits": parsed.bits,
        }
