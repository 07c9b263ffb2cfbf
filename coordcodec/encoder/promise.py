"""What a file promises of every sample: how it is said, and whether it was kept."""

from __future__ import annotations

import re

import numpy as np

from coordcodec.data import SampleType, Signal
from coordcodec.decoder import open_file
from coordcodec.errors import RecipeError
from coordcodec.grid import STRIP
from coordcodec.recipe import Recipe
from coordcodec.stream.container import Promise

_BOUND = re.compile(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*(.*?)\s*", re.IGNORECASE)


def promise_of(signal: Signal, recipe: Recipe) -> Promise | None:
    """What the recipe promises of a signal; None: nothing.

    Raises RecipeError for data without samples, for a bound that these cannot keep, and for lossless fractions.
    """
    if not recipe.promised:
        return None
    kind = signal.sample_type
    if kind is None or signal.samples is None:
        raise RecipeError(f"{signal.modality} gives no samples, so that nothing can be promised of them; use a rate")
    if recipe.max_error is not None:
        return Promise(_bound(recipe.max_error, signal, kind))
    if not kind.whole:
        raise RecipeError(f"lossless is for whole numbers, these are {kind.dtype}; choose a largest error, --max-error")
    return Promise()


def _bound(said: float | str, signal: Signal, kind: SampleType) -> float:
    """A largest error in the samples' unit."""
    found = _BOUND.fullmatch(str(said))
    try:
        number, unit = (float(found[1]), found[2]) if found else (float(said), "")
    except ValueError:
        raise RecipeError(f"a largest error is a number, {_examples(kind)}; got {said!r}") from None
    known = signal.samples if signal.mask is None else signal.samples[signal.mask]  # type: ignore[index]
    assert known is not None
    lowest, highest = (known.min(0).astype(np.float64), known.max(0).astype(np.float64))
    if unit == "%":
        number *= float((highest - lowest).max()) / 100
    elif unit not in ("", kind.unit):
        have = f"are in {kind.unit}" if kind.unit else "have no unit"
        raise RecipeError(f"a largest error of {said}, but the samples {have}; say {_examples(kind)}")
    if not 0 < number < np.inf:
        raise RecipeError(f"a largest error must be above 0, got {said}; for none at all use --lossless")
    return _checked(number, said, float(max(-lowest.min(), highest.max())), kind)


def _checked(bound: float, said: float | str, largest: float, kind: SampleType) -> float:
    if kind.whole and bound < 1:
        raise RecipeError(f"a largest error of {said} is below one step of whole numbers; use 1 or more, or --lossless")
    step = 0.0 if kind.whole else float(np.spacing(np.array(abs(largest), kind.dtype)))
    if bound < 4 * step:
        raise RecipeError(
            f"a largest error of {said} is less than {kind.dtype} resolves near {largest:g}; use {4 * step:.3g} or more"
        )
    return bound


def _examples(kind: SampleType) -> str:
    return f"such as 0.5{kind.unit} or 0.5%" if kind.unit and not kind.whole else "such as 2 or 0.5%"


def check_kept(data: bytes, signal: Signal, promise: Promise) -> float:
    """The largest error of the file's own samples. Raises AssertionError unless they keep its promise."""
    assert signal.samples is not None
    decoded, worst = open_file(data, time_limit=None).samples(), 0.0
    for start in range(0, len(decoded), STRIP):
        part = slice(start, start + STRIP)
        known = slice(None) if signal.mask is None else signal.mask[part]
        theirs, ours = signal.samples[part][known], decoded[part][known]
        if promise.max_error is None:
            assert np.array_equal(theirs, ours), "the file is not lossless, although it should be: please report this"
        elif theirs.size:
            worst = max(worst, float(np.abs(theirs.astype(np.float64) - ours.astype(np.float64)).max()))
    if promise.max_error is None:
        return 0.0
    assert worst <= promise.max_error, f"an error of {worst:g}, promised were {promise.max_error:g}: please report this"
    return worst
