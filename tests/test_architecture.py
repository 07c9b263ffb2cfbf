"""The architecture, beyond import rules: who names a kind of layer, who is called back, where a signal goes."""

import ast
import dataclasses
import importlib
import inspect
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import coordcodec
from coordcodec import codec
from coordcodec.specs import CHOICES

ROOT = Path(__file__).parent.parent
CORE = ROOT / "coordcodec"
SHIMS = {CORE / "inr" / "siren.py", CORE / "inr" / "__init__.py"}
"""Names of earlier versions."""


def floors():
    """The packages of the core from the top down, as the import rules list them: those of a floor together."""
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (order,) = (c for c in facts["tool"]["importlinter"]["contracts"] if c["id"] == "order")
    return [{name.strip() for name in floor.split("|")} for floor in order["layers"]]


FLOOR = {name: number for number, names in enumerate(floors()) for name in names}


def words(tree):
    """Every name and every text of a module, but for docstrings."""
    texts = [n.body[0].value for n in ast.walk(tree) if hasattr(n, "body") and isinstance(n.body, list) and n.body
             and isinstance(n.body[0], ast.Expr)]  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.keyword | ast.arg):
            yield node.arg or ""
        elif isinstance(node, ast.alias | ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in texts:
            yield node.value


def test_only_layers_and_specs_name_a_kind_of_layer():
    for path in sorted(CORE.rglob("*.py")):
        if path.relative_to(CORE).parts[0] in ("layers", "specs") or path in SHIMS or path.parent.name == "inr":
            continue
        named = [word for word in words(ast.parse(path.read_text())) for kind in CHOICES if kind in word.lower()]
        assert not named, f"{path} names {named}"


def test_no_kind_of_layer_imports_another():
    kinds = [path.name for path in (CORE / "layers").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert sorted(kinds) == sorted(CHOICES)
    for kind in kinds:
        for path in (CORE / "layers" / kind).rglob("*.py"):
            for other in set(kinds) - {kind}:
                assert f"layers.{other}" not in path.read_text(), path


ALLOWED = {"progress", "loss", "field", "watch", "told", "work"}
"""What may be called back: progress and its lines, the loss, a field, and the work of a worker thread."""


def package_of(path):
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def imported(tree):
    """The names that a module has from other modules of the core, and where each comes from."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("coordcodec"):
            for alias in node.names:
                found[alias.asname or alias.name] = (node.module, alias.name)
    return found


def target_of(call, names):
    """The object that a call names, and its package, if it is one of the core's."""
    chain, node = [], call.func
    while isinstance(node, ast.Attribute):
        chain, node = [node.attr, *chain], node.value
    if not isinstance(node, ast.Name) or node.id not in names:
        return None, None
    module, name = names[node.id]
    try:
        found = importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        found = getattr(importlib.import_module(module), name)
    for attribute in chain:
        found = getattr(found, attribute, None)
    home = getattr(found, "__module__", "") or ""
    return found, home.split(".")[1] if home.startswith("coordcodec.") else None


def is_callable(node, functions):
    """Whether an argument is a function: a lambda, a partial, or one that is defined in this module."""
    if isinstance(node, ast.Call):
        return getattr(node.func, "id", getattr(node.func, "attr", "")) == "partial"
    return isinstance(node, ast.Lambda) or (isinstance(node, ast.Name) and node.id in functions)


@pytest.mark.filterwarnings("ignore:coordcodec:DeprecationWarning")
def test_nothing_is_called_back_from_below():
    """No callable is passed to a lower package, but what ALLOWED says: a search is an object with a state."""
    looked_at = 0
    for path in sorted(CORE.rglob("*.py")):
        tree, package = ast.parse(path.read_text()), package_of(path)
        names = imported(tree)
        methods = {n for c in ast.walk(tree) if isinstance(c, ast.ClassDef) for n in c.body}
        functions = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n not in methods}
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
            target, home = target_of(call, names)
            if home is None or home == "errors" or not callable(target) or FLOOR[home] <= FLOOR.get(package, -1):
                continue
            looked_at += 1
            own_init = not isinstance(target, type) or "__init__" in vars(target) or dataclasses.is_dataclass(target)
            parameters = list(inspect.signature(target).parameters) if own_init else []
            given = [*zip(parameters, call.args, strict=False), *((k.arg, k.value) for k in call.keywords)]
            back = [name for name, value in given if is_callable(value, functions) and name not in ALLOWED]
            assert not back, f"{path}:{call.lineno} passes a function as {', '.join(back)} to {home}"
    assert looked_at > 100


GROUND = {"errors", "files", "clock", "data", "grid", "mask", "numbers", "plain", "samples", "symbols"}
GROUND |= {"partition", "specs", "recipe"}
"""Types that travel with a signal; they are no stations."""


def journey(work):
    """The packages that calls from other packages enter while work() runs, each function counted once."""
    stations, seen = [], set()

    def station(frame):
        path = Path(frame.f_code.co_filename)
        name = package_of(path) if path.is_relative_to(CORE) else ""
        return name if name not in GROUND else ""

    def watch(frame, event, argument):
        here = station(frame)
        if event != "call" or not here or frame.f_code.co_name.startswith("<") or frame.f_code in seen:
            return
        seen.add(frame.f_code)
        caller = frame.f_back
        while caller and not station(caller):
            caller = caller.f_back
        if caller and station(caller) != here and stations[-1:] != [here]:
            stations.append(here)

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    return stations


def returns(stations):
    """How often a package is entered again that had been left."""
    return len(stations) - len(set(stations))


def test_a_signal_seldom_goes_back_to_a_package_that_it_had_left(photograph):
    kind = codec.find_modality(photograph, "image")
    signal = kind.read(photograph)
    recipe = codec.make_recipe(kind, device="cpu", siren={"steps": 30}, init="none", num_bytes=1200)
    codec.compress_signal(signal, kind, recipe)  # what is imported and compiled at first is no part of it
    stations = journey(lambda: codec.compress_signal(signal, kind, recipe))
    assert {"encoder", "layers", "compute", "stream", "quant"} <= set(stations)
    assert returns(stations) < 10, " > ".join(stations)
    coords = np.zeros((1, 2))
    data = codec.compress_signal(signal, kind, recipe).data
    stations = journey(lambda: coordcodec.open(data).field(coords))
    assert returns(stations) < 10, " > ".join(stations)


def test_choosing_a_network_makes_no_file(photograph, monkeypatch):
    from coordcodec.encoder import plan

    kind = codec.find_modality(photograph, "image")
    monkeypatch.setattr(plan.Plan, "section", None)
    monkeypatch.setattr(plan.Frame, "pack", None)
    monkeypatch.setattr(plan.Frame, "size", None)
    made = plan.make_plan(kind.read(photograph), kind, codec.make_recipe(kind, num_bytes=2000, layers="siren"))
    assert made.target == 2000
    assert made.spec.parameters > 500


@pytest.mark.parametrize(
    ("old", "names"),
    [
        ("coordcodec.compressed", ("Compressed", "Encoded", "open_file")),
        ("coordcodec.kit", ("create", "module_of")),
        ("coordcodec.inr.spec", ("SirenSpec", "unpack_spec")),
        ("coordcodec.inr.siren", ("init", "as_field")),
    ],
)
def test_modules_of_earlier_versions_are_there_with_a_warning(old, names):
    for module in [name for name in sys.modules if name in (old, "coordcodec.inr")]:
        del sys.modules[module]
    with pytest.warns(DeprecationWarning, match="moved to"):
        module = importlib.import_module(old)
    assert all(hasattr(module, name) for name in names)


def test_what_a_file_said_of_its_only_layer_is_there_with_a_warning(compressed):
    opened = coordcodec.open(compressed)
    layer = opened.info["layers"][0]
    with pytest.warns(DeprecationWarning, match=r'info\["network"\] is that of one layer; use info\["layers"\]'):
        assert opened.info["network"]["width"] == layer["width"]
    with pytest.warns(DeprecationWarning, match="use container.sections"):
        assert opened.spec == opened.container.sections[0].spec
    with pytest.raises(KeyError):
        _ = opened.info["colour"]
