"""The command line: arguments in, one result line or one JSON object out, errors in one line."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

from coordcodec.cli.arguments import build_parser
from coordcodec.cli.external import external, run_external
from coordcodec.errors import CoordCodecError, MissingInitialisation


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns the exit code: 0 done, 1 done in part, 2 bad usage or input, 4 a missing initialisation, 130 interrupted.
    """
    warnings.showwarning = lambda message, *rest: print(f"warning: {message}", file=sys.stderr)
    warnings.simplefilter("always", UserWarning)
    try:
        given = sys.argv[1:] if argv is None else list(argv)
        if given[:1] and given[0] in external():
            code: int | None = run_external(given)
        else:
            arguments = build_parser().parse_args(given)
            code = arguments.run(arguments)
        sys.stdout.flush()
    except CoordCodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 4 if isinstance(error, MissingInitialisation) else 2
    except KeyboardInterrupt as interruption:
        print(f"interrupted: {str(interruption) or 'nothing was written'}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code or 0
