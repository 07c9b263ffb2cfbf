"""The initialisations that come with the package. Files name them by their hash, so they must never change."""

import re

import numpy as np
import pytest

import coordcodec
from coordcodec import codec, inits
from coordcodec.inits import shelf

from .conftest import ROOT

HASHES: dict[str, str] = {}
"""Name and SHA-256 of each, for ever; a new one is added, none is taken away."""
SHIPPED = sorted(shelf.SHIPPED.glob("*.safetensors"))
MOST_BYTES = 3_000_000
TEST_SETS = ("kodak", "classic", "speech_dev", "siren")


def test_none_has_changed_or_is_missing():
    assert {path.stem: inits.load(path).sha256 for path in SHIPPED} == HASHES


def test_they_fit_into_the_wheel():
    assert sum(path.stat().st_size for path in SHIPPED) <= MOST_BYTES


def test_widths_that_were_promised():
    found = {(init.modality, init.spec.width) for init in map(inits.load, SHIPPED)}
    assert found >= {("image", w) for w in (32, 48, 64, 96)} | {("sdf", w) for w in (32, 48, 64)} | {("audio", 32)}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_says_what_it_is_and_was_learned_from(path):
    init = inits.load(path)
    assert path.stem == f"{init.modality}-w{init.spec.width}"
    assert set(init.facts) >= {"command", "date", "gain", "hours", "licence", "seed", "trained_on", "versions"}
    assert not any(name in init.facts["trained_on"] + init.facts["command"] for name in TEST_SETS)
    assert "/" not in init.facts["trained_on"]
    assert all(
        word in init.facts["licence"]
        for word in {"image": ("CC0", "CC BY-SA"), "audio": ("CC0", "CC BY 4.0")}.get(init.modality, ("MIT",))
    )
    before, after = map(float, re.match(r"([\d.]+) -> ([\d.]+) dB", init.facts["gain"]).groups())
    assert after > before + 2


def make_target(name):
    """The lines of a target of the Makefile."""
    lines = (ROOT / "Makefile").read_text().split(f"\n{name}:")[1].split("\n\n")[0]
    return lines.splitlines()[1:]


def test_make_inits_makes_all_of_them():
    made = re.findall(r"call learn,(\w+),(\d+)", "\n".join(make_target("inits")))
    assert sorted(f"{modality}-w{width}" for modality, width in made) == sorted(HASHES)


@pytest.mark.parametrize(("rate", "width"), [(0.07, 32), (0.12, 48), (0.2, 64), (0.3, 80), (0.4, 96), (0.6, 112)])
def test_the_default_takes_one_for_photographs(rate, width):
    """Of Kodak's size; only the choice is asked for, which depends on the size alone."""
    kind = codec.find_modality("a.png", None)
    signal = kind.read(np.zeros((512, 768, 3), np.uint8))
    plan = codec._plan(signal, kind, codec.make_recipe(kind, rate=rate))
    assert plan.init.name == f"image-w{width}"
    assert plan.spec.width == width


def test_a_file_made_by_default_needs_only_the_package(photograph, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(shelf.FOLDERS, raising=False)
    data = coordcodec.compress(photograph, modality="image", num_bytes=3400, effort=1, steps=300)
    opened = coordcodec.open(data)
    assert len(data) <= 3400
    assert opened.init.name == "image-w32"
    signal = codec.find_modality("a.png", None).read(photograph)
    assert opened.score(signal)["psnr_db"] > 20
