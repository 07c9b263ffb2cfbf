"""The command line: arguments in, one result line or one JSON object out, errors in one line."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

from coordcodec import __version__, codec
from coordcodec.data import Signal
from coordcodec.errors import CoordCodecError, RecipeError
from coordcodec.files import check_writable, read_bytes, write_bytes
from coordcodec.plugins import installed
from coordcodec.recipe import EFFORTS, PRESETS, Recipe
from coordcodec.stream.container import SUFFIX

STDIO = "-"
_TARGET = Recipe()  # for the defaults that help texts name


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 2 bad usage or input, 130 interrupted."""
    warnings.showwarning = lambda message, *rest: print(f"warning: {message}", file=sys.stderr)
    warnings.simplefilter("always", UserWarning)
    try:
        arguments = build_parser().parse_args(argv)
        arguments.run(arguments)
        sys.stdout.flush()
    except CoordCodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


# --- commands ---------------------------------------------------------------------------------------------------


def _compress(a: argparse.Namespace) -> None:
    start = time.monotonic()
    if a.input == STDIO and a.modality is None:
        raise RecipeError("standard input does not tell what it is; name it with --modality")
    output = a.output or (STDIO if a.input == STDIO else str(Path(a.input).with_suffix(SUFFIX)))
    _check_output(output, a)
    modality = codec.find_modality(a.input, a.modality)
    choices = {
        name: getattr(a, name)
        for name in ("rate", "num_bytes", "width", "quantizer", "bits", "effort", "seed", "device")
    }
    recipe = codec.make_recipe(modality, a.preset, **choices)
    signal = modality.read(_source(a.input))
    with _progress(a.quiet) as report:
        encoded = codec.compress_signal(signal, modality, recipe, report)
        if report:
            report("score", 0, 0)
        opened = codec.open(encoded.data).to(encoded.device)
        scores = opened.score(signal)
    _write(output, encoded.data, a.force)
    facts = {
        "output": output,
        "bytes": len(encoded.data),
        "rate": opened.rate,
        "rate_unit": modality.rate_unit,
        **scores,
        "seconds": round(time.monotonic() - start, 3),
        "steps": encoded.steps,
        "width": encoded.spec.width,
        "quantizer": recipe.quantizer,
        "bits": round(encoded.bits, 3),
        "device": encoded.device,
    }
    score = _quantity(modality.main_score, scores[modality.main_score])
    _report(a, facts, f"{_size_and_rate(output, facts)}  {score}  {facts['seconds']:.0f} s")


def _decompress(a: argparse.Namespace) -> None:
    start = time.monotonic()
    opened = _open(a.input)
    suffix = opened.modality.suffixes[0]
    output = a.output or (STDIO if a.input == STDIO else str(Path(a.input).with_suffix(suffix)))
    _check_output(output, a)
    options = {name: getattr(a, name) for name in ("scale", "size", "region") if getattr(a, name) is not None}
    with _progress(a.quiet) as report:
        decoder = opened.to(a.device, report)
        data = decoder.encode("" if output == STDIO else Path(output).suffix, **options)
    _write(output, data, a.force)
    facts = {
        "output": output,
        "bytes": len(data),
        "modality": opened.container.modality,
        "device": decoder.device,
        "seconds": round(time.monotonic() - start, 3),
    }
    _report(a, facts, f"{_name(output)}  {len(data):,} bytes  {facts['seconds']:.1f} s")


def _info(a: argparse.Namespace) -> None:
    info = _open(a.input).info
    if a.json:
        _print_json(info)
        return
    rate = "unknown, its plugin is not installed" if info["rate"] is None else f"{info['rate']:.4g} {info['rate_unit']}"
    network = info["network"]
    lines = {
        "modality": info["modality"],
        "bytes": f"{info['bytes']:,}  ({', '.join(f'{k} {v:,}' for k, v in info['sections'].items())})",
        "rate": rate,
        "meta": ", ".join(f"{k} {_plain(v)}" for k, v in info["meta"].items()),
        "network": ", ".join(f"{k} {v:,}" if k == "parameters" else f"{k} {v}" for k, v in network.items()),
        "parts": _plain(info["parts"]),
        "coding": f"{info['coding']}, {info['bits']} bits",
        "format": info["format"],
    }
    for key, value in lines.items():
        print(f"{key:9} {value}")


def _evaluate(a: argparse.Namespace) -> None:
    opened = _open(a.input)
    modality = opened.modality
    if a.original == STDIO and a.input == STDIO:
        raise RecipeError("only one of ORIGINAL and IN.ccdc can be standard input")
    signal: Signal = modality.read(_source(a.original))
    with _progress(a.quiet) as report:
        scores = opened.to(a.device, report).score(signal)
    facts = {"bytes": len(opened.data), "rate": opened.rate, "rate_unit": modality.rate_unit, **scores}
    words = "  ".join(_quantity(name, value) for name, value in scores.items())
    _report(a, facts, f"{_size_and_rate(a.input, facts)}  {words}")


def _modalities(a: argparse.Namespace) -> None:
    registry = installed().modalities
    rows = [
        {"name": name, "suffixes": list(e.object.suffixes), "package": e.package, "version": e.version}
        for name, e in sorted(registry.entries.items())
    ]
    problems = [*registry.failures, *registry.collisions.values()]
    if a.json:
        _print_json({"modalities": rows, "problems": problems})
        return
    for row in rows:
        print(f"{row['name']:12} {row['package']} {row['version']:10} {' '.join(row['suffixes'])}")
    for problem in problems:
        print(f"warning: {problem}", file=sys.stderr)


# --- input and output -------------------------------------------------------------------------------------------


def _source(path: str) -> Any:
    return BytesIO(sys.stdin.buffer.read()) if path == STDIO else path


def _open(path: str) -> codec.Compressed:
    return codec.open(sys.stdin.buffer.read() if path == STDIO else read_bytes(path))


def _check_output(output: str, a: argparse.Namespace) -> None:
    if output != STDIO:
        check_writable(output, a.force)
    elif a.json:
        raise RecipeError("--json and the file itself would both go to standard output; name a file with -o")
    elif sys.stdout.isatty():
        raise RecipeError("a terminal cannot show this file; name one with -o, or redirect standard output")


def _write(output: str, data: bytes, force: bool) -> None:
    if output == STDIO:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_bytes(output, data, force)


def _report(a: argparse.Namespace, facts: dict[str, Any], line: str) -> None:
    if a.json:
        _print_json(facts)
    elif not a.quiet:
        print(line, file=sys.stderr if getattr(a, "output", None) == STDIO else sys.stdout)


def _print_json(facts: dict[str, Any]) -> None:
    print(json.dumps(facts, allow_nan=False))


def _name(path: str) -> str:
    return "standard output" if path == STDIO else Path(path).name


def _size_and_rate(path: str, facts: dict[str, Any]) -> str:
    return f"{_name(path)}  {facts['bytes']:,} bytes  {facts['rate']:.3f} {facts['rate_unit']}"


def _quantity(name: str, value: float | None) -> str:
    """A score in words: psnr_db 29.51 -> "29.51 dB"; ms_ssim 0.91 -> "ms_ssim 0.9100"."""
    if value is None:
        return f"{name} undefined"
    return f"{value:.2f} dB" if name == "psnr_db" else f"{name} {value:.4f}"


def _plain(value: Any) -> str:
    return "x".join(str(v) for v in value) if isinstance(value, list) else str(value)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """A progress bar on a terminal's standard error, nothing elsewhere. A total of 0 is one that nobody knows."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

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


# --- arguments --------------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise RecipeError(f"{message} (see {self.prog} --help)")


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _size(text: str) -> tuple[int, ...]:
    try:
        width, height = (int(n) for n in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected WxH, such as 640x480, got {text!r}") from None
    return width, height


def _region(text: str) -> tuple[int | float, ...]:
    try:
        return tuple(_number(n) for n in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers with commas, such as 0,0,100,50, got {text!r}") from None


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = _Parser(
        prog="coordcodec",
        description="Compress anything that maps coordinates to values: the weights of a small network are the file.",
    )
    parser.add_argument("--version", action="version", version=f"coordcodec {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_compress(commands)
    _add_decompress(commands)

    info = _add(commands, "info", _info, "what a file says of itself: network, bytes per section, rate, meta")
    info.add_argument("input", metavar="IN.ccdc", help="a compressed file; - is standard input")

    evaluate = _add(commands, "evaluate", _evaluate, "how close a file comes to its original, and its rate")
    evaluate.add_argument("original", metavar="ORIGINAL", help="the file that was compressed")
    evaluate.add_argument("input", metavar="IN.ccdc", help="the compressed file; - is standard input")
    _add_device(evaluate, "where to decode")
    _add_quiet(evaluate)

    _add(commands, "modalities", _modalities, "the kinds of data that can be compressed, and where they come from")
    return parser


def _add(commands: Any, name: str, run: Callable[[argparse.Namespace], None], summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    return parser


def _add_device(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--device", default="auto", help=f"{what}: auto (a GPU where there is one), cpu or cuda; default: auto"
    )


def _add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no result line")


def _add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--force", action="store_true", help="overwrite an existing output")


def _add_compress(commands: Any) -> None:
    parser = _add(commands, "compress", _compress, "compress a file")
    parser.add_argument("input", metavar="INPUT", help="what to compress; - is standard input and needs --modality")
    parser.add_argument(
        "-o", "--output", metavar="OUT.ccdc", help="default: INPUT with the suffix .ccdc; - is standard output"
    )
    parser.add_argument("--modality", help="the kind of data (see `coordcodec modalities`); default: by INPUT's suffix")
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "--rate", type=float, help="at most this rate, above 0, in the modality's unit (images: bpp); default for images: 0.3"
    )
    target.add_argument("--bytes", dest="num_bytes", type=int, metavar="N", help="at most this size, in bytes, from 1")
    target.add_argument("--width", type=int, metavar="M", help="neurons per hidden layer, 1 to 1024, instead of a size")
    parser.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        help="basic: SIREN with positional encoding, 8 bits, entropy coding; coin: COIN's five networks, 16 bits; "
        "default: basic",
    )
    parser.add_argument(
        "--quantizer", metavar="NAME", help="how weights become integers: uniform, adaround, qat, half or a plugin's; default: qat"
    )
    parser.add_argument(
        "--bits", type=int, metavar="B",
        help=f"nominal width of a weight in bits, 2 to 12; a rate or size refines it; default: {_TARGET.bits}",
    )
    parser.add_argument(
        "--effort", type=int, choices=EFFORTS, metavar="1..9",
        help="how long to work: 1 about ten seconds, 5 about a minute for 768x512 on two cores, 9 as long as it helps; "
        f"default: {_TARGET.effort}",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of all random choices, 0 to 4294967295; default: 0")
    _add_device(parser, "where to fit")
    _add_force(parser)
    _add_quiet(parser)


def _add_decompress(commands: Any) -> None:
    parser = _add(commands, "decompress", _decompress, "decode a file, whole or in part, at any size")
    parser.add_argument("input", metavar="IN.ccdc", help="a compressed file; - is standard input")
    parser.add_argument(
        "-o", "--output", metavar="OUT",
        help="its suffix decides the kind of file; default: IN with the modality's suffix (images: .png); "
        "- is standard output",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--scale", type=float, metavar="S", help="output samples per original sample, above 0; default: 1")
    size.add_argument("--size", type=_size, metavar="WxH", help="size of the whole output in pixels, from 1x1")
    parser.add_argument(
        "--region", type=_region, metavar="X0,Y0,X1,Y1",
        help="only this part, in pixels of the original, X1 and Y1 excluded; default: all",
    )
    _add_device(parser, "where to decode")
    _add_force(parser)
    _add_quiet(parser)
