"""The tutorials do what they say: every command and every line of Python in them runs."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import xarray

from coordcodec.cli import main
from tests.test_docs import ROOT, blocks

DOCS = ROOT / "docs"


def prepare_fields(folder):
    """A piece of a climate field, and one whose numbers are packed integers."""
    shutil.copy(ROOT / "examples" / "coordcodec_climate" / "tests" / "A1B_cutout.nc", folder / "air.nc")
    rng = np.random.default_rng(0)
    numbers = 280 + rng.normal(0, 1, (40, 50)).cumsum(0)
    packed = xarray.DataArray(numbers, dims=("y", "x"), name="t", attrs={"units": "K"})
    packed.encoding = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": -32768}
    packed.to_netcdf(folder / "packed.nc", engine="h5netcdf")


def prepare_sounds(folder):
    """A second of a voice that glides, with pauses."""
    t = np.arange(16000) / 16000
    voice = sum(np.sin(2 * np.pi * k * (110 * t + 30 * t**2)) / k for k in range(1, 20))
    noise = np.random.default_rng(0).normal(0, 0.02, t.size)
    soundfile.write(folder / "speech.wav", (voice * (np.sin(9 * t) > 0) + noise) / 4, 16000, subtype="PCM_16")


@pytest.mark.parametrize(
    ("page", "prepare", "commands"), [("keep-an-error-bound", prepare_fields, 9), ("sound", prepare_sounds, 13)]
)
def test_every_command_of_a_tutorial_runs(page, prepare, commands, tmp_path, monkeypatch, capsys):
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    text, done = (DOCS / f"{page}.md").read_text(), 0
    for language, block in re.findall(r"```(sh|python)\n(.*?)```", text, re.S):
        if language == "python":
            exec(compile(block, page, "exec"), {})
            continue
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            assert words[0] == "coordcodec"
            assert main(words[1:]) == 0, capsys.readouterr().err
            done += 1
    assert done == commands
    said = capsys.readouterr()
    assert "error:" not in said.err
    if page == "sound":
        assert np.array_equal(
            soundfile.read("exact.wav", dtype="int16")[0], soundfile.read("speech.wav", dtype="int16")[0]
        )
        assert soundfile.info("part.flac").frames == 6400
        assert soundfile.info("wide.wav").samplerate == 48000
        assert Path("look.png").exists()
    else:
        assert "promise   largest error 0.2341K" in said.out
        assert "what the whole file may promise does not hold" in said.err


def test_the_tutorials_are_linked_from_the_readme():
    text = (ROOT / "README.md").read_text()
    for page in ("keep-an-error-bound", "sound"):
        assert f"](docs/{page}.md)" in text
        assert len(blocks(DOCS / f"{page}.md", "sh")) > 3
