"""The check of an accelerator, rehearsed on the CPU, on a machine without our package and some libraries."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch

from coordcodec_bench import gpu, parity

ROOT = Path(__file__).parents[2]
ABSENT = ("coordcodec", "_coordcodec", "__editable__", "constriction", "imagecodecs", "pytorch_msssim", "soundfile")


@pytest.fixture
def bare(tmp_path):
    """A folder with all installed libraries but ours and those that a lent machine may lack."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(ABSENT) and path.suffix != ".pth":
            (folder / path.name).symlink_to(path)
    return folder


def run(output, *options, path=(), isolated=False):
    command = [sys.executable, *(["-S"] if isolated else []), "-m", "coordcodec_bench.gpu", "-o", str(output), *options]
    folders = os.pathsep.join(map(str, (ROOT, ROOT / "plugins", ROOT / "benchmarks", *path)))
    environment = {**os.environ, "PYTHONPATH": folders}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    rows = json.loads((output / "gpu.json").read_text())["rows"] if (output / "gpu.json").exists() else []
    return done, {row["name"]: row for row in rows}


def test_make_check_gpu_rehearses_on_a_cpu(tmp_path):
    done, rows = run(tmp_path / "found", "--device", "cpu", "--quick")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["state"] for row in rows.values()} == {"ok"}
    assert rows["picture"]["bytes"] <= 1200
    assert rows["launches"]["launches_one"] > 0
    page = (tmp_path / "found" / "gpu.md").read_text()
    assert all(f"| {name} | ok |" in page for name in rows)
    assert f"torch {torch.__version__}" in page


def test_what_is_missing_skips_a_row_by_name(tmp_path, bare):
    done, rows = run(tmp_path / "found", "--device", "cpu", "--quick", path=[bare], isolated=True)
    assert done.returncode == 0, done.stdout + done.stderr
    skipped = {name: row["why"] for name, row in rows.items() if row["state"] == "skipped"}
    assert skipped == dict.fromkeys(("files", "picture"), "constriction is not installed")
    assert all(row["state"] == "ok" for name, row in rows.items() if name not in skipped)
    _, rows = run(tmp_path / "other", "--device", "cpu", "--quick", "--data", str(tmp_path))
    assert rows["picture"]["state"] == "skipped"
    assert "kodim15.png" in rows["picture"]["why"]


def test_a_disagreement_fails(tmp_path, monkeypatch):
    check = gpu.Check(torch.device("cpu"), tmp_path, quick=True)
    monkeypatch.setattr(parity, "CLOSE", -1.0)
    check.run("fields", lambda: parity.fields_agree(check.device, True, 1))
    assert check.rows[0]["state"] == "failed"
    assert "fields differ by 0" in check.rows[0]["why"]
    monkeypatch.setattr(gpu, "_registered", lambda: None)
    monkeypatch.setattr(
        gpu.Check, "run", lambda self, name, work: self.rows.append({"name": name, "state": "failed", "seconds": 0})
    )
    monkeypatch.setattr(sys, "argv", ["gpu", "--device", "cpu", "-o", str(tmp_path)])
    assert gpu.main() == 1


@pytest.mark.parametrize("there", [False])
def test_no_gpu_is_told(monkeypatch, capsys, there):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(sys, "argv", ["gpu"])
    assert gpu.main() == 2
    assert "there is no GPU here" in capsys.readouterr().err
