"""The installed command, end to end, in a shell's eyes."""

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROGRAM = Path(sys.executable).parent / "coordcodec"


@pytest.fixture
def picture(photograph, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(photograph).save(path)
    return path


def failed(process, *says, code=2):
    """A failure as users see it: one line on standard error, nothing on standard output."""
    assert process.returncode == code, process.stderr
    assert process.stdout in ("", b"")
    lines = process.stderr.splitlines()
    assert len(lines) == 1, process.stderr
    assert lines[0].startswith("error: ")
    for part in says:
        assert part in lines[0]
    return True


def test_there_and_back(command, picture, tmp_path, photograph):
    done = command("compress", "photo.png", "--bytes", 1200, "--effort", 1)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"photo\.ccdc  1,\d{3} bytes  1\.\d{3} bpp  \d\d\.\d\d dB  \d+ s\n", done.stdout)
    assert done.stderr == ""
    assert 1104 <= (tmp_path / "photo.ccdc").stat().st_size <= 1200
    done = command("decompress", "photo.ccdc", "-o", "back.png")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"back\.png  [\d,]+ bytes  \d+\.\d s\n", done.stdout)
    with Image.open(tmp_path / "back.png") as image:
        error = ((np.asarray(image).astype(float) - photograph) ** 2).mean()
    shown = float(command("evaluate", "photo.png", "photo.ccdc").stdout.split()[5])
    assert shown == pytest.approx(10 * np.log10(255**2 / error), abs=0.006)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["back.png", "photo.ccdc", "photo.png"]


def test_json_says_the_same_as_the_file(command, picture, tmp_path):
    done = command("compress", "photo.png", "-o", "a.ccdc", "--rate", 1.2, "--effort", 1, "--json", "--layers", "siren")
    facts = json.loads(done.stdout)
    keys = {"output", "bytes", "rate", "rate_unit", "seconds", "steps", "width", "quantizer", "device", "psnr_db"}
    assert keys <= set(facts)
    assert facts["output"] == "a.ccdc"
    assert facts["bytes"] == (tmp_path / "a.ccdc").stat().st_size
    assert facts["rate"] == 8 * facts["bytes"] / (72 * 96) <= 1.2
    assert (facts["rate_unit"], facts["quantizer"], facts["device"]) == ("bpp", "rd", "cpu")
    scores = json.loads(command("evaluate", "photo.png", "a.ccdc", "--json").stdout)
    assert scores["bytes"] == facts["bytes"]
    assert scores["rate"] == facts["rate"]
    assert scores["psnr_db"] == pytest.approx(facts["psnr_db"], abs=0.01)
    assert scores["ms_ssim"] is None
    info = json.loads(command("info", "a.ccdc", "--json").stdout)
    assert info["network"]["width"] == facts["width"]
    assert info["bytes"] == facts["bytes"] == sum(info["sections"].values())
    made = json.loads(command("decompress", "a.ccdc", "--json", "-o", "b.png").stdout)
    assert made["bytes"] == (tmp_path / "b.png").stat().st_size


def test_standard_streams(command, picture, compressed):
    done = command(
        "compress", "--modality", "image", "-", "-o", "-", "--width", 4, "--effort", 1,
        stdin=picture.read_bytes(), text=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout[:4] == b"CCDC"
    assert b"standard output" in done.stderr
    shown = command("decompress", "-", "-o", "-", "-q", stdin=done.stdout, text=False)
    assert shown.stderr == b""
    with Image.open(io.BytesIO(shown.stdout)) as image:
        assert image.size == (96, 72)
    assert b"width 4" in command("info", "-", stdin=done.stdout, text=False).stdout
    assert failed(command("compress", "-", stdin="x"), "--modality")
    assert failed(command("compress", "photo.png", "-o", "-", "--json"), "--json")
    assert failed(command("evaluate", "-", "-", stdin="x"), "only one")


def test_scale_size_and_region(command, packed, tmp_path):
    for options, size in (
        (["--scale", 2], (192, 144)),
        (["--size", "50x20"], (50, 20)),
        (["--region", "10,5,30,25"], (20, 20)),
        (["--region", "10,5,30,25", "--scale", 3], (60, 60)),
    ):
        assert command("decompress", "photo.ccdc", "-o", "x.png", "-f", *options).returncode == 0
        with Image.open(tmp_path / "x.png") as image:
            assert image.size == size


def test_info_and_modalities_for_people(command, packed):
    words = command("info", "photo.ccdc").stdout
    for part in (
        "modality  image",
        "header",
        "payload",
        "bpp",
        "siren",
        "width",
        "shape 72x96",
        "range coder",
        "format    4",
    ):
        assert part in words
    assert ".png .jpg" in command("modalities").stdout
    listed = json.loads(command("modalities", "--json").stdout)
    assert {"name", "suffixes", "package", "version"} == set(listed["modalities"][0])


def test_bad_input_is_one_line_and_writes_nothing(command, picture, packed, tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "cut.png").write_bytes(picture.read_bytes()[:2000])
    (tmp_path / "cut.ccdc").write_bytes(packed.read_bytes()[:-9])
    (tmp_path / "new.ccdc").write_bytes(b"CCDC\x07" + bytes(50))
    before = sorted(p.name for p in tmp_path.iterdir())
    quick = ("--effort", 1, "-o", "out.ccdc")
    assert failed(command("compress", "none.png", *quick), "cannot read none.png: No such file")
    assert failed(command("compress", "empty.png", *quick), "empty.png is empty")
    assert failed(command("compress", "text.png", *quick), "cannot read text.png as an image")
    assert failed(command("compress", "cut.png", *quick), "cannot read cut.png as an image")
    assert failed(command("compress", "photo.png"), "photo.ccdc exists", "--force")
    assert failed(command("compress", "photo.png", "-o", "no/such/a.ccdc"), "there is no folder no/such")
    assert failed(command("compress", "photo.png", "-o", "/proc/a.ccdc"), "cannot write /proc/a.ccdc", code=1)
    assert failed(command("compress", "photo.xyz", *quick), "no modality reads the suffix '.xyz'", "image")
    assert failed(command("compress", "photo.png", "--modality", "smell", *quick), "unknown modality 'smell'", "image")
    assert failed(
        command("compress", "photo.png", "--quantizer", "x", *quick), "unknown quantizer 'x'", "adaround, half"
    )
    assert failed(command("compress", "photo.png", "--preset", "x", *quick), "--preset", "basic", "coin")
    assert failed(command("compress", "photo.png", "--rate", "0.0001", *quick), "0.0001 bpp", "smallest possible file")
    assert failed(command("compress", "photo.png", "--rate", "-1", *quick), "rate must be in")
    assert failed(command("compress", "photo.png", "--rate", "nan", *quick), "rate must be in")
    assert failed(command("compress", "photo.png", "--rate", "1", "--width", "4", *quick), "--width", "--rate")
    assert failed(command("compress", "photo.png", "--effort", "0", "-o", "out.ccdc"), "--effort")
    assert failed(command("compress", "photo.png", "--device", "tpu", *quick), "device 'tpu' cannot be used")
    assert failed(command("compress"), "INPUT")
    assert failed(command("frobnicate"), "frobnicate")
    assert failed(command("decompress", "none.ccdc"), "cannot read none.ccdc")
    assert failed(command("decompress", "photo.png"), "not a coordcodec file", code=3)
    assert failed(command("decompress", "cut.ccdc"), "damaged or truncated", code=3)
    assert failed(command("info", "new.ccdc"), "newer coordcodec", code=3)
    assert failed(command("decompress", "photo.ccdc", "-o", "a.png", "--region", "0,0,999,9"), "is not inside")
    assert failed(command("decompress", "photo.ccdc", "-o", "a.png", "--region", "a,b"), "four whole numbers")
    assert failed(command("decompress", "photo.ccdc", "-o", "a.png", "--size", "10"), "two whole numbers WxH")
    assert failed(command("decompress", "photo.ccdc", "-o", "a.xyz"), "cannot write images as '.xyz'")
    assert failed(command("decompress", "photo.ccdc"), "photo.png exists")
    assert failed(command("evaluate", "text.png", "photo.ccdc"), "cannot read text.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_warnings_are_one_line(command, tmp_path):
    Image.new("RGB", (6, 6), "teal").save(tmp_path / "icon.png")
    done = command("compress", "icon.png", "--effort", 1)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("warning: the default of 0.3 bpp is too little for this signal")


def test_an_interrupted_run_leaves_nothing(picture, tmp_path):
    arguments = [PROGRAM, "compress", "photo.png", "--effort", "9", "--layers", "siren"]
    # A test run in the background may ignore interruptions, and its children then do, too.
    arguments = ["env", "--default-signal=INT", *arguments]
    process = subprocess.Popen(arguments, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    time.sleep(6)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 130
    assert words == "interrupted: nothing was written\n"
    assert [p.name for p in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.parametrize(
    "imported", ["coordcodec.cli.interrupts", "coordcodec.cli.streams", "coordcodec.cli.arguments"]
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_interrupted_while_it_is_imported_says_so_in_one_line(imported, number, tmp_path):
    program = f"""
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {imported!r}:
            os.kill(os.getpid(), {int(number)})
sys.meta_path.insert(0, Interrupting())
from coordcodec.cli import main
main(["modalities"])
"""
    arguments = ["env", "--default-signal=INT", sys.executable, "-c", program]
    done = subprocess.run(arguments, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (128 + number, "interrupted: nothing was written\n")


def test_importing_the_command_leaves_the_answers_to_signals_alone():
    program = "import signal; a = signal.getsignal(2); import coordcodec.cli; assert signal.getsignal(2) is a"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def on_a_terminal(arguments, folder):
    """Run the command with standard error on a terminal; what it showed there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([PROGRAM, *arguments], cwd=folder, stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait() == 0
    return shown.decode(errors="replace")


def test_a_terminal_sees_progress_unless_quiet(picture, tmp_path):
    shown = on_a_terminal(["compress", "photo.png", "--effort", "1", "--width", "8"], tmp_path)
    assert "read  " in shown
    assert "fit" in shown
    assert "quantize" in shown
    assert "100%" in shown
    assert on_a_terminal(["compress", "photo.png", "-f", "-q", "--effort", "1", "--width", "8"], tmp_path) == ""


def test_a_reader_that_goes_away_is_no_error():
    pipe = f"{PROGRAM} modalities | true"
    done = subprocess.run(pipe, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "name", ["compress", "decompress", "info", "evaluate", "modalities", "inits", "learn-init", "bench"]
)
def test_every_option_has_a_help_text(command, name):
    words = command(name, "--help").stdout
    options = re.findall(r"^  (?:-\w, )?(?:-\w \S+, )?(--[a-z]+|-\w, --[a-z]+)(.*)$", words, re.M)
    assert "--json" in words
    lines = words.splitlines()
    for i, line in enumerate(lines):
        if re.match(r"  -", line) and "--help" not in line:
            text = re.split(r"\s{2,}", line.strip())[1:] or [lines[i + 1].strip()]
            assert len(text[0]) > 8, line
    assert options


def test_help_names_units_ranges_and_defaults(command):
    words = " ".join(command("compress", "--help").stdout.split())
    for part in (
        "bpp",
        "image 0.3 bpp",
        "in bytes",
        "1 to 1024",
        "2 to 12",
        "default: 8",
        "default: 5",
        "default: rd",
        "1..100",
        "in dB",
        "SECONDS",
        "audio snr_db",
        "0 to 4294967295",
        "default: auto",
        "default: neither",
    ):
        assert part in words, part


def test_version(command):
    assert re.fullmatch(r"coordcodec \d+\.\d+\.\d+\n", command("--version").stdout)
