"""The rules of the house: what may be imported when, what is public, how large things may grow."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import coordcodec
from coordcodec import errors

ROOT = Path(__file__).parent.parent
MODULES = sorted([*ROOT.glob("coordcodec/**/*.py"), *ROOT.glob("plugins/**/*.py")])
EVERYWHERE = sorted([*MODULES, *ROOT.glob("benchmarks/coordcodec_bench/**/*.py"), *ROOT.glob("examples/**/*.py")])


def loaded_after(code):
    """The modules that a fresh interpreter has loaded after running some code."""
    script = f"import sys\n{code}\nprint(chr(10).join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split("\n"))


@pytest.mark.parametrize(
    "code",
    [
        "import coordcodec",
        "from coordcodec.cli import main; main(['modalities'])",
        "from coordcodec.cli.arguments import build_parser; build_parser().format_help()",
        "import coordcodec; coordcodec.open({file!r}).info",
    ],
)
def test_what_needs_no_heavy_library_loads_none(code, compressed, tmp_path):
    path = tmp_path / "a.ccdc"
    path.write_bytes(compressed)
    loaded = loaded_after(code.format(file=str(path)))
    assert not loaded & {"torch", "numba", "PIL", "imagecodecs", "tifffile", "pytorch_msssim", "rich"}


def test_decoding_a_field_loads_no_plugin(compressed, tmp_path):
    path = tmp_path / "a.ccdc"
    path.write_bytes(compressed)
    code = f"import coordcodec, numpy; coordcodec.open({str(path)!r}).field(numpy.zeros((1, 2)))"
    loaded = loaded_after(code)
    assert "torch" in loaded
    assert not {m for m in loaded if m.startswith(("coordcodec_", "PIL", "imagecodecs"))}


def test_modules_and_functions_stay_readable():
    for path in EVERYWHERE:
        source = path.read_text()
        assert len(source.splitlines()) <= 250, path
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno - node.lineno < 40, f"{path}: {node.name}"


def test_no_import_is_hidden_from_the_rules():
    """What import_module loads is seen by no lint rule: only a plugin's module, which nobody knows, may come in so."""
    for path in MODULES:
        text = path.read_text()
        calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
        named = [
            c for c in calls if getattr(c.func, "attr", getattr(c.func, "id", "")) in ("import_module", "__import__")
        ]
        assert not named or path.name == "fresh.py", path
        assert not any(isinstance(a, ast.Constant) for c in named for a in c.args), path


def test_nothing_reads_pickles():
    for path in MODULES:
        names = {a.name for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Import) for a in n.names}
        assert not names & {"pickle", "marshal", "shelve"}, path
        assert "torch.load" not in path.read_text(), path


def test_the_exception_tree_is_as_it_is_drawn():
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert name in errors.__doc__
            assert issubclass(kind, errors.CoordCodecError)
    assert issubclass(errors.ContainerError, ValueError)
    assert issubclass(errors.UnknownName, LookupError)
    assert issubclass(errors.FileError, OSError)


def test_the_public_names_are_there_and_in_the_docstring():
    for name in coordcodec.__all__:
        assert getattr(coordcodec, name)
        assert name in coordcodec.__doc__


def test_versions_agree():
    from importlib.metadata import version

    assert version("coordcodec") == coordcodec.__version__


def test_runtime_dependencies_are_permissive():
    import re
    from importlib.metadata import metadata, requires

    for requirement in requires("coordcodec"):
        if "extra ==" in requirement:
            continue
        name = re.match(r"[\w.-]+", requirement).group()
        facts = metadata(name)
        words = [facts.get("License-Expression"), facts.get("License"), *(facts.get_all("Classifier") or [])]
        # Some put a licence's whole text there, which may speak of others.
        licence = " ".join(word for word in words if word and "\n" not in word)
        assert re.search(r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|HPND", licence), name
        assert not re.search(r"\bA?GPL|LGPL", licence), name
