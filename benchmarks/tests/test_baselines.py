"""Other codecs of sounds, shapes and fields, and how their best setting is found."""

import math
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordcodec.data import Grid, Signal
from coordcodec.plugins import installed
from coordcodec_bench import fields, shapes, sounds
from coordcodec_bench.baseline import NEAR, Mode, NotInstalled, Search
from coordcodec_bench.baselines import baselines_of
from coordcodec_bench.workers import Task, rows_of

HERE = Path(__file__).parents[2] / "tests"
BASELINES = {"audio": sounds.BASELINES, "sdf": shapes.BASELINES, "climate": fields.BASELINES}
CODECS = {name: baseline for baselines in BASELINES.values() for name, baseline in baselines.codecs.items()}


# Search


class Toy:
    """A codec that rounds numbers; half the files of its mode "bad" are nothing."""

    name, install, note = "toy", "pip install toy", ""

    def __init__(self, *modes):
        self.modes = modes
        self.levels = []

    def version(self):
        return "toy 1"

    def encode(self, original, mode, level):
        self.levels.append((mode, level))
        wasted = 2 if mode == "bad" else 1
        uneven = int(40 * math.sin(60 * math.log(level))) if mode == "uneven" else 0
        size = 40 + wasted * int(original.size * np.log2(1 + np.ptp(original) / level) / 8) + uneven
        return level.hex().encode().ljust(max(size, 30))

    def decode(self, data, original):
        level = float.fromhex(data.decode().strip())
        return np.rint(original / level) * level


class Numbers:
    modality, main_score, falling = "toy", "rmse", True

    def original(self, signal):
        return signal.values[:, 0].astype(np.float64)

    def score(self, decoded, signal):
        return {"rmse": float(np.sqrt(((decoded - signal.values[:, 0]) ** 2).mean())), "odd": math.nan}


def loose(name, **choices):
    return Mode(name, 10.0, 1e-6, whole=False, log=True, **choices)


@pytest.fixture
def numbers():
    values = np.random.default_rng(0).uniform(-1, 1, (2000, 1)).astype(np.float32)
    return Signal(Grid((2000,)), values, "toy")


def test_a_search_meets_its_size_with_the_better_mode(numbers):
    search = Search(Toy(loose("bad"), loose("good")), Numbers(), numbers)
    for size in (600, 1500, 400):
        row = search.best(size)
        assert 0.97 * NEAR * size <= row["bytes"] <= NEAR * size
        assert row["bytes"] == len(row["data"])
        assert row["setting"].startswith("good ")
        assert row["scores"]["rmse"] == min(score for _, score in row["tried"])
        sizes = [size for size, _ in row["tried"]]
        assert sizes == sorted(sizes)
        assert sizes[-1] <= NEAR * size
        assert row["scores"]["odd"] is None, "what is no number is not defined"
        assert row["encode_seconds"] >= 0 <= row["decode_seconds"]
        assert "missed" not in row


def test_what_was_encoded_for_one_size_is_not_encoded_for_another(numbers):
    toy = Toy(loose("good"))
    search = Search(toy, Numbers(), numbers)
    search.best(600)
    search.best(620)
    assert len(toy.levels) == len(set(toy.levels))


def test_a_rising_score_is_better_where_the_arena_says_so(numbers):
    class Rising(Numbers):
        falling = False

        def score(self, decoded, signal):
            return {"rmse": -super().score(decoded, signal)["rmse"]}

    row = Search(Toy(loose("bad"), loose("good")), Rising(), numbers).best(600)
    assert row["setting"].startswith("good ")
    assert row["scores"]["rmse"] == max(score for _, score in row["tried"])


def test_a_dense_search_finds_more_where_sizes_go_up_and_down(numbers):
    sparse = Search(Toy(loose("uneven")), Numbers(), numbers)
    dense = Search(Toy(loose("uneven", halvings=9, dense=30)), Numbers(), numbers)
    rows = [(sparse.best(size), dense.best(size)) for size in (300, 450, 800)]
    assert all(
        row["bytes"] <= round(NEAR * size) for size, pair in zip((300, 450, 800), rows, strict=True) for row in pair
    )
    assert all(len(b["tried"]) > len(a["tried"]) for a, b in rows)
    assert sum(b["scores"]["rmse"] for _, b in rows) < 0.98 * sum(a["scores"]["rmse"] for a, _ in rows)


def test_a_curve_gets_a_point_below_the_size(numbers):
    search = Search(Toy(loose("good", beside=(0.7,))), Numbers(), numbers)
    for size in (600, 900, 1300):
        row = search.best(size)
        sizes = [size for size, _ in row["tried"]]
        assert 0.985 * 0.7 * NEAR * size <= sizes[0] <= 0.7 * NEAR * size
        assert sizes[-1] == row["bytes"] > 0.97 * NEAR * size


def test_whole_levels_are_searched_to_the_last_one(numbers):
    class Steps(Toy):
        def encode(self, original, mode, level):
            assert isinstance(level, int)
            return super().encode(original, mode, 1 / level).ljust(10 * level)

    row = Search(Steps(Mode("whole", 1, 1000, log=True)), Numbers(), numbers).best(round(2575 / NEAR))
    assert row["tried"][-1][0] == 2570


def test_where_nothing_is_small_enough_the_smallest_file_is_told_as_missed(numbers):
    row = Search(Toy(loose("bad"), loose("good")), Numbers(), numbers).best(20)
    assert row["missed"] is True
    assert row["bytes"] == min(size for size, _ in row["tried"]) > 20


def test_where_everything_is_small_enough_the_best_file_is_taken(numbers):
    row = Search(Toy(loose("good")), Numbers(), numbers).best(10**6)
    assert row["setting"] == "good 1e-06"


# What all have in common


@pytest.mark.parametrize("modality", BASELINES)
def test_an_arena_is_found_by_its_modality(modality):
    baselines = baselines_of(modality)
    assert baselines is BASELINES[modality]
    assert baselines.modality == modality
    if modality != "climate":  # a plugin of its own
        assert baselines.main_score == installed().modalities.get(modality).main_score
    assert all(name == baseline.name for name, baseline in baselines.codecs.items())
    assert all(
        len({mode.name for mode in baseline.modes}) == len(baseline.modes) > 0 for baseline in baselines.codecs.values()
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mp3", ("LAME", "libsndfile")),
        ("opus", ("libopus", "libsndfile")),
        ("aac", ("ffmpeg",)),
        ("draco", ("DracoPy", "fast-simplification")),
        ("zfp", ("zfpy",)),
        ("sz3", ("sz3", "imagecodecs")),
        ("sperr", ("sperr", "imagecodecs")),
    ],
)
def test_a_peer_knows_its_version(name, words):
    version = CODECS[name].version()
    for word in words:
        assert any(part.startswith(word) and any(c.isdigit() for c in part) for part in version.split(", ")), version


LIBRARIES = [
    ("mp3", "soundfile"),
    ("opus", "soundfile"),
    ("aac", "imageio_ffmpeg"),
    ("draco", "DracoPy"),
    ("draco", "fast_simplification"),
    ("zfp", "zfpy"),
    ("sz3", "imagecodecs"),
    ("sperr", "imagecodecs"),
]


@pytest.mark.parametrize(("name", "library"), LIBRARIES)
def test_a_missing_library_is_told_with_the_command_that_installs_it(name, library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(NotInstalled) as caught:
        CODECS[name].version()
    assert str(caught.value) == CODECS[name].install
    assert library.replace("_", "-").lower() in CODECS[name].install.lower()


def test_an_imagecodecs_without_sz3_is_as_good_as_none(monkeypatch):
    import imagecodecs

    def lacking():
        raise ImportError("sz3 was left out of this build")

    monkeypatch.setattr(imagecodecs, "sz3_version", lacking)
    with pytest.raises(NotInstalled, match="^pip install imagecodecs$"):
        CODECS["sz3"].version()
    assert "sperr" in CODECS["sperr"].version()


def test_a_libsndfile_without_mp3_is_as_good_as_none(monkeypatch):
    import soundfile

    monkeypatch.setattr(soundfile, "check_format", lambda container, subtype: container != "MP3")
    with pytest.raises(NotInstalled, match="^pip install --upgrade soundfile$"):
        CODECS["mp3"].version()
    assert "libopus" in CODECS["opus"].version()


def test_rows_of_a_codec_that_is_not_there_are_skipped(monkeypatch):
    monkeypatch.setitem(sys.modules, "DracoPy", None)
    task = Task(str(HERE / "meshes" / "tm_tube.obj"), "sdf", "draco", (1000.0, 2000.0))
    rows = list(rows_of(task))
    assert [row["status"] for row in rows] == ["skipped"] * 2
    assert all("pip install DracoPy fast-simplification" in row["reason"] for row in rows)


# Sounds


def chord(rate=44100, channels=2, seconds=0.7):
    """A few plucked strings after a little silence, of which a shift by one sample would be seen."""
    t = np.arange(round(rate * seconds)) / rate - 0.1
    strings = [np.where(t > 0, np.exp(-4 * t) * np.sin(2 * np.pi * f * t), 0) for f in (220, 554.4, 1318.5)]
    left, right = strings[0] + strings[1] / 2, strings[0] / 2 + strings[2] / 3
    return np.stack([left, right], axis=1)[:, :channels].astype(np.float32) / 2


def sound(samples, rate, **meta):
    return Signal(Grid((len(samples),)), samples, "audio", {"rate": rate, **meta})


@pytest.mark.parametrize("name", sounds.BASELINES.codecs)
@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (16000, 1), (11000, 1), (96000, 1)])
def test_a_sound_comes_back_at_its_rate_and_in_its_place(name, rate, channels):
    baseline, signal = sounds.BASELINES.codecs[name], sound(chord(rate, channels), rate, float=True)
    clip = sounds.BASELINES.original(signal)
    for mode in baseline.modes:
        decoded = baseline.decode(baseline.encode(clip, mode.name, mode.at(0.9)), clip)
        assert decoded.shape == signal.values.shape
        assert decoded.dtype == np.float32
        assert sounds.BASELINES.score(decoded, signal)["snr_db"] > 15, mode.name
        # Opus takes out what is slower than it can be heard, which turns the phase of low notes a little.
        assert abs(sounds.aligned(decoded, signal.values)[1]) <= (1 if name == "opus" and rate > 48000 else 0), (
            mode.name
        )


@pytest.mark.parametrize("name", sounds.BASELINES.codecs)
@pytest.mark.parametrize("file", ["guitar48_stereo_1_sample.wav", "guitar48_stereo_10_sample.wav"])
def test_the_shortest_sounds_go_through(name, file):
    signal = installed().modalities.get("audio").read(HERE / "sounds" / file)
    row = Search(sounds.BASELINES.codecs[name], sounds.BASELINES, signal).best(100_000)
    clip = sounds.BASELINES.original(signal)
    assert sounds.BASELINES.codecs[name].decode(row["data"], clip).shape == signal.values.shape
    assert set(row["scores"]) == {"snr_db", "psnr_db", "si_sdr_db", "log_spectral_distance_db"}


def test_silence_goes_through_without_a_score():
    signal = sound(np.zeros((8000, 1), np.float32), 16000)
    row = Search(sounds.BASELINES.codecs["mp3"], sounds.BASELINES, signal).best(3000)
    assert row["scores"]["snr_db"] is None
    assert row["scores"]["psnr_db"] == 100


@pytest.mark.parametrize("name", sounds.BASELINES.codecs)
def test_a_sound_meets_its_size(name):
    signal = sound(chord(), 44100)
    row = Search(sounds.BASELINES.codecs[name], sounds.BASELINES, signal).best(6000)
    assert 0.93 * 6000 < row["bytes"] <= NEAR * 6000
    assert row["scores"]["snr_db"] == max(score for _, score in row["tried"])
    assert len(row["tried"]) > len(sounds.BASELINES.codecs[name].modes)


def test_the_depth_of_the_original_is_what_is_scored():
    values = np.rint(chord(8000, 1) * 127).astype(np.float32) / 128
    off = values + np.float32(0.003)
    assert sounds.BASELINES.score(off, sound(values, 8000, depth=8))["snr_db"] == 100
    assert sounds.BASELINES.score(off, sound(values, 8000))["snr_db"] < 50


@given(st.integers(-300, 300), st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_a_delay_is_found_and_taken_out(lag, seed):
    original = np.random.default_rng(seed).uniform(-0.5, 0.5, (1000, 1)).astype(np.float32)
    decoded = np.concatenate([np.zeros((max(lag, 0), 1), np.float32), original[max(-lag, 0) :]])
    moved, found = sounds.aligned(decoded, original)
    assert found == lag
    assert moved.shape == original.shape
    assert np.array_equal(moved[max(-lag, 0) :], original[max(-lag, 0) :])


def test_a_codec_gets_the_next_sample_rate_that_it_knows():
    known = sounds.Opus.rates
    assert [sounds.coded_rate(rate, known) for rate in (8000, 11025, 44100, 192000)] == [8000, 12000, 48000, 48000]


# Shapes


def shape(mesh):
    return installed().modalities.get("sdf").read(mesh, samples=10_000)


def bumpy(scale=1.0, subdivisions=4):
    import trimesh

    mesh = trimesh.creation.icosphere(subdivisions=subdivisions)
    radius = 1 + 0.1 * np.sin(5 * mesh.vertices[:, :1]) * np.cos(4 * mesh.vertices[:, 1:2])
    return trimesh.Trimesh(scale * radius * mesh.vertices, mesh.faces)


def test_a_shape_meets_its_size():
    class Quick(shapes.Draco):
        modes = shapes.Draco.modes[1:3]

    signal, draco = shape(bumpy()), Quick()
    search = Search(draco, shapes.BASELINES, signal)
    rows = [search.best(size) for size in (1200, 2400)]
    for size, row in zip((1200, 2400), rows, strict=True):
        assert 0.9 * size < row["bytes"] <= NEAR * size
        assert row["scores"]["chamfer_l1_percent"] == min(score for _, score in row["tried"])
        decoded = draco.decode(row["data"], search.original)
        assert shapes.BASELINES.score(decoded, signal) == row["scores"]
    hull = shapes.lower_hull([*rows[0]["tried"], *rows[1]["tried"]])
    for size, row in zip((1200, 2400), rows, strict=True):
        assert shapes.at_bytes(hull, row["bytes"]) <= row["scores"]["chamfer_l1_percent"]
        # a file of ours, somewhat smaller than its target, has something to stand beside
        assert shapes.at_bytes(hull, 0.96 * size) < 1.2 * row["scores"]["chamfer_l1_percent"]
    assert rows[1]["scores"]["chamfer_l1_percent"] < 0.7 * rows[0]["scores"]["chamfer_l1_percent"]


def test_shapes_are_scored_by_names_that_ours_have():
    from coordcodec_sdf.metrics import compare

    signal = shape(HERE / "meshes" / "mf_Offset4.obj")
    draco, mesh = shapes.BASELINES.codecs["draco"], shapes.BASELINES.original(signal)
    decoded = draco.decode(draco.encode(mesh, "12 bits, faces at most", 10**6), mesh)
    assert len(decoded.faces) == len(mesh.faces)
    found, whole = shapes.BASELINES.score(decoded, signal), compare(signal.original, decoded)
    assert found
    assert found == {name: whole[name] for name in found}
    assert found["chamfer_l1_percent"] < 0.1


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_units_of_a_mesh_make_no_difference(scale):
    draco = shapes.BASELINES.codecs["draco"]

    def result(mesh):
        signal = shape(mesh)
        original = shapes.BASELINES.original(signal)
        data = draco.encode(original, "10 bits, faces at most", 600)
        decoded = draco.decode(data, original)
        assert len(decoded.faces) == pytest.approx(600, rel=0.02)
        return len(data), shapes.BASELINES.score(decoded, signal)["chamfer_l1_percent"]

    assert result(bumpy(scale)) == pytest.approx(result(bumpy()), rel=0.03)


def test_decimation_keeps_the_faces_where_they_matter():
    signal, draco = shape(bumpy()), shapes.BASELINES.codecs["draco"]
    original, even = shapes.BASELINES.original(signal), shape(bumpy(subdivisions=3)).original.mesh
    decoded = draco.decode(draco.encode(original, "12 bits, faces at most", len(even.faces)), original)
    assert len(decoded.faces) <= 1.01 * len(even.faces)
    theirs, evens = (shapes.BASELINES.score(mesh, signal)["chamfer_l1_percent"] for mesh in (decoded, even))
    assert theirs < 0.5 * evens


def test_a_small_mesh_is_never_decimated():
    with pytest.warns(UserWarning, match="colours or textures are not carried"):
        signal = shape(HERE / "meshes" / "tm_comments.off")
    row = Search(shapes.BASELINES.codecs["draco"], shapes.BASELINES, signal).best(4096)
    assert row["bytes"] < 400
    assert row["scores"]["chamfer_l1_percent"] < 0.01
    assert row["setting"] == "12 bits, faces at most 2000000"


POINTS = st.lists(
    st.tuples(st.integers(1, 10**6), st.one_of(st.none(), st.just(0.0), st.floats(1e-6, 100))), min_size=1, max_size=30
)


@given(POINTS, st.randoms(use_true_random=False))
def test_no_point_lies_below_the_hull(points, random):
    hull = shapes.lower_hull(points)
    known = [(size, distance) for size, distance in points if distance is not None]
    assert bool(hull) == bool(known)
    for size, distance in known:
        assert shapes.at_bytes(hull, size) <= max(distance, 1e-9) * (1 + 1e-6)
    shuffled = points[:]
    random.shuffle(shuffled)
    assert shapes.lower_hull(shuffled) == hull


@given(POINTS)
def test_a_hull_is_made_of_points_falls_and_is_convex(points):
    hull = shapes.lower_hull(points)
    for size, distance in hull:
        assert any(s == size and d is not None and max(d, 1e-9) == distance for s, d in points)
        assert shapes.at_bytes(hull, size) == pytest.approx(distance)
    assert all(a[0] < b[0] and a[1] > b[1] for a, b in pairwise(hull))
    for (a, x), (b, y), (c, z) in zip(hull, hull[1:], hull[2:], strict=False):
        line = math.log(x) + math.log(b / a) / math.log(c / a) * math.log(z / x)
        assert math.log(y) <= line + 1e-9


def test_a_hull_is_read_between_its_points():
    hull = shapes.lower_hull([[1000, 0.4], [4000, 0.1], [2000, 0.3], [16000, 0.2], [500, None]])
    assert hull == [(1000, 0.4), (4000, 0.1)]
    assert shapes.at_bytes(hull, 2000) == pytest.approx(0.2)
    assert shapes.at_bytes(hull, 999) == math.inf
    assert shapes.at_bytes(hull, 10**9) == 0.1
    assert shapes.at_bytes([], 1000) == math.inf


# Fields


@pytest.fixture
def weather():
    """Makes signals as the climate plugin does: of a shape, masked where the last index is small."""

    def make(shape, land=0):
        axes = np.meshgrid(*(np.linspace(0, 3, n) for n in shape), indexing="ij")
        waves = sum(np.sin((k + 2) * axis + k) for k, axis in enumerate(axes))
        values = waves + 0.05 * np.random.default_rng(0).standard_normal(shape)
        low, high = float(values.min()), float(values.max())
        cells = (250 + 40 * (values - low) / (high - low)).astype(np.float32)
        cells[..., :land] = np.nan
        return climate([n for n in shape if n > 1], cells, 20.0, {"sizes": list(shape), "low": 250.0, "high": 290.0})

    return make


def climate(shape, cells, scale, meta):
    samples = cells.reshape(-1, 1)
    return Signal(Grid(shape), modality="climate", meta=meta, samples=samples, scale=scale, offset=meta["low"] + scale)


@pytest.mark.parametrize("name", fields.BASELINES.codecs)
def test_a_field_meets_its_size(name, weather):
    signal = weather((20, 1, 24, 30), land=5)
    search = Search(fields.BASELINES.codecs[name], fields.BASELINES, signal)
    size = signal.values.size // 2
    row = search.best(size)
    assert search.original.cells.shape == (20, 24, 30)
    assert abs(float(search.original.cells.mean())) < 1e-3
    assert (0.9 if name == "zfp" else 0.97) * size < row["bytes"] <= NEAR * size
    decoded = fields.BASELINES.codecs[name].decode(row["data"], search.original)
    error = (decoded.cells - search.original.cells)[..., 5:].astype(np.float64)
    assert row["scores"]["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert row["scores"]["max_error"] == pytest.approx(np.abs(error).max())
    assert row["scores"]["psnr_db"] == pytest.approx(20 * np.log10(40 / row["scores"]["rmse"]))
    assert row["scores"]["rmse"] < 1
    assert row["scores"]["rmse"] == min(score for _, score in row["tried"])


@pytest.mark.parametrize("name", fields.BASELINES.codecs)
@pytest.mark.parametrize("shape", [(500,), (1, 40, 30), (7, 3, 20, 25)])
def test_fields_of_one_to_four_axes_go_through_every_mode(name, shape, weather):
    signal = weather(shape)
    baseline, original = fields.BASELINES.codecs[name], fields.BASELINES.original(signal)
    for mode in baseline.modes:
        sizes, errors = [], []
        for share in (0.0, 0.5, 1.0):
            data = baseline.encode(original, mode.name, mode.at(share))
            decoded = baseline.decode(data, original)
            assert decoded.cells.shape == original.cells.shape
            assert decoded.cells.dtype == np.float32
            sizes.append(len(data))
            errors.append(fields.BASELINES.score(decoded, signal)["rmse"])
        assert sizes[0] <= sizes[1] <= sizes[2] > sizes[0], mode.name
        assert errors[0] >= errors[1] >= errors[2] < errors[0], mode.name
        assert errors[2] < 0.01, mode.name


@pytest.mark.parametrize("shape", [(3001,), (50, 61), (10, 15, 21), (2, 5, 15, 21)])
def test_the_lowest_fixed_rate_of_zfp_is_one_that_it_keeps(shape):
    cells = np.cumsum(np.random.default_rng(0).standard_normal(math.prod(shape))).astype(np.float32).reshape(shape)
    original = fields.Field(cells, np.ones(shape, bool))
    zfp = fields.BASELINES.codecs["zfp"]
    mode = next(mode for mode in zfp.modes if mode.name == "bits per cell")
    blocks = math.prod(-(-n // 4) for n in shape)
    assert len(zfp.encode(original, mode.name, mode.smallest)) <= blocks * 12 / 8 + 120


@pytest.mark.parametrize("shape", [(30,), (40, 30), (21, 20, 25)])
def test_the_lowest_rate_of_sperr_is_not_taken_for_none(shape):
    cells = np.cumsum(np.random.default_rng(0).standard_normal(math.prod(shape))).astype(np.float32).reshape(shape)
    original = fields.Field(cells, np.ones(shape, bool))
    sperr = fields.BASELINES.codecs["sperr"]
    assert len(sperr.encode(original, "bits per cell", sperr.modes[0].smallest)) < 60


@pytest.mark.parametrize("name", fields.BASELINES.codecs)
def test_a_field_of_one_value_goes_through(name, weather):
    signal = weather((12, 16))
    flat = climate((12, 16), np.full((192, 1), 250, np.float32), 1.0, {**signal.meta, "high": 250.0})
    row = Search(fields.BASELINES.codecs[name], fields.BASELINES, flat).best(5000)
    assert row["scores"] == {"rmse": 0, "max_error": 0, "psnr_db": None}


def test_masked_cells_do_not_count(weather):
    signal = weather((10, 12), land=4)
    original = fields.BASELINES.original(signal)
    assert not original.known[:, :4].any()
    assert original.known[:, 4:].all()
    wrong = original.like(np.where(original.known, original.cells, 99))
    assert fields.BASELINES.score(wrong, signal) == {"rmse": 0, "max_error": 0, "psnr_db": None}
    assert fields.BASELINES.score(original.like(original.cells + 2), signal)["max_error"] == pytest.approx(2)
