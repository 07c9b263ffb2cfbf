"""Files that reach a score: what is tried, scored and told."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from coordcodec import aim, compressed, sizing
from coordcodec.clock import Clock
from coordcodec.compressed import Encoded
from coordcodec.data import Signal
from coordcodec.errors import RecipeError
from coordcodec.hookspecs import Modality
from coordcodec.recipe import Recipe

QUICK_EFFORT = 2
"""The effort of fits that only look for the size that a score takes."""
UNDEFINED = -200.0
"""Stands for a score that is not defined: a field that is nothing yet may have no surface."""
ALMOST = 0.3
"""A score missed by no more decibels is worth its file."""


def smallest(
    signal: Signal,
    modality: Modality,
    recipe: Recipe,
    encode: Callable[[Recipe], Encoded],
    least: Callable[[], int],
    clock: Clock,
) -> Encoded:
    """The smallest file found that reaches the recipe's score.

    encode: makes the file of a recipe with a size as target. least: the bytes of the smallest file.
    Warns where the score was just missed. Raises RecipeError where it was missed by more, or is not defined.
    """
    name, score, falling = modality.main_score, recipe.target_score, getattr(modality, "lower_is_better", False)
    assert score is not None
    if falling and score <= 0:
        raise RecipeError(f"{name} must be above 0, got {score:g}")
    told: dict[int, list[warnings.WarningMessage]] = {}

    def shot(size: int, effort: int) -> aim.Shot[Encoded]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            made = encode(recipe.replace(num_bytes=size, effort=effort))
        told[id(made)] = caught
        reached = compressed.open_file(made.data, made.init).to(made.device).score(signal)[name]
        return aim.Shot(made, len(made.data), UNDEFINED if reached is None else aim.decibels(reached, falling))

    lowest = least()
    quick = QUICK_EFFORT if recipe.effort > QUICK_EFFORT and recipe.steps is None else 0
    goal = aim.decibels(score, falling)
    best = aim.meet(
        goal,
        start=sizing.target_bytes(modality.defaults, modality, signal) or 1 << 14,
        bounds=(lowest, lowest + 2 * signal.values.size),
        quick=(lambda size: shot(size, quick)) if quick else None,
        full=lambda size: shot(size, recipe.effort),
        over=lambda: clock.over,
    )
    if best.reached == UNDEFINED and not clock.stopped:
        raise RecipeError(f"{name} is not defined for this signal; choose a rate or a size instead")
    if best.reached < goal and not clock.stopped:
        reached = 10 ** (-best.reached / 20) if falling else best.reached
        _miss(f"{name} {score:g}", f"{best.size} bytes reach {reached:.4g}", goal - best.reached)
    for warning in told[id(best.made)]:
        warnings.warn(warning.message, stacklevel=3)
    return best.made


def _miss(asked: str, found: str, missed: float) -> None:
    if missed > ALMOST:
        raise RecipeError(
            f"{asked} was not reached: {found}, the best that was found; ask for an easier score, or for more effort"
        )
    warnings.warn(f"{asked} was just missed: {found}", stacklevel=4)
