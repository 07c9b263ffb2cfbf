"""The command `compress`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from coordcodec import codec, inits
from coordcodec.cli.forecast import show_forecast
from coordcodec.cli.options import choices_of
from coordcodec.cli.output import (
    STDIO,
    check_output,
    check_preview,
    deprecated_facts,
    draw_preview,
    explain,
    in_words,
    kept_in_words,
    options_of,
    progress_bar,
    report,
    shown_name,
    size_and_rate,
    source,
    stopping,
    write_output,
)
from coordcodec.clock import Clock
from coordcodec.data import Signal
from coordcodec.decoder import Compressed
from coordcodec.encoder.encode import Encoded
from coordcodec.errors import RecipeError
from coordcodec.files import read_bytes
from coordcodec.hookspecs import Modality
from coordcodec.recipe import Recipe
from coordcodec.stream.container import SUFFIX

_CHOICES = (
    *("rate", "num_bytes", "quality", "target_score", "max_error", "lossless", "layers", "strip", "init", "effort"),
    *("time_budget", "seed", "device", "precision", "threads"),
)


def compress(a: argparse.Namespace) -> None:
    """Compress a file, and score what the written bytes decode to; or say what that would take."""
    start = time.monotonic()
    if a.input == STDIO and a.modality is None:
        raise RecipeError("standard input does not tell what it is; name it with --modality")
    output = a.output or (STDIO if a.input == STDIO else str(Path(a.input).with_suffix(SUFFIX)))
    check_output(output, a)
    modality = codec.find_modality(a.input, a.modality)
    recipe = _recipe(a, modality)
    options = options_of(a, modality.read_options, modality.name)
    check_preview(a, modality)
    began = time.process_time()
    with progress_bar(a.quiet) as watch:
        if watch:
            watch("read", 0, 0)
        signal = modality.read(source(a.input), **options)
    if a.dry_run:
        expected = codec.plan_signal(signal, modality, recipe, time.process_time() - began)
        show_forecast(a, output, expected, signal, modality)
        return
    _compress(a, output, signal, modality, recipe, start)


def _compress(
    a: argparse.Namespace, output: str, signal: Signal, modality: Modality, recipe: Recipe, start: float
) -> None:
    clock = Clock(recipe.time_budget)
    with stopping(clock, a.keep_best), progress_bar(a.quiet) as watch:
        encoded = codec.compress_signal(signal, modality, recipe, watch, clock)
        if watch:
            watch("score", 0, 0)
        opened = codec.open(encoded.data, encoded.init).to(encoded.device)
        scores = opened.score(signal)
        preview = draw_preview(opened, signal) if a.preview else None
    if encoded.init and encoded.init.sha256 not in {entry.sha256 for entry in inits.available()}:
        inits.keep(read_bytes(a.init))  # so that decoders on this machine find it
    write_output(output, encoded.data, a.force)
    if preview:
        write_output(a.preview, preview, a.force)
    rate = {"rate": opened.rate, "rate_unit": modality.rate_unit}
    facts = {"output": output, "bytes": len(encoded.data), **rate, **scores, **_facts(encoded, opened, recipe, start)}
    score = in_words(modality.main_score, scores[modality.main_score])
    if encoded.worst is not None:
        score = kept_in_words(encoded.worst, opened) + ("" if recipe.lossless else f"  {score}")
    report(a, facts, f"{size_and_rate(output, facts)}  {score}  {facts['seconds']:.0f} s")
    if a.verbose:
        explain(encoded, recipe)
    if clock.stopped:
        raise KeyboardInterrupt(f"{shown_name(output)} is the best so far")


def _recipe(a: argparse.Namespace, modality: Modality) -> Recipe:
    choices = {name: getattr(a, name) for name in _CHOICES} | choices_of(a)
    if a.target_psnr is not None:
        if modality.main_score != "psnr_db":
            raise RecipeError(f"{modality.name} goes by {modality.main_score}, not by PSNR; use --target-score")
        choices["target_score"] = a.target_psnr
    return codec.make_recipe(modality, a.preset, **choices)


def _facts(encoded: Encoded, opened: Compressed, recipe: Recipe, start: float) -> dict[str, Any]:
    return {
        "seconds": round(time.monotonic() - start, 3),
        "steps": encoded.steps,
        "layers": [section.spec.describe() for section in opened.container.sections],
        "init": encoded.init and {"hash": encoded.init.id.hex(), "name": encoded.init.name},
        **({} if encoded.worst is None else {"largest_error": encoded.worst}),
        **deprecated_facts(encoded, recipe),
        "device": encoded.device,
        "precision": encoded.precision,
        "threads": encoded.threads,
    }
