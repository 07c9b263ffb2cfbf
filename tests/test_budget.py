"""Targets beside the rate: a quality, a score, a time; and what an interruption leaves."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import coordcodec
from coordcodec import codec
from coordcodec.clock import Clock
from coordcodec.decoder import Compressed
from coordcodec.encoder.plan import target_bytes
from coordcodec.errors import RecipeError
from coordcodec.layers.siren.fit import schedule
from coordcodec.plugins import installed


def modality(name):
    return installed().modalities.get(name)


def quick(pixels, **choices):
    return coordcodec.compress(pixels, modality="image", **{"effort": 1, "device": "cpu", **choices})


def psnr(data, pixels):
    return coordcodec.open(data).score(modality("image").read(pixels))["psnr_db"]


@pytest.fixture
def picture(photograph, tmp_path):
    from PIL import Image

    Image.fromarray(photograph).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_a_clock_without_a_limit_never_ends():
    clock = Clock()
    assert (clock.left, clock.over, clock.spent(0.5), clock.affordable(7, 1e6)) == (math.inf, False, 0.0, 7)
    clock.stop()
    assert (clock.left, clock.over, clock.spent(0.5), clock.affordable(7, 0.0)) == (0, True, math.inf, 0)


def test_what_was_stopped_is_kept_though_its_score_is_not_defined(photograph, monkeypatch):
    monkeypatch.setattr(Compressed, "score", lambda self, signal: {"psnr_db": None})
    signal, kind = modality("image").read(photograph), modality("image")
    recipe = codec.make_recipe(kind, target_score=30.0, effort=1, init="none", device="cpu")
    clock = Clock()
    clock.stop()
    made = codec.compress_signal(signal, kind, recipe, None, clock)
    assert coordcodec.open(made.data).render().shape == photograph.shape
    with pytest.raises(RecipeError, match="psnr_db is not defined for this signal"):
        codec.compress_signal(signal, kind, recipe.replace(target_score=30.0, siren={"steps": 5}), None, Clock())


def test_a_clock_tells_what_is_spent(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    clock = Clock(20)
    now = 104.0
    assert (clock.left, clock.spent(0.8), clock.affordable(100, 0.5), clock.over) == (16, 0.25, 32, False)
    now = 120.0
    assert (clock.left, clock.over) == (0, True)
    assert Clock(0).over
    assert Clock(0).spent(1) == math.inf


def test_the_learning_rate_falls_with_time_as_it_does_with_steps():
    assert schedule(499.5, 1000) == pytest.approx((schedule(499, 1000) + schedule(500, 1000)) / 2, rel=1e-3)
    assert schedule(1000, 1000) == pytest.approx(0.01)


@pytest.mark.filterwarnings("ignore:there was no time to fit")  # on a busy machine
def test_more_time_is_a_better_picture_and_never_a_larger_file(photograph):
    short, long = (quick(photograph, num_bytes=1200, time_budget=seconds, layers="siren") for seconds in (0.2, 8))
    assert len(short) <= 1200
    assert len(long) <= 1200
    assert psnr(long, photograph) > psnr(short, photograph) + 1


def test_a_time_budget_stops_the_longest_fit(photograph):
    began = time.monotonic()
    data = coordcodec.compress(
        photograph, modality="image", num_bytes=1200, time_budget=2, layers="siren", device="cpu"
    )
    # Effort 9 takes minutes. Whatever this machine does besides, it is far from that.
    assert time.monotonic() - began < 40
    assert psnr(data, photograph) > 15


@pytest.mark.parametrize("target", [{"num_bytes": 1200}, {"rate": 1.0}, {"siren": {"width": 6}}, {"quality": 60}])
def test_no_time_at_all_still_gives_a_valid_file(photograph, target):
    with pytest.warns(UserWarning, match="there was no time to fit: the file is valid and shows next to nothing"):
        data = quick(photograph, time_budget=0, layers="siren", **target)
    assert coordcodec.open(data).render().shape == photograph.shape


def test_no_time_at_all_is_enough_for_a_start_from_an_initialisation(photograph):
    with pytest.warns(UserWarning, match="no time to fit: .* what the first steps from its initialisation give"):
        data = quick(photograph, time_budget=0, num_bytes=3400, effort=9, layers="siren")
    opened = coordcodec.open(data)
    assert opened.initialisation
    assert opened.score(modality("image").read(photograph))["psnr_db"] > 12


def test_quality_is_a_plain_knob(photograph):
    image = modality("image")
    read = image.read(np.zeros((512, 768, 3), np.uint8))
    bytes_at = [target_bytes(codec.make_recipe(image, quality=q), image, read) for q in (1, 38, 50, 62, 100)]
    assert bytes_at == sorted(bytes_at)
    assert bytes_at[2] == target_bytes(image.defaults, image, read) == 14745
    assert bytes_at[1] == pytest.approx(14745 / 2, abs=1)
    assert bytes_at[3] == 2 * 14745
    sizes = [len(quick(photograph, quality=q, siren={"steps": 20})) for q in (62, 86)]
    assert 1.7 < sizes[1] / sizes[0] < 4.5
    with pytest.warns(UserWarning, match=r"quality 1 is too little for this signal: writing at most \d+ bytes"):
        quick(photograph, quality=1, siren={"steps": 20})


def test_quality_needs_a_size_to_refer_to(photograph):
    class Odd(type(modality("image"))):
        defaults = coordcodec.Recipe(siren={"width": 8})

    with pytest.raises(RecipeError, match="image has no default size that a quality could refer to"):
        codec.compress_signal(Odd().read(photograph), Odd(), codec.make_recipe(Odd(), quality=50))


def test_a_score_is_met_from_above(photograph):
    data = quick(photograph, target_score=21.0, siren={"steps": 150})
    assert 20.7 <= psnr(data, photograph) < 25.5
    more = quick(photograph, target_score=24.0, siren={"steps": 150})
    assert psnr(more, photograph) >= 23.7
    assert len(more) > len(data)


def test_a_score_may_be_a_distance():
    class Heights:
        name, rate_unit, main_score, lower_is_better = "heights", "bytes", "rms", True
        defaults = coordcodec.Recipe(num_bytes=400)

        def rate(self, num_bytes, meta):
            return float(num_bytes)

        def score(self, field, signal):
            return {"rms": float(np.sqrt(((field(signal.coords.coords()) - signal.values) ** 2).mean()))}

    grid = coordcodec.Grid((40, 40))
    x = grid.coords()
    values = np.sin(5 * x[:, :1]) * np.cos(7 * x[:, 1:]) * np.float32(0.8)
    heights = coordcodec.Signal(grid, values, "heights")
    found = {}
    for goal in (0.15, 0.045):
        recipe = codec.make_recipe(Heights(), target_score=goal, siren={"steps": 300}, device="cpu")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(coordcodec.decoder.Compressed, "modality", property(lambda self: Heights()))
            made = codec.compress_signal(heights, Heights(), recipe)
        reached = Heights().score(codec.open(made.data).field, heights)["rms"]
        assert reached <= goal * 1.04
        found[goal] = len(made.data)
    assert found[0.045] > found[0.15]


def test_a_score_out_of_reach_says_what_was_reached():
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    with pytest.raises(RecipeError, match=r"psnr_db 99 was not reached: \d+ bytes reach [\d.]+, the best"):
        quick(noise, target_score=99, siren={"steps": 30})


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"target_score": 30, "time_budget": 5}, "a score takes several fits and cannot be met within a time"),
        ({"target_score": 30, "rate": 1}, "lossless, width and step, got rate and score"),
        ({"quality": 0}, "quality must be in 1 to 100, got 0"),
        ({"quality": 101}, "quality must be in 1 to 100, got 101"),
        ({"time_budget": -1}, "time budget must be in 0"),
        ({"time_budget": math.nan}, "time budget must be in 0"),
        ({"target_score": math.inf}, "target score must be"),
    ],
)
def test_contradictions_are_told_before_any_work(choices, says):
    with pytest.raises(RecipeError) as caught:
        codec.make_recipe(modality("image"), **choices)
    assert says in str(caught.value)


@pytest.mark.parametrize("value", [0, 255])
def test_a_single_sample_and_the_ends_of_the_range(value):
    data = quick(np.full((1, 1, 3), value, np.uint8), num_bytes=200)
    assert np.abs(coordcodec.open(data).render().astype(int) - value).max() <= 1
    board = np.where(np.indices((12, 12)).sum(0) // 6 % 2, 255, 0).astype(np.uint8)
    opened = coordcodec.open(quick(board, num_bytes=400))
    assert opened.score(modality("image").read(board))["psnr_db"] > 15


def test_the_command_takes_them_all(command, picture, tmp_path):
    facts = json.loads(command("compress", "photo.png", "--quality", 70, "--effort", 1, "--json").stdout)
    assert facts["rate"] <= 0.3 * 2 ** (20 / 12) + 0.01
    done = command("compress", "photo.png", "-fo", "b.ccdc", "--bytes", 900, "--time-budget", 1, "--json")
    assert json.loads(done.stdout)["bytes"] <= 900
    done = command("compress", "photo.png", "-o", "c.ccdc", "--target-psnr", 22, "--effort", 1, "--json")
    assert json.loads(done.stdout)["psnr_db"] >= 21.7
    for wrong in (["--target-psnr", 22, "--rate", 1], ["--quality", 3, "--bytes", 900], ["--time-budget", "soon"]):
        done = command("compress", "photo.png", "-o", "d.ccdc", *wrong)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert not (tmp_path / "d.ccdc").exists()


def test_only_what_goes_by_psnr_takes_a_target_psnr(command, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    done = command("compress", "a.wav", "--target-psnr", 30)
    assert done.returncode == 2
    assert done.stderr == "error: audio goes by snr_db, not by PSNR; use --target-score\n"


@pytest.mark.parametrize("keep", [False, True])
def test_ctrl_c_writes_the_best_so_far_if_asked(picture, tmp_path, keep):
    # A shell's background jobs ignore the signal, and these tests may be one.
    heeds = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = [sys.executable, "-c", f"{heeds}; from coordcodec.cli import main; sys.exit(main(sys.argv[1:]))"]
    arguments = ["compress", "photo.png", "--bytes", "1200", "--effort", "9", "--layers", "siren", "--device", "cpu"]
    child = subprocess.Popen(
        [*program, *arguments, *(["--keep-best"] if keep else [])],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    time.sleep(8)  # by then it fits, and goes on for minutes
    assert child.poll() is None
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=120)
    assert child.returncode == 130
    written = tmp_path / "photo.ccdc"
    assert written.exists() == keep
    if keep:
        assert told == "interrupted: photo.ccdc is the best so far\n"
        assert written.stat().st_size <= 1200
        assert coordcodec.open(written).render().shape == (72, 96, 3)
    else:
        assert told == "interrupted: nothing was written\n"
