"""Plugins come in by entry points; broken and colliding ones are told apart and named."""

import sys
import types
from importlib.metadata import EntryPoint

import pytest

from coordcodec import plugins
from coordcodec.errors import PluginError, RecipeError, UnknownName
from coordcodec.hookspecs import hookimpl
from coordcodec.quant.uniform import Uniform
from coordcodec.recipe import Recipe


class Toy:
    name = "toy"
    suffixes = (".toy", ".png")
    rate_unit = "bytes"
    main_score = "x"
    defaults = Recipe(width=4)
    read_options = {}
    write_options = {}

    def read(self, source, **options): ...
    def render(self, field, meta, **options): ...
    def write(self, field, meta, target, *, format, **options): ...
    def score(self, field, signal): ...
    def rate(self, num_bytes, meta): ...


@pytest.fixture
def entry(monkeypatch):
    """Make a plugin module that registers the given objects; returns its entry point."""

    def make(name, modalities=(), quantizers=(), **members):
        module = types.ModuleType(f"plugin_{name}")
        module.register_modalities = hookimpl(lambda: list(modalities))
        module.register_quantizers = hookimpl(lambda: list(quantizers))
        for key, value in members.items():
            setattr(module, key, value)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return EntryPoint(name, module.__name__, "coordcodec")

    return make


def test_the_built_in_ones_come_in_by_the_same_door():
    found = plugins.installed()
    assert "image" in found.modalities.entries
    assert set(found.quantizers.entries) >= {"uniform", "adaround", "qat", "half"}
    assert found.modalities.failures == []
    assert found.modalities.entries["image"].package == "coordcodec"


def test_a_plugin_that_cannot_be_imported_takes_nobody_down(entry):
    broken = EntryPoint("broken", "no_such_module_anywhere", "coordcodec")
    found = plugins.load([broken, entry("toy", [Toy()])])
    assert found.modalities.get("toy").name == "toy"
    assert len(found.modalities.failures) == 1
    with pytest.raises(UnknownName, match=r"unknown modality 'x'.*toy.*'broken'.*No module named"):
        found.modalities.get("x")


def test_a_misspelt_hook_is_told(entry):
    point = entry("toy", register_modality=hookimpl(lambda: []))
    assert "register_modality" in plugins.load([point]).modalities.failures[0]


def test_a_hook_that_raises_takes_nobody_down(entry):
    def broken():
        raise OSError("no licence file\nfound")

    found = plugins.load([entry("odd", register_quantizers=hookimpl(broken)), entry("toy", [Toy()])])
    assert found.modalities.get("toy").name == "toy"
    assert found.modalities.failures == []
    assert found.quantizers.failures == ["plugin plugin_odd failed in register_quantizers: OSError: no licence file"]


def test_two_plugins_with_one_name_are_both_named(entry):
    found = plugins.load([entry("one", [Toy()], [Uniform()]), entry("two", [Toy()])])
    with pytest.raises(PluginError, match="two plugins register the modality 'toy': plugin_one and plugin_two"):
        found.modalities.get("toy")
    assert found.quantizers.get("uniform").name == "uniform"


def test_an_object_that_breaks_the_protocol_is_told_what_it_lacks(entry):
    bad = types.SimpleNamespace(name="bad", suffixes=())
    failures = plugins.load([entry("bad", [bad])]).modalities.failures
    assert "plugin_bad" in failures[0]
    assert "read" in failures[0]
    assert "rate_unit" in failures[0]


def test_a_suffix_that_several_or_none_read_needs_a_name(entry):
    class Other(Toy):
        name = "other"

    found = plugins.load([entry("toy", [Toy()]), entry("other", [Other()])])
    with pytest.raises(
        RecipeError, match="several modalities read '.toy'; name one with --modality, choices: other, toy"
    ):
        plugins.modality_for("a.TOY", found)
    with pytest.raises(RecipeError, match="no modality reads the suffix '.xyz'"):
        plugins.modality_for("a.xyz", found)
