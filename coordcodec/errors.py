"""Every error that a user can cause.

    CoordCodecError
    ├── SignalError              data that cannot be read, or that breaks the rules of a signal
    ├── UnknownName(LookupError) no modality, quantizer or preset of that name
    │   └── MissingPlugin            a modality that a file names and that no plugin here brings
    ├── PluginError              a plugin that cannot be loaded or that fails, or two that claim one name
    ├── ContainerError(ValueError) bytes that are not a valid file of this or an earlier version
    │   └── DecodingPluginError(PluginError) a plugin that fails on what a file says
    ├── FileError(OSError)       a path that cannot be read or written, or that exists already
    │   └── WriteError               an output that failed when it was written, as on a full disk
    ├── DecodeLimit              a file whose decoding takes longer than it may
    ├── InitialisationError      a learned initialisation that cannot be used or does not fit
    │   └── MissingInitialisation    one that a file names and that is nowhere to be found
    └── RecipeError              choices that contradict each other or cannot be met
        └── UnknownChoice(TypeError) a choice of a name that there is not

A message says what was given, what was expected and what to do. The command line catches
`CoordCodecError` alone and prints one line; any other exception is a bug.
"""

from __future__ import annotations

from collections.abc import Iterable


def reason(error: BaseException) -> str:
    """What an error says, in one line; the name of its type where it says nothing."""
    said = (isinstance(error, OSError) and error.strerror) or str(error).strip() or type(error).__name__
    return said.splitlines()[0]


class CoordCodecError(Exception):
    """The base of every error that is the input's or the user's, not ours."""


class SignalError(CoordCodecError):
    """A source that cannot be read as a signal, or arrays that do not form one."""


class UnknownName(CoordCodecError, LookupError):
    """A name that nothing answers to; the message lists the choices."""

    def __init__(self, kind: str, name: str, choices: Iterable[str], hint: str = "") -> None:
        listed = ", ".join(sorted(choices)) or "none is installed"
        super().__init__(f"unknown {kind} {name!r}; choose from: {listed}{hint}")

    def __str__(self) -> str:
        return str(self.args[0])


class MissingPlugin(UnknownName):
    """A compressed file is of a modality that no installed plugin brings."""


class PluginError(CoordCodecError):
    """A plugin that fails to load, breaks its protocol, or takes a name that another one has."""


class ContainerError(CoordCodecError, ValueError):
    """Bytes that are not a whole, undamaged coordcodec file of a known version."""


class DecodingPluginError(PluginError, ContainerError):
    """A plugin that failed on what a file says of its data: it is broken, or the file is forged."""


class FileError(CoordCodecError, OSError):
    """A path that cannot be read or written, or an output that exists already."""


class WriteError(FileError):
    """An output that failed while it was written: the disk is full, the stream is closed."""


class DecodeLimit(CoordCodecError):
    """A file whose decoding takes longer, by an estimate before the work, than the time limit allows."""


class InitialisationError(CoordCodecError):
    """A learned initialisation that cannot be read, or that does not fit the network or the file."""


class MissingInitialisation(InitialisationError):
    """A compressed file names an initialisation that is in none of the places where they are kept."""


class RecipeError(CoordCodecError):
    """Encoder choices that are out of range, contradict each other, or cannot be met."""


class UnknownChoice(RecipeError, TypeError):
    """A choice of an encoder whose name there is not."""
