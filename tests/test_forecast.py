"""What `compress --dry-run` and `coordcodec.plan` say, and that they do nothing else."""

import json

import numpy as np
import pytest
from PIL import Image

import coordcodec
from coordcodec import codec
from coordcodec.cli import main
from coordcodec.data import Grid, Signal
from coordcodec.encoder import encode, forecast
from coordcodec.errors import RecipeError
from coordcodec.layers import KINDS
from coordcodec.layers.detail import predict


def image(pixels, **choices):
    return coordcodec.plan(pixels, modality="image", **choices)


LATER = {"basis", "rotation", "predictor"}
"""What trials tell, which a dry run does not make, of a file that promises something."""


@pytest.fixture
def folder(photograph, tmp_path, monkeypatch):
    Image.fromarray(photograph).save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_says_what_is_then_made(photograph):
    kind = codec.find_modality(photograph, "image")
    for choices in ({"num_bytes": 900}, {"lossless": True}, {"max_error": 5}, {"num_bytes": 900, "layers": "siren"}):
        recipe = codec.make_recipe(kind, effort=1, device="cpu", **choices)
        expected = codec.plan_signal(kind.read(photograph), kind, recipe)
        made = codec.compress_signal(kind.read(photograph), kind, recipe)
        described, (layer,) = made.spec.describe(), expected.layers
        different = {name for name, value in described.items() if layer.spec.get(name) != value}
        assert different <= (LATER if recipe.promised else set())
        assert expected.target == choices.get("num_bytes")
        assert expected.layers[-1].estimate.work.get("steps", 0) == made.fitted


def test_nothing_is_fitted(photograph, monkeypatch):
    for kind in KINDS:
        monkeypatch.setattr(type(kind), "fit", None)
        monkeypatch.setattr(type(kind), "refine", None)
    monkeypatch.setattr(encode, "RateControl", None)
    monkeypatch.setattr(predict, "residual", None)
    for choices in (
        {},
        {"lossless": True},
        {"max_error": 5},
        {"layers": "siren+detail"},
        {"target_score": 30},
        {"siren": {"width": 9}},
    ):
        assert image(photograph, device="cpu", **choices).seconds > forecast.STARTING


def test_why_these_layers(photograph):
    cloud = Signal(np.random.default_rng(0).uniform(-1, 1, (5000, 3)).astype(np.float32), np.zeros((5000, 1)), "image")
    kind = codec.find_modality(photograph, "image")

    def why(signal, **choices):
        found = codec.plan_signal(signal, kind, codec.make_recipe(kind, device="cpu", **choices))
        return ["+".join(layer.spec["kind"] for layer in found.layers), found.why]

    whole = kind.read(photograph)
    assert why(whole, num_bytes=2000) == ["detail", "it makes the smaller file of such data"]
    assert why(whole, num_bytes=100) == ["siren", "20,736 values on a grid in 100 bytes do not suit detail"]
    assert why(cloud, num_bytes=2000) == ["siren", "5,000 values at scattered points in 2,000 bytes do not suit detail"]
    assert why(whole, lossless=True) == ["detail", "it can promise something of every sample"]
    assert why(whole, siren={"width": 20}) == ["siren", "something is asked of it"]
    assert why(whole, init="none") == ["siren", "--init none is asked of it"]
    assert why(whole, layers="siren+detail", num_bytes=2000) == ["siren+detail", "asked for"]


def test_layers_share_the_target(photograph):
    found = image(photograph, num_bytes=2000, layers="siren+detail", device="cpu")
    first, last = (layer.bytes for layer in found.layers)
    assert found.target == 2000
    assert 900 < first < 1000
    assert 900 < last < 1000


def test_more_work_takes_more_time_and_memory():
    def field(n):
        return Signal(Grid((n, n)), np.zeros((n * n, 1)), "image", samples=np.zeros((n * n, 1), np.uint8), scale=127.5)

    kind = codec.find_modality(np.zeros((2, 2)), "image")

    def expected(signal, **choices):
        return codec.plan_signal(signal, kind, codec.make_recipe(kind, device="cpu", threads=1, **choices))

    small, large = (expected(field(n), rate=0.3) for n in (256, 1024))
    assert large.layers[0].estimate.seconds > 10 * small.layers[0].estimate.seconds
    assert large.memory > small.memory
    one = expected(field(256), rate=0.3)
    assert expected(field(256), target_score=40).seconds > 2 * one.seconds - forecast.STARTING
    quick, slow = (expected(field(256), rate=0.3, layers="siren", effort=effort) for effort in (1, 5))
    assert slow.layers[0].estimate.work["steps"] > 5 * quick.layers[0].estimate.work["steps"]
    assert slow.seconds > 4 * quick.seconds - 4 * forecast.STARTING
    assert expected(field(256), rate=0.3, layers="siren", time_budget=3).layers[0].estimate.seconds == 3
    shared = codec.plan_signal(field(256), kind, codec.make_recipe(kind, device="cpu", threads=2, layers="siren"))
    assert shared.layers[0].estimate.seconds < slow.layers[0].estimate.seconds


def test_the_command_writes_nothing_and_says_so(folder, capsys):
    assert main(["compress", "photo.png", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "photo.png, image, 72x96 samples, 3 channels" in shown
    assert "photo.ccdc\n" in shown
    assert "at most 259 bytes, 0.2998 bpp" in shown
    assert "nothing, this is a dry run" in shown
    assert main(["compress", "photo.png", "--dry-run", "--lossless", "--preview", "look.png", "-o", "-"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "lossless, in as many bytes as that takes" in shown.err
    assert "look.png" in shown.err
    assert [path.name for path in folder.iterdir()] == ["photo.png"]


def test_json_has_all_of_it(folder, capsys):
    (folder / "photo.ccdc").write_bytes(b"before")
    assert main(["compress", "photo.png", "--dry-run", "--json", "-f", "--max-error", "3"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["output"], facts["replaces"], facts["written"]) == ("photo.ccdc", True, False)
    assert (facts["target_bytes"], facts["max_error"]) == (None, 3)
    assert facts["layers"][0]["kind"] == "detail"
    assert facts["layers"][0]["work"]["values"] == 72 * 96 * 3
    assert facts["estimated_seconds"] > 1
    assert facts["estimated_memory_bytes"] > 2e8
    assert (folder / "photo.ccdc").read_bytes() == b"before"


@pytest.mark.parametrize(
    "choices",
    [
        ("--max-error", "0.3"),
        ("--max-error", "2K"),
        ("--layers", "siren", "--max-error", "2"),
        ("--layers", "cube"),
        ("--bytes", "5"),
        ("--width", "64", "--bytes", "900"),
        ("--init", "nowhere"),
        ("--device", "abacus", "--layers", "siren"),
        ("-o", "photo.png"),
        ("--preview", "look.jpg"),
    ],
)
def test_it_fails_as_the_encode_does(folder, capsys, choices):
    answers = []
    for dry in ([], ["--dry-run"]):
        answers.append((main(["compress", "photo.png", *choices, *dry]), capsys.readouterr().err))
    assert answers[0] == answers[1]
    assert answers[0][0] == 2
    assert answers[0][1].startswith("error: ")


def test_it_warns_as_the_encode_does(photograph):
    with pytest.warns(UserWarning, match="the default of .* is too little"):
        image(photograph[:1, :2], device="cpu")


def test_a_distance_of_nothing_is_refused_as_in_the_encode():
    from coordcodec.encoder.score import check_score
    from coordcodec.plugins import modality

    with pytest.raises(RecipeError, match="must be above 0, got 0"):
        check_score(modality("sdf"), coordcodec.Recipe(target_score=0))
    check_score(modality("image"), coordcodec.Recipe(target_score=0))
