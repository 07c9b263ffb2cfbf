"""The arguments of every command and their help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from coordcodec import __version__
from coordcodec.cli import commands as run
from coordcodec.errors import RecipeError
from coordcodec.recipe import EFFORTS, PRESETS, Recipe

_DEFAULT = Recipe()


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

    info = _add(commands, "info", run.info, "what a file says of itself: network, bytes per section, rate, meta")
    info.add_argument("input", metavar="IN.ccdc", help="a compressed file; - is standard input")

    evaluate = _add(commands, "evaluate", run.evaluate, "how close a file comes to its original, and its rate")
    evaluate.add_argument("original", metavar="ORIGINAL", help="the file that was compressed")
    evaluate.add_argument("input", metavar="IN.ccdc", help="the compressed file; - is standard input")
    _add_device(evaluate, "where to decode")
    _add_quiet(evaluate)

    _add(commands, "modalities", run.modalities, "the kinds of data that can be compressed, and where they come from")
    return parser


def _add(
    commands: Any, name: str, action: Callable[[argparse.Namespace], None], summary: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    parser.set_defaults(run=action)
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
    parser = _add(commands, "compress", run.compress, "compress a file")
    parser.add_argument("input", metavar="INPUT", help="what to compress; - is standard input and needs --modality")
    parser.add_argument(
        "-o", "--output", metavar="OUT.ccdc", help="default: INPUT with the suffix .ccdc; - is standard output"
    )
    parser.add_argument("--modality", help="the kind of data (see `coordcodec modalities`); default: by INPUT's suffix")
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "--rate",
        type=float,
        help="at most this rate, above 0, in the modality's unit (images: bpp); default for images: 0.3",
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
        "--quantizer",
        metavar="NAME",
        help="how weights become integers: uniform, adaround, qat, half or a plugin's; default: qat",
    )
    parser.add_argument(
        "--bits",
        type=int,
        metavar="B",
        help=f"nominal width of a weight in bits, 2 to 12; a rate or size refines it; default: {_DEFAULT.bits}",
    )
    parser.add_argument(
        "--effort",
        type=int,
        choices=EFFORTS,
        metavar="1..9",
        help="how long to work: 1 about ten seconds, 5 about a minute for 768x512 on two cores, 9 as long as it helps; "
        f"default: {_DEFAULT.effort}",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of all random choices, 0 to 4294967295; default: 0")
    _add_device(parser, "where to fit")
    _add_force(parser)
    _add_quiet(parser)


def _add_decompress(commands: Any) -> None:
    parser = _add(commands, "decompress", run.decompress, "decode a file, whole or in part, at any size")
    parser.add_argument("input", metavar="IN.ccdc", help="a compressed file; - is standard input")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="its suffix decides the kind of file; default: IN with the modality's suffix (images: .png); "
        "- is standard output",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--scale", type=float, metavar="S", help="output samples per original sample, above 0; default: 1"
    )
    size.add_argument("--size", type=_size, metavar="WxH", help="size of the whole output in pixels, from 1x1")
    parser.add_argument(
        "--region",
        type=_region,
        metavar="X0,Y0,X1,Y1",
        help="only this part, in pixels of the original, X1 and Y1 excluded; default: all",
    )
    _add_device(parser, "where to decode")
    _add_force(parser)
    _add_quiet(parser)
