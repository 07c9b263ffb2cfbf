"""The same command and seed give the same bytes, whatever else the machine does; moved code gives those of before."""

import json
import multiprocessing
import subprocess
import sys

import pytest

from coordcodec import codec
from coordcodec.errors import RecipeError
from tests import twelve

BUSY = "while True: sum(i * i for i in range(10**5))"


def finished(process):
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0
    return json.loads(output)


@pytest.fixture
def busy():
    """A process that wants a core for itself."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    yield
    process.kill()
    process.wait()


def test_the_twelve_encodes_are_what_they_were_under_load_and_two_at_once(busy):
    one, two = twelve.in_another_process(1), twelve.in_another_process(2)
    found = finished(one)
    assert found == finished(two), "the number of threads changes bytes"
    assert len(found) == 12
    recorded = json.loads(twelve.RECORDED.read_text())
    kind = twelve.kind_of_processor()
    for name, (sha256, size) in recorded["encodes"].items():
        if kind == recorded["processor"]:
            assert found[name]["sha256"] == sha256, f"{name}: other bytes than before"
        assert abs(found[name]["bytes"] - size) <= 0.05 * size, name


@pytest.mark.parametrize("choices", [{}, {"part_points": 900}], ids=["one", "many"])
def test_threads_do_not_change_the_bytes_with_all_instructions(photograph, choices):
    kind = codec.find_modality(photograph, "image")
    signal = kind.read(photograph)
    made = set()
    for threads in (1, 2, 3, 4, None):
        recipe = codec.make_recipe(kind, device="cpu", num_bytes=1500, siren={"steps": 30, **choices}, threads=threads)
        encoded = codec.compress_signal(signal, kind, recipe)
        assert encoded.threads == (threads or min(4, multiprocessing.cpu_count()))
        made.add(encoded.data)
    assert len(made) == 1


def test_threads_and_precision_stand_in_json_and_in_words(command, photograph, tmp_path):
    from PIL import Image

    Image.fromarray(photograph).save(tmp_path / "photo.png")
    common = ("compress", "photo.png", "--width", 4, "--effort", 1, "--threads", 1, "--precision", "float32")
    done = command(*common, "-o", "a.ccdc", "--json")
    facts = json.loads(done.stdout)
    assert (facts["threads"], facts["precision"]) == (1, "float32")
    done = command(*common, "-o", "b.ccdc", "-v")
    assert "device: cpu, 1 thread, products in float32" in done.stderr
    assert "width: 4" in done.stderr
    assert (tmp_path / "a.ccdc").read_bytes() == (tmp_path / "b.ccdc").read_bytes()
    for option, value in (("--threads", 0), ("--threads", "two"), ("--precision", "float64")):
        done = command("compress", "photo.png", option, value)
        assert done.returncode == 2
        assert option.removeprefix("--") in done.stderr


def test_no_threads_is_refused():
    with pytest.raises(RecipeError, match="threads must be in 1 to 1024, got 0"):
        codec.make_recipe(codec.find_modality("a.png", None), threads=0)


def test_threads_of_a_decode_change_no_byte(command, compressed, tmp_path):
    (tmp_path / "a.ccdc").write_bytes(compressed)
    for threads in (1, 2):
        done = command("decompress", "a.ccdc", "-o", f"{threads}.png", "--threads", threads)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()
    refused = command("decompress", "a.ccdc", "-o", "3.png", "--threads", 0)
    assert (refused.returncode, refused.stderr) == (2, "error: threads must be at least 1, got 0\n")
