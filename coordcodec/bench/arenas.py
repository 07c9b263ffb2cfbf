"""Which modality's codecs meet where."""

from __future__ import annotations

from importlib import import_module

from coordcodec.bench.peer import Arena

_MODULES = {"image": "images", "sdf": "shapes", "audio": "sounds", "climate": "fields"}


def arena_of(modality: str) -> Arena | None:
    """The arena of a modality; None for one without: only our own codecs can then be measured."""
    name = _MODULES.get(modality)
    if name is None:
        return None
    arena: Arena = import_module(f"coordcodec.bench.{name}").ARENA
    return arena
