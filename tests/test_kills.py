"""An encode that is killed at any moment leaves nothing, or a whole file; only SIGKILL may leave a temporary one."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

import coordcodec
from coordcodec.verify import check_whole

PROGRAM = Path(sys.executable).parent / "coordcodec"
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -9}
KILLS = int(os.environ.get("COORDCODEC_KILLS", "10"))
HEEDING = ["env", "--default-signal=INT,TERM,HUP"]  # a shell's background jobs ignore some of them


def killed(folder, number, delay):
    """A process that was sent the signal so many seconds after its start, and what it said."""
    program = [
        *HEEDING,
        PROGRAM,
        "compress",
        "q.png",
        "-o",
        "q.ccdc",
        "--effort",
        "1",
        "--layers",
        "detail",
        "-q",
        "-f",
    ]
    process = subprocess.Popen(program, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    out, words = process.communicate(timeout=120)
    assert out == ""
    return process.returncode, words


@pytest.fixture(scope="module")
def lasting(photograph, tmp_path_factory):
    """A folder with a picture, and how long its encode takes in seconds."""
    folder = tmp_path_factory.mktemp("kills")
    Image.fromarray(photograph).save(folder / "q.png")
    start = time.monotonic()
    assert killed(folder, signal.SIGKILL, 120) == (0, "")
    (folder / "q.ccdc").unlink()
    return folder, time.monotonic() - start


@pytest.mark.parametrize("k", range(KILLS))
def test_a_kill_at_any_moment_leaves_nothing_or_a_whole_file(lasting, k):
    folder, seconds = lasting
    number = [*CODES][k % len(CODES)]
    # Not before Python itself heeds signals; some come too late.
    code, words = killed(folder, number, random.Random(k).uniform(min(0.3, seconds / 4), 1.1 * seconds))
    assert code in (0, CODES[number], -number), words
    assert words == ("interrupted: nothing was written\n" if code == CODES[number] > 0 else "")
    there = {path.name for path in folder.iterdir()} - {"q.png"}
    if number == signal.SIGKILL:  # which nobody can clean up after
        there = {name for name in there if not name.endswith(".tmp")}
    assert there <= {"q.ccdc"}
    if code in (0, -number) and number != signal.SIGKILL:  # the work was done, and Python on its way out
        assert there
    if there:
        check_whole(coordcodec.open(folder / "q.ccdc"))
    for path in folder.iterdir():
        if path.name != "q.png":
            path.unlink()
