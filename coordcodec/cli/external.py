"""Commands that other distributions bring: entry points of the group coordcodec.commands, each main(argv) -> int.

Their names are listed without importing them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from coordcodec.errors import PluginError, reason

GROUP = "coordcodec.commands"


@cache
def external() -> dict[str, EntryPoint]:
    """The commands by name."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def add_external(commands: Any) -> None:
    """Name them in `coordcodec --help`."""
    for name, point in external().items():
        package = point.dist.name if point.dist else point.value
        commands.add_parser(name, help=f"from {package}; see `coordcodec {name} --help`", add_help=False)


def run_external(argv: Sequence[str]) -> int:
    """Run the command that the first word names. Raises PluginError when it cannot be loaded."""
    point = external()[argv[0]]
    try:
        main = point.load()
    except Exception as error:
        raise PluginError(f"the command {point.name!r} cannot be loaded: {reason(error)}") from error
    return int(main(list(argv[1:])))
