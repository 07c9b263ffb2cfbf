"""Learning an initialisation from folders: what is read, when it goes on, how it ends."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from coordcodec import codec, inits
from coordcodec.data import Grid, Signal
from coordcodec.errors import FileError, InitialisationError, RecipeError, SignalError, UnknownName
from coordcodec.layers.siren import network
from coordcodec.layers.siren.learnable import LearnableSiren
from coordcodec.learning import checkpoint, codes, curve, maml, pool, stages
from coordcodec.learning.plan import Plan
from coordcodec.learning.pool import Pool
from coordcodec.learning.run import learn
from coordcodec.learning.tasks import Reader, find_files, held_bytes, spread
from coordcodec.learning.watchdog import FAR, LONG, MOST_SKIPPED, WINDOW, Watchdog
from coordcodec.plugins import modality
from coordcodec.recipe import Recipe

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("COORDCODEC_INITS", raising=False)


@pytest.fixture
def pictures(tmp_path):
    """A folder of twelve small pictures, smooth and alike, each of whole blocks and in one minibatch."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(12):
        small = Image.fromarray(rng.integers(0, 255, (4, 4, 3), np.uint8))
        small.resize((32, 16), Image.Resampling.BICUBIC).save(folder / f"{i:02}.png")
    return folder


def plan(folder, **choices):
    output = str(Path(folder).parent / "init.safetensors")
    quick = {"width": 8, "outer_steps": 30, "tasks_per_step": 4, "points": 512, "fits": 4, "fit_steps": 10}
    return Plan(
        **{"folders": (str(folder),), "modality": "image", "output": output, "device": "cpu", **quick, **choices}
    )


def test_an_initialisation_is_learned_from_a_folder(pictures, tmp_path):
    told = []
    facts = learn(plan(pictures, licence="CC0"), told.append)
    data = (tmp_path / "init.safetensors").read_bytes()
    found = inits.parse(data)
    assert (found.name, found.modality, found.spec.width, len(found.rates)) == ("init", "image", 8, 3)
    assert found.id.hex() == facts["hash"]
    assert Path(facts["kept"]).read_bytes() == data
    assert inits.find(found.id, found.spec, "image").sha256 == found.sha256
    assert (tmp_path / "init.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.glob("init*")) == [
        "init.checkpoint.safetensors", "init.png", "init.safetensors"
    ]  # fmt: skip
    # Two of twelve are held back.
    assert (facts["signals"], facts["tasks"], facts["skipped_files"], facts["nan_steps"]) == (10, 10, 0, 0)
    assert found.facts["trained_on"] == f"pictures: 10 signals, 10 parts, {10 * 512} samples"
    assert found.facts["licence"] == "CC0"
    assert found.facts["command"].startswith("coordcodec learn-init pictures --modality image --width 8")
    assert "--outer-steps 30" in found.facts["command"]
    assert str(tmp_path) not in data.decode("latin-1")
    assert re.fullmatch(r"-?\d+\.\d\d -> \d+\.\d\d dB in 3 steps", found.facts["gain"])
    assert facts["psnr_db"] > facts["before_db"]
    assert [line.split()[0] for line in told] == ["step", "step", "step"]


def test_the_same_seed_learns_the_same(pictures, tmp_path):
    one = learn(plan(pictures, output=str(tmp_path / "a.safetensors"), outer_steps=5))
    two = learn(plan(pictures, output=str(tmp_path / "b.safetensors"), outer_steps=5))
    other = learn(plan(pictures, output=str(tmp_path / "c.safetensors"), outer_steps=5, seed=1))
    assert one["psnr_db"] == pytest.approx(two["psnr_db"], abs=0.01)
    assert one["psnr_db"] != pytest.approx(other["psnr_db"], abs=0.01)


def test_the_command_says_what_it_learned(command, pictures):
    words = ["learn-init", pictures, "--modality", "image", "--width", 6, "--outer-steps", 3, "--fits", 2]
    words += ["--fit-steps", 2, "--points", 512, "--device", "cpu", "-o", "small.safetensors"]
    done = command(*words)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("step 0: held back ")
    assert re.fullmatch(
        r"small\.safetensors  [0-9a-f]{16}  10 tasks  3 steps  held back \d+\.\d\d -> \d+\.\d\d dB  \d+ s", lines[-2]
    )
    assert lines[-1].startswith("kept for decoding in ")
    done = command(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("error: small.safetensors exists; ")
    done = command(*words, "--force", "--json")
    facts = json.loads(done.stdout)
    assert {
        "output",
        "hash",
        "tasks",
        "outer_steps",
        "psnr_db",
        "seconds",
        "nan_steps",
        "skipped_files",
    } <= facts.keys()


def interrupting(stage, at):
    def watch(name, done, total):
        if (name, done) == (stage, at):
            raise KeyboardInterrupt

    return watch


def test_an_interrupted_run_goes_on(pictures, tmp_path):
    whole = learn(plan(pictures, output=str(tmp_path / "whole.safetensors"), outer_steps=12))
    with pytest.raises(KeyboardInterrupt, match="the state after 7 outer steps is in .*init.checkpoint.safetensors"):
        learn(plan(pictures, outer_steps=12), watch=interrupting("learn", 7))
    assert not (tmp_path / "init.safetensors").exists()
    assert not (tmp_path / "init.png").exists()
    with pytest.raises(FileError, match="go on from it with --resume"):
        learn(plan(pictures, outer_steps=12))
    facts = learn(plan(pictures, outer_steps=12, resume=True))
    assert facts["outer_steps"] == 12
    # Every picture is one minibatch, so the same tasks in the same order end at the same place.
    assert facts["psnr_db"] == pytest.approx(whole["psnr_db"], abs=0.05)
    one, two = (inits.load(tmp_path / f"{name}.safetensors") for name in ("whole", "init"))
    assert np.allclose(one.theta["weight1"], two.theta["weight1"], atol=0.02)


def test_what_comes_after_the_state_may_be_asked_for_anew(pictures, tmp_path):
    with pytest.raises(KeyboardInterrupt, match="the state after 4 outer steps"):
        learn(plan(pictures, outer_steps=4), watch=interrupting("fits", 10))
    facts = learn(plan(pictures, outer_steps=4, fit_steps=3, resume=True, force=True))
    assert facts["outer_steps"] == 4


def test_a_run_goes_on_with_the_same_choices_only(pictures, tmp_path):
    with pytest.raises(FileError, match="leave out --resume to begin"):
        learn(plan(pictures, resume=True))
    with pytest.raises(KeyboardInterrupt):
        learn(plan(pictures), watch=interrupting("learn", 1))
    for name, value, said in (
        ("width", 9, "--width 8, now it is 9"),
        ("outer_steps", 31, "--outer-steps 30, now it is 31"),
        ("num_bytes", 500, "--bytes None, now it is 500"),
        ("first_order", True, "--first-order False, now it is True"),
    ):
        with pytest.raises(InitialisationError, match=said):
            learn(plan(pictures, **{name: value}, resume=True))


def test_damaged_checkpoints_are_refused(pictures, tmp_path):
    wanted = plan(pictures, resume=True)
    with pytest.raises(KeyboardInterrupt):
        learn(plan(pictures), watch=interrupting("learn", 1))
    path = wanted.checkpoint
    good = path.read_bytes()
    for data in (b"", good[:7], good[:300], good[:-1], b"\xff" * 400, good[:8] + b"[" * 3000 + good[3008:]):
        path.write_bytes(data)
        with pytest.raises(InitialisationError, match=r"^damaged checkpoint .*") as caught:
            learn(wanted)
        assert "\n" not in str(caught.value)
    path.write_bytes(save({"a": torch.zeros(1)}))
    with pytest.raises(InitialisationError, match="no checkpoint of learn-init"):
        learn(wanted)
    facts = {"format": checkpoint.FORMAT, "arguments": json.dumps(wanted.lasting())}
    for tensors in ({}, {"theta.weight0": torch.zeros(1, 8, 5)}):
        path.write_bytes(save(tensors, facts))
        with pytest.raises(InitialisationError, match="damaged checkpoint"):
            learn(wanted)
    path.write_bytes(save({"a": torch.zeros(1)}, {**facts, "arguments": "3"}))
    with pytest.raises(InitialisationError, match="does not say how it was made"):
        learn(wanted)


def test_a_run_that_diverges_ends_and_goes_on_more_slowly(pictures, tmp_path, monkeypatch):
    learned = maml.Learner.learn

    def broken(self, sources, tasks):
        if self.step >= 5:
            self.step += 1
            return math.nan
        return learned(self, sources, tasks)

    monkeypatch.setattr(stages, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(maml.Learner, "learn", broken)
    with pytest.raises(InitialisationError) as caught:
        learn(plan(pictures))
    assert re.fullmatch(
        r"learning diverged at outer step 15: 10 steps in a row had no finite loss; --resume goes on from step 5, kept "
        r"in .*init.checkpoint.safetensors, at half the outer rates; or begin anew with a smaller --outer-lr",
        str(caught.value),
    )
    assert not (tmp_path / "init.safetensors").exists()
    factors = []

    def watched(self, sources, tasks):
        factors.append(self.factor)
        return learned(self, sources, tasks)

    monkeypatch.setattr(maml.Learner, "learn", watched)
    assert learn(plan(pictures, resume=True))["outer_steps"] == 30
    assert factors == [0.5] * 25


def test_the_watchdog_barks_at_what_lasts():
    dog = Watchdog()
    assert not any(dog.complaint(1.0) for _ in range(500))
    assert not any(dog.complaint(math.nan) for _ in range(MOST_SKIPPED - 1))
    assert not dog.complaint(1.0)
    assert not any(dog.complaint(FAR * 1.1) for _ in range(WINDOW * (LONG - 1)))
    assert dog.worried
    assert not any(dog.complaint(1.1) for _ in range(WINDOW))
    said = [dog.complaint(FAR * 1.2) for _ in range(WINDOW * (LONG + 1))]
    assert any("more than 2 times its best" in line for line in said)
    assert "10 steps in a row" in [Watchdog.complaint(dog, math.nan) for _ in range(MOST_SKIPPED)][-1]


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"width": 0}, "--width must be in 1 to 1024, got 0"),
        ({"outer_steps": 0}, "--outer-steps must be in 1 to"),
        ({"inner_steps": 17}, "--inner-steps must be in 0 to 16"),
        ({"inner_lr": math.nan}, "--inner-lr must be in"),
        ({"outer_lr": -1.0}, "--outer-lr must be in"),
        ({"points": 3}, "--points must be in 64 to"),
        ({"limit": 1}, "--limit must be in 2 to"),
        ({"fits": 0}, "--fits must be in 1 to"),
        ({"output": "a.pt"}, "got a.pt; name it something.safetensors"),
    ],
)
def test_bad_choices_are_told_at_once(choices, says):
    with pytest.raises(RecipeError, match=says):
        Plan(**{"folders": ("nowhere",), "modality": "image", "width": 8, **choices})


def test_bad_folders_and_outputs_are_told_in_one_line(pictures, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.png").write_bytes((pictures / "00.png").read_bytes())
    for wanted, kind, says in (
        (plan(tmp_path / "empty"), SignalError, "nothing to learn from in .*empty: no file ends in .png, .jpg"),
        (plan(tmp_path / "nowhere"), FileError, "cannot read .*nowhere: there is no such folder"),
        (plan(tmp_path / "one"), SignalError, "learning takes at least two signals"),
        (plan(pictures, modality="smell"), UnknownName, "unknown modality 'smell'"),
        (plan(pictures, device="abacus"), RecipeError, "device 'abacus' cannot be used"),
        (plan(pictures, output=str(tmp_path / "no" / "a.safetensors")), FileError, "there is no folder"),
        (plan(pictures, rate=-1.0), RecipeError, "rate must be in"),
    ):
        with pytest.raises(kind, match=says) as caught:
            learn(wanted)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.safetensors"))


class Arrays:
    """A modality of .npy files: a grid of any dimension with channels last."""

    name, suffixes, rate_unit, main_score = "arrays", (".npy",), "bits", "psnr_db"
    read_options, write_options = {}, {}
    defaults = Recipe(num_bytes=2000, siren={"depth": 1, "num_frequencies": 2, "part_points": 256, "gains": True})

    def read(self, source, **options):
        try:
            values = np.load(source)
        except ValueError as error:
            raise SignalError(f"{source}: no array ({error})") from None
        return Signal(Grid(values.shape[:-1]), values.reshape(-1, values.shape[-1]), self.name)

    def rate(self, num_bytes, meta):
        return 8.0 * num_bytes


@pytest.fixture
def arrays(tmp_path):
    """Writes arrays into a folder and makes a pool of them."""
    folder = tmp_path / "arrays"
    folder.mkdir()

    def make(shapes, **choices):
        rng = np.random.default_rng(0)
        for i, shape in enumerate(shapes):
            data = rng.uniform(-0.5, 0.5, shape).astype(np.float32) if shape else b"nothing"
            path = folder / f"{i:03}.npy"
            path.write_bytes(data) if shape is None else np.save(path, data)
        wanted = plan(folder, modality="arrays", **choices)
        return Pool(Reader(wanted, Arrays(), Arrays.defaults, CPU), lambda *told: None)

    return make


def test_signals_are_cut_as_they_are_when_they_are_compressed(arrays):
    found = arrays([(600, 2)] * 4)
    assert (found.signals, found.tasks, found.samples) == (3, 9, 1800)
    assert len(found.held_back) == 3
    for task in found.at_hand:
        assert len(task.values) == 200
        # With its gain every part uses all of [-1, 1], in steps of 0.75 dB.
        assert 0.91 < float((task.values / task.gain).abs().max()) <= 1


def test_sounds_have_the_parts_that_their_files_have(tmp_path):
    import soundfile

    sound = tmp_path / "tone.wav"
    soundfile.write(sound, 0.3 * np.sin(np.arange(32000) / 9), 16000)
    kind = modality("audio")
    for choices in ({}, {"rate": 20.0}):
        recipe = codec.make_recipe(kind, None, device="cpu", siren={"steps": 1}, **choices)
        reader = Reader(plan(tmp_path, modality="audio"), kind, recipe, CPU)
        signal = reader.read(sound)
        encoded = codec.compress_signal(signal, kind, recipe)
        assert codec.open(encoded.data).info["layers"][0]["parts"] == [len(reader.cut(signal, 0))]


def test_parts_of_any_size_are_learned_from_together(arrays):
    found = arrays([(5, 20, 1), (64, 2, 1), (9, 9, 1), (200, 1, 1), (16, 16, 1), (7, 9, 1)], tasks_per_step=4)
    assert found.left.small == [str(found.files[5])]
    spec = found.reader.spec
    learner = maml.Learner(LearnableSiren(spec), maml.Settings(outer_steps=3, inner_lr=0.01), network.init(spec, 1, 0))
    tasks = found.at(0)
    assert len(tasks) == 4
    assert math.isfinite(learner.learn(tasks, 4))
    with pytest.warns(UserWarning, match=r"left out: 1 of 6 files have no part of 64 samples, such as .*005.npy"):
        found.left.tell(6)


def test_few_unreadable_files_are_left_out_and_many_are_an_error(arrays):
    found = arrays([(20, 20, 1)] * 39 + [None])
    assert (found.signals, found.left.count) == (35, 1)
    with pytest.warns(UserWarning, match=r"left out: 1 of 40 files cannot be read, such as .*039.npy: .*no array"):
        found.left.tell(40)
    with pytest.raises(SignalError, match=r"3 of 40 files cannot be read, more than 5%, such as .*037.npy: .*no array"):
        arrays([(20, 20, 1)] * 37 + [None] * 3)
    assert arrays([(20, 20, 1)] * 37 + [None] * 3, most_unreadable=0.1).left.count == 3


def test_something_is_always_held_back(arrays):
    found = arrays([None, (20, 20, 1), (20, 20, 1)], most_unreadable=0.5)
    assert (found.signals, len(found.held_back)) == (1, 2)
    with pytest.raises(SignalError, match="learning takes at least two signals, .* found 1"):
        arrays([None, (20, 20, 1), None], most_unreadable=0.7)


def test_signals_of_other_kinds_are_left_out_or_an_error(arrays):
    found = arrays([(20, 20, 1)] * 3 + [(20, 20, 2)] * 2)
    assert (found.reader.spec.channels, len(found.left.other_channels)) == (1, 2)
    with pytest.raises(SignalError, match=r"3 of 5 files have other channels than the first, such as .*002.npy"):
        arrays([(20, 20, 1)] * 2 + [(20, 20, 2)] * 3)
    with pytest.raises(SignalError, match=r"000.npy has 2 axes and .*003.npy has 1: they cannot share one network"):
        arrays([(20, 20, 1)] * 3 + [(400, 1)])


def test_circles_are_an_error_and_masked_samples_weigh_nothing(arrays, monkeypatch):
    read = Arrays.read

    def changed(**choices):
        def reading(self, source, **options):
            signal = read(self, source, **options)
            return Signal(signal.coords, signal.values, "arrays", **choices)

        monkeypatch.setattr(Arrays, "read", reading)

    changed(mask=np.arange(400) % 4 > 0)
    found = arrays([(20, 20, 1)] * 3)
    weights = torch.cat([task.weights for task in found.at_hand]).unique()
    assert weights.tolist() == pytest.approx([0, 4 / 3])
    changed(periodic=(True, False))
    with pytest.raises(SignalError, match=r"000.npy has periodic axes; initialisations are learned from"):
        arrays([(20, 20, 1)] * 3)


def test_files_of_other_modalities_are_told(arrays, tmp_path):
    for name in ("a.png", "b.wav", "sub/c.flac", "readme.txt", ".hidden.png"):
        (tmp_path / "arrays" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "arrays" / name).write_bytes(b"")
    found = arrays([(20, 20, 1)] * 3)
    assert (len(found.files), found.left.count) == (3, 0)
    with pytest.warns(UserWarning, match=r"^left out: 3 files of another modality, such as .*a.png$"):
        found.left.tell(3)


def test_parts_held_back_do_not_keep_the_signal_they_are_of(arrays, monkeypatch):
    monkeypatch.setattr(pool, "MOST_HELD_BACK", 2)
    found = arrays([(4000, 2)] * 3)
    assert len(found.held_back) == 2
    for task in found.held_back:
        assert task.values.untyped_storage().nbytes() == task.values.nbytes < 4000 * 2 * 4


def test_every_task_is_drawn_and_none_that_is_held_back(arrays):
    found = arrays([(10, 10, 1)] * 23, tasks_per_step=5)
    assert (found.signals, len(found.held_back)) == (20, 3)
    seen = [tuple(id(task) for task in found.at(step)) for step in range(4)]
    assert len({task for step in seen for task in step}) == 20
    assert not {task for step in seen for task in step} & {id(task) for task in found.held_back}
    assert [tuple(id(task) for task in found.at(step)) for step in range(4)] == seen
    assert [tuple(id(task) for task in found.at(step)) for step in range(4, 8)] != seen
    few = arrays([(10, 10, 1)] * 23, tasks_per_step=50)
    assert len({id(task) for task in few.at(3)}) == 20


def test_what_does_not_fit_into_memory_takes_turns(arrays, monkeypatch):
    monkeypatch.setattr(pool, "MOST_BYTES", 9 * 400)
    monkeypatch.setattr(pool, "GENERATION", 10)
    found = arrays([(10, 10, 1)] * 23, tasks_per_step=3)
    assert found.rotating
    seen, sums = {}, {}
    for step in range(120):
        tasks = found.at(step)
        assert len(tasks) == 3
        assert held_bytes(found.at_hand) <= 9 * 400
        sums[step] = sorted(float(task.values.sum()) for task in tasks)
        seen |= dict.fromkeys(sums[step])
    assert len(seen) == 20
    # A run that goes on jumps straight to its step.
    again = arrays([(10, 10, 1)] * 23, tasks_per_step=3)
    for step in (95, 17, 96):
        assert sorted(float(task.values.sum()) for task in again.at(step)) == sums[step]
    Path(again.files[5]).unlink()
    with pytest.raises(FileNotFoundError):
        for step in range(0, 400, 10):
            again.at(step)


def test_files_are_found_in_all_folders_below(tmp_path):
    for name in ("b/x.png", "a/z.PNG", "a/deep/y.png", "a/.hidden/w.png", "a/other.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = find_files([str(tmp_path / "b"), str(tmp_path / "a")], (".png",))
    assert [str(path.relative_to(tmp_path)) for path in found] == ["b/x.png", "a/deep/y.png", "a/z.PNG"]
    assert len(find_files([str(tmp_path)], (".png",), 2)) == 2
    assert spread(list(range(10)), 3) == [0, 3, 6]


def test_sizes_of_updates_are_drawn_towards_rows_and_columns():
    rng = np.random.default_rng(0)
    rows, columns = rng.normal(0, 2, (30, 1)), rng.normal(0, 2, (1, 40))
    own = rng.normal(0, 0.3, (30, 40))
    for truth in (rows + columns - 3, rows + columns + own - 3):
        for tasks in (2, 8, 4000):
            seen = np.log(rng.exponential(np.exp(truth), (tasks, 30, 40)).mean(0))
            drawn = codes.shrunk(seen, tasks)
            error = np.sqrt(((drawn - truth - (drawn - truth).mean()) ** 2).mean())
            plain = np.sqrt(((seen - truth - (seen - truth).mean()) ** 2).mean())
            assert error < (0.5 if tasks == 2 else 1.0) * plain + 1e-3
    vector = rng.normal(0, 1, 50)
    assert np.allclose(codes.shrunk(vector, 10**6), vector, atol=1e-3)
    assert np.allclose(codes.shrunk(np.zeros(5), 3), 0)


def test_codes_are_half_octaves():
    sums = {"weight0": np.array([[8.0, 4.0], [8.0 * 2**0.5, 8.0]]), "bias0": np.array([0.0])}
    found = codes.codes_for({name: 10**6 * value for name, value in sums.items()}, 10**6)
    assert found["weight0"].tolist() == [[6, 4], [7, 6]]
    assert found["bias0"].tolist() == [-64]
    assert found["weight0"].dtype == np.int8


def test_the_curve_is_a_picture():
    points = [curve.Point(0, math.nan, 5.0, 6.0), curve.Point(50, 0.1, 6.0, 9.0)]
    assert curve.draw(points, "a").startswith(b"\x89PNG")
    assert curve.decibels(4.0) == 0
    assert curve.decibels(0.0) == math.inf


def test_plans_can_be_named_and_repeated():
    wanted = plan(
        "/somewhere/photos", output="/x/Photos W48.safetensors", first_order=True, options={"samples": (1, 2)}
    )
    assert wanted.name == "photos-w48"
    assert wanted.command() == (
        "coordcodec learn-init photos --modality image --width 8 --outer-steps 30 --first-order --tasks-per-step 4 "
        "--points 512 --fits 4 --fit-steps 10 --samples 1,2 -o 'Photos W48.safetensors'"
    )
    assert Plan(folders=("a",), modality="audio", width=32).output == "audio-w32.safetensors"
