"""Files that reach a score: what is tried, scored and told."""

from __future__ import annotations

import warnings

from coordcodec import decoder
from coordcodec.clock import Clock, Progress
from coordcodec.data import Signal
from coordcodec.encoder.encode import Encoded, encode
from coordcodec.encoder.plan import smallest_bytes, target_bytes
from coordcodec.encoder.search import ScoreSearch, Trial, decibels
from coordcodec.errors import RecipeError
from coordcodec.hookspecs import Modality
from coordcodec.recipe import Recipe

QUICK_EFFORT = 2
"""The effort of fits that only look for the size that a score takes."""
UNDEFINED = -200.0
"""Stands for a score that is not defined: a field that is nothing yet may have no surface."""
ALMOST = 0.3
"""A score missed by no more decibels is worth its file."""


class Scored:
    """The trials of a search: files of a recipe with a size as target, and what they score.

    warnings: what was warned of while each file was made, by the file's bytes.
    """

    def __init__(
        self, signal: Signal, modality: Modality, recipe: Recipe, clock: Clock, progress: Progress | None
    ) -> None:
        self.signal, self.modality, self.recipe = signal, modality, recipe
        self.clock, self.progress = clock, progress
        self.falling = getattr(modality, "lower_is_better", False)
        self.has_quick = has_quick(recipe)
        self.warnings: dict[bytes, list[warnings.WarningMessage]] = {}

    @property
    def over(self) -> bool:
        """See `coordcodec.encoder.search.Trials`."""
        return self.clock.over

    def quick(self, size: int) -> Trial[Encoded]:
        """See `coordcodec.encoder.search.Trials`."""
        return self._trial(size, QUICK_EFFORT)

    def full(self, size: int) -> Trial[Encoded]:
        """See `coordcodec.encoder.search.Trials`."""
        return self._trial(size, self.recipe.effort)

    def _trial(self, size: int, effort: int) -> Trial[Encoded]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            recipe = self.recipe.replace(num_bytes=size, effort=effort)
            made = encode(self.signal, self.modality, recipe, self.clock, self.progress)
        self.warnings[made.data] = caught
        opened = decoder.open_file(made.data, made.init, time_limit=None).to(made.device)
        reached = opened.score(self.signal)[self.modality.main_score]
        return Trial(made, len(made.data), UNDEFINED if reached is None else decibels(reached, self.falling))


def has_quick(recipe: Recipe) -> bool:
    """Whether fits with little effort are quicker than those of a recipe."""
    steps = [getattr(kind, "steps", None) for kind in recipe.choices.values()]
    return recipe.effort > QUICK_EFFORT and not any(number is not None for number in steps)


def start_bytes(signal: Signal, modality: Modality) -> int:
    """The size at which the search begins: the modality's default."""
    return target_bytes(modality.defaults, modality, signal) or 1 << 14


def check_score(modality: Modality, recipe: Recipe) -> None:
    """Raise RecipeError for a score that no file has."""
    score = recipe.target_score
    if score is not None and score <= 0 and getattr(modality, "lower_is_better", False):
        raise RecipeError(f"{modality.main_score} must be above 0, got {score:g}")


def encode_to_score(
    signal: Signal, modality: Modality, recipe: Recipe, clock: Clock, progress: Progress | None = None
) -> Encoded:
    """The smallest file found that reaches the recipe's score.

    Warns where the score was just missed. Raises RecipeError where it was missed by more, or is not defined.
    """
    name, score = modality.main_score, recipe.target_score
    trials = Scored(signal, modality, recipe, clock, progress)
    assert score is not None
    check_score(modality, recipe)
    lowest, goal = smallest_bytes(signal, modality, recipe), decibels(score, trials.falling)
    search = ScoreSearch(goal, (lowest, lowest + 2 * signal.size), trials)
    best = search.run(start_bytes(signal, modality))
    if best.reached == UNDEFINED and not clock.stopped:
        raise RecipeError(f"{name} is not defined for this signal; choose a rate or a size instead")
    if best.reached < goal and not clock.stopped:
        reached = 10 ** (-best.reached / 20) if trials.falling else best.reached
        _miss(f"{name} {score:g}", f"{best.size} bytes reach {reached:.4g}", goal - best.reached)
    for warning in trials.warnings[best.made.data]:
        warnings.warn(warning.message, stacklevel=3)
    return best.made


def _miss(asked: str, found: str, missed: float) -> None:
    if missed > ALMOST:
        raise RecipeError(
            f"{asked} was not reached: {found}, the best that was found; ask for an easier score, or for more effort"
        )
    warnings.warn(f"{asked} was just missed: {found}", stacklevel=4)
