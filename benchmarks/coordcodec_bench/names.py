"""How our own codecs are called in rows: earlier names are read as today's."""

from __future__ import annotations

from coordcodec.recipe import kind_and_choice

FAMILIES = ("ours", "coin", "siren")
NETWORKS = "ours:layers=siren"
"""Ours made of networks, as every file of earlier versions was; "ours" chooses the kinds of layers by the data."""


def canonical(name: str) -> str:
    """A codec's name with the kind of layer in front of every choice that has one."""
    family, *options = name.split(":")
    if family not in FAMILIES:
        return name
    found = []
    for option in options:
        key, equals, text = option.partition("=")
        kind, choice = kind_and_choice(key) if "." not in key else (None, key)
        found.append(f"{kind}.{choice}{equals}{text}" if kind else option)
    return ":".join([family, *found])
