"""A command that is ended at any moment says so in one line, and leaves nothing half done."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

PROGRAM = Path(sys.executable).parent / "coordcodec"
HEEDING = ["env", "--default-signal=INT,TERM,HUP"]  # a shell's background jobs ignore some of them
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture
def picture(photograph, tmp_path):
    path = tmp_path / "q.png"
    Image.fromarray(photograph).save(path)
    return path


def started(folder, *arguments, before=()):
    program = [*before, PROGRAM, "compress", "q.png", "--effort", "9", "--layers", "siren", *arguments]
    return subprocess.Popen(program, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("delay", [0.6, 1.5, 3, 7])  # in imports, while reading, in the first steps
def test_every_signal_ends_it_at_any_moment(picture, tmp_path, number, delay):
    process = started(tmp_path, before=HEEDING)
    time.sleep(delay)
    process.send_signal(number)
    _, words = process.communicate(timeout=60)
    assert (process.returncode, words) == (CODES[number], "interrupted: nothing was written\n")
    assert [p.name for p in tmp_path.iterdir()] == ["q.png"]


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("module", ["numpy", "pluggy", "coordcodec.codec", "coordcodec_image", "torch"])
def test_signals_are_heeded_in_the_middle_of_an_import(picture, tmp_path, number, module):
    script = (
        "import os, sys\nfrom coordcodec.cli import main\n"
        "class Finder:\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), {int(number)})\n"
        "sys.meta_path.insert(0, Finder())\n"
        "sys.exit(main(['compress', 'q.png', '--effort', '9', '--layers', 'siren']))"
    )
    program = [*HEEDING, sys.executable, "-c", script]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (CODES[number], "interrupted: nothing was written\n")
    assert [p.name for p in tmp_path.iterdir()] == ["q.png"]


def test_signals_while_a_file_is_written_leave_no_temporary_file(tmp_path):
    script = (
        "import os, signal, sys\nfrom coordcodec.cli import interrupts\nfrom coordcodec.files import write_bytes\n"
        "def slow(number): os.kill(os.getpid(), signal.SIGTERM)\n"
        "os.fsync = slow\n"
        "with interrupts.heeded() as heeded:\n"
        "    heeded.ready = True\n"
        "    try: write_bytes('a.bin', bytes(1 << 20))\n"
        "    except KeyboardInterrupt: sys.exit(heeded.exit_code)\n"
    )
    done = subprocess.run([*HEEDING, sys.executable, "-c", script], cwd=tmp_path, check=False)
    assert done.returncode == 143
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_best_so_far_is_kept_whatever_ends_it(picture, tmp_path, number):
    process = started(tmp_path, "--keep-best", "--bytes", "1200", before=HEEDING)
    time.sleep(9)
    process.send_signal(number)
    _, words = process.communicate(timeout=120)
    assert (process.returncode, words) == (CODES[number], "interrupted: q.ccdc is the best so far\n")
    assert (tmp_path / "q.ccdc").stat().st_size <= 1200


def test_ignored_signals_stay_ignored(picture, tmp_path):
    process = started(tmp_path, before=["env", "--ignore-signal=HUP"])
    time.sleep(4)
    process.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143


def test_an_exception_that_no_code_passes_on_is_not_lost():
    script = (
        "import os, signal, sys, time\nfrom coordcodec.cli import interrupts\n"
        "class Deaf:\n    def __del__(self): os.kill(os.getpid(), signal.SIGTERM); time.sleep(0.01)\n"
        "with interrupts.heeded() as heeded:\n"
        "    heeded.ready = True\n"
        "    try:\n        Deaf()\n        time.sleep(20)\n"
        "    except KeyboardInterrupt: sys.exit(heeded.exit_code)\n"
    )
    done = subprocess.run([*HEEDING, sys.executable, "-c", script], check=False, env={**os.environ}, timeout=15)
    assert done.returncode == 143
