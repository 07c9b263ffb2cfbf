"""Input and output that all commands share: files, result lines, JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from coordcodec import codec
from coordcodec.cli import streams
from coordcodec.cli.streams import printable, say, tell
from coordcodec.data import Signal
from coordcodec.decoder import Compressed
from coordcodec.encoder.encode import Encoded
from coordcodec.errors import FileError, RecipeError, WriteError
from coordcodec.files import check_writable, read_bytes, with_suffix, write_bytes
from coordcodec.hookspecs import Modality, Previewer
from coordcodec.layers.budget import TIME_LIMIT
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


def check_preview(a: argparse.Namespace, modality: Modality, inputs: Sequence[str | int]) -> None:
    """Raise RecipeError or FileError if a preview is asked for and cannot be made, before any work is done."""
    if a.preview is None:
        return
    if not isinstance(modality, Previewer):
        raise RecipeError(f"{modality.name} draws no previews; leave out --preview")
    if Path(a.preview).suffix.lower() != ".png":
        raise RecipeError(f"a preview is a PNG, got {a.preview}; name it something.png")
    check_writable(a.preview, a.force, inputs)
    if os.path.realpath(a.preview) == os.path.realpath(getattr(a, "output", None) or ""):
        raise RecipeError(f"{a.preview} cannot be both the preview and the output; name another one")


def source(path: str) -> Any:
    """What a modality reads: the path, or all of standard input."""
    return BytesIO(streams.take()) if path == STDIO else path


def beside(path: str, suffix: str, known: Collection[str] = ()) -> str:
    """The output that goes with an input: its name with another suffix. Raises FileError for one without a name.

    known: suffixes that may have several dots.
    """
    check_named(path)
    return with_suffix(path, suffix, known)


def check_named(path: str) -> None:
    """Raise FileError for an input such as "." or "", which names no file."""
    if Path(path).name in ("", ".."):
        raise FileError(f"cannot read {path!r}: {'it is a folder' if path else 'that is no name'}; name a file")


def open_input(
    path: str, init: str | None = None, most: int | None = None, time_limit: float | None = TIME_LIMIT
) -> Compressed:
    """Open a compressed file, or standard input; init: the name or path of the initialisation that it was made with.

    most: read only this many of its first bytes, and say on standard error what is missing.
    """
    data = streams.take() if path == STDIO else read_bytes(path)
    if most is None:
        return codec.open(data, init, time_limit=time_limit)
    if most < 1:
        raise RecipeError(f"--max-bytes must be at least 1, got {most}")
    opened = codec.open(data[:most], init, partial=True, time_limit=time_limit)
    if most < len(data):
        tell(f"note: decoded from the first {most:,} of {len(data):,} bytes; {_held(opened)}")
    return opened


def _held(opened: Compressed) -> str:
    """How much of a file's beginning could be used."""
    layers = ", ".join(f"{s.spec.kind} (chunks: {len(s.chunks)})" for s in opened.container.sections)
    return f"they hold {layers}; what the whole file may promise does not hold"


def inputs_of(a: argparse.Namespace) -> list[str | int]:
    """What a command reads, as `check_writable` takes it: paths, and the number of standard input."""
    given = (getattr(a, name, None) for name in ("input", "original", "init"))
    return [0 if path == STDIO else path for path in given if path]


def check_output(output: str, a: argparse.Namespace, inputs: Sequence[str | int]) -> None:
    """Raise FileError or RecipeError if the output cannot be written, or is an input, before any work is done."""
    if output != STDIO:
        check_writable(output, a.force, inputs)
    elif a.json:
        raise RecipeError("--json and the file itself would both go to standard output; name a file with -o")
    elif sys.stdout is None:
        raise WriteError("cannot write to standard output: it is closed")
    elif sys.stdout.isatty():
        raise RecipeError("a terminal cannot show this file; name one with -o, or redirect standard output")


def write_output(output: str, data: bytes, force: bool) -> None:
    """Write to a path, whole or not at all, or to standard output."""
    if output == STDIO:
        streams.give(data)
    else:
        write_bytes(output, data, force)


def report(a: argparse.Namespace, facts: dict[str, Any], line: str) -> None:
    """Print one line for people or one JSON object for scripts, on standard error if the file went to output."""
    if a.json:
        print_json(facts)
    elif not a.quiet:
        (tell if facts.get("output") == STDIO else say)(line)


def explain(encoded: Encoded, recipe: Recipe) -> None:
    """Print the choices that were made for a file on standard error, for --verbose."""
    for name, value in encoded.spec.describe().items():
        tell(f"{name}: {value:,}" if isinstance(value, int) else f"{name}: {value}")
    init = encoded.init.name if encoded.init else "none"
    threads = f"{encoded.threads} {'thread' if encoded.threads == 1 else 'threads'}"
    tell(f"initialisation: {init}; effort: {recipe.effort}; steps: {encoded.steps:,}")
    tell(f"device: {encoded.device}, {threads}, products in {encoded.precision}")


def deprecated_facts(encoded: Encoded, recipe: Recipe) -> dict[str, Any]:
    """What --json said of the only kind of layer there was; until 1.0."""
    choices, described = recipe.choices[encoded.spec.kind], encoded.spec.describe()
    quantizer = getattr(choices, "quantizer", None)
    return {"width": described.get("width"), "quantizer": quantizer, "bits": round(encoded.bits, 3)}


def print_json(facts: dict[str, Any]) -> None:
    """Print one JSON object on standard output."""
    say(json.dumps(facts, allow_nan=False))


def print_table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows of cells in columns under their titles; None as a dash, and nothing that a terminal would obey."""
    table = [titles, *([_plain("-" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[k]) for row in table) for k in range(len(titles))]
    for row in table:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _plain(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def shown_name(path: str) -> str:
    """The name of a file as the result line shows it."""
    return "standard output" if path == STDIO else printable(Path(path).name)


def size_and_rate(path: str, facts: dict[str, Any]) -> str:
    """The beginning of a result line."""
    known = facts["rate"] is not None and facts["rate_unit"] != "bytes"
    rate = f"  {facts['rate']:.3f} {facts['rate_unit']}" if known else ""
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
    return f"{value:.7g}" if isinstance(value, float) else printable(str(value))
