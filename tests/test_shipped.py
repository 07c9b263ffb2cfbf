"""The initialisations that come with the package. Files name them by their hash, so they must never change."""

import re
from pathlib import Path

import numpy as np
import pytest

import coordcodec
from coordcodec import codec, inits
from coordcodec.encoder.plan import make_plan
from coordcodec.inits import store

ROOT = Path(__file__).parent.parent

HASHES = {
    "audio-w32": "e5fbd0f4c78066b7cd29f697073a8f61c29afed669f2ab24b7f82a9d4ffccd1a",
    "audio-w40": "bdf479198166aa522ba30b2421bc9415d1295b2831593fed1af6f19f5888ea2d",
    "image-w112": "7cd2181af8bd427eb08a748ba48eeaa02e68ee8531f2320d97344c40fa0820ba",
    "image-w32": "7feb1a96a3844d998beb422fa2a57b288c2320a55fa5a0483d7dc5528f83682c",
    "image-w48": "ed04c554f229fa0609f4af31b6192b850d168bad8ba698d0520dd13c4cc7fbf2",
    "image-w56": "89ef1738a16d630e3cd03dbaf64907fe114d8329b0566a93176d6728214e7380",
    "image-w64": "98ada690a9c8bb81db33b475af43565ffe63361bff503c8eab3e394ca48772bd",
    "image-w80": "8ddc767f18d9df656fcf5dd8debc0064faf29c64d9c0a7f3c4fd5ef624f53579",
    "image-w96": "d8a9c379fa1fe6c5c460f5a8f0c9a58aa0c976f075568c2aa2a162e878d36b1a",
    "sdf-w32": "bf5842369bf0fdc144aa6ba35a8f0a6355767872cb7230b9aedf4e7b622ff115",
    "sdf-w40": "a0fff6d67e66bea61bc38f9c779e8500d3542038c6762ac21a94aee42a1c4ff2",
    "sdf-w48": "106f32ff1c8ae94a9d0ac8c99b1af7d4e5748a9ffdad05c8b0e37d2b16b25a38",
    "sdf-w56": "8123d1b47bd0821f37284a60c581b9d2159df5b4a578c262be8d7e65ab1de608",
    "sdf-w64": "b9085e0dbf8b49e45aa821553459c6b45f4493f71668ac904422e51e447cdad3",
    "sdf-w80": "c572210c529ee3b089ec7032ab1741c588fe333b049074e0ebffe5b42e66869d",
}
"""Name and SHA-256 of each. From the first release on a new one is added, and none changes or is taken away."""
SHIPPED = sorted(store.SHIPPED.glob("*.safetensors"))
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
def test_auto_takes_one_for_photographs(rate, width):
    """Of Kodak's size; only the choice is asked for, which depends on the size alone."""
    kind = codec.find_modality("a.png", None)
    signal = kind.read(np.zeros((512, 768, 3), np.uint8))
    for choices in ({"effort": 1}, {"siren": {"quantizer": "qat"}}, {"siren": {"extra_depth": 0}}):
        plan = make_plan(signal, kind, codec.make_recipe(kind, rate=rate, init="auto", layers="siren", **choices))
        assert plan.init.name == f"image-w{width}"
        assert plan.spec.width == width
    patient = make_plan(signal, kind, codec.make_recipe(kind, rate=rate, layers="siren"))
    assert patient.init is None
    assert patient.spec.depth == (5 if rate > 0.1 else 3)


def test_a_file_made_with_a_shipped_one_needs_only_the_package(photograph, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(store.FOLDERS, raising=False)
    data = coordcodec.compress(
        photograph, modality="image", num_bytes=3400, effort=1, siren={"steps": 300}, init="auto"
    )
    opened = coordcodec.open(data)
    assert len(data) <= 3400
    assert opened.initialisation.name == "image-w32"
    signal = codec.find_modality("a.png", None).read(photograph)
    assert opened.score(signal)["psnr_db"] > 20
