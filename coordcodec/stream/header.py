"""What headers of all versions have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from coordcodec.data import MAX_CHANNELS, MAX_DIMS, NAME, check_meta
from coordcodec.errors import ContainerError, SignalError
from coordcodec.numbers import Reader
from coordcodec.stream.meta import MAX_META, read_meta
from coordcodec.stream.parts import MAX_POINTS


def read_modality(reader: Reader) -> str:
    """The name of the modality. Raises ContainerError for what is none: people see it on their terminals."""
    name = reader.text("the modality", 32)
    if not NAME.fullmatch(name):
        raise ContainerError(
            f"damaged file: the modality {name!a}; a name is 1 to 32 of a-z, 0-9, _ and -, a letter first"
        )
    return name


def read_dims(reader: Reader) -> int:
    """The dimension of the coordinates."""
    return reader.varint("the number of dimensions", 1, MAX_DIMS)


def read_sides(reader: Reader, dims: int) -> list[int]:
    """The samples along each axis of a grid."""
    shape = [reader.varint("the grid's size", 1, MAX_POINTS) for _ in range(dims)]
    if math.prod(shape) > MAX_POINTS:
        raise ContainerError(f"damaged file: a grid of shape {shape} exceeds {MAX_POINTS} points")
    return shape


def read_channels(reader: Reader) -> int:
    """The number of channels."""
    channels = reader.byte()
    if not 1 <= channels <= MAX_CHANNELS:
        raise ContainerError(f"damaged file: {channels} channels, expected 1 to {MAX_CHANNELS}")
    return channels


def read_meta_of(reader: Reader) -> dict[str, Any]:
    """Meta behind its length."""
    return read_meta(reader.take(reader.varint("the length of meta", 1, MAX_META)))


def whole_meta(extra: Mapping[str, Any], free: Mapping[str, Any]) -> Mapping[str, Any]:
    """Meta with the keys that stand elsewhere in a file. Raises ContainerError."""
    try:
        return check_meta({**extra, **free})
    except SignalError as error:
        raise ContainerError(f"damaged file: {error}") from None
