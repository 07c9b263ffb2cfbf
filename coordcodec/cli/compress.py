"""The command `compress`."""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

from coordcodec import codec, inits
from coordcodec.cli.exits import code_of
from coordcodec.cli.forecast import show_forecast
from coordcodec.cli.options import choices_of
from coordcodec.cli.output import (
    STDIO,
    beside,
    check_named,
    check_output,
    check_preview,
    deprecated_facts,
    draw_preview,
    explain,
    in_words,
    inputs_of,
    kept_in_words,
    options_of,
    report,
    shown_name,
    size_and_rate,
    source,
    write_output,
)
from coordcodec.cli.progress import progress_bar, stopping
from coordcodec.clock import Clock, Progress
from coordcodec.data import Signal
from coordcodec.decoder import Compressed
from coordcodec.encoder.encode import Encoded
from coordcodec.errors import ContainerError, CoordCodecError, RecipeError, SignalError, reason
from coordcodec.files import read_bytes
from coordcodec.hookspecs import Modality
from coordcodec.recipe import Recipe
from coordcodec.stream.container import SUFFIX
from coordcodec.verify import check_meant

_CHOICES = (
    *("rate", "num_bytes", "quality", "target_score", "max_error", "lossless", "layers", "strip", "init", "effort"),
    *("time_budget", "seed", "device", "precision", "threads"),
)


def compress(a: argparse.Namespace) -> int:
    """Compress a file, and score what the written bytes decode to; or say what that would take."""
    start = time.monotonic()
    if a.input == STDIO and a.modality is None:
        raise RecipeError("standard input does not tell what it is; name it with --modality")
    check_named(a.input)
    modality = codec.find_modality(a.input, a.modality)
    a.output = a.output or (STDIO if a.input == STDIO else beside(a.input, SUFFIX, modality.suffixes))
    check_output(a.output, a, inputs_of(a))
    if a.verify and a.output == STDIO:
        raise RecipeError("--verify reads what was written, and standard output cannot be read; name a file with -o")
    recipe = _recipe(a, modality)
    options = options_of(a, modality.read_options, modality.name)
    check_preview(a, modality, inputs_of(a))
    began = time.process_time()
    with progress_bar(a.quiet) as watch:
        if watch:
            watch("read", 0, 0)
        signal = modality.read(source(a.input), **options)
    if a.dry_run:
        expected = codec.plan_signal(signal, modality, recipe, time.process_time() - began)
        show_forecast(a, a.output, expected, signal, modality)
        return 0
    return _compress(a, signal, modality, recipe, start)


def _compress(a: argparse.Namespace, signal: Signal, modality: Modality, recipe: Recipe, start: float) -> int:
    clock = Clock(recipe.time_budget)
    with progress_bar(a.quiet) as watch:
        with stopping(clock, a.keep_best):
            encoded = _encoded(signal, modality, recipe, watch, clock)
        write_output(a.output, encoded.data, a.force)
        if a.verify:
            _verify(a.output, encoded, signal)
        if watch:
            watch("score", 0, 0)
        after = _After(a, encoded, signal)
    facts = {
        **{"output": a.output, "bytes": len(encoded.data), "rate": after.rate, "rate_unit": modality.rate_unit},
        **after.scores,
        **_facts(encoded, after.opened, recipe, start),
    }
    score = after.in_words()
    if encoded.worst is not None:
        score = kept_in_words(encoded.worst, after.opened) + ("" if recipe.lossless else f"  {score}")
    report(a, facts, f"{size_and_rate(a.output, facts)}  {score}  {facts['seconds']:.0f} s")
    if a.verbose:
        explain(encoded, recipe)
    if clock.stopped:
        raise KeyboardInterrupt(f"{shown_name(a.output)} is the best so far")
    return after.code


def _encoded(signal: Signal, modality: Modality, recipe: Recipe, watch: Progress | None, clock: Clock) -> Encoded:
    """The file; what no file can hold is a fault of the input, not of a file."""
    try:
        return codec.compress_signal(signal, modality, recipe, watch, clock)
    except ContainerError as error:
        raise SignalError(str(error)) from error


def _verify(output: str, encoded: Encoded, signal: Signal) -> None:
    """Compare the file, as it is on the disk now, with what the encoder meant."""
    try:
        check_meant(read_bytes(output), encoded, signal)
    except ContainerError as error:
        raise ContainerError(f"{shown_name(output)} is written, but wrong: {error}; do not rely on it") from error


class _After:
    """What is done once the file is written, so that nothing of it can take the file away: score, preview, cache.

    opened: the file. rate, scores: what it takes and how close it is; None where that could not be had. code: the exit
    code.
    """

    def __init__(self, a: argparse.Namespace, encoded: Encoded, signal: Signal) -> None:
        self.code, self.name = 0, shown_name(a.output)
        self.opened = codec.open(encoded.data, encoded.init, time_limit=None).to(encoded.device)
        self.main = self.opened.modality.main_score
        self.scores: dict[str, float | None] = {self.main: None}
        self._try("its initialisation could not be kept", lambda: self._keep(a, encoded))
        self.rate: float | None = None
        self._try("its rate could not be had", self._find_rate)
        self._try("it could not be scored", lambda: self.scores.update(self.opened.score(signal)))
        if a.preview:
            self._try("its preview could not be drawn", lambda: self._draw(a, signal))

    def _try(self, failed: str, action: Callable[[], None]) -> None:
        try:
            action()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"{self.name} is written, and whole") from None
        except Exception as error:  # noqa: BLE001  whatever a plugin raises, the file is there
            said = "not enough memory" if isinstance(error, MemoryError) else reason(error)
            warnings.warn(f"{self.name} is written, but {failed}: {said}", stacklevel=2)
            self.code = self.code or (code_of(error) if isinstance(error, CoordCodecError) else 1)

    def _find_rate(self) -> None:
        self.rate = self.opened.rate

    def _keep(self, a: argparse.Namespace, encoded: Encoded) -> None:
        """Keep a learned initialisation where decoders on this machine find it."""
        if encoded.init and encoded.init.sha256 not in {entry.sha256 for entry in inits.available()}:
            inits.keep(read_bytes(a.init))

    def _draw(self, a: argparse.Namespace, signal: Signal) -> None:
        write_output(a.preview, draw_preview(self.opened, signal), a.force)

    def in_words(self) -> str:
        """The main score in a result line."""
        return in_words(self.main, self.scores[self.main])


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
