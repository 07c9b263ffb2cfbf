"""Choices are checked when they are made."""

from __future__ import annotations

from collections.abc import Iterable

from coordcodec.errors import RecipeError

Ranges = Iterable[tuple[str, float, float]]


def check_ranges(choices: object, ranges: Ranges) -> None:
    """Raise RecipeError for an attribute that is neither None nor a number within its limits."""
    for name, lowest, highest in ranges:
        value = getattr(choices, name)
        if value is not None and not (isinstance(value, int | float) and lowest <= value <= highest):
            said = name.removeprefix("num_").replace("_", " ")
            raise RecipeError(f"{said} must be in {lowest:g} to {highest:g}, got {value!r}")
