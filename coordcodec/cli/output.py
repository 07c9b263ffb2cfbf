"""Input and output that all commands share: standard streams, result lines, JSON, progress."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from coordcodec import codec
from coordcodec.clock import Clock
from coordcodec.data import Signal
from coordcodec.decoder import Compressed
from coordcodec.encoder.encode import Encoded
from coordcodec.errors import RecipeError
from coordcodec.files import check_writable, read_bytes, write_bytes
from coordcodec.hookspecs import Modality, Previewer
from coordcodec.recipe import Recipe

STDIO = "-"
OPTION = "option_"
"""Begins the names under which the parser keeps a modality's own options."""


def options_of(a: argparse.Namespace, known: Mapping[str, str], kind: str) -> dict[str, Any]:
    """The modality's options that were given. Raises RecipeError for those of other modalities."""
    given = {
        name.removeprefix(OPTION): value
        for name, value in vars(a).items()
        if name.startswith(OPTION) and value is not None
    }
    for name in given:
        if name not in known:
            theirs = ", ".join(f"--{n.replace('_', '-')}" for n in known) or "none"
            raise RecipeError(f"{kind} has no option --{name.replace('_', '-')} here; its options: {theirs}")
    return given


def draw_preview(opened: Compressed, signal: Signal) -> bytes:
    """The picture that --preview asks for."""
    modality = opened.modality
    assert isinstance(modality, Previewer)
    buffer = BytesIO()
    modality.preview(opened.field, signal, buffer)
    return buffer.getvalue()


def check_preview(a: argparse.Namespace, modality: Modality) -> None:
    """Raise RecipeError or FileError if a preview is asked for and cannot be made, before any work is done."""
    if a.preview is None:
        return
    if not isinstance(modality, Previewer):
        raise RecipeError(f"{modality.name} draws no previews; leave out --preview")
    if Path(a.preview).suffix.lower() != ".png":
        raise RecipeError(f"a preview is a PNG, got {a.preview}; name it something.png")
    check_writable(a.preview, a.force)


def source(path: str) -> Any:
    """What a modality reads: the path, or all of standard input."""
    return BytesIO(sys.stdin.buffer.read()) if path == STDIO else path


def open_input(path: str, init: str | None = None, most: int | None = None) -> Compressed:
    """Open a compressed file, or standard input; init: the name or path of the initialisation that it was made with.

    most: read only this many of its first bytes, and say on standard error what is missing.
    """
    data = sys.stdin.buffer.read() if path == STDIO else read_bytes(path)
    if most is None:
        return codec.open(data, init)
    if most < 1:
        raise RecipeError(f"--max-bytes must be at least 1, got {most}")
    opened = codec.open(data[:most], init, partial=True)
    if most < len(data):
        print(f"note: decoded from the first {most:,} of {len(data):,} bytes; {_held(opened)}", file=sys.stderr)
    return opened


def _held(opened: Compressed) -> str:
    """How much of a file's beginning could be used."""
    layers = ", ".join(f"{s.spec.kind} (chunks: {len(s.chunks)})" for s in opened.container.sections)
    return f"they hold {layers}; what the whole file may promise does not hold"


def check_output(output: str, a: argparse.Namespace) -> None:
    """Raise FileError or RecipeError if the output cannot be written, before any work is done."""
    if output != STDIO:
        check_writable(output, a.force)
    elif a.json:
        raise RecipeError("--json and the file itself would both go to standard output; name a file with -o")
    elif sys.stdout.isatty():
        raise RecipeError("a terminal cannot show this file; name one with -o, or redirect standard output")


def write_output(output: str, data: bytes, force: bool) -> None:
    """Write to a path, whole or not at all, or to standard output."""
    if output == STDIO:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_bytes(output, data, force)


def report(a: argparse.Namespace, facts: dict[str, Any], line: str) -> None:
    """Print one line for people or one JSON object for scripts, on standard error if the file went to output."""
    if a.json:
        print_json(facts)
    elif not a.quiet:
        print(line, file=sys.stderr if facts.get("output") == STDIO else sys.stdout)


def explain(encoded: Encoded, recipe: Recipe) -> None:
    """Print the choices that were made for a file on standard error, for --verbose."""
    for name, value in encoded.spec.describe().items():
        print(f"{name}: {value:,}" if isinstance(value, int) else f"{name}: {value}", file=sys.stderr)
    init = encoded.init.name if encoded.init else "none"
    threads = f"{encoded.threads} {'thread' if encoded.threads == 1 else 'threads'}"
    print(f"initialisation: {init}; effort: {recipe.effort}; steps: {encoded.steps:,}", file=sys.stderr)
    print(f"device: {encoded.device}, {threads}, products in {encoded.precision}", file=sys.stderr)


def deprecated_facts(encoded: Encoded, recipe: Recipe) -> dict[str, Any]:
    """What --json said of the only kind of layer there was; until 1.0."""
    choices, described = recipe.choices[encoded.spec.kind], encoded.spec.describe()
    quantizer = getattr(choices, "quantizer", None)
    return {"width": described.get("width"), "quantizer": quantizer, "bits": round(encoded.bits, 3)}


def print_json(facts: dict[str, Any]) -> None:
    """Print one JSON object on standard output."""
    print(json.dumps(facts, allow_nan=False))


def print_table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows of cells in columns under their titles; None as a dash, and nothing that a terminal would obey."""
    table = [titles, *([_plain("-" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[k]) for row in table) for k in range(len(titles))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _plain(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def shown_name(path: str) -> str:
    """The name of a file as the result line shows it."""
    return "standard output" if path == STDIO else Path(path).name


def size_and_rate(path: str, facts: dict[str, Any]) -> str:
    """The beginning of a result line."""
    rate = "" if facts["rate_unit"] == "bytes" else f"  {facts['rate']:.3f} {facts['rate_unit']}"
    return f"{shown_name(path)}  {facts['bytes']:,} bytes{rate}"


def in_words(name: str, value: float | None) -> str:
    """A score in words: psnr_db 29.51 -> "29.51 dB"; snr_db 9.9 -> "snr 9.90 dB"; ms_ssim 0.91 -> "ms_ssim 0.9100"."""
    if value is None:
        return f"{name} undefined"
    if name.endswith("_db"):
        return f"{value:.2f} dB" if name == "psnr_db" else f"{name.removesuffix('_db')} {value:.2f} dB"
    return f"{name} {value:.4f}"


def promise_in_words(bound: float | None, unit: str) -> str:
    """What a file promises of every sample, `info["max_error"]`; empty: nothing."""
    return "" if bound is None else f"largest error {bound:.4g}{unit}" if bound else "lossless"


def kept_in_words(worst: float, opened: Compressed) -> str:
    """The largest error of a sample, in a result line, and what it is promised to be at most."""
    bound, kind = opened.info["max_error"], opened.sample_type
    unit = kind.unit if kind else ""
    return f"largest error {worst:.4g} of {bound:.4g}{unit}" if bound else "lossless"


def joined(value: Any) -> str:
    """A value in words; a list of whole numbers as 512x768, of byte strings their length."""
    if isinstance(value, list):
        return ("x" if all(type(v) is int for v in value) else ", ").join(joined(v) for v in value)
    if isinstance(value, dict):
        return ", ".join(f"{v:,} {k}" for k, v in value.items())
    return f"{value:.7g}" if isinstance(value, float) else str(value)


@contextmanager
def stopping(clock: Clock, wanted: bool) -> Iterator[None]:
    """If wanted, the first Ctrl-C inside stops the clock; a second one interrupts as usual."""
    if not wanted:
        yield
        return

    def stop(number: int, frame: object) -> None:
        if clock.stopped:
            raise KeyboardInterrupt
        clock.stop()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """A progress bar on a terminal's standard error, nothing elsewhere. A total of 0 is one that nobody knows."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description:9}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("start", total=None)
        stage = ""

        def report(name: str, done: int, total: int) -> None:
            nonlocal stage
            if name != stage:
                stage = name
                bar.reset(task, description=name, total=total or None)
            bar.update(task, completed=done, total=total or None)

        yield report
