"""Recipes refuse what contradicts itself or lies out of range."""

import pytest

from coordcodec.errors import RecipeError, UnknownName
from coordcodec.recipe import PRESETS, Recipe


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"rate": 0.3, "width": 8}, "one of rate, bytes, quality, score and width, got rate and width"),
        ({"rate": 0.0}, "rate must be in 1e-09 to 1e+09, got 0.0"),
        ({"rate": float("nan")}, "rate must be"),
        ({"num_bytes": 0}, "bytes must be"),
        ({"width": 2000}, "width must be in 1 to 1024"),
        ({"bits": 1}, "bits must be in 2 to 12"),
        ({"effort": 10}, "effort must be in 1 to 9"),
        ({"seed": -1}, "seed must be"),
        ({"batch": "many"}, "batch must be"),
    ],
)
def test_bad_choices_are_told(choices, says):
    with pytest.raises(RecipeError) as caught:
        Recipe(**choices)
    assert says in str(caught.value)


def test_unknown_names_list_the_choices():
    with pytest.raises(UnknownName, match="unknown optimizer 'sgd'; choose from: adam, soap"):
        Recipe(optimizer="sgd")
    with pytest.raises(UnknownName, match="unknown preset 'best'; choose from: basic, coin"):
        Recipe().with_preset("best")


def test_a_new_target_takes_the_place_of_the_old_one():
    recipe = Recipe(rate=0.3, lenient=True).replace(num_bytes=500)
    assert (recipe.rate, recipe.num_bytes, recipe.width, recipe.lenient) == (None, 500, None, False)


def test_more_effort_is_more_steps_and_large_networks_get_fewer():
    steps = [Recipe(effort=effort).planned_steps(17000) for effort in range(1, 10)]
    assert steps == sorted(steps)
    assert Recipe().planned_steps(60000) < Recipe().planned_steps(17000) < Recipe().planned_steps(9000)
    assert Recipe(steps=7).planned_steps(17000) == 7


def test_presets_are_valid():
    for name in PRESETS:
        assert Recipe(rate=1.0).with_preset(name).rate == 1.0
