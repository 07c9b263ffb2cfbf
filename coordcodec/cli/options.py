"""The options that several commands share, and those that the modalities bring."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

from coordcodec.cli.output import OPTION
from coordcodec.layers.budget import TIME_LIMIT
from coordcodec.plugins import installed
from coordcodec.recipe import kind_and_choice


def _value(text: str) -> Any:
    """What a modality's option is given: a number, a tuple of numbers, or else the text."""
    for separator in (",", "x"):
        try:
            numbers = tuple(_number(n) for n in text.split(separator))
        except ValueError:
            continue
        return numbers if len(numbers) > 1 else numbers[0]
    return text


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def add_command(
    commands: Any, name: str, action: Callable[[argparse.Namespace], int | None], summary: str
) -> argparse.ArgumentParser:
    """A command: its name, what it does, its help."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    parser.set_defaults(run=action)
    add_json(parser)
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def add_device(parser: argparse.ArgumentParser, what: str) -> None:
    """--device, for what is done there."""
    parser.add_argument(
        "--device", default="auto", help=f"{what}: auto (a GPU where there is one), cpu or cuda; default: auto"
    )


def add_threads(parser: argparse.ArgumentParser, what: str) -> None:
    """--threads, for what they share."""
    parser.add_argument("--threads", type=int, metavar="N", help=f"CPU threads that share {what}")


def add_time_limit(parser: argparse.ArgumentParser) -> None:
    """--time-limit of what decodes."""
    parser.add_argument(
        "--time-limit",
        type=_seconds,
        default=TIME_LIMIT,
        metavar="SECONDS",
        help="refuse, before the work, what takes longer to decode by an estimate that is the same on every machine; "
        f"none: no limit; default: {TIME_LIMIT:g}",
    )


def _seconds(text: str) -> float | None:
    if text == "none":
        return None
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, or none, got {text}")
    return seconds


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """--quiet."""
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no result line")


def default_rates() -> str:
    """What is aimed for when no target is given, by modality."""
    rates = []
    for name, entry in sorted(installed().modalities.entries.items()):
        recipe, unit = entry.object.defaults, entry.object.rate_unit
        fixed = [f"{kind.fixed} {getattr(kind, kind.fixed)}" for kind in recipe.choices.values() if kind.fixed]
        size = f"{recipe.num_bytes} bytes" if recipe.num_bytes else ", ".join(fixed)
        rates.append(f"{name} {f'{recipe.rate:g} {unit}' if recipe.rate else size}")
    return ", ".join(rates) or "none is installed"


def main_scores() -> str:
    """The score that --target-score is about, by modality."""
    entries = sorted(installed().modalities.entries.items())
    return ", ".join(f"{name} {entry.object.main_score}" for name, entry in entries) or "none is installed"


OF_LAYERS = ("width", "quantizer", "bits")
"""Options of `compress` that are choices of one kind of layer."""


def choices_of(a: argparse.Namespace) -> dict[str, Any]:
    """The choices of layers that were given, by kind."""
    found: dict[str, Any] = {}
    for option in OF_LAYERS:
        kind, name = kind_and_choice(option)
        if kind is not None and getattr(a, option) is not None:
            found.setdefault(kind, {})[name] = getattr(a, option)
    return found


def add_options(parser: argparse.ArgumentParser, member: str) -> None:
    """An option for every name in the modalities' `read_options` or `write_options`, with the help of each."""
    helps: dict[str, list[str]] = {}
    for kind, entry in sorted(installed().modalities.entries.items()):
        for name, text in getattr(entry.object, member).items():
            helps.setdefault(name, []).append(f"{kind}: {text}")
    group = parser.add_argument_group("options of the modalities")
    for name, texts in sorted(helps.items()):
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"{OPTION}{name}",
            type=_value,
            metavar="...",
            help="; ".join(texts).replace("%", "%%"),
        )


def add_init(parser: argparse.ArgumentParser) -> None:
    """--init of what decodes."""
    parser.add_argument(
        "--init",
        metavar="INIT",
        help="the learned initialisation that IN.ccdc was made with, its file or its name; default: it is looked for",
    )


def add_preview(parser: argparse.ArgumentParser) -> None:
    """--preview."""
    parser.add_argument(
        "--preview", metavar="OUT.png", help="a picture of the original, the decoded data and their difference"
    )


def add_force(parser: argparse.ArgumentParser) -> None:
    """--force."""
    parser.add_argument("-f", "--force", action="store_true", help="overwrite an existing output")
