"""Rows of promises: ours and others at the same largest error or without loss, and what tables make of them."""

import json
import os
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordcodec import codec
from coordcodec.errors import RecipeError, UnknownName
from coordcodec.plugins import installed
from coordcodec_bench import grid_speed, keepers, kept_tables, long_sound, rows
from coordcodec_bench.keepers import Original
from coordcodec_bench.report import promises
from coordcodec_bench.run import Plan, run


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    """A folder with a smooth field, a fifth of it masked."""
    import xarray as xr

    folder = tmp_path_factory.mktemp("fields")
    y, x = np.mgrid[:40, :48] / 8.0
    waves = (np.sin(x) * np.cos(y / 2) * 10 + 280).astype(np.float32)
    waves[:16, :24] = np.nan
    xr.Dataset({"t": (("y", "x"), waves, {"units": "K"})}).to_netcdf(folder / "a.nc", engine="h5netcdf")
    return folder


@pytest.fixture(scope="module")
def bounded(fields):
    """The rows of two bounds, in the unit and of the range, and the lines that were told."""
    lines = []
    plan = Plan(fields, fields.parent / "r-bounds", "field", promises=("0.5K", "0.1%"), device="cpu")
    counts = run(plan, lines.append)
    return plan.output, rows.load(plan.results), lines, counts


def test_every_codec_keeps_the_bound_that_ours_keep(fields, bounded):
    output, found, lines, counts = bounded
    assert {(row["codec"], row["bound"]) for row in found} == {
        (codec_name, bound) for codec_name in ("ours", "sperr", "sz3", "zfp") for bound in ("0.5K", "0.1%")
    }
    assert (counts["ok"], len(lines)) == (8, 8)
    signal = installed().modalities.get("field").read(fields / "a.nc")
    span = float(np.ptp(signal.samples[signal.mask]))
    for row in found:
        assert row["max_error"] == pytest.approx(0.5 if row["bound"] == "0.5K" else span / 1000)
        assert 0 < row["scores"]["rmse"] <= row["scores"]["max_error"] <= row["max_error"]
        assert (row["samples"], row["raw_bytes"]) == (40 * 48 - 16 * 24, 40 * 48 * 4)
        assert row["rate"] == pytest.approx(8 * row["bytes"] / (40 * 48))
        assert row["encode_seconds"] >= 0
        data = rows.kept(output, row).read_bytes()
        assert len(data) + row.get("extra_bytes", 0) == row["bytes"]
    assert "target_rate" not in found[0]


def test_the_error_of_ours_is_that_of_the_file(fields, bounded):
    output, found, *_ = bounded
    signal = installed().modalities.get("field").read(fields / "a.nc")
    for row in (row for row in found if row["codec"] == "ours"):
        decoded = codec.open(rows.kept(output, row).read_bytes()).samples()
        error = np.abs(decoded.astype(float) - signal.samples)[signal.mask]
        assert row["scores"]["max_error"] == error.max()


def test_the_mask_is_counted_for_others_and_filled_smoothly(fields, bounded):
    _, found, *_ = bounded
    signal = installed().modalities.get("field").read(fields / "a.nc")
    mask = len(zlib.compress(np.packbits(signal.mask.reshape(40, 48)).tobytes(), 9))
    assert {row["extra_bytes"] for row in found if row["codec"] != "ours"} == {mask}
    original = keepers.keepers_of("field").original(signal)
    assert np.isfinite(original.samples).all()
    assert np.abs(np.diff(original.samples, axis=0)).max() < 2  # of 20 from the lowest to the highest


def test_finished_promises_are_never_measured_again(fields, bounded):
    output, found, *_ = bounded
    again = run(Plan(fields, output, "field", promises=("0.1%",), device="cpu"), lambda line: None)
    assert (again["new"], again["ok"]) == (0, 4)
    assert rows.load(output / "promises-field.jsonl") == found


class Sloppy:
    """Adds an error to samples; a setting says how large."""

    name, install, note = "sloppy", "", "what it does"

    def version(self):
        return "1"

    def settings(self, bound):
        return (4 * bound, 2 * bound, bound, bound / 2) if bound else (0.0,)

    def encode(self, original, setting):
        return np.float64(setting).tobytes()

    def decode(self, data, original):
        return original.samples + np.frombuffer(data)[0] * self.more


@pytest.mark.parametrize(("more", "taken"), [(0.25, 4), (0.9, 1), (2, 0.5)])
def test_the_widest_setting_that_keeps_the_bound_is_taken(more, taken):
    sloppy = Sloppy()
    sloppy.more = more
    row = keepers.measure(sloppy, Original(np.arange(5.0), extra_bytes=3), 1.0)
    assert (row["setting"], row["bytes"], row["extra_bytes"]) == (f"{taken:g}", 11, 3)
    assert row["scores"]["max_error"] == pytest.approx(taken * more)


def test_what_breaks_a_promise_is_no_row():
    sloppy = Sloppy()
    sloppy.more = 3
    with pytest.raises(RuntimeError, match=r"no setting keeps 1: largest errors of \[12"):
        keepers.measure(sloppy, Original(np.zeros(5)), 1.0)
    sloppy.more = np.ones((2, 5))
    with pytest.raises(RuntimeError, match="decoded samples of shape"):
        keepers.measure(sloppy, Original(np.zeros(5)), 1.0)


def test_unknown_samples_do_not_count():
    original = Original(np.zeros((2, 2)), np.array([[True, False], [True, True]]))
    assert keepers.errors(original, np.array([[3.0, 99], [0, 0]])) == {"max_error": 3.0, "rmse": pytest.approx(3**0.5)}


@pytest.mark.parametrize("grey", [False, True])
def test_pictures_come_back_from_every_codec(tmp_path, photograph, grey):
    from PIL import Image

    (tmp_path / "in").mkdir()
    picture = photograph[:32, :40, 1] if grey else photograph[:32, :40]
    Image.fromarray(picture).save(tmp_path / "in" / "a.png")
    plan = Plan(tmp_path / "in", tmp_path / "r", promises=("lossless",), device="cpu")
    run(plan, lambda line: None)
    found = rows.load(plan.results)
    assert [row["codec"] for row in found] == ["ours", "png", "jpeg2000", "jxl", "webp"]
    assert all(row["status"] == "ok" and row["scores"]["max_error"] == 0 == row["max_error"] for row in found)
    assert all(row["samples"] == row["raw_bytes"] == picture.size for row in found)
    for name, keeper in keepers.named("image", "lossless").items():
        row = next(row for row in found if row["codec"] == name)
        decoded = keeper.decode(rows.kept(plan.output, row).read_bytes(), Original(picture.reshape(32, 40, -1)))
        assert np.array_equal(decoded.reshape(picture.shape), picture)


@pytest.mark.parametrize(("depth", "channels"), [(16, 1), (24, 2)])
def test_sounds_come_back_from_flac(tmp_path, depth, channels):
    import soundfile

    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0).integers(-(1 << (depth - 3)), 1 << (depth - 3), (3000, channels))
    raised = noise.astype(np.int16) if depth == 16 else (noise << 8).astype(np.int32)
    soundfile.write(tmp_path / "in" / "a.wav", raised, 8000, f"PCM_{depth}")
    plan = Plan(tmp_path / "in", tmp_path / "r", "audio", promises=("lossless",), device="cpu")
    run(plan, lambda line: None)
    found = rows.load(plan.results)
    assert [(row["codec"], row["status"], row["scores"]["max_error"]) for row in found] == [
        ("ours", "ok", 0), ("flac", "ok", 0),
    ]  # fmt: skip
    assert "libFLAC" in found[1]["version"]
    body = promises.totals(promises.read(plan.output)[0], ["a.wav"]).body
    assert [cells[1] for cells in body] == ["1", "1"]
    assert list(promises.sets(promises.read(plan.output)[0])) == ["in"]


@pytest.mark.parametrize(
    ("choices", "error", "words"),
    [
        ({"promises": ("lossless",), "codecs": ("flac",)}, UnknownName, "unknown codec 'flac'"),
        ({"promises": ("1",), "codecs": ("jpeg",)}, UnknownName, "unknown codec 'jpeg'"),
        ({"promises": ("lossless",), "codecs": ("ours:layers=siren",)}, RecipeError, "can promise nothing"),
    ],
)
def test_promises_that_nobody_can_keep_are_refused_before_any_work(tmp_path, photograph, choices, error, words):
    from PIL import Image

    Image.fromarray(photograph).save(tmp_path / "a.png")
    with pytest.raises(error, match=words):
        run(Plan(tmp_path, tmp_path / "r", **choices))
    assert not (tmp_path / "r").exists()


def test_a_unit_that_the_data_does_not_have_is_a_failed_row(fields, tmp_path):
    plan = Plan(fields, tmp_path, "field", promises=("1m",), codecs=("ours", "zfp"), device="cpu")
    assert run(plan, lambda line: None)["failed"] == 2
    assert all("the samples are in K" in row["reason"] for row in rows.load(plan.results))
    (promised,) = promises.read(tmp_path)
    assert [cells[:3] for cells in promised.failed.body] == [("a.nc", "ours", "1m"), ("a.nc", "zfp", "1m")]


@pytest.mark.parametrize("words", ["--max-errors nonsense", "--max-errors 1K,", "--lossless --rates 1"])
def test_the_command_refuses_what_is_no_promise(command, words, tmp_path):
    done = command("bench", str(tmp_path), "-o", str(tmp_path / "r"), *words.split())
    assert done.returncode == 2
    assert "max-errors" in done.stderr or "not allowed with" in done.stderr


def test_tables_and_commands_of_bounds(bounded):
    output, found, *_ = bounded
    (promised,) = promises.read(output)
    assert (promised.lossless, promised.items) == (False, ("a.nc",))
    table = promises.by_bound(promised, "a.nc")
    assert table.head == ("codec", "0.5\N{NO-BREAK SPACE}K", "0.1\N{NO-BREAK SPACE}%", "encode, s", "decode, s")
    sizes = {(row["codec"], row["bound"]): f"{row['bytes']:,}" for row in found}
    assert [cells[:3] for cells in table.body] == [
        (label, sizes[name, "0.5K"], sizes[name, "0.1%"])
        for name, label in (("ours", "ours"), ("sperr", "SPERR"), ("sz3", "SZ3"), ("zfp", "zfp"))
    ]
    assert table.strong == (0,)
    assert len(promises.every_row(promised).body) == 8
    assert promises.commands(promised) == [
        "coordcodec bench fields0 --modality field --only a.nc --max-errors 0.5K,0.1% "
        "--codecs ours,sperr,sz3,zfp -o RESULTS"
    ]
    text = kept_tables.bounds(output)
    assert text.startswith("a.nc:\n\n| codec | 0.5\N{NO-BREAK SPACE}K |")
    assert "**ours**" in text


@pytest.mark.parametrize(
    ("bound", "parts"), [("0.5K", ("0.5", "K")), ("20", ("20", "")), ("1e-5 m s**-1", ("1e-5", "m s**-1")),
                         ("lossless", ("lossless", ""))]
)  # fmt: skip
def test_a_bound_is_a_number_and_a_unit(bound, parts):
    assert promises.parted(bound) == parts


COUNTING = """
import sys
import numpy as np
from coordcodec.stream.grid import GridEncoder, GridState, bits, plane
from coordcodec_bench.grid_speed import decisions
made = 0
def code(*given, before=bits.code):
    global made
    made += 1
    return before(*given)
bits.code = plane.code = code
rng = np.random.default_rng(int(sys.argv[1]))
scale = rng.choice([0.3, 3, 40, 3000])
shape = tuple(rng.integers(1, 9, rng.integers(1, 5)))
values = np.rint(rng.laplace(0, scale, shape)).astype(np.int32)
encoder = GridEncoder(GridState(0))
encoder.plane(values)
encoder.finish()
print(made, decisions((values, {}, None)), values.size)
"""


@pytest.mark.parametrize("seed", range(6))
def test_as_many_decisions_are_counted_as_are_made(seed):
    environment = {**os.environ, "COORDCODEC_JIT": "0"}
    done = subprocess.run(
        [sys.executable, "-c", COUNTING, str(seed)], capture_output=True, text=True, check=True, env=environment
    )
    made, counted, size = map(int, done.stdout.split())
    assert made == counted >= size


def test_the_speed_of_the_grid_coder_is_that_of_planes_that_come_back():
    values = np.random.default_rng(0).integers(-3, 4, (60, 70)).astype(np.int32)
    row = grid_speed.measured("noise", [[[(values, {}, None)]]], 0)
    assert (row["planes"], row["coefficients"]) == ("noise", 4200)
    assert row["decisions"] > 4200
    for way in ("encode", "decode"):
        share = row[f"{way}_decisions_per_second"] / row[f"{way}_coefficients_per_second"]
        assert share == pytest.approx(row["decisions"] / 4200, rel=1e-3)


@settings(max_examples=20, deadline=None)
@given(seconds=st.floats(0.01, 0.7), lengths=st.lists(st.integers(1, 900), min_size=1, max_size=3))
def test_clips_are_joined_until_the_time_is_full(tmp_path_factory, seconds, lengths):
    import soundfile

    folder = tmp_path_factory.mktemp("clips")
    for k, length in enumerate(lengths):
        soundfile.write(folder / f"{k}.wav", np.full((length, 2), k + 1, np.int16), 1000, "PCM_16")
    soundfile.write(folder / "mono.wav", np.zeros(10, np.int16), 1000, "PCM_16")
    samples, rate = long_sound.joined(folder, seconds)
    assert (rate, samples.shape, samples.dtype) == (1000, (round(seconds * 1000), 2), np.int16)
    pattern = np.concatenate([np.full(length, k + 1) for k, length in enumerate(lengths)])
    assert np.array_equal(samples[:, 0], np.resize(pattern, len(samples)))


def test_minutes_of_sound_are_a_row_that_says_how_fast(tmp_path, capsys):
    import soundfile

    time = np.arange(8000) / 8000
    tone = np.stack([np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 330 * time)], 1)
    soundfile.write(tmp_path / "a.flac", (tone * 20000).astype(np.int16), 8000)
    output = tmp_path / "out.jsonl"
    for _ in range(2):
        assert long_sound.main([str(tmp_path), "--minutes", "0.02", "--effort", "1", "-o", str(output)]) == 0
    (row,) = map(json.loads, output.read_text().splitlines())
    assert (row["seconds"], row["channels"], row["sample_rate"]) == (1.2, 2, 8000)
    assert row["kbps"] <= 96
    assert row["encode_times_real_time"] == pytest.approx(1.2 / row["encode_seconds"], rel=0.05)
    assert row["encode_peak_mib"] > 50
    assert "0.02 minutes at" in capsys.readouterr().out
    output.rename(tmp_path / rows.LONG_SOUND)
    assert "| 0.02 | 1 |" in kept_tables.long_sound(tmp_path)
