"""What a plugin may register: names, suffixes, options, the number of the seam. Faults are told with their remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping

from coordcodec.data import NAME
from coordcodec.hookspecs import API, Modality
from coordcodec.recipe import Recipe

_OPTION = re.compile(r"[a-z][a-z0-9_]*")
_OF_DECOMPRESS = frozenset({"device", "force", "help", "init", "json", "output", "quiet"})
_OF_COMPRESS = frozenset(
    {
        *(
            "bits",
            "bytes",
            "dry_run",
            "effort",
            "init",
            "keep_best",
            "modality",
            "preset",
            "preview",
            "quality",
            "quantizer",
        ),
        *("layers", "lossless", "max_error", "precision", "rate", "seed", "strip", "no_strip", "target_psnr"),
        *("target_score", "threads", "time_budget", "verbose", "width"),
    }
)
_COMING = frozenset(
    {
        *("cluster", "debug", "hold_out", "jobs", "layers", "lossless", "max_bytes", "max_error", "points"),
        *("precision", "raw", "recursive", "resume", "threads", "time_limit", "tune", "verify"),
    }
)
"""Names that are kept free for options to come."""
TAKEN = {"read_options": _OF_DECOMPRESS | _OF_COMPRESS | _COMING, "write_options": _OF_DECOMPRESS | _COMING}
"""Options that the command line has itself, or will have, so that no modality can have them."""


def fault_of_api(number: object) -> str:
    """What keeps a plugin that is written for this number of the seam from being used, with the remedy; or nothing."""
    if number in range(1, API + 1) and isinstance(number, int) and not isinstance(number, bool):
        return ""
    if isinstance(number, int) and number > API:
        return f"is written for plugin API {number}, this coordcodec has {API}: pip install -U coordcodec"
    return f"says COORDCODEC_API = {number!r}; expected a whole number from 1 to {API}"


def fault_of(thing: object, protocol: type = Modality) -> str:
    """What keeps an object from being registered, and how to mend it; empty if nothing does."""
    if isinstance(thing, type):
        return f"is a class; return an object of it, {thing.__name__}()"
    if not isinstance(thing, protocol):
        methods = [n for n in vars(protocol) if n == "__call__" or not n.startswith("_")]
        lacking = [n for n in (*getattr(protocol, "__annotations__", {}), *methods) if not hasattr(thing, n)]
        return f"lacks {', '.join(lacking)}; see coordcodec.hookspecs"
    name: object = getattr(thing, "name", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return f"has the name {name!r}; a name is 1 to 32 of a-z, 0-9, _ and -, a letter first"
    if isinstance(thing, Modality):
        return _fault_of_facts(thing)
    seen = getattr(thing, "in_loop", False)
    return "" if isinstance(seen, bool) else f"has the in_loop {seen!r}; expected True, False or none"


def _fault_of_facts(modality: Modality) -> str:
    suffixes: object = modality.suffixes
    defaults: object = modality.defaults
    if not isinstance(suffixes, tuple | list) or not suffixes:
        return f"has the suffixes {suffixes!r}; expected a tuple of at least one, such as ('.npy',)"
    for suffix in suffixes:
        if not isinstance(suffix, str) or not re.fullmatch(r"(\.[a-z0-9_-]+)+", suffix):
            return f"has the suffix {suffix!r}; a suffix is lower case and begins with a dot"
    for fact in ("rate_unit", "main_score"):
        if not isinstance(getattr(modality, fact), str) or not getattr(modality, fact):
            return f"has the {fact} {getattr(modality, fact)!r}; expected a word"
    if not isinstance(defaults, Recipe):
        return f"has defaults of type {type(defaults).__name__}; expected a coordcodec.Recipe"
    if (defaults.rate, defaults.num_bytes) == (None, None) and not any(
        kind.fixed for kind in defaults.choices.values()
    ):
        return "has defaults without a target; set rate, num_bytes or width in them"
    return next((fault for member in TAKEN if (fault := _fault_of_options(modality, member))), "")


def _fault_of_options(modality: Modality, member: str) -> str:
    options: object = getattr(modality, member)
    if not isinstance(options, Mapping) or not all(isinstance(v, str) and v for v in options.values()):
        return f"has {member} that are no mapping; expected the name of each option -> one line of help"
    for name in options:
        if not isinstance(name, str) or not _OPTION.fullmatch(name):
            return f"has the name {name!r} in its {member}; a name is lower case with underscores"
        if name in TAKEN[member]:
            return f"has {name!r} in its {member}, which the command line keeps for itself; choose another name"
    return ""
