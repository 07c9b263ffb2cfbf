"""The command line: arguments in, one result line or one JSON object out, errors in one line.

Nothing heavy is imported up here, so that signals are heeded from the beginning.
"""

from __future__ import annotations

from coordcodec.cli import early

early.heed()

import contextlib  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import traceback  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Sequence  # noqa: E402

from coordcodec.cli import interrupts, streams  # noqa: E402
from coordcodec.cli.exits import code_of  # noqa: E402
from coordcodec.errors import CoordCodecError  # noqa: E402

early.heed_no_more()

DEBUG = "--debug"
"""Anywhere among the arguments, shows the traceback of an error before its line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code, one of `coordcodec.cli.exits`."""
    streams.mend()
    warnings.showwarning = lambda message, *rest: streams.tell(f"warning: {_line(message)}")
    warnings.simplefilter("always", UserWarning)
    given = sys.argv[1:] if argv is None else list(argv)
    with interrupts.heeded() as heeded:
        try:
            return _run([word for word in given if word != DEBUG], heeded)
        except CoordCodecError as error:
            if DEBUG in given or os.environ.get("COORDCODEC_DEBUG", "0") not in ("", "0"):
                streams.tell(traceback.format_exc().rstrip())
            streams.tell(f"error: {_line(error)}")
            return code_of(error)
        except MemoryError:
            streams.tell("error: there is not enough memory for this")
            return 1
        except KeyboardInterrupt as interruption:
            streams.tell(f"interrupted: {_line(interruption) or 'nothing was written'}")
            return heeded.exit_code
        except BrokenPipeError:  # the reader of our output has gone, as `| head` does
            streams.silence(sys.stdout)
            return 1


def _run(given: list[str], heeded: interrupts.Heeded) -> int:
    from coordcodec import contract

    contract.printing_aside = lambda: contextlib.redirect_stdout(sys.stderr)
    from coordcodec.cli.external import external, run_external

    if given[:1] and given[0] in external():
        heeded.ready = True
        code: int | None = run_external(given)
    else:
        from coordcodec.cli.arguments import build_parser

        arguments = build_parser().parse_args(given)
        heeded.ready = True
        code = arguments.run(arguments)
    if sys.stdout is not None:
        streams.say(end="")  # what a command printed by itself may still wait
    return code or 0


def _line(said: object) -> str:
    """A message in one line."""
    return streams.printable(str(said))
