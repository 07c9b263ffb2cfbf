"""The plain values of a signal's meta and extras: what a file can hold beside samples. NumPy is not needed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from coordcodec.errors import SignalError


def check_meta(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """A read-only copy of `meta`, whose values must be bool, int, float, str, bytes, or lists of the first four.

    NumPy's scalars and arrays of one axis become such. Raises SignalError for anything else: meta is written to the
    file and read back from hostile files.
    """
    meta = {key: _without_numpy(value) for key, value in meta.items()}

    def plain(value: Any) -> bool:
        if isinstance(value, list | tuple):
            return all(plain(v) and not isinstance(v, list | tuple | bytes) for v in value)
        if isinstance(value, float):
            return math.isfinite(value)
        if isinstance(value, str):
            return _is_text(value)
        return isinstance(value, bytes) or (isinstance(value, int) and abs(value) < 2**63)

    for key, value in meta.items():
        if not isinstance(key, str) or not _is_text(key) or not plain(value):
            shown = " ".join(repr(value).split())
            raise SignalError(
                f"meta[{key!r}] must be a bool, int, finite float, str, bytes or a list of the first four, got "
                f"{shown if len(shown) < 80 else shown[:77] + '...'}{_remedy(value)}"
            )
    return MappingProxyType({k: list(v) if isinstance(v, tuple) else v for k, v in meta.items()})


def _without_numpy(value: Any) -> Any:
    """The value, with NumPy's scalars and arrays of at most one axis as Python's numbers and lists."""
    if isinstance(value, list | tuple):
        return [_without_numpy(v) for v in value]
    if getattr(value, "ndim", 2) < 2 and hasattr(value, "dtype") and hasattr(value, "tolist"):
        return value.tolist()
    return value


def _remedy(value: Any) -> str:
    if value is None:
        return "; leave the key out"
    if hasattr(value, "tolist"):
        return "; store .ravel().tolist() of an array"
    return "; store a nested list flat" if isinstance(value, list | tuple) else ""


def _is_text(text: str) -> bool:
    """Whether it can be written as UTF-8; half a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_extras(extras: Mapping[str, Any], meta: Mapping[str, Any]) -> Mapping[str, bytes]:
    """A read-only copy of `extras`, byte strings by names that `meta` does not have. Raises SignalError."""
    for name, data in extras.items():
        if name in meta or not isinstance(data, bytes):
            raise SignalError(f"extras are bytes by names that meta does not have, got {name!r}: {type(data).__name__}")
    return check_meta(extras)


def _shown(meta: Mapping[str, Any]) -> str:
    """Meta for a message: without bytes, and short."""
    text = str({k: f"{len(v)} bytes" if isinstance(v, bytes) else v for k, v in meta.items()})
    return text if len(text) <= 300 else text[:297] + "..."


def difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """The meta of a signal and of a file that is not its own, for a message."""
    return f"that has {_shown(theirs)}, the file {_shown(ours)}"
