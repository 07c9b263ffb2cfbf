"""Find plugins by their entry points and look up by name what they register.

One broken plugin must not take the others down: what fails to load is remembered, listed, and raised as a
one-line PluginError only when it may be what the user asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

import pluggy

from coordcodec.contract import Checked
from coordcodec.errors import (
    ContainerError,
    CoordCodecError,
    DecodingPluginError,
    MissingPlugin,
    PluginError,
    RecipeError,
    UnknownName,
    reason,
)
from coordcodec.files import suffix_of
from coordcodec.hookspecs import GROUP, Hooks, Modality, Quantizer, Recognizer
from coordcodec.registration import fault_of, fault_of_api

T = TypeVar("T", Modality, Quantizer)

OURS = "coordcodec"
"""The distribution whose names nobody else can take."""


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One registered object and where it comes from."""

    object: T
    package: str
    version: str


@dataclass
class Registry(Generic[T]):
    """The objects of one hook by name, and the names that more than one plugin claims."""

    kind: str
    entries: dict[str, Entry[T]] = field(default_factory=dict)
    collisions: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, entry: Entry[T], protocol: type) -> None:
        """Take an object in, or remember why not."""
        plugin = f"plugin {entry.package}"
        try:
            fault = fault_of(entry.object, protocol)
            name = str(getattr(entry.object, "name", type(entry.object).__name__))
        except Exception as error:  # noqa: BLE001  a property may raise anything
            fault, name = f"cannot be looked at: {_reason(error)}", type(entry.object).__name__
        if fault:
            self.failures.append(f"{plugin}: its {self.kind} {name!r} {fault}")
        elif name in self.entries and self.entries[name].package == OURS:
            # Installing a plugin must not take away what files of ours need.
            self.failures.append(
                f"{plugin}: its {self.kind} {name!r} is left out, coordcodec has one of that name; rename it or "
                f"uninstall the plugin: pip uninstall {entry.package}"
            )
        elif name in self.entries:
            self.collisions[name] = (
                f"two plugins register the {self.kind} {name!r}: {self.entries[name].package} and {entry.package}; "
                "uninstall one of them"
            )
        else:
            self.entries[name] = entry

    def get(self, name: str) -> T:
        """The object of that name. Raises UnknownName, or PluginError when two plugins claim the name."""
        if name in self.collisions:
            raise PluginError(self.collisions[name])
        if name not in self.entries:
            hint = "".join(f" ({failure})" for failure in self.failures)
            raise UnknownName(self.kind, name, self.entries, hint)
        return self.entries[name].object


@dataclass
class Plugins:
    """All that is installed; the objects of a hook are made when they are first asked for."""

    managers: list[tuple[str, str, pluggy.PluginManager]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @cached_property
    def modalities(self) -> Registry[Modality]:
        """What `register_modalities` returns."""
        return self._collect(Registry("modality"), "register_modalities", Modality)

    @cached_property
    def quantizers(self) -> Registry[Quantizer]:
        """What `register_quantizers` returns."""
        return self._collect(Registry("quantizer"), "register_quantizers", Quantizer)

    def _collect(self, registry: Registry[T], hook: str, protocol: type) -> Registry[T]:
        registry.failures.extend(self.failures)
        for package, version, manager in self.managers:
            for implementation in getattr(manager.hook, hook).get_hookimpls():
                try:
                    # Called here and not by pluggy, which leaves out a None without a word.
                    objects = _listed(implementation.function(), hook)
                except Exception as error:  # noqa: BLE001  third-party code may raise anything
                    registry.failures.append(f"plugin {package} failed in {hook}: {_reason(error)}")
                    continue
                for thing in objects:
                    registry.add(Entry(thing, package, version), protocol)
        return registry


def _listed(objects: object, hook: str) -> list[Any]:
    if not isinstance(objects, list | tuple):
        raise PluginError(f"{hook}() must return a list, got {type(objects).__name__}")
    return list(objects)


def _reason(error: BaseException) -> str:
    """An error of a plugin's, with its type unless it is one of coordcodec's."""
    return reason(error) if isinstance(error, CoordCodecError) else f"{type(error).__name__}: {reason(error)}"


def _origin(point: EntryPoint) -> tuple[str, str, EntryPoint]:
    package, version = (point.dist.name, point.dist.version) if point.dist else (point.value, "unknown")
    return package, version, point


def load(points: Iterable[EntryPoint]) -> Plugins:
    """Load plugins from entry points; whatever goes wrong becomes an entry of `failures`."""
    found = Plugins()
    for package, version, point in sorted(map(_origin, points), key=lambda o: (o[0] != OURS, o[2].name, o[2].value)):
        # A manager of its own per plugin: pluggy skips a second plugin of the same name without a word.
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(Hooks)
        try:
            loaded = point.load()
            if fault := fault_of_api(getattr(loaded, "COORDCODEC_API", 1)):
                found.failures.append(f"plugin {point.name!r} of {package} {fault}")
                continue
            manager.register(loaded)
            manager.check_pending()
        except (Exception, SystemExit) as error:  # noqa: BLE001  third-party code may raise anything
            found.failures.append(
                f"plugin {point.name!r} of {package} failed to load: {_reason(error)}; "
                f"mend or uninstall it: pip uninstall {package}"
            )
            continue
        found.managers.append((package, version, manager))
    return found


@cache
def installed() -> Plugins:
    """What is installed in this environment; loaded once."""
    return load(entry_points(group=GROUP))


def in_loop(quantizer: str) -> bool:
    """Whether the fit sees what bits are worth, see `Quantizer`. Raises UnknownName or PluginError."""
    return getattr(installed().quantizers.get(quantizer), "in_loop", False)


def modality(name: str, plugins: Plugins | None = None) -> Modality:
    """The modality of that name, its answers checked. Raises UnknownName or PluginError."""
    registry = (plugins or installed()).modalities
    found = registry.get(name)
    entry = registry.entries[name]
    return Checked(found, f"{entry.package} {entry.version}")


def modality_of(name: str) -> Modality:
    """The modality that a file names, its answers checked. Raises MissingPlugin or PluginError."""
    registry = installed().modalities
    if name not in registry.entries and name not in registry.collisions:
        hint = "".join(f" ({failure})" for failure in registry.failures)
        raise MissingPlugin("modality", name, registry.entries, hint)
    return modality(name)


@contextmanager
def told_by_a_file(modality: Modality) -> Iterator[None]:
    """Inside, a modality is told what a file says, which may be forged: whatever it stumbles over is a ContainerError.

    The errors that it may raise pass through.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, CoordCodecError) and not isinstance(error, PluginError):
            raise
        kind = DecodingPluginError if isinstance(error, PluginError) else ContainerError
        raise kind(
            f"what the file says of its data and the modality {modality.name!r} do not go together: {_reason(error)}"
        ) from error


def modality_for(path: str, plugins: Plugins | None = None) -> Modality:
    """The modality that reads files with this path's suffix; suffixes of several dots match by the longest.

    Of several those count that recognize the file (see `Recognizer`), then the longest suffix, then the built-in one,
    which warns of the others. Raises RecipeError when none or several remain, naming the choices.
    """
    registry = (plugins or installed()).modalities
    entries = registry.entries
    fitting = {n: s for n, e in entries.items() if (s := suffix_of(path, e.object.suffixes)) in e.object.suffixes}
    seen = {name: _recognizes(entries[name], path) for name in fitting}
    best = max(seen.values(), default=None)
    fitting = {name: suffix for name, suffix in fitting.items() if seen[name] == best}
    suffix = max(fitting.values(), key=len, default=suffix_of(path, ()))
    names = sorted(name for name, longest in fitting.items() if longest == suffix)
    ours = [name for name in names if entries[name].package == OURS]
    if len(ours) == 1 and len(names) > 1:
        others = " or ".join(f"--modality {name}" for name in names if name not in ours)
        warnings.warn(f"{path} is read as {ours[0]}; {others} reads {suffix}, too", stacklevel=2)
        names = ours
    if len(names) == 1:
        return modality(names[0], plugins)
    listed = ", ".join(names or sorted(entries)) or "none is installed"
    why = f"several modalities read {suffix!r}" if names else f"no modality reads the suffix {suffix!r}"
    raise RecipeError(f"{path}: {why}; name one with --modality, choices: {listed}")


def _recognizes(entry: Entry[Modality], path: str) -> int:
    """1 if a modality recognizes a file, -1 if it says that it is none of its own, 0 if it cannot say."""
    if not isinstance(entry.object, Recognizer) or not Path(path).is_file():
        return 0
    try:
        return 1 if entry.object.recognizes(path) else -1
    except (Exception, SystemExit) as error:  # noqa: BLE001  third-party code may raise anything
        said = f"recognizes() raised {_reason(error)}"
        warnings.warn(f"plugin {entry.package} {entry.version}: {said}; {entry.object.name} is left out", stacklevel=3)
        return -1
