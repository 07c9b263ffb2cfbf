"""Learned initialisations: what the file of one holds, and where they are kept.

A network may start from a learned initialisation, which encoder and decoder both have. The compressed file names it by
the first eight bytes of its SHA-256 and holds updates to its parameters. `docs/format.md` defines the file.

    parse, pack             bytes of a file to an Initialisation and back
    load, named             one from a path, or by its name
    available               the cheap facts of all that are at hand: shipped, in COORDCODEC_INITS, in the cache
    find, keep              the one that a compressed file names; put one into the cache
"""

from coordcodec.inits.format import HIGHEST_CODE, LOWEST_CODE, SUFFIX, Initialisation, pack, parse, sigmas_of
from coordcodec.inits.store import Entry, available, check_named, find, keep, load, named, places

__all__ = [
    "HIGHEST_CODE",
    "LOWEST_CODE",
    "SUFFIX",
    "Entry",
    "Initialisation",
    "available",
    "check_named",
    "find",
    "keep",
    "load",
    "named",
    "pack",
    "parse",
    "places",
    "sigmas_of",
]
