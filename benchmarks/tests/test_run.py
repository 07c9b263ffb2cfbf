"""The runner of benchmarks: every row, whatever happens to the codec, the files or the disk."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordcodec import codec
from coordcodec.errors import CoordCodecError, FileError, RecipeError, UnknownName
from coordcodec.plugins import installed
from coordcodec_bench import facts, names, ours, rows, workers
from coordcodec_bench.baselines import baselines_of
from coordcodec_bench.run import Plan, run
from coordcodec_bench.workers import Crew, Task

QUICK = "ours:siren.steps=20:siren.batch=512"


@pytest.fixture
def pictures(tmp_path, photograph):
    """A folder with two small pictures."""
    from PIL import Image

    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(photograph).save(folder / "a.png")
    Image.fromarray(photograph[:40, :56]).save(folder / "b.png")
    return folder


def measured(folder, **choices):
    lines = []
    output = folder.parent / "results"
    choices = {"rates": (1.0,), "codecs": (QUICK, "jpeg"), "device": "cpu"} | choices
    counts = run(Plan(folder, output, **choices), lines.append)
    return rows.load(output / "image.jsonl"), lines, counts


def test_a_row_says_all_that_was_measured(pictures):
    found, lines, counts = measured(pictures, rates=(1.0, 2.0))
    assert {(r["file"], r["codec"], r["target_rate"]) for r in found} == {
        (f, c, r) for f in ("a.png", "b.png") for c in (QUICK, "jpeg") for r in (1.0, 2.0)
    }
    assert counts == {"results": str(pictures.parent / "results" / "image.jsonl"), "rows": 8, "new": 8, "ok": 8,
                      "failed": 0, "skipped": 0}  # fmt: skip
    assert len(lines) == 8
    for row in found:
        assert row["status"] == "ok"
        data = rows.kept(pictures.parent / "results", row).read_bytes()
        assert row["bytes"] == len(data)
        points = {"a.png": 72 * 96, "b.png": 40 * 56}[row["file"]]
        assert row["rate"] == pytest.approx(8 * len(data) / points)
        assert set(row["scores"]) == {"psnr_db", "ms_ssim"}
        assert row["encode_seconds"] > 0
        assert row["decode_seconds"] > 0
        assert row["peak_memory_mib"] > 20
        assert row["threads"] >= 1
        assert row["machine"]
        assert row["commit"] == facts.commit()
        assert row["sha256"] == rows.digest(pictures / row["file"])
        assert rows.sources(pictures.parent / "results")[row["sha256"]] == str(pictures / row["file"])
        assert row["version"]
        assert row["setting"]
    mine = [row for row in found if row["codec"] == QUICK]
    assert all(row["rate"] <= row["target_rate"] and row["seed"] == 0 and row["steps"] >= 20 for row in mine)


def test_what_a_file_of_ours_holds_is_what_the_row_says(pictures):
    from coordcodec import codec

    found, *_ = measured(pictures, codecs=(QUICK,), only=("a.png",))
    data = rows.kept(pictures.parent / "results", found[0]).read_bytes()
    signal = installed().modalities.get("image").read(pictures / "a.png")
    assert codec.open(data).score(signal)["psnr_db"] == pytest.approx(found[0]["scores"]["psnr_db"], abs=0.05)


@pytest.mark.parametrize("layers", ["siren", "detail", "siren+detail"])
def test_a_row_says_which_layers_its_file_has(pictures, layers):
    name = f"ours:layers={layers}:siren.steps=20:siren.batch=512"
    (row,), *_ = measured(pictures, codecs=(name,), only=("b.png",), rates=(4.0,))
    data = rows.kept(pictures.parent / "results", row).read_bytes()
    assert "+".join(section.spec.kind for section in codec.open(data).container.sections) == layers
    quantizer = "quantizer rd, " if "siren" in layers else ""
    assert row["setting"] == f"layers {layers}, {quantizer}effort 5, steps 20, batch 512"
    assert ("bits" in row) == (layers == "siren")


def test_finished_rows_are_never_measured_again(pictures):
    first, *_ = measured(pictures)
    again, lines, counts = measured(pictures)
    assert again == first
    assert lines == []
    assert counts["new"] == 0
    more, _, counts = measured(pictures, rates=(1.0, 0.8))
    assert counts["new"] == 4
    assert more[: len(first)] == first


def test_a_changed_file_is_told_and_measured_again(pictures):
    from PIL import Image

    first, *_ = measured(pictures)
    Image.fromarray(np.zeros((40, 56, 3), np.uint8)).save(pictures / "b.png")
    again, lines, counts = measured(pictures)
    assert lines[0] == "b.png has changed since it was measured: its rows are measured again"
    assert counts["new"] == 2
    assert [r["sha256"] for r in again if r["file"] == "b.png"] == [rows.digest(pictures / "b.png")] * 2
    assert [r for r in again if r["file"] == "a.png"] == [r for r in first if r["file"] == "a.png"]


def test_unreadable_files_are_rows_that_failed_and_the_run_goes_on(pictures):
    (pictures / "bad.png").write_bytes(b"no picture")
    (pictures / "notes.txt").write_text("left out")
    found, lines, counts = measured(pictures, codecs=(QUICK, "jpeg"))
    failed = [row for row in found if row["status"] == "failed"]
    assert [row["file"] for row in failed] == ["bad.png", "bad.png"]
    assert all("cannot read bad.png" in row["reason"] and "\n" not in row["reason"] for row in failed)
    assert (counts["ok"], counts["failed"]) == (4, 2)
    assert any("left out" in line for line in lines)
    assert measured(pictures)[2]["new"] == 0
    assert measured(pictures, retry=True)[2]["new"] == 2


def test_a_rate_that_cannot_be_met_is_a_failed_row(pictures):
    found, *_ = measured(pictures, rates=(0.001,), codecs=(QUICK,), only=("a.png",))
    assert found[0]["status"] == "failed"
    assert "smallest possible file" in found[0]["reason"]


@pytest.mark.parametrize(
    ("choices", "error", "words"),
    [
        ({"codecs": ("nonsense",)}, UnknownName, "unknown codec 'nonsense'; choose from: .*jpeg"),
        ({"codecs": ("jpeg:quality=3",)}, UnknownName, "ours take options"),
        ({"codecs": ("ours:stepps=3",)}, RecipeError, "'stepps=3' is no choice"),
        ({"codecs": ("ours:siren.steps=many",)}, RecipeError, "of type int, got 'many'"),
        ({"codecs": ("ours:siren.gains=1",)}, RecipeError, "True or False"),
        ({"codecs": ("ours:effort=99",)}, RecipeError, "effort must be in 1 to 9"),
        ({"codecs": ("ours:siren.quantizer=none",)}, UnknownName, "unknown quantizer"),
        ({"codecs": ("ours:init=photos",)}, UnknownName, "unknown initialisation"),
        ({"rates": (-1.0,)}, RecipeError, "a rate is a number above 0"),
        ({"rates": (float("nan"),)}, RecipeError, "a rate is a number above 0"),
        ({"jobs": 0}, RecipeError, "--jobs"),
        ({"limit": 0.0}, RecipeError, "--time-limit"),
        ({"modality": "smell"}, UnknownName, "unknown modality"),
        ({"only": ("c.png",)}, FileError, "no c.png among"),
        ({"device": "abacus"}, RecipeError, "abacus"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused_before_any_work(pictures, choices, error, words):
    with pytest.raises(error, match=words):
        measured(pictures, **choices)
    assert not (pictures.parent / "results").exists()


def test_folders_without_files_are_refused(tmp_path):
    with pytest.raises(FileError, match="no folder"):
        run(Plan(tmp_path / "nowhere", tmp_path / "results"))
    with pytest.raises(FileError, match="no file of modality image"):
        run(Plan(tmp_path, tmp_path / "results"))


def test_options_of_our_codecs_are_choices_of_a_recipe():
    kind = installed().modalities.get("image")
    own = ours.parse("ours:init=none:effort=2:siren.gains=True:siren.part_bytes=None:siren.lr=0.01")
    recipe = own.recipe(kind, 0.5, effort=5, seed=3, device="cpu")
    assert (recipe.rate, recipe.effort, recipe.siren.gains, recipe.siren.part_bytes) == (0.5, 2, True, None)
    assert (recipe.siren.lr, recipe.seed, recipe.init) == (0.01, 3, "none")
    recipe = ours.parse(f"{names.NETWORKS}:effort=1").recipe(kind, 0.5, effort=5, seed=3, device="cpu")
    assert (recipe.layers, recipe.effort) == ("siren", 1)
    assert ours.parse("ours").recipe(kind, 0.5, effort=5, seed=3, device="cpu").layers == "auto"
    coin = ours.parse("coin:siren.steps=7").recipe(kind, 0.31, 5, 0, "cpu")
    assert (coin.siren.quantizer, coin.siren.steps, coin.siren.num_frequencies) == ("half", 7, 0)
    assert ours.parse("coin").recipe(kind, 0.31, 5, 0, "cpu").siren.steps == 50_000
    assert ours.parse("jpeg") is None
    with pytest.warns(DeprecationWarning, match="write ours:siren.steps=7:effort=2:siren.rate_penalty=0"):
        own = ours.parse("ours:steps=7:effort=2:pull=0")
    assert own.name == "ours:siren.steps=7:effort=2:siren.rate_penalty=0"
    assert own.choices == {"siren.steps": 7, "effort": 2, "siren.rate_penalty": 0.0}
    assert names.canonical("jpeg") == "jpeg"


def test_rows_of_earlier_versions_go_by_todays_names(tmp_path):
    path = tmp_path / "image.jsonl"
    path.write_text('{"file": "a.png", "codec": "ours:quantizer=qat:init=auto", "target_rate": 1}\n')
    assert rows.load(path)[0]["codec"] == "ours:siren.quantizer=qat:init=auto"


def test_two_devices_are_compared(compressed, photograph):
    signal = installed().modalities.get("image").read(photograph)
    facts_ = ours.compared(codec.open(compressed), "cpu", "cpu", signal)
    assert facts_["largest_difference"] == 0
    assert facts_["device"] == "cpu"
    assert facts_["scores"]["psnr_db"] > 15


def test_every_baseline_is_named_in_the_help(command):
    text = " ".join(command("bench", "--help").stdout.split())
    for modality in ("image", "sdf", "audio", "climate"):
        for name in baselines_of(modality).codecs:
            assert name in text, name
    assert all(name in text for name in ours.OURS)


# What processes do; see `Crew`.
def counts_up(task):
    for rate in task.rates:
        yield {"status": "ok", "value": rate, "pid": os.getpid(), "threads": os.environ.get("OMP_NUM_THREADS")}


def crashes_at_two(task):
    for rate in task.rates:
        if rate == 2:
            os.kill(os.getpid(), signal.SIGSEGV)
        yield {"status": "ok", "value": rate}


def exits_at_two(task):
    for rate in task.rates:
        if rate == 2:
            os._exit(7)
        yield {"status": "ok", "value": rate}


def hangs_at_two(task):
    for rate in task.rates:
        if rate == 2:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            Path(task.path).write_text(str(child.pid))
            time.sleep(600)
        yield {"status": "ok", "value": rate}


def task(codec="x", rates=(1.0, 2.0, 3.0), path="p"):
    return Task(path, "image", codec, rates)


def test_processes_share_out_the_tasks():
    tasks = [task(str(n), (1.0, 2.0)) for n in range(5)]
    got = list(Crew(2, 60, counts_up).run(tasks))
    assert sorted((t.codec, rate) for t, rate, _ in got) == [(str(n), r) for n in range(5) for r in (1.0, 2.0)]
    assert all(row["value"] == rate and row["threads"] == "1" for _, rate, row in got)
    assert 1 <= len({row["pid"] for *_, row in got}) <= 2
    assert all(os.getpid() != row["pid"] for *_, row in got)


@pytest.mark.parametrize(("work", "words"), [(crashes_at_two, "SIGSEGV"), (exits_at_two, "exit code 7")])
def test_a_crash_is_a_failed_row_and_the_others_are_measured(work, words):
    got = [(rate, row) for _, rate, row in Crew(1, 60, work).run([task(), task("y", (1.0,))])]
    assert [rate for rate, _ in got] == [1, 2, 3, 1]
    assert [row["status"] for _, row in got] == ["ok", "failed", "ok", "ok"]
    assert words in got[1][1]["reason"]


def test_what_hangs_is_ended_with_its_programs_and_the_others_are_measured(tmp_path):
    note = tmp_path / "pid"
    crew = Crew(1, 8, hangs_at_two)
    got = [(rate, row) for _, rate, row in crew.run([task(path=str(note)), task("y", (1.0,), str(note))])]
    assert [row["status"] for _, row in got] == ["ok", "failed", "ok", "ok"]
    assert "no result after 8 s" in got[1][1]["reason"]
    state = Path(f"/proc/{note.read_text()}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_whatever_a_codec_raises_is_the_reason_of_its_row(pictures, monkeypatch):
    class Faulty:
        name, install, note, modes = "jpeg", "", "", ()

        def version(self):
            raise self.error

    faulty = Faulty()
    monkeypatch.setitem(baselines_of("image").codecs, "jpeg", faulty)
    for error, status, words in (
        (ImportError("pip install something"), "skipped", "not installed: pip install something"),
        (MemoryError("no room\nat all"), "failed", "MemoryError: no room"),
        (OSError(), "failed", "OSError: "),
        (CoordCodecError("said well"), "failed", "said well"),
    ):
        faulty.error = error
        (row,) = workers.rows_of(Task(str(pictures / "a.png"), "image", "jpeg", (1.0,)))
        assert (row["status"], row["reason"]) == (status, words)


@contextmanager
def full_disk(room):
    """Files may not grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_loses_a_row_but_no_other(tmp_path):
    path = tmp_path / "image.jsonl"
    first = {"file": "a", "codec": "x", "target_rate": 1.0}
    rows.append(path, first)
    with full_disk(path.stat().st_size + 10), pytest.raises(FileError, match=r"cannot write to .*image.jsonl"):
        rows.append(path, {"file": "b", "codec": "x", "target_rate": 1.0})
    assert rows.load(path) == [first]
    rows.append(path, {"file": "c", "codec": "x", "target_rate": 1.0})
    assert [row["file"] for row in rows.load(path)] == ["a", "c"]


def test_a_run_on_a_full_disk_tells_and_goes_on(pictures):
    measured(pictures, codecs=("jpeg",), rates=(3.0,))
    size = (pictures.parent / "results" / "image.jsonl").stat().st_size
    with full_disk(size + 100):
        found, lines, counts = measured(pictures, codecs=("jpeg",), rates=(1.0, 3.0))
    assert len(found) == 2
    assert counts["new"] == 0
    assert sum("will be measured again" in line for line in lines) == 2
    assert measured(pictures, codecs=("jpeg",), rates=(1.0, 3.0))[2] | {"results": 0} == {
        "results": 0, "rows": 4, "new": 2, "ok": 4, "failed": 0, "skipped": 0}  # fmt: skip


def test_an_interrupted_write_is_passed_over_and_mended(tmp_path):
    path = tmp_path / "image.jsonl"
    rows.append(path, {"file": "a"})
    with path.open("a") as out:
        out.write('{"file": "b", "by')
    assert [row["file"] for row in rows.load(path)] == ["a"]
    rows.append(path, {"file": "c"})
    assert [row["file"] for row in rows.load(path)] == ["a", "c"]


@pytest.mark.parametrize("line", ["nonsense", "[1]", "3"])
def test_a_result_file_that_is_none_is_refused(tmp_path, line):
    path = tmp_path / "image.jsonl"
    path.write_text(f"{line}\n{{}}\n")
    with pytest.raises(FileError, match="line 1 is no JSON object"):
        rows.load(path)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0.1, 0.3]), st.integers()), max_size=12))
def test_of_rows_with_one_key_the_latest_counts(items):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.jsonl")
        for file, rate, value in items:
            rows.append(path, {"file": file, "target_rate": rate, "value": value})
        latest = {(file, rate): value for file, rate, value in items}
        assert {(r["file"], r["target_rate"]): r["value"] for r in rows.load(path)} == latest


def test_the_command_measures_resumes_and_says_what_failed(command, pictures):
    arguments = ("bench", pictures, "-o", "r", "--rates", "1,2", "--codecs", f"{QUICK},jpeg", "--device", "cpu")
    done = command(*arguments, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "8 rows: 8 ok; 8 new" in done.stdout
    assert all(row["threads"] == 1 for row in rows.load(pictures.parent / "r" / "image.jsonl"))
    (pictures / "bad.png").write_bytes(b"")
    done = command(*arguments, "--json")
    assert done.returncode == 1
    assert {k: v for k, v in json.loads(done.stdout).items() if k != "results"} == {
        "rows": 12, "new": 4, "ok": 8, "failed": 4, "skipped": 0}  # fmt: skip
    done = command("bench", pictures, "-o", "r", "--codecs", "jpg")
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown codec 'jpg'; choose from")
    done = command("bench", pictures, "-o", "r", "--rates", "0.3;0.6")
    assert done.returncode == 2
    assert "expected numbers such as 0.15,0.3, got '0.3;0.6'" in done.stderr
    assert "bench-report" not in command("--help").stdout


def test_an_interrupted_run_says_what_is_kept(pictures, tmp_path):
    program = Path(sys.executable).parent / "coordcodec"
    slow = "ours:siren.steps=100000:siren.batch=512"
    arguments = [program, "bench", pictures, "-o", tmp_path / "r", "--rates", "1", "--codecs", f"jpeg,{slow}"]
    process = subprocess.Popen(
        ["env", "--default-signal=INT", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert "jpeg" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told == f"interrupted: what was measured is in {tmp_path / 'r'}; the same command goes on\n"
    assert len(rows.load(tmp_path / "r" / "image.jsonl")) >= 1
