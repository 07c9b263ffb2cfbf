"""Choices are checked when they are made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coordcodec.errors import RecipeError
from coordcodec.given import shown

Ranges = Iterable[tuple[str, float, float]]


def check_ranges(choices: object, ranges: Ranges) -> None:
    """Raise RecipeError for an attribute that is neither None nor a number within its limits.

    Floating-point numbers that are whole become integers where the attribute is one; others are refused there.
    """
    for name, lowest, highest in ranges:
        value = getattr(choices, name)
        if value is None:
            continue
        said = name.removeprefix("num_").replace("_", " ")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and lowest <= value <= highest):
            raise RecipeError(f"{said} must be in {lowest:g} to {highest:g}, got {shown(value)}")
        if isinstance(value, float) and _whole(choices, name):
            if not value.is_integer():
                raise RecipeError(f"{said} must be a whole number in {lowest:g} to {highest:g}, got {value!r}")
            object.__setattr__(choices, name, int(value))


def _whole(choices: object, name: str) -> bool:
    """Whether an attribute of a dataclass is an integer."""
    fields: dict[str, Any] = getattr(choices, "__dataclass_fields__", {})
    return name in fields and str(fields[name].type).split(" ")[0] == "int"
