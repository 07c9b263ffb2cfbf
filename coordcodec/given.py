"""What callers give, as what the core takes: tensors, lists and bytes as sources, NumPy's scalars as numbers."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from coordcodec.errors import RecipeError, SignalError, reason

MOST_OF_OPTIONS = 1 << 63
MOST_SHOWN = 60
"""Characters of a value in a message."""


def source_of(given: Any) -> Any:
    """A source that modalities read: a path, a binary file or an array as it is, in the machine's byte order.

    Bytes become a binary file, tensors and what else is like an array an array, nested lists one of the smallest whole
    numbers or of float64. A tuple is taken item by item. Anything else is left to the modality.

    Raises SignalError for tensors and lists that are no array.
    """
    if isinstance(given, bytes | bytearray | memoryview):
        return io.BytesIO(bytes(given))
    if isinstance(given, tuple):
        return tuple(item if isinstance(item, str | bytes) else plain(source_of(item)) for item in given)
    if isinstance(given, list):
        return _of_list(given)
    if not isinstance(given, np.ndarray) and hasattr(given, "dtype") and not hasattr(given, "read"):
        given = _of_arraylike(given)
    if isinstance(given, np.ndarray) and given.dtype.kind in "iufcb" and not given.dtype.isnative:
        return given.astype(given.dtype.newbyteorder("="))
    return given


def _of_arraylike(given: Any) -> Any:
    """A tensor on any device, with or without a gradient, or another library's array, as NumPy's."""
    try:
        if hasattr(given, "detach") and hasattr(given, "cpu"):
            tensor = given.detach().cpu().resolve_conj().resolve_neg()
            given = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
            return given.numpy()
        return np.asarray(given) if hasattr(given, "__array__") else given
    except Exception as error:  # noqa: BLE001  other libraries raise anything
        raise SignalError(f"cannot take this {type(given).__name__} as an array: {reason(error):.200}") from None


def _of_list(given: list[Any]) -> Any:
    try:
        found = np.asarray([_of_arraylike(item) if hasattr(item, "detach") else item for item in given])
    except (ValueError, TypeError, OverflowError) as error:
        raise SignalError(f"this list is no array of numbers: {reason(error):.200}") from None
    if found.dtype.kind not in "iufb":
        raise SignalError(f"this list is no array of numbers: it holds {found.dtype}")
    if found.dtype.kind not in "iu" or not found.size:
        return found
    low, high = int(found.min()), int(found.max())
    kinds = ("u1", "u2", "i2", "i4", "u4") if low >= 0 else ("i2", "i4")
    fitting = (np.dtype(k) for k in kinds if np.iinfo(k).min <= low and high <= np.iinfo(k).max)
    return found.astype(next(fitting, found.dtype))


def plain(value: Any) -> Any:
    """An option as Python has it: scalars of NumPy and torch as numbers, in sequences and mappings too."""
    if isinstance(value, tuple | list) and type(value) in (tuple, list):
        return type(value)(plain(item) for item in value)
    if isinstance(value, Mapping) and type(value) is dict:
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, np.generic) or (hasattr(value, "item") and getattr(value, "shape", None) == ()):
        return value.item()
    return value


def options_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a modality, plain. Raises RecipeError for numbers that no arithmetic of it would bear."""
    found: dict[str, Any] = plain(dict(given))
    for name, value in found.items():
        for number in value if isinstance(value, tuple | list) else [value]:
            if isinstance(number, int) and abs(number) >= MOST_OF_OPTIONS:
                raise RecipeError(f"{name} must be below 2^63 in size, got {shown(number)}")
    return found


def shown(value: Any) -> str:
    """A value in a message, however long it is."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else type(value).__name__
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."
