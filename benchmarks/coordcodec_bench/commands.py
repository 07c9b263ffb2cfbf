"""The command `coordcodec bench`, found by the entry-point group coordcodec.commands."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from coordcodec import plugins
from coordcodec.cli.arguments import Parser
from coordcodec.cli.options import add_device, add_force, add_json, add_options, add_quiet, default_rates
from coordcodec.cli.output import options_of, report
from coordcodec.cli.progress import progress_bar
from coordcodec.plugins import installed
from coordcodec.recipe import EFFORTS
from coordcodec_bench import report as page
from coordcodec_bench.rows import LOSSLESS
from coordcodec_bench.run import Plan, run

SUMMARY = "measure ours and other codecs on a folder; `bench report RESULTS` draws what came out"


def main(argv: Sequence[str]) -> int:
    """Run the command; returns 0 done, 1 a row failed or a codec disagrees with its published curve.

    Raises CoordCodecError for bad usage and input, KeyboardInterrupt when it is interrupted.
    """
    if argv[:1] == ["report"]:  # argparse knows no command that takes either a folder or a command
        return _report(_report_parser().parse_args(argv[1:]))
    return _bench(_bench_parser().parse_args(argv))


def _bench(a: argparse.Namespace) -> int:
    """Measure a folder's files with several codecs; 1 if a row failed."""
    modality = plugins.modality(a.modality, installed())
    plan = Plan(
        folder=Path(a.folder),
        output=Path(a.output),
        modality=a.modality,
        rates=a.rates,
        promises=(LOSSLESS,) if a.lossless else a.max_errors,
        codecs=a.codecs,
        only=tuple(a.only),
        effort=a.effort,
        seed=a.seed,
        device=a.device,
        jobs=a.jobs,
        limit=a.time_limit,
        retry=a.retry,
        options=options_of(a, modality.read_options, modality.name),
    )
    try:
        with progress_bar(a.quiet) as watch:
            facts = run(
                plan,
                told=(lambda line: None) if a.quiet or a.json else lambda line: print(line, flush=True),
                watch=(lambda done, total: watch("bench", done, total)) if watch else None,
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"what was measured is in {a.output}; the same command goes on") from None
    counts = ", ".join(f"{facts[name]} {name}" for name in ("ok", "failed", "skipped") if facts[name] or name == "ok")
    report(a, facts, f"{facts['results']}  {facts['rows']} rows: {counts}; {facts['new']} new")
    return 1 if facts["failed"] or facts["ok"] + facts["skipped"] < facts["rows"] else 0


def _report(a: argparse.Namespace) -> int:
    """Draw the results of a benchmark as one page; 1 if a codec disagrees with its published curve."""
    output = Path(a.output or Path(a.results) / "report.html")
    facts = page.write(Path(a.results), output, Path(a.published) if a.published else None, a.force)
    wrong = facts["disagreeing"]
    report(
        a,
        facts,
        f"{output}  {facts['bytes']:,} bytes  {facts['rows']} rows, {facts['failed']} failed"
        + (f"  DISAGREES with its published curve: {', '.join(wrong)}" if wrong else ""),
    )
    return 1 if wrong else 0


def _rates(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers such as 0.15,0.3, got {text!r}") from None


def _bounds(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(","))
    if not all(re.fullmatch(r"[0-9.]+(e[+-]?[0-9]+)?\s*([^0-9.\s].*)?", part, re.IGNORECASE) for part in found):
        raise argparse.ArgumentTypeError(f"expected largest errors such as 1K,0.5K or 0.5%, got {text!r}")
    return found


def _codecs(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _bench_parser() -> argparse.ArgumentParser:
    parser = Parser(prog="coordcodec bench", description=SUMMARY, allow_abbrev=False)
    add_json(parser)
    parser.add_argument("folder", metavar="FOLDER", help="what to compress; a folder named report is ./report")
    parser.add_argument(
        "-o", "--output", metavar="RESULTS", required=True, help="folder of result rows; a run that is there goes on"
    )
    parser.add_argument("--modality", default="image", help="the kind of data; default: image")
    _add_targets(parser)
    parser.add_argument(
        "--codecs",
        type=_codecs,
        default=(),
        metavar="C,...",
        help="ours, coin and siren, which take choices of a recipe as in ours:layers=siren:effort=2, and others: image "
        "jpeg, jpeg2000, webp, avif, jxl, heif, vvc; sdf draco; audio mp3, aac, opus; climate zfp, sz3, sperr; "
        "with --max-errors field sperr, sz3, zfp; with --lossless image png, jpeg2000, jxl, webp, audio flac; "
        "default: ours and all others",
    )
    _add_how(parser)
    add_options(parser, "read_options")
    add_device(parser, "where ours fit")
    add_quiet(parser)
    return parser


def _add_targets(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--rates",
        type=_rates,
        default=(),
        metavar="R,...",
        help=f"in the modality's unit, each above 0; defaults: {default_rates()}",
    )
    group.add_argument(
        "--max-errors",
        type=_bounds,
        default=(),
        metavar="E,...",
        help="largest errors in place of rates, in the samples' unit or in %% of their range, as in 1K,0.5K or 0.5%%",
    )
    group.add_argument("--lossless", action="store_true", help="files that lose nothing, in place of rates")


def _add_how(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="names of files to take; default: all")
    parser.add_argument("--effort", type=int, choices=EFFORTS, default=5, metavar="1..9", help="of ours; default: 5")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of ours, 0 to 4294967295; default: 0")
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="processes, with one thread each if there are several; default: one with all threads",
    )
    parser.add_argument(
        "--time-limit",
        type=float,
        default=3600.0,
        metavar="SECONDS",
        help="a row that takes longer has failed; default: 3600",
    )
    parser.add_argument("--retry", action="store_true", help="measure again what failed before")


def _report_parser() -> argparse.ArgumentParser:
    summary = "draw the results of `coordcodec bench` as one page"
    parser = Parser(prog="coordcodec bench report", description=summary, allow_abbrev=False)
    add_json(parser)
    parser.add_argument("results", metavar="RESULTS", help="the folder that `coordcodec bench -o` filled")
    parser.add_argument("-o", "--output", metavar="OUT.html", help="default: RESULTS/report.html")
    parser.add_argument(
        "--published", metavar="FILE.json", help="published curves to draw behind ours; default: those of the package"
    )
    add_force(parser)
    add_quiet(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
