"""Plugins come in by entry points; broken and colliding ones are told apart and named."""

import argparse
import json
import os
import sys
import types
from importlib.metadata import EntryPoint, entry_points
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from coordcodec import contract, plugins, registration, scaffold
from coordcodec.cli.arguments import build_parser
from coordcodec.data import Grid, Signal
from coordcodec.errors import PluginError, RecipeError, UnknownName
from coordcodec.files import suffix_of, with_suffix
from coordcodec.hookspecs import Modality, Previewer, hookimpl
from coordcodec.learning.tasks import find_files
from coordcodec.quant.uniform import Uniform
from coordcodec.recipe import Recipe

SIGNAL = Signal(Grid((3, 2)), np.zeros((6, 1), np.float32), "toy")


class Toy:
    name = "toy"
    suffixes = (".toy", ".png")
    rate_unit = "bytes"
    main_score = "x"
    defaults = Recipe(siren={"width": 4})
    read_options = {}
    write_options = {}

    def read(self, source, **options):
        return SIGNAL

    def render(self, field, meta, **options):
        return field(np.zeros((1, 2), np.float32))

    def write(self, field, meta, target, *, format, **options):
        target.write(self.render(field, meta).tobytes())

    def score(self, field, signal):
        return {"x": 1.0}

    def rate(self, num_bytes, meta):
        return num_bytes


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


@pytest.mark.parametrize("number", [1, 2, None])
def test_plugins_of_this_and_of_earlier_numbers_are_taken(entry, number):
    members = {} if number is None else {"COORDCODEC_API": number}
    assert plugins.load([entry("toy", [Toy()], **members)]).modalities.get("toy")


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (3, "is written for plugin API 3, this coordcodec has 2: pip install -U coordcodec"),
        (0, "says COORDCODEC_API = 0; expected a whole number from 1 to 2"),
        ("2", "says COORDCODEC_API = '2'; expected a whole number from 1 to 2"),
        (True, "says COORDCODEC_API = True; expected a whole number from 1 to 2"),
    ],
)
def test_plugins_of_another_number_are_told_so(entry, number, says):
    found = plugins.load([entry("toy", [Toy()], COORDCODEC_API=number)])
    assert found.failures == [f"plugin 'toy' of plugin_toy {says}"]
    with pytest.raises(UnknownName, match="API"):
        found.modalities.get("toy")


def test_a_plugin_that_cannot_be_imported_takes_nobody_down(entry):
    broken = EntryPoint("broken", "no_such_module_anywhere", "coordcodec")
    found = plugins.load([broken, entry("toy", [Toy()])])
    assert found.modalities.get("toy").name == "toy"
    assert len(found.modalities.failures) == 1
    with pytest.raises(UnknownName, match=r"unknown modality 'x'.*toy.*'broken'.*No module named.*pip uninstall"):
        found.modalities.get("x")


def test_a_plugin_that_exits_takes_nobody_down(entry, tmp_path, monkeypatch):
    (tmp_path / "leaves_early.py").write_text("import sys\nsys.exit('no licence')\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = plugins.load([EntryPoint("early", "leaves_early", "coordcodec"), entry("toy", [Toy()])])
    assert found.modalities.get("toy").name == "toy"
    assert "SystemExit: no licence" in found.modalities.failures[0]


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


@pytest.mark.parametrize(
    ("returned", "says"),
    [(None, "NoneType"), (Toy(), "Toy"), ((t for t in [Toy()]), "generator"), ({"toy": Toy()}, "dict")],
)
def test_a_hook_that_returns_no_list_is_told(entry, returned, says):
    found = plugins.load([entry("odd", register_modalities=hookimpl(lambda: returned)), entry("toy", [Toy()])])
    assert found.modalities.get("toy").name == "toy"
    assert found.modalities.failures == [
        f"plugin plugin_odd failed in register_modalities: register_modalities() must return a list, got {says}"
    ]


def test_two_plugins_with_one_name_are_both_named(entry):
    class Other(Toy):
        name = "other"

    found = plugins.load([entry("one", [Toy()], [Uniform()]), entry("two", [Toy(), Other()])])
    with pytest.raises(PluginError, match="two plugins register the modality 'toy': plugin_one and plugin_two"):
        found.modalities.get("toy")
    assert found.quantizers.get("uniform").name == "uniform"
    assert found.modalities.get("other").name == "other"


def test_nobody_takes_a_name_of_ours(entry):
    from importlib.metadata import entry_points

    class Image(Toy):
        name = "image"

    found = plugins.load([entry("aaa", [Image(), Toy()]), *entry_points(group="coordcodec")])
    assert found.modalities.entries["image"].package == "coordcodec"
    assert not isinstance(found.modalities.get("image"), Toy)
    assert found.modalities.get("toy").name == "toy"
    assert found.modalities.failures == [
        "plugin plugin_aaa: its modality 'image' is left out, coordcodec has one of that name; "
        "rename it or uninstall the plugin: pip uninstall plugin_aaa"
    ]


def raises(self):
    raise RuntimeError("no GPU\nhere")


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"name": "Toy"}, "'Toy' has the name 'Toy'; a name is 1 to 32 of a-z"),
        ({"name": "x" * 33}, "a name is 1 to 32 of a-z"),
        ({"name": 3}, "has the name 3; a name is 1 to 32 of a-z"),
        ({"suffixes": ()}, "has the suffixes (); expected a tuple of at least one"),
        ({"suffixes": ".toy"}, "has the suffixes '.toy'; expected a tuple of at least one"),
        ({"suffixes": (".Toy",)}, "has the suffix '.Toy'; a suffix is lower case and begins with a dot"),
        ({"rate_unit": None}, "has the rate_unit None; expected a word"),
        ({"main_score": ""}, "has the main_score ''; expected a word"),
        ({"defaults": {"width": 4}}, "has defaults of type dict; expected a coordcodec.Recipe"),
        ({"defaults": Recipe()}, "has defaults without a target; set rate, num_bytes or width in them"),
        ({"read_options": None}, "has read_options that are no mapping; expected the name of each option"),
        ({"write_options": {"scale": None}}, "has write_options that are no mapping; expected the name of each option"),
        ({"write_options": {"a-b": "x"}}, "has the name 'a-b' in its write_options; a name is lower case"),
        ({"read_options": {"seed": "x"}}, "has 'seed' in its read_options, which the command line keeps for itself"),
        ({"rate_unit": property(raises)}, "'Odd' cannot be looked at: RuntimeError: no GPU"),
    ],
)
def test_a_modality_with_a_wrong_fact_is_left_out_and_told(entry, members, says):
    odd = type("Odd", (Toy,), members)()
    found = plugins.load([entry("odd", [odd]), entry("toy", [type("Fine", (Toy,), {"name": "fine"})()])])
    assert list(found.modalities.entries) == ["fine"]
    (failure,) = found.modalities.failures
    assert failure.startswith("plugin plugin_odd: its modality ")
    assert says in failure
    assert "\n" not in failure


def test_a_class_in_place_of_an_object_is_told(entry):
    (failure,) = plugins.load([entry("odd", [Toy])]).modalities.failures
    assert failure == "plugin plugin_odd: its modality 'toy' is a class; return an object of it, Toy()"


def test_an_object_that_breaks_the_protocol_is_told_what_it_lacks(entry):
    bad = types.SimpleNamespace(name="bad", suffixes=())
    failures = plugins.load([entry("bad", [bad])]).modalities.failures
    assert "plugin_bad" in failures[0]
    assert "read" in failures[0]
    assert "rate_unit" in failures[0]


def test_a_quantizer_that_breaks_its_protocol_is_told(entry):
    failures = plugins.load([entry("bad", (), [types.SimpleNamespace(name="bad"), Uniform])]).quantizers.failures
    assert "its quantizer 'bad' lacks __call__" in failures[0]
    odd = type("Odd", (Uniform,), {"name": "odd", "in_loop": "yes"})()
    assert plugins.load([entry("odd", (), [odd])]).quantizers.failures == [
        "plugin plugin_odd: its quantizer 'odd' has the in_loop 'yes'; expected True, False or none"
    ]
    assert "is a class; return an object of it, Uniform()" in failures[1]


def test_the_options_that_the_command_line_has_itself_are_known():
    (commands,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))

    def own(command):
        return {
            option.removeprefix("--").replace("-", "_")
            for action in commands.choices[command]._actions
            for option in action.option_strings
            if option.startswith("--") and not action.dest.startswith("option_")
        }

    coming = {"layers", "tune", "max_error", "lossless", "max_bytes", "precision", "threads", "jobs", "recursive"}
    coming |= {"verify", "resume", "cluster", "time_limit", "points", "raw", "hold_out", "debug"}
    assert registration.TAKEN["read_options"] == own("compress") | own("evaluate") | coming
    assert registration.TAKEN["write_options"] == own("decompress") | coming


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


def checked(**members):
    return contract.Checked(type("Odd", (Toy,), members)(), "odd-plugin 1.2")


def ones(coords):
    if coords.shape[1] != 2:
        raise ValueError(f"coords must be (n, 2), got shape {coords.shape}")
    return np.ones((len(coords), 1), np.float32)


def test_a_modality_that_keeps_its_contract_is_as_it_was(entry):
    odd = checked(preview=lambda self, field, signal, target: None, notes="kept")
    assert isinstance(odd, Modality)
    assert isinstance(odd, Previewer)
    assert not isinstance(checked(), Previewer)
    assert (odd.name, odd.notes) == ("toy", "kept")
    with pytest.raises(AttributeError):
        odd.no_such_thing  # noqa: B018
    assert odd.read("x") is SIGNAL
    assert odd.render(ones, SIGNAL.meta) == 1
    odd.write(ones, SIGNAL.meta, target := BytesIO(), format=".toy")
    assert target.getvalue() == np.float32(1).tobytes()
    assert odd.score(ones, SIGNAL) == {"x": 1.0}
    assert odd.rate(7, SIGNAL.meta) == 7.0
    found = plugins.load([entry("toy", [Toy()])])
    for modality in (plugins.modality("toy", found), plugins.modality_for("a.toy", found)):
        assert modality.read("x") is SIGNAL
        assert isinstance(modality, contract.Checked)


def score_of(value):
    return lambda self, field, signal: {"x": value}


@pytest.mark.parametrize(
    ("members", "use", "says"),
    [
        ({"read": lambda s, x: np.zeros(3)}, "read", "must return a coordcodec.Signal from read(), got ndarray"),
        ({"read": lambda s, x: None}, "read", "must return a coordcodec.Signal from read(), got NoneType"),
        ({"name": "other"}, "read", "must name itself in the signal, got 'toy'"),
        ({"render": lambda s, f, m: None}, "render", "must return the decoded data from render(), got None"),
        ({"render": lambda s, f, m: f([[0, 0]])}, "render", "an array of coords (n, d), it asked with list"),
        ({"render": lambda s, f, m: f(np.zeros(2))}, "render", "an array of coords (n, d), it asked with (2,)"),
        ({"render": lambda s, f, m: f(np.zeros((5, 3)))}, "render", "asked its field wrongly: coords must be (n, 2)"),
        ({"score": lambda s, f, x: f(np.zeros((5, 3)))}, "score", "asked its field wrongly: coords must be (n, 2)"),
        ({"score": lambda s, f, x: {"y": 1.0}}, "score", "must return its main score 'x' from score(), got {'y': 1.0}"),
        ({"score": lambda s, f, x: 1.0}, "score", "must return its main score 'x' from score(), got 1.0"),
        ({"score": score_of(float("inf"))}, "score", "must return finite numbers or None from score(), x is inf"),
        ({"score": score_of("good")}, "score", "must return finite numbers or None from score(), x is 'good'"),
        ({"rate": lambda s, n, m: None}, "rate", "must return a number from rate(), got None"),
        ({"rate": lambda s, n, m: float("nan")}, "rate", "must return a number from rate(), got nan"),
        ({"write": lambda s, f, m, t, *, format: t.close()}, "write", "must leave the target of write() open"),
        ({"write": lambda s, f, m, t, *, format: None}, "write", "it wrote nothing"),
        ({"write": lambda s, f, m, t, *, format: f(t)}, "write", "an array of coords (n, d), it asked with BytesIO"),
    ],
)
def test_what_breaks_the_contract_is_one_line_that_names_the_plugin(members, use, says):
    odd = checked(**members)
    calls = {
        "read": lambda: odd.read("x"),
        "render": lambda: odd.render(ones, SIGNAL.meta),
        "write": lambda: odd.write(ones, SIGNAL.meta, BytesIO(), format=".toy"),
        "score": lambda: odd.score(ones, SIGNAL),
        "rate": lambda: odd.rate(1, SIGNAL.meta),
    }
    with pytest.raises(PluginError) as caught:
        calls[use]()
    text = str(caught.value)
    assert text.startswith(f"plugin odd-plugin 1.2: the modality '{odd.name}' ")
    assert says in text
    assert text.endswith("; update it or tell its author")


@pytest.mark.parametrize(
    "raised", [KeyError("affine"), ValueError("boom\nsecond line"), SystemExit(3), OSError("gone")]
)
@pytest.mark.parametrize("method", ["read", "render", "write", "score", "rate", "preview", "sample_type"])
def test_what_a_plugin_raises_is_one_line_that_names_it(method, raised):
    def fails(*given, **options):
        raise raised

    odd = checked(**{method: fails})
    given = {
        "read": ("x",),
        "rate": (1, SIGNAL.meta),
        "sample_type": (SIGNAL.meta,),
        "write": (ones, SIGNAL.meta, BytesIO()),
        "preview": (ones, SIGNAL, BytesIO()),
    }.get(method, (ones, SIGNAL))
    with pytest.raises(PluginError) as caught:
        getattr(odd, method)(*given, **({"format": ".toy"} if method == "write" else {}))
    first = str(raised).splitlines()[0]
    assert str(caught.value) == (
        f"plugin odd-plugin 1.2: {method}() raised {type(raised).__name__}: {first} "
        "(traceback with --debug or COORDCODEC_DEBUG=1)"
    )


@pytest.mark.parametrize("raised", [MemoryError(), KeyboardInterrupt(), RecipeError("odd")])
def test_what_is_not_the_plugins_fault_passes(raised):
    def fails(*given):
        raise raised

    with pytest.raises(type(raised)) as caught:
        checked(read=fails).read("x")
    assert caught.value is raised


def test_scores_of_other_types_become_plain_numbers():
    scores = checked(score=score_of(np.float32(0.5))).score(ones, SIGNAL)
    assert scores == {"x": 0.5}
    assert type(scores["x"]) is float
    assert checked(score=score_of(None)).score(ones, SIGNAL) == {"x": None}


@pytest.fixture
def site(tmp_path):
    """Install plugins for the command: name -> source of the module; returns the folder to put on PYTHONPATH."""

    def install(**modules):
        for name, source in modules.items():
            (tmp_path / f"{name}.py").write_text(source)
            info = tmp_path / f"{name}-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text(f"[coordcodec]\n{name} = {name}\n")
        return tmp_path

    return install


def use(monkeypatch, folder):
    """Let commands find the plugins of a folder."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]))


def test_the_command_lists_what_is_wrong_and_goes_on(site, command, monkeypatch):
    folder = site(
        breaks="raise RuntimeError('no such driver')\n",
        forgets="from coordcodec.hookspecs import hookimpl\n\n@hookimpl\ndef register_modalities():\n    pass\n",
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    done = command("modalities")
    assert done.returncode == 0
    assert "image" in done.stdout
    assert done.stderr.splitlines() == [
        "warning: plugin 'breaks' of breaks failed to load: RuntimeError: no such driver; "
        "mend or uninstall it: pip uninstall breaks",
        "warning: plugin forgets failed in register_modalities: register_modalities() must return a list, got NoneType",
    ]
    assert command("compress", "--help").returncode == 0


class Volume(Toy):
    name = "volume"
    suffixes = (".toy.gz", ".gz")


class Picky(Toy):
    name = "picky"

    def recognizes(self, path):
        with Path(path).open("rb") as file:
            return file.read(2) == b"ok"


def test_suffixes_of_several_dots_match_by_the_longest(entry):
    found = plugins.load([entry("toy", [Toy()]), entry("volume", [Volume()]), entry("own", [types_of(".gz")])])
    assert plugins.modality_for("a.b.TOY.GZ", found).name == "volume"
    assert plugins.modality_for("a.toy", found).name == "toy"
    assert suffix_of("a.b.TOY.gz", Volume.suffixes) == ".toy.gz"
    assert suffix_of(".toy.gz", Volume.suffixes) == ".gz"
    assert suffix_of("a.tar.PNG", Volume.suffixes) == ".png"
    assert with_suffix("d.e/a.b.toy.gz", ".ccdc", Volume.suffixes) == "d.e/a.b.ccdc"
    assert with_suffix("d.e/a", ".ccdc", Volume.suffixes) == "d.e/a.ccdc"
    with pytest.raises(RecipeError, match="several modalities read '.gz'"):
        plugins.modality_for("a.gz", found)


def types_of(*suffixes):
    return type("Other", (Toy,), {"name": "other", "suffixes": suffixes})()


def test_a_built_in_modality_keeps_its_suffix_and_says_so(entry):
    found = plugins.load([*entry_points(group="coordcodec"), entry("toy", [Toy()])])
    with pytest.warns(UserWarning, match=r"a.png is read as image; --modality toy reads .png, too"):
        assert plugins.modality_for("a.png", found).name == "image"


def test_what_a_plugin_recognizes_is_its_own(entry, tmp_path):
    (own := tmp_path / "own.png").write_bytes(b"ok")
    (other := tmp_path / "other.png").write_bytes(b"no")
    found = plugins.load([*entry_points(group="coordcodec"), entry("picky", [Picky()])])
    assert plugins.modality_for(str(own), found).name == "picky"
    assert plugins.modality_for(str(other), found).name == "image"
    assert plugins.modality_for(str(tmp_path / "x.toy"), found).name == "picky"


def test_recognizing_that_fails_blocks_nobody(entry, tmp_path):
    (path := tmp_path / "a.png").write_bytes(b"")

    def recognizes(self, path):
        raise KeyError("magic")

    odd = type("Odd", (Toy,), {"recognizes": recognizes})()
    found = plugins.load([*entry_points(group="coordcodec"), entry("odd", [odd])])
    with pytest.warns(UserWarning, match=r"recognizes\(\) raised KeyError: 'magic'; toy is left out"):
        assert plugins.modality_for(str(path), found).name == "image"


def test_every_command_takes_a_suffix_of_two_dots(site, command, tmp_path, monkeypatch):
    scaffold.create("vol", tmp_path / "made")
    source = (tmp_path / "made" / "coordcodec_vol.py").read_text()
    source = source.replace('suffixes = (".npy",)', 'suffixes = (".vol.gz",)')
    use(monkeypatch, site(coordcodec_vol=source))
    (tmp_path / "in").mkdir()
    with (tmp_path / "in" / "ct.vol.gz").open("wb") as file:
        np.save(file, np.mgrid[-1:1:20j, -1:1:30j][0])
    done = command("compress", tmp_path / "in" / "ct.vol.gz", "--bytes", "300", "--layers", "detail", "--quiet")
    assert (done.returncode, (tmp_path / "in" / "ct.ccdc").exists()) == (0, True), done.stderr
    (tmp_path / "in" / "ct.vol.gz").unlink()
    for options in ([], ["-o", tmp_path / "out.VOL.gz"]):
        done = command("decompress", tmp_path / "in" / "ct.ccdc", "--quiet", *options)
        assert done.returncode == 0, done.stderr
    assert np.load(tmp_path / "in" / "ct.vol.gz").shape == np.load(tmp_path / "out.VOL.gz").shape == (20, 30)
    assert find_files([str(tmp_path / "in")], (".vol.gz",)) == [tmp_path / "in" / "ct.vol.gz"]


BROKEN = """
import sys
import numpy as np
from coordcodec_shown import ShownModality
from coordcodec.hookspecs import hookimpl

def broken(name, **methods):
    return type(name, (ShownModality,), {"name": name, "suffixes": ("." + name,), **methods})()

def raises(self, *given, **options):
    raise KeyError("affine")

def loud(self, source, **options):
    print("noise on standard output")
    return ShownModality.read(self, source, **options)

@hookimpl
def register_modalities():
    return [broken("raises", read=raises), broken("leaves", read=lambda s, x, **o: sys.exit(3)),
            broken("loud", read=loud), broken("unscored", score=raises), broken("unrated", rate=raises),
            broken("unwritten", write=raises),
            broken("empty", write=lambda s, f, m, t, *, format, **o: None)]
"""


@pytest.fixture
def broken_site(site, tmp_path, monkeypatch):
    """A folder in which commands find the modalities of BROKEN, and a file a.NAME for each."""
    scaffold.create("shown", tmp_path / "made")
    source = (tmp_path / "made" / "coordcodec_shown.py").read_text()
    use(monkeypatch, site(broken=BROKEN))
    (tmp_path / "coordcodec_shown.py").write_text(source)
    for name in ("raises", "leaves", "loud", "unscored", "unrated", "unwritten", "empty"):
        with (tmp_path / f"a.{name}").open("wb") as file:
            np.save(file, np.mgrid[-1:1:20j, -1:1:30j][0])


SMALL = ("--bytes", "300", "--layers", "detail", "--quiet", "--force")


@pytest.mark.parametrize("name", ["raises", "leaves"])
def test_a_plugin_that_cannot_read_ends_a_command_with_one_line(broken_site, command, name):
    done = command("compress", f"a.{name}", *SMALL)
    said = {"raises": "KeyError: 'affine'", "leaves": "SystemExit: 3"}[name]
    assert done.stderr == f"error: plugin broken 1.0: read() raised {said} ({contract.DEBUG})\n"
    assert (done.returncode, done.stdout) == (5, "")
    debugged = command("compress", f"a.{name}", *SMALL, "--debug")
    assert debugged.returncode == 5
    assert "Traceback" in debugged.stderr
    assert debugged.stderr.endswith(done.stderr)


@pytest.mark.parametrize("name", ["unscored", "unrated"])
def test_a_plugin_that_fails_after_the_fit_loses_no_file(broken_site, command, tmp_path, name):
    done = command("compress", f"a.{name}", *SMALL, "--json")
    method = {"unscored": "score", "unrated": "rate"}[name]
    assert f"plugin broken 1.0: {method}() raised KeyError: 'affine'" in done.stderr
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert json.loads(done.stdout)["bytes"] == (tmp_path / "a.ccdc").stat().st_size > 0


@pytest.mark.parametrize(
    ("name", "said"), [("unwritten", "write() raised KeyError: 'affine'"), ("empty", "it wrote nothing")]
)
def test_a_plugin_that_cannot_write_is_named(broken_site, command, tmp_path, name, said):
    assert command("compress", f"a.{name}", *SMALL).returncode == 0
    done = command("decompress", "a.ccdc", "-o", f"out.{name}", "--quiet")
    assert done.returncode == 5, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: ")
    assert "plugin broken 1.0: " in done.stderr
    assert said in done.stderr
    assert not (tmp_path / f"out.{name}").exists()


def test_what_a_plugin_prints_does_not_spoil_json(broken_site, command):
    done = command("compress", "a.loud", *SMALL, "--json")
    assert json.loads(done.stdout)["bytes"] > 0
    assert "noise on standard output" in done.stderr
