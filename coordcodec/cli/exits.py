"""Exit codes of all commands."""

from __future__ import annotations

from coordcodec.errors import (
    ContainerError,
    CoordCodecError,
    DecodingPluginError,
    MissingInitialisation,
    MissingPlugin,
    PluginError,
    WriteError,
)

EXITS = {
    0: "done",
    1: "failed: an output could not be written, or a part of the work could not be done",
    2: "wrong usage, or an input that cannot be used",
    3: "a corrupt file, or none that this version reads",
    4: "a plugin or an initialisation is missing",
    5: "a plugin failed",
    129: "ended by SIGHUP",
    130: "interrupted by Ctrl-C (SIGINT)",
    143: "ended by SIGTERM",
}

_CODES: tuple[tuple[type[CoordCodecError], int], ...] = (
    (WriteError, 1),
    (DecodingPluginError, 5),
    (ContainerError, 3),
    (MissingInitialisation, 4),
    (MissingPlugin, 4),
    (PluginError, 5),
    (CoordCodecError, 2),
)


def code_of(error: CoordCodecError) -> int:
    """The exit code that an error ends a command with."""
    return next(code for kind, code in _CODES if isinstance(error, kind))


def in_words() -> str:
    """The table, for the help."""
    return "\n".join(["exit codes:", *(f"  {code:<5} {text}" for code, text in EXITS.items())])
