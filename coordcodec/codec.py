"""The straight line: a signal becomes bytes, bytes become a field.

    file -read-> Signal -fit-> Params -quantize-> Symbols -encode-> payload -pack-> bytes
    file <-write- Field <----- Params <-dequantize- Symbols <-decode- payload <-unpack- bytes

Upward it is `compress_signal` below; downward it is `coordcodec.compressed.Compressed`.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from coordcodec import compressed as opened
from coordcodec import networks, plugins, scored, sizing
from coordcodec.calls import Calls
from coordcodec.clock import Clock, OutOfTime, Progress
from coordcodec.compressed import Compressed, Encoded
from coordcodec.data import Signal, Symbols
from coordcodec.errors import RecipeError
from coordcodec.hookspecs import Modality, Source
from coordcodec.inits import Initialisation
from coordcodec.inr.spec import SirenSpec
from coordcodec.partition import Partition, gain_codes, gain_of
from coordcodec.plugins import installed, modality_for
from coordcodec.recipe import EFFORTS, Recipe
from coordcodec.stream import file

QUANTIZE_SHARE = 0.12
"""Steps that quantization takes, as a share of the fit's."""


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
    preset: "basic" or "coin", by default none; see `coordcodec.recipe.PRESETS`.
    progress: called with (stage, steps done, steps in all).
    choices: any field of `coordcodec.recipe.Recipe`: rate, num_bytes, quality, target_score, width, init, effort,
        time_budget, quantizer, bits, seed, device.

    Raises SignalError, FileError, UnknownName, RecipeError, InitialisationError or PluginError.
    """
    kind = find_modality(source, modality)
    recipe = make_recipe(kind, preset, **choices)
    return compress_signal(kind.read(source), kind, recipe, progress).data


def open(source: opened.Source, init: Initialisation | str | os.PathLike[str] | None = None) -> Compressed:
    """Open a compressed file (bytes, a path or a binary file), made with `init` if it names an initialisation.

    Without `init` the one that it names is looked for. Raises ContainerError, FileError or InitialisationError.
    """
    return opened.open_file(source, init)


def decompress(
    source: opened.Source,
    target: str | os.PathLike[str],
    *,
    force: bool = False,
    init: Initialisation | str | os.PathLike[str] | None = None,
    **options: Any,
) -> None:
    """Decode a file and write it as its modality does; the options are the modality's (scale, size, region ...).

    init: see `open`. Raises ContainerError, InitialisationError, RecipeError for bad options, FileError when `target`
    exists and `force` is not set.
    """
    open(source, init).write(target, force=force, **options)


def find_modality(source: Source, name: str | None) -> Modality:
    """The modality of that name, or the one that a path's suffix tells."""
    if name is not None:
        return plugins.modality(name, installed())
    if isinstance(source, str | os.PathLike):
        return modality_for(os.fspath(source))
    raise RecipeError("arrays and streams do not tell what they are; name the modality")


def make_recipe(modality: Modality, preset: str | None = None, **choices: Any) -> Recipe:
    """A modality's defaults, changed by a preset, changed by the choices that are not None."""
    recipe = modality.defaults.replace(lenient=True)
    if preset is not None:
        recipe = recipe.with_preset(preset)
    given = {name: value for name, value in choices.items() if value is not None}
    if "time_budget" in given:  # a limit of its own: as much effort as there is time for
        given.setdefault("effort", EFFORTS[-1])
    recipe = recipe.replace(**given)
    installed().quantizers.get(recipe.quantizer)
    networks.check_init(recipe)
    return recipe


def compress_signal(
    signal: Signal,
    modality: Modality,
    recipe: Recipe,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Encoded:
    """Fit, quantize, encode, pack; as often as it takes where a score is the target.

    clock: says when to end with what there is; None: one that the recipe's time budget sets. It begins here.
    """
    from coordcodec.inr import fit as _  # noqa: F401 - takes seconds, which are nobody's budget

    clock = clock or Clock(recipe.time_budget)
    clock.begin()
    if recipe.target_score is not None:
        least = partial(_least, signal, modality, recipe)
        return scored.smallest(
            signal, modality, recipe, lambda r: _encoded(signal, modality, r, progress, clock), least, clock
        )
    made = _encoded(signal, modality, recipe, progress, clock)
    if not made.fitted and clock.over:
        shows = "what the first steps from its initialisation give" if made.init else "next to nothing"
        warnings.warn(f"there was no time to fit: the file is valid and shows {shows}", stacklevel=2)
    return made


def _least(signal: Signal, modality: Modality, recipe: Recipe) -> int:
    """The bytes of the smallest file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _plan(signal, modality, recipe.replace(num_bytes=1, lenient=True)).target or 1


def _encoded(signal: Signal, modality: Modality, recipe: Recipe, progress: Progress | None, clock: Clock) -> Encoded:
    from coordcodec.inr import batches, device, fit, maml, objective, siren, symmetry

    place = device.find_device(recipe.device)
    plan = _plan(signal, modality, recipe)
    spec, partition = plan.spec, plan.partition
    gains = [gain_of(code) for code in plan.gains]
    source = batches.batches_of(signal, partition, spec, recipe.batch, recipe.seed, place, gains)
    precision = device.choose_precision(recipe.precision, place, spec.width)
    held = _pull(plan, recipe, place)
    origin = held.origin if held else {}
    with objective.Objective(spec, source, recipe.l1, precision, place, held, recipe.threads) as loss:
        if plan.init:
            start = maml.adapt(spec, origin, [siren.as_params(rate, place) for rate in plan.init.rates], loss)
        else:
            drawn = siren.init(spec, len(partition), recipe.seed, recipe.omega_0)
            start = {name: tensor.to(place) for name, tensor in drawn.items()}
        began = time.monotonic()
        params, steps = fit.fit(
            loss,
            start,
            steps=recipe.planned_steps(spec.parameters),
            lr=recipe.planned_lr(spec.width, spec.depth),
            optimizer=recipe.optimizer,
            progress=progress,
            clock=clock,
        )
        pace = (time.monotonic() - began) / max(steps, 1)
        if not plan.init:
            params = symmetry.folded(spec, params)
        updates = {name: tensor - origin[name] for name, tensor in params.items()} if origin else params
        calls = Calls(loss, origin, int(QUANTIZE_SHARE * steps), progress, clock, pace)
        symbols, bits = _quantize(plan, recipe, updates, calls, held.grids(loss, params) if held else None)
        threads = loss.workers.count
    return Encoded(
        plan.file(symbols),
        spec,
        steps + calls.total,
        bits,
        str(place),
        plan.init,
        steps,
        precision=str(precision).removeprefix("torch."),
        threads=threads,
    )


def _pull(plan: _Plan, recipe: Recipe, place: Any) -> Any:
    """What holds down updates to an initialisation, or parameters where the fit sees a rate; else None."""
    from coordcodec.inr import pull, siren

    measured = plugins.in_loop(recipe.quantizer) and plan.room is not None
    if plan.init:
        origin, sigmas = (siren.as_params(found, place) for found in (plan.init.theta, plan.init.sigmas()))
        return pull.Pull(origin, sigmas, None if measured else plan.init.spans, plan.room, recipe.pull)
    if measured:
        origin, sigmas = (siren.filled(plan.spec, value, place) for value in (0.0, 1.0))
        return pull.Pull(origin, sigmas, None, plan.room, recipe.pull)
    return None


@dataclass(frozen=True)
class _Plan:
    """What is decided before the fit: how the domain is cut, gains, the network of each part and where it starts, the
    most bytes, and the bits that these leave for parameters."""

    partition: Partition
    gains: bytes
    spec: SirenSpec
    init: Initialisation | None
    target: int | None
    room: float | None
    file: Callable[[Symbols], bytes]


def _plan(signal: Signal, modality: Modality, recipe: Recipe) -> _Plan:
    target = sizing.target_bytes(recipe, modality, signal)
    partition = sizing.choose_partition(signal, recipe, target)
    gains = gain_codes(signal, partition) if recipe.gains else b""

    def header(spec: SirenSpec, init: bytes) -> file.Header:
        parts, margin = partition.counts, partition.margin
        return file.Header(signal.modality, signal.dims, signal.meta, parts, spec.pack(), margin, gains, init)

    def side(spec: SirenSpec, init: bytes) -> int:
        return file.side_bytes(header(spec, init), spec.shapes(), recipe.quantizer == "half")

    spec, init, target = networks.choose_network(signal, modality, recipe, partition, target, side)
    offsets, known = (init.offsets(), init.id) if init else (None, b"")
    room = None if target is None else 8.0 * max(1, target - side(spec, known))
    plain = init is not None or recipe.quantizer == "half"

    def write(symbols: Symbols) -> bytes:
        from coordcodec.inr.symmetry import canonical

        return file.write(header(spec, known), symbols if plain else canonical(spec, symbols), offsets)

    return _Plan(partition, gains, spec, init, target, room, write)


def _quantize(
    plan: _Plan, recipe: Recipe, params: Mapping[str, Any], calls: Calls, known: Mapping[str, float] | None
) -> tuple[Symbols, float]:
    from coordcodec.quant.uniform import largest

    quantizer, plain = installed().quantizers.get(recipe.quantizer), installed().quantizers.get("uniform")
    spans = partial(sizing.spans_at, largest(params), known)

    def quantize(bits: float) -> Symbols:
        try:
            return quantizer(params, calls.restart(), spans(bits), bits, calls.budget)
        except OutOfTime:
            return plain(params, calls, spans(bits), bits, 0)

    if plan.target is None or recipe.quantizer == "half":
        return quantize(recipe.bits), recipe.bits
    return sizing.fitted_symbols(
        quantize=quantize,
        estimate=lambda bits: len(plan.file(plain(params, calls, spans(bits), bits, 0))),
        size=lambda symbols: len(plan.file(symbols)),
        bits=recipe.bits,
        target=plan.target,
        parameters=plan.spec.parameters * len(plan.partition),
        over=lambda: calls.clock.over,
    )
