"""The straight line: a signal becomes bytes, bytes become a field.

    file -read-> Signal -plan, fit, quantize-> Symbols -encode-> chunks -pack-> bytes
    file <-write- Field <--------field-------- Symbols <-decode- chunks <-unpack- bytes

The upper line is `coordcodec.encoder`, the lower one `coordcodec.decoder`; what a layer does is in `coordcodec.layers`.
"""

from __future__ import annotations

import os
import time
import warnings
from typing import Any

import numpy as np

from coordcodec import decoder, inits, plugins
from coordcodec.clock import Clock, Progress
from coordcodec.data import Signal
from coordcodec.decoder import Compressed
from coordcodec.encoder.encode import Encoded, encode
from coordcodec.encoder.forecast import Forecast, forecast
from coordcodec.encoder.score import encode_to_score
from coordcodec.errors import PluginError, RecipeError, SignalError
from coordcodec.files import check_writable
from coordcodec.given import source_of
from coordcodec.hookspecs import Modality, Source
from coordcodec.inits import Initialisation
from coordcodec.layers.budget import TIME_LIMIT
from coordcodec.plugins import in_loop, installed, modality_for
from coordcodec.recipe import EFFORTS, Recipe


def compress(
    source: Source,
    *,
    modality: str | None = None,
    preset: str | None = None,
    progress: Progress | None = None,
    **choices: Any,
) -> bytes:
    """Compress a path, a binary file, bytes or an array; returns the bytes of a file.

    source: see `coordcodec.given.source_of`; tensors and nested lists of numbers are arrays, too.
    modality: name of the kind of data; may be left out for a path whose suffix tells it.
    preset: "basic" or "coin", by default none; see `coordcodec.specs.PRESETS`.
    progress: called with (stage, steps done, steps in all).
    choices: any of `coordcodec.recipe.Recipe`: rate, num_bytes, quality, target_score, max_error, lossless, strip,
        layers, init, effort, time_budget, seed, threads, precision, device; and those of a kind of layer,
        siren={"width": 64}.

    Raises SignalError, FileError, UnknownName, RecipeError, InitialisationError or PluginError.
    """
    kind = find_modality(source, modality)
    recipe = make_recipe(kind, preset, **choices)
    return compress_signal(read_source(source, kind), kind, recipe, progress).data


def read_source(source: Any, modality: Modality) -> Signal:
    """What a modality makes of a source, which may be of any type. Raises SignalError or FileError."""
    made = source_of(source)
    usual = isinstance(made, str | os.PathLike | np.ndarray) or hasattr(made, "read")
    try:
        return modality.read(made)
    except (AttributeError, TypeError, PluginError):
        if usual:
            raise
        raise SignalError(
            f"the modality {modality.name} cannot read a {type(source).__name__}; give a path, bytes, a binary file or "
            "an array"
        ) from None


def plan(
    source: Source,
    *,
    modality: str | None = None,
    preset: str | None = None,
    **choices: Any,
) -> Forecast:
    """What `compress` with the same arguments would do and about how long and how much memory it would take.

    Reads the source, fits and writes nothing. Raises and warns as `compress` does before its fit.
    """
    kind = find_modality(source, modality)
    recipe = make_recipe(kind, preset, **choices)
    began = time.process_time()
    signal = read_source(source, kind)
    return plan_signal(signal, kind, recipe, time.process_time() - began)


def open(
    source: decoder.Source,
    init: Initialisation | str | os.PathLike[str] | None = None,
    partial: bool = False,
    time_limit: float | None = TIME_LIMIT,
) -> Compressed:
    """Open a compressed file (bytes, a path or a binary file), made with `init` if it names an initialisation.

    Without `init` the one that it names is looked for. partial: a file's beginning will do, see `decoder.open_file`.
    time_limit: seconds that each decode may take by an estimate that is the same everywhere; what takes longer raises
        DecodeLimit before the work; None: any time. Default: ten minutes.

    Raises ContainerError, FileError or InitialisationError.
    """
    return decoder.open_file(source, init, partial, time_limit)


def decompress(
    source: decoder.Source,
    target: str | os.PathLike[str],
    *,
    force: bool = False,
    init: Initialisation | str | os.PathLike[str] | None = None,
    time_limit: float | None = TIME_LIMIT,
    **options: Any,
) -> None:
    """Decode a file and write it as its modality does; the options are the modality's (scale, size, region ...).

    init, time_limit: see `open`. Raises ContainerError, DecodeLimit, InitialisationError, RecipeError for bad options,
    FileError when `target` exists and `force` is not set, or is `source` itself.
    """
    if isinstance(source, str | os.PathLike):
        check_writable(target, force, [source])
    open(source, init, time_limit=time_limit).write(target, force=force, **options)


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
    check_names(recipe)
    return recipe


def check_names(recipe: Recipe) -> None:
    """Raise UnknownName, FileError, InitialisationError or PluginError unless all that a recipe names is here."""
    for kind in recipe.choices.values():
        if hasattr(kind, "quantizer"):
            in_loop(kind.quantizer)
    inits.check_named(recipe.init)


WORTH_SAYING = 128
"""Bytes of extras; that fewer are left out unasked is no news."""


def carried(signal: Signal, recipe: Recipe) -> Signal:
    """The signal with as much of its extras as the recipe lets the file have. Warns of those that it did not name."""
    if not recipe.stripped:
        return signal.with_extras()
    if recipe.strip is None and sum(map(len, signal.extras.values())) >= WORTH_SAYING:
        names = ", ".join(f"{name} ({len(data):,} bytes)" for name, data in sorted(signal.extras.items()))
        warnings.warn(f"left out of the file: {names}; --no-strip (strip=False) keeps them", stacklevel=3)
    return signal


def plan_signal(signal: Signal, modality: Modality, recipe: Recipe, reading: float = 0.0) -> Forecast:
    """What `compress_signal` would do. reading: seconds of the processor that it took to read the signal."""
    check_names(recipe)
    return forecast(carried(signal, recipe), modality, recipe, reading)


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
    check_names(recipe)  # not after minutes of fitting
    from coordcodec.torch_state import usual_torch  # takes seconds, which are nobody's budget

    clock = clock or Clock(recipe.time_budget)
    clock.begin()
    signal = carried(signal, recipe)
    with usual_torch():
        if recipe.target_score is not None:
            return encode_to_score(signal, modality, recipe, clock, progress)
        made = encode(signal, modality, recipe, clock, progress)
    if made.trained and not made.fitted and clock.over:
        shows = "what the first steps from its initialisation give" if made.init else "next to nothing"
        warnings.warn(f"there was no time to fit: the file is valid and shows {shows}", stacklevel=2)
    return made
