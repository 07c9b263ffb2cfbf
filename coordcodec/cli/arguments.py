"""The arguments of every command and their help."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from coordcodec import __version__
from coordcodec.cli import commands as run
from coordcodec.cli import exits, streams
from coordcodec.cli.compress import compress
from coordcodec.cli.external import add_external
from coordcodec.cli.options import (
    add_command,
    add_device,
    add_force,
    add_init,
    add_options,
    add_preview,
    add_quiet,
    add_threads,
    add_time_limit,
)
from coordcodec.cli.targets import add_targets
from coordcodec.cli.verify import verify
from coordcodec.errors import RecipeError
from coordcodec.recipe import EFFORTS, PRECISIONS, Recipe
from coordcodec.specs import PRESETS

_DEFAULT = Recipe()


class Parser(argparse.ArgumentParser):
    """A parser whose errors are those of the user, in one line."""

    def error(self, message: str) -> NoReturn:
        """Raise RecipeError."""
        raise RecipeError(f"{message} (see {self.prog} --help)")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help or version, and do not pass over in silence that this failed."""
        streams.say(message, end="")


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = Parser(
        prog="coordcodec",
        description="Compress anything that maps coordinates to values, as small networks or integers on its own grid.",
        epilog=exits.in_words(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"coordcodec {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_compress(commands)
    _add_decompress(commands)

    info = add_command(commands, "info", run.info, "what a file says of itself: layers, bytes per section, rate, meta")
    info.add_argument("input", metavar="IN.ccdc", help="a compressed file; - is standard input")

    evaluate = add_command(commands, "evaluate", run.evaluate, "how close a file comes to its original, and its rate")
    evaluate.add_argument("original", metavar="ORIGINAL", help="the file that was compressed")
    evaluate.add_argument("input", metavar="IN.ccdc", help="the compressed file; - is standard input")
    add_options(evaluate, "read_options")
    add_init(evaluate)
    add_preview(evaluate)
    add_force(evaluate)
    add_device(evaluate, "where to decode")
    add_time_limit(evaluate)
    add_threads(evaluate, "the decoding, from 1; more than 4 are not used; default: one per core")
    add_quiet(evaluate)

    _add_verify(commands)
    add_command(
        commands, "modalities", run.modalities, "the kinds of data that can be compressed, and where they come from"
    )
    add_command(
        commands, "inits", run.initialisations, "the learned initialisations that are here, and where they come from"
    )
    _add_new_modality(commands)
    _add_learn_init(commands)
    add_external(commands)
    return parser


def _add_compress(commands: Any) -> None:
    parser = add_command(commands, "compress", compress, "compress a file")
    parser.add_argument("input", metavar="INPUT", help="what to compress; - is standard input and needs --modality")
    parser.add_argument(
        "-o", "--output", metavar="OUT.ccdc", help="default: INPUT with the suffix .ccdc; - is standard output"
    )
    parser.add_argument("--modality", help="the kind of data (see `coordcodec modalities`); default: by INPUT's suffix")
    add_targets(parser)
    parser.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        help="basic: the codec of Struempler et al., 8 bits; coin: COIN's five networks, 16 bits; default: neither",
    )
    parser.add_argument(
        "--init",
        metavar="NAME",
        help="the learned initialisation to start from, which a decoder needs too: auto (the shipped one for this kind "
        "of data and size, if there is one that helps), none (the file stands alone), a name (see `coordcodec inits`) "
        "or the path of a .safetensors file; default: auto",
    )
    parser.add_argument(
        "--quantizer",
        metavar="NAME",
        help="how weights become integers: uniform, adaround, qat, rd (for which the fit sees the rate), half or a "
        "plugin's; default: rd",
    )
    parser.add_argument(
        "--bits",
        type=int,
        metavar="B",
        help="nominal width of a weight in bits, 2 to 12; a rate or size refines it; default: 8",
    )
    _add_fit(parser)
    add_options(parser, "read_options")
    add_preview(parser)
    add_force(parser)
    add_quiet(parser)
    _add_saying(parser)


def _add_saying(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="read INPUT and say what would be made of it, about how long it would take and how much memory; "
        "fit and write nothing",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="print the choices that were made, too")


def _add_fit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--effort",
        type=int,
        choices=EFFORTS,
        metavar="1..9",
        help="how long to work: 1 about ten seconds, 5 about a minute for 768x512 on two cores, 9 as long as it helps; "
        f"default: {_DEFAULT.effort}",
    )
    parser.add_argument(
        "--time-budget",
        type=float,
        metavar="SECONDS",
        help="the best of so long a fit, from 0, beside reading, scoring and writing; the default effort is then 9",
    )
    parser.add_argument(
        "--keep-best", action="store_true", help="when interrupted (Ctrl-C), write the best so far instead of nothing"
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="decode the file from the disk and compare it with what was meant before reporting success",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of all random choices, 0 to 4294967295; default: 0")
    add_device(parser, "where to fit")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="number format of the fit's matrix products; auto takes bfloat16 where the processor has units for it; "
        "default: auto",
    )
    add_threads(
        parser,
        "the fit, from 1; more than 4 are not used; default: one per core. They change the time, never the file",
    )


def _add_decompress(commands: Any) -> None:
    parser = add_command(commands, "decompress", run.decompress, "decode a file, whole or in part, at any size")
    parser.add_argument("input", metavar="IN.ccdc", help="a compressed file; - is standard input")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="its suffix decides the kind of file; default: IN with the modality's first suffix, such as .png; "
        "- is standard output",
    )
    parser.add_argument(
        "--max-bytes",
        type=int,
        metavar="N",
        help="decode what the first N bytes of the file say: coarse scales come first; default: all of it",
    )
    add_options(parser, "write_options")
    add_init(parser)
    add_device(parser, "where to decode")
    add_time_limit(parser)
    add_threads(parser, "the decoding, from 1; more than 4 are not used; default: one per core")
    add_force(parser)
    add_quiet(parser)


def _add_verify(commands: Any) -> None:
    summary = "decode files without writing anything: whether they are whole, and what they promise"
    parser = add_command(commands, "verify", verify, summary)
    parser.add_argument("inputs", nargs="+", metavar="IN.ccdc", help="compressed files; - is standard input")
    add_init(parser)
    add_device(parser, "where to decode")
    add_threads(parser, "the decoding, from 1; more than 4 are not used; default: one per core")
    add_time_limit(parser)
    add_quiet(parser)


def _add_new_modality(commands: Any) -> None:
    parser = add_command(commands, "new-modality", run.new_modality, "write a plugin package for a new kind of data")
    parser.add_argument("name", metavar="NAME", help="of the modality: 1 to 32 of a-z, 0-9, _ and -")
    parser.add_argument("-o", "--output", metavar="FOLDER", help="default: coordcodec-NAME")
    add_force(parser)
    add_quiet(parser)


def _add_learn_init(commands: Any) -> None:
    summary = "learn an initialisation from folders of signals, for compress --init"
    parser = add_command(commands, "learn-init", run.learn_init, summary)
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="what to learn from, with all folders below")
    parser.add_argument("--modality", required=True, help="the kind of data (see `coordcodec modalities`)")
    parser.add_argument("--width", type=int, required=True, metavar="M", help="neurons per hidden layer, 1 to 1024")
    parser.add_argument("-o", "--output", metavar="OUT.safetensors", help="default: MODALITY-wM.safetensors")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--rate", type=float, help="the rate that decides how signals are cut, as in compress")
    target.add_argument("--bytes", dest="num_bytes", type=int, metavar="N", help="the same as a size in bytes")
    for name, kind, letter, text in (
        ("limit", int, "N", "take so many files, evenly spread, from 2; default: all"),
        ("most-unreadable", float, "S", "share of files that may be unreadable, 0 to 1; default: 0.05"),
        ("outer-steps", int, "N", "steps of learning, from 1; default: 2000"),
        ("inner-steps", int, "N", "steps of each task's fit, 0 to 16; default: 3"),
        ("inner-lr", float, "R", "inner rates at the beginning, 1e-06 to 1000; default: 1"),
        ("outer-lr", float, "R", "peak learning rate of the initialisation, 1e-06 to 1; default: 0.004"),
        ("tasks-per-step", int, "B", "tasks of an outer step, 1 to 4096; default: 8"),
        ("points", int, "P", "points of each of their minibatches, 64 to 1048576; default: 1024"),
        ("fits", int, "F", "tasks fitted to learn how large updates are, 1 to 4096; default: 48"),
        ("fit-steps", int, "N", "steps of each of these fits, 1 to 1000000; default: 1000"),
        ("seed", int, "N", "of all random choices, 0 to 4294967295; default: 0"),
    ):
        parser.add_argument(f"--{name}", type=kind, metavar=letter, help=text)
    parser.add_argument("--first-order", action="store_true", help="take inner gradients as constants: faster, worse")
    parser.add_argument("--licence", metavar="TEXT", help="of the signals; kept in the file")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint beside the output")
    add_options(parser, "read_options")
    add_device(parser, "where to learn")
    add_force(parser)
    add_quiet(parser)
