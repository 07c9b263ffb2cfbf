"""`verify` decodes without writing; `compress --verify` compares what lies on the disk with what was meant."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import coordcodec
from coordcodec import codec
from coordcodec.data import Quantized, Signal
from coordcodec.errors import ContainerError
from coordcodec.verify import check_meant, check_whole


@pytest.fixture
def picture(photograph, tmp_path):
    path = tmp_path / "q.png"
    Image.fromarray(photograph[:24, :32]).save(path)
    return path


@pytest.fixture(scope="module")
def lossless(photograph):
    return coordcodec.compress(photograph[:24, :32], modality="image", lossless=True, effort=1)


def made_of(source, **choices):
    kind = codec.find_modality(source, "image")
    signal = kind.read(source)
    return codec.compress_signal(signal, kind, codec.make_recipe(kind, device="cpu", effort=1, **choices)), signal


def test_what_is_whole_and_what_it_promises(command, compressed, lossless, tmp_path):
    (tmp_path / "a.ccdc").write_bytes(compressed)
    (tmp_path / "b.ccdc").write_bytes(lossless)
    done = command("verify", "a.ccdc", "b.ccdc")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first == f"a.ccdc  ok  {len(compressed):,} bytes  no promise"
    assert second == f"b.ccdc  ok  {len(lossless):,} bytes  lossless"
    facts = json.loads(command("verify", "b.ccdc", "a.ccdc", "--json").stdout)
    assert facts["ok"] is True
    assert [row["promise"] for row in facts["files"]] == ["lossless", ""]
    assert facts["files"][0]["points"] == 24 * 32
    assert command("verify", "-", "-q", stdin=compressed, text=False).stdout == b""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.ccdc", "b.ccdc"]


def test_damage_anywhere_is_three(command, lossless, tmp_path):
    (tmp_path / "good.ccdc").write_bytes(lossless)
    for place in range(0, len(lossless), max(1, len(lossless) // 6)):
        bad = bytearray(lossless)
        bad[place] ^= 16
        (tmp_path / "bad.ccdc").write_bytes(bad)
        done = command("verify", "good.ccdc", "bad.ccdc")
        assert done.returncode == 3
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith("error: bad.ccdc: ")
        assert done.stdout.startswith("good.ccdc  ok")
    assert command("verify", "good.ccdc", "none.ccdc").returncode == 2
    assert command("verify", "none.ccdc", "bad.ccdc").returncode == 3
    facts = json.loads(command("verify", "none.ccdc", "--json").stdout)
    assert (facts["ok"], facts["files"][0]["exit_code"]) == (False, 2)


def test_scattered_points_are_verified_too():
    points = np.random.default_rng(0).uniform(-1, 1, (300, 3)).astype(np.float32)

    signal = Signal(points, np.sin(points[:, :1]), "cloud", {})
    kind = codec.find_modality(np.zeros((8, 8)), "image")
    made = codec.compress_signal(
        signal, kind, kind.defaults.replace(num_bytes=400, effort=1, device="cpu", layers="siren")
    )
    assert check_whole(coordcodec.open(made.data)) == 27
    check_meant(made.data, made, signal)


@pytest.mark.parametrize("choices", [{"lossless": True}, {"num_bytes": 500}, {"num_bytes": 500, "layers": "siren"}])
def test_a_file_that_is_not_what_was_meant_is_found(photograph, choices):
    made, signal = made_of(photograph[:24, :32], **choices)
    check_meant(made.data, made, signal)
    with pytest.raises(ContainerError, match="not those that were written"):
        check_meant(made.data[:-1] + b"x", made, signal)
    if made.spec.kind == "siren":
        (symbols,) = made.meant
        wrong = {k: Quantized(q.symbols + (k == "bias1"), q.step) for k, q in symbols.items()}
        with pytest.raises(ContainerError, match="from what was meant"):
            check_meant(made.data, dataclasses.replace(made, meant=(wrong,)), signal)
    else:
        other, _ = made_of(255 - photograph[:24, :32], **choices)
        with pytest.raises(ContainerError, match="from what was meant"):
            check_meant(made.data, dataclasses.replace(made, meant=other.meant), signal)


def test_compress_verifies_what_lies_on_the_disk(command, picture, tmp_path):
    done = command("compress", "q.png", "--verify", "--bytes", 500, "--effort", 1)
    assert (done.returncode, done.stderr) == (0, "")
    assert command("compress", "q.png", "--verify", "-o", "-").returncode == 2
    script = (
        "import sys; from coordcodec.cli import main, compress\n"
        "def write(path, data, force): open(path, 'wb').write(data[:-3] + bytes(3))\n"
        "compress.write_output = write\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["compress", "q.png", "-o", "bad.ccdc", "--verify", "--bytes", "500", "--effort", "1"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("error: bad.ccdc is written, but wrong: the bytes on the disk")
