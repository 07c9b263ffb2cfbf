"""Recipes refuse what contradicts itself or lies out of range."""

import copy
import pickle

import pytest

from coordcodec.errors import RecipeError, UnknownName
from coordcodec.recipe import Recipe
from coordcodec.specs import PRESETS, SirenChoices


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"rate": 0.3, "siren": {"width": 8}}, "lossless, width and step, got rate and width"),
        ({"rate": 0.0}, "rate must be in 1e-09 to 1e+09, got 0.0"),
        ({"rate": float("nan")}, "rate must be"),
        ({"num_bytes": 0}, "bytes must be"),
        ({"siren": {"width": 2000}}, "width must be in 1 to 1024"),
        ({"siren": {"bits": 1}}, "bits must be in 2 to 12"),
        ({"effort": 10}, "effort must be in 1 to 9"),
        ({"seed": -1}, "seed must be"),
        ({"siren": {"batch": "many"}}, "batch must be"),
    ],
)
def test_bad_choices_are_told(choices, says):
    with pytest.raises(RecipeError) as caught:
        Recipe(**choices)
    assert says in str(caught.value)


def test_unknown_names_list_the_choices():
    with pytest.raises(UnknownName, match="unknown optimizer 'sgd'; choose from: adam, soap"):
        Recipe(siren={"optimizer": "sgd"})
    with pytest.raises(UnknownName, match="unknown preset 'best'; choose from: basic, coin"):
        Recipe().with_preset("best")


def test_a_new_target_takes_the_place_of_the_old_one():
    recipe = Recipe(rate=0.3, lenient=True).replace(num_bytes=500)
    assert (recipe.rate, recipe.num_bytes, recipe.siren.width, recipe.lenient) == (None, 500, None, False)


def test_more_effort_is_more_steps_and_large_networks_get_fewer():
    choices = SirenChoices()
    steps = [choices.planned_steps(17000, effort) for effort in range(1, 10)]
    assert steps == sorted(steps)
    by_size = [choices.planned_steps(parameters, 5) for parameters in (60000, 17000, 9000)]
    assert by_size[0] < by_size[1] < by_size[2]
    assert SirenChoices(steps=7).planned_steps(17000, 5) == 7


def test_presets_are_valid():
    for name in PRESETS:
        assert Recipe(rate=1.0).with_preset(name).rate == 1.0


def test_a_fixed_size_is_a_target_too():
    recipe = Recipe(rate=0.3).replace(siren={"width": 9, "depth": 2})
    assert (recipe.rate, recipe.siren.width, recipe.siren.depth) == (None, 9, 2)
    assert recipe.replace(siren={"width": 10}).siren.width == 10
    assert recipe.replace(siren={"depth": 4}).siren.width == 9
    assert recipe.replace(rate=1.0).siren.width is None
    with pytest.raises(RecipeError, match="got bytes and width"):
        recipe.replace(num_bytes=5, siren={"width": 8})


def test_choices_may_be_objects_or_by_kind():
    recipe = Recipe(rate=1.0, siren=SirenChoices(depth=7))
    assert recipe == Recipe(rate=1.0, choices={"siren": SirenChoices(depth=7)}) == Recipe(rate=1.0, siren={"depth": 7})
    assert len({recipe, Recipe(rate=1.0, siren={"depth": 7}), Recipe(rate=1.0)}) == 2
    assert copy.deepcopy(recipe) == pickle.loads(pickle.dumps(recipe)) == recipe
    assert recipe.siren is recipe.choices["siren"]
    with pytest.raises(TypeError, match="a recipe has no colour; it has rate, num_bytes"):
        Recipe(colour=3)
    with pytest.raises(TypeError, match="siren has no choice rate"):
        Recipe(siren={"rate": 3})
    with pytest.raises(AttributeError, match="a recipe has no 'colour'"):
        _ = recipe.colour


def test_names_of_earlier_versions_work_with_a_warning():
    with pytest.warns(DeprecationWarning) as seen:
        recipe = Recipe(num_bytes=2000, num_frequencies=6, omega_0=10)
    assert recipe == Recipe(num_bytes=2000, siren={"num_frequencies": 6, "omega_0": 10})
    assert {warning.filename for warning in seen} == {__file__}
    assert (
        str(seen[0].message)
        == 'num_frequencies= is a choice of one kind of layer; write siren={"num_frequencies": ...}'
    )
    with pytest.warns(DeprecationWarning, match=r"write recipe.siren.omega_0") as seen:
        assert recipe.omega_0 == 10
    assert seen[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="rate_penalty"):
        assert recipe.replace(pull=0.5) == recipe.replace(siren={"rate_penalty": 0.5})
    with pytest.warns(DeprecationWarning):
        assert recipe.replace(width=8).num_bytes is None
