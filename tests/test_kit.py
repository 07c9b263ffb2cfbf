"""`new-modality` writes a plugin that works before a line of it is changed."""

import ast
import json
import os
import subprocess
import sys
import tomllib
import types

import numpy as np
import pytest

from coordcodec import scaffold
from coordcodec.errors import FileError, RecipeError
from coordcodec.plugins import Entry, Plugins, Registry

FILES = ["pyproject.toml", "README.md", "coordcodec_heightmap.py", "tests/test_heightmap.py"]


def found(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def installed_package(command, tmp_path, monkeypatch):
    """A new package, installed as far as Python's metadata go."""
    assert command("new-modality", "height-map2", "-o", "made").returncode == 0
    folder = tmp_path / "made"
    facts = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = folder / f"{facts['name'].replace('-', '_')}-{facts['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {facts['name']}\nVersion: {facts['version']}\n")
    points = "".join(f"{name} = {module}\n" for name, module in facts["entry-points"]["coordcodec"].items())
    (info / "entry_points.txt").write_text(f"[coordcodec]\n{points}")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def test_a_new_package_passes_its_own_test(installed_package):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=installed_package,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_a_new_modality_compresses_at_once(installed_package, command, tmp_path):
    x, y = np.mgrid[-1:1:30j, -1:1:40j]
    np.save(tmp_path / "hill.npy", 20 * np.sin(2 * x) * y + 100)
    assert "height-map2  coordcodec-height-map2 0.1.0" in command("modalities").stdout
    done = command("compress", "hill.npy", "--modality", "height-map2", "--bytes", 600, "--effort", 1, "--json")
    facts = json.loads(done.stdout)
    assert facts["bytes"] <= 600
    assert facts["rmse"] < 1
    assert command("decompress", "hill.ccdc", "-o", "back.npy", "--scale", 2).returncode == 0
    back = np.load(tmp_path / "back.npy")
    assert back.shape == (60, 80)
    assert abs(back - np.kron(np.load(tmp_path / "hill.npy"), np.ones((2, 2)))).mean() < 1.5
    # The name is taken now, by the package itself: only that one may be written again.
    assert (
        "coordcodec-height-map2 0.1.0 has a modality 'height-map2' already"
        in command("new-modality", "height-map2", "-o", "other").stderr
    )
    assert command("new-modality", "height-map2", "-o", "made", "--force").returncode == 0


def test_the_command_says_what_it_wrote(command, tmp_path):
    done = command("new-modality", "heightmap")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"coordcodec-heightmap  {', '.join(FILES)}",
        "next: pip install -e coordcodec-heightmap",
    ]
    assert found(tmp_path / "coordcodec-heightmap") == sorted(FILES)
    assert json.loads(command("new-modality", "heightmap", "-o", "b", "--json").stdout) == {
        "output": "b",
        "modality": "heightmap",
        "module": "coordcodec_heightmap",
        "files": FILES,
    }
    assert command("new-modality", "heightmap", "-o", "c", "-q").stdout == ""


def test_an_author_need_not_read_more_than_sixty_lines(tmp_path):
    scaffold.create("heightmap", tmp_path / "a")
    assert len((tmp_path / "a" / "coordcodec_heightmap.py").read_text().splitlines()) <= 60


@pytest.mark.parametrize("name", ["class", "none", "signal", "grid", "a", "a-b_c--d", "x" * 32])
def test_names_that_mean_something_to_python_work_too(name, tmp_path):
    files = scaffold.create(name, tmp_path / "a")
    for path in files:
        text = (tmp_path / "a" / path).read_text()
        assert "@" not in text.replace("@hookimpl", "")
        if path.endswith(".py"):
            compile(text, path, "exec")
    module = ast.parse((tmp_path / "a" / files[2]).read_text())
    (kind,) = (node.name for node in module.body if isinstance(node, ast.ClassDef))
    imported = {a.name for node in ast.walk(module) if isinstance(node, ast.ImportFrom) for a in node.names}
    assert kind not in imported
    assert tomllib.loads((tmp_path / "a" / "pyproject.toml").read_text())["project"]["name"] == f"coordcodec-{name}"


@pytest.mark.parametrize("name", ["", "Height", "3d", "a b", "-a", "a-", "a_", "a/b", "..", "é", "x" * 33, "a\n"])
def test_bad_names_are_refused(name, tmp_path):
    with pytest.raises(RecipeError, match="a modality's name is 1 to 32 of a-z, 0-9, _ and -"):
        scaffold.create(name, tmp_path / "a")
    assert found(tmp_path) == []


def test_a_taken_name_is_refused_with_the_plugin_that_has_it(tmp_path):
    with pytest.raises(RecipeError, match=r"coordcodec 0\.\d\.\d has a modality 'image' already; choose another name"):
        scaffold.create("image", tmp_path / "a", force=True)
    registry = Registry("modality", {"toy": Entry(types.SimpleNamespace(name="toy"), "one", "1.0")})
    registry.collisions["toy"] = "two plugins register the modality 'toy': one and two; uninstall one of them"
    plugins = Plugins()
    plugins.modalities = registry
    with pytest.raises(RecipeError, match="one and two; uninstall one of them, or choose another name"):
        scaffold.create("toy", tmp_path / "a", plugins=plugins)
    assert found(tmp_path) == []


def test_what_exists_is_not_overwritten_without_force(tmp_path):
    folder = tmp_path / "a"
    (folder / "tests").mkdir(parents=True)
    (folder / "tests" / "test_heightmap.py").write_text("mine")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match="exists and is not empty.*--force"):
        scaffold.create("heightmap", folder)
    assert found(folder) == ["notes.txt", "tests/test_heightmap.py"]
    scaffold.create("heightmap", folder, force=True)
    assert found(folder) == sorted([*FILES, "notes.txt"])
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "tests" / "test_heightmap.py").read_text() != "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_an_empty_folder_is_filled(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    scaffold.create("heightmap", ".")
    assert found(tmp_path / "a") == sorted(FILES)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileError, match="it is a file"):
        scaffold.create("heightmap", tmp_path / "file", force=True)
    with pytest.raises(FileError, match="there is no folder"):
        scaffold.create("heightmap", tmp_path / "no" / "a")
    assert found(tmp_path) == ["file"]


def test_it_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def full(self, *args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.rename", full)
    with pytest.raises(FileError, match="No space left on device"):
        scaffold.create("heightmap", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_has_ordinary_permissions(tmp_path):
    scaffold.create("heightmap", tmp_path / "a")
    (tmp_path / "b").mkdir()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
    assert os.access(tmp_path / "a" / "README.md", os.R_OK)


def test_errors_are_one_line(command):
    done = command("new-modality", "Image")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: a modality's name is 1 to 32")
    assert command("new-modality", "heightmap", "-o", "-").stderr.startswith("error: a package is a folder")
