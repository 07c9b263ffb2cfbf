"""What `make fuzz` ever found is tried for ever, and the fuzzer itself finds what it should."""

import subprocess
import sys
from pathlib import Path

import pytest

CORPUS = Path(__file__).parent / "corpus"
REPLAY = """
import sys
from pathlib import Path
from tests import fuzz
good = fuzz.seeds()
if {broken!r}:
    def broken(data): raise KeyError("a bug")
    fuzz.TARGETS["weights"] = broken
for name in sys.argv[1:]:
    wrong = fuzz.outcome(Path(name).name.split("-")[0], Path(name).read_bytes(), patience=0)
    assert wrong is None, (name, wrong)
assert all(good.values())
print("ended", len(sys.argv) - 1)
"""


def replay(files, broken=False):
    """In a process of its own, since the fuzzer switches checksums off."""
    program = [sys.executable, "-c", REPLAY.format(broken=broken), *map(str, files)]
    return subprocess.run(program, cwd=CORPUS.parent.parent, capture_output=True, text=True, check=False)


def test_all_that_was_ever_found_ends_well():
    files = sorted(CORPUS.glob("*.bin"))
    assert files
    done = replay(files)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"ended {len(files)}\n"


def test_what_is_no_typed_error_is_a_finding():
    done = replay([CORPUS / "weights-empty.bin"], broken=True)
    assert done.returncode == 1
    assert "a bug" in done.stderr


@pytest.mark.parametrize("seed", [1, 2])
def test_a_short_run_finds_nothing(tmp_path, seed):
    program = [sys.executable, "-m", "tests.fuzz", "--seconds", "5", "--seed", str(seed), "-o", str(tmp_path / "found")]
    done = subprocess.run(program, cwd=CORPUS.parent.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert " 0 findings" in done.stdout
