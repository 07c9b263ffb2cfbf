"""Outputs that would take an input away, streams that are closed or full, names that no terminal can show."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import coordcodec
from coordcodec.cli.exits import EXITS, code_of, in_words
from coordcodec.cli.streams import printable
from coordcodec.errors import CoordCodecError, FileError, WriteError
from coordcodec.files import MAX_BYTES, check_writable, read_bytes, read_stream, write_bytes

PROGRAM = Path(sys.executable).parent / "coordcodec"
QUICK = ("--effort", 1, "--bytes", 600, "--layers", "siren", "--device", "cpu")


@pytest.fixture
def picture(photograph, tmp_path):
    path = tmp_path / "q.png"
    Image.fromarray(photograph[:24, :32]).save(path)
    return path


def shell(line, folder):
    """A line of a shell, in a folder; P is the command."""
    line = line.replace("P ", f"{PROGRAM} ")
    return subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def one_line(done, code, *says):
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert all(part in done.stderr for part in says), done.stderr
    return True


def test_no_spelling_of_the_input_is_an_output(command, picture, packed, tmp_path):
    before, bytes_before = picture.read_bytes(), packed.read_bytes()
    (tmp_path / "link.png").symlink_to("q.png")
    (tmp_path / "hard.png").hardlink_to(picture)
    (tmp_path / "folder").mkdir()
    for output in ("q.png", "./q.png", "folder/../q.png", tmp_path / "q.png", "link.png", "hard.png"):
        assert one_line(command("compress", "q.png", "-o", output, "-f", *QUICK), 2, "it is the input itself")
        done = command("evaluate", "q.png", "photo.ccdc", "--preview", output, "-f")
        assert one_line(done, 2, "it is the input itself")
    assert one_line(command("compress", "link.png", "-o", "q.png", "-f", *QUICK), 2, "it is the input itself")
    assert one_line(shell("P compress - --modality image -o q.png -f < q.png", tmp_path), 2, "the input itself")
    done = command("compress", "q.png", "-o", "x.png", "--preview", "./x.png", *QUICK)
    assert one_line(done, 2, "both the preview and the output")
    assert one_line(command("decompress", "photo.ccdc", "-o", "photo.ccdc", "-f"), 2, "it is the input itself")
    with pytest.raises(FileError, match="it is the input itself"):
        coordcodec.decompress(packed, packed, force=True)
    assert picture.read_bytes() == before
    assert packed.read_bytes() == bytes_before


@pytest.mark.parametrize("name", [".", "", "..", "/"])
def test_a_folder_is_no_input(command, name):
    for more in ((), ("--modality", "image")):
        assert one_line(command("compress", name, *more, *QUICK), 2, f"cannot read {name!r}", "name a file")


def test_a_name_too_long_is_told_before_the_work(command, picture):
    done = command("compress", "q.png", "-o", "x" * 256, *QUICK)
    assert one_line(done, 2, "File name too long")


def test_the_longest_names_can_be_written(tmp_path):
    path = tmp_path / ("x" * 250 + ".ccdc")
    write_bytes(path, b"whole")
    assert path.read_bytes() == b"whole"


@pytest.mark.parametrize("text", ["\x1b[31mred", "two\nlines", "\udcff", "\u202egnp.exe", "tab\t", "\x00"])
def test_what_a_terminal_obeys_or_cannot_show_is_escaped(text):
    assert printable(text).isprintable()
    assert "\\" in printable(text)
    assert printable("Füße 写真 é") == "Füße 写真 é"


def test_names_that_a_terminal_cannot_show(picture, tmp_path):
    name = b"\xff\x1b[31m.png"
    os.rename(picture, os.fsencode(tmp_path) + b"/" + name)  # noqa: PTH104  Path has no bytes
    arguments = [os.fsencode(PROGRAM), b"compress", name, *(str(a).encode() for a in QUICK)]
    for locale in ("C.UTF-8", "C", "POSIX"):
        done = subprocess.run(
            [*arguments, b"-f"],
            cwd=tmp_path,
            capture_output=True,
            timeout=300,
            check=False,
            env={**os.environ, "LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(b"\\udcff\\x1b[31m.ccdc  "), done.stdout
    done = subprocess.run([*arguments], cwd=tmp_path, capture_output=True, timeout=300, check=False)
    assert done.returncode == 2
    assert b"\xff" not in done.stderr
    assert b"\x1b" not in done.stderr


def test_numba_may_be_told_not_to_compile(command, picture, tmp_path, monkeypatch):
    assert command("compress", "q.png", "-o", "a.ccdc", "--bytes", 300, "--effort", 1).returncode == 0
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    done = command("compress", "q.png", "-o", "b.ccdc", "--bytes", 300, "--effort", 1)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "a.ccdc").read_bytes() == (tmp_path / "b.ccdc").read_bytes()
    assert command("compress", "q.png", "-o", "c.ccdc", *QUICK).returncode == 0


def test_endless_inputs_are_read_up_to_the_limit(monkeypatch):
    monkeypatch.setattr("coordcodec.files.MAX_BYTES", 1 << 22)
    with pytest.raises(FileError, match="it goes on after 4194304 bytes"):
        read_bytes("/dev/zero")

    class Endless:
        def __init__(self):
            self.read_so_far = 0

        def read(self, count):
            self.read_so_far += count
            return bytes(count)

    endless = Endless()
    with pytest.raises(FileError, match="the stream: it goes on"):
        read_stream(endless)
    assert endless.read_so_far <= (1 << 22) + (1 << 20)
    with pytest.raises(FileError, match="it goes on"):
        coordcodec.open(Endless())
    assert MAX_BYTES == 1 << 31


def test_a_pipe_is_read(packed, tmp_path):
    assert "modality  image" in shell("P info <(cat photo.ccdc)", tmp_path).stdout


def test_what_a_link_leads_to_is_written_and_modes_are_kept(tmp_path):
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "a.bin", tmp_path / "link.bin"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to("real/a.bin")
    write_bytes(link, b"new", force=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    ahead = tmp_path / "ahead.bin"
    ahead.symlink_to("real/b.bin")
    write_bytes(ahead, b"made")
    assert (tmp_path / "real" / "b.bin").read_bytes() == b"made"
    (tmp_path / "astray.bin").symlink_to("nowhere/b.bin")
    with pytest.raises(FileError, match="there is no folder .*nowhere"):
        check_writable(tmp_path / "astray.bin", force=True)
    (tmp_path / "round.bin").symlink_to("round.bin")
    with pytest.raises(FileError, match="cannot write"):
        write_bytes(tmp_path / "round.bin", b"x", force=True)
    assert sorted(p.name for p in (tmp_path / "real").iterdir()) == ["a.bin", "b.bin"]


def test_pipes_and_devices_are_written_through(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write_bytes(pipe, b"x" * 100_000, force=True)
    reader.join()
    assert found == [b"x" * 100_000]
    assert pipe.is_fifo()
    write_bytes(os.devnull, b"x", force=True)
    assert Path(os.devnull).is_char_device()
    with pytest.raises(WriteError, match="No space left"):
        write_bytes("/dev/full", b"x", force=True)


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    happened = []
    monkeypatch.setattr(os, "fsync", lambda number, real=os.fsync: (happened.append("fsync"), real(number)))
    rename = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, path: (happened.append("rename"), rename(self, path))[1])
    write_bytes(tmp_path / "a.bin", b"x")
    assert happened == ["fsync", "rename"]


def test_full_and_closed_streams_are_one_line(packed, picture, tmp_path):
    for line in ("P info photo.ccdc", "P modalities", "P decompress photo.ccdc -o -", "P --version", "P info --help"):
        assert one_line(shell(f"{line} > /dev/full", tmp_path), 1, "cannot write to standard output: No space left")
    for line in ("P info photo.ccdc", "P modalities --json", "P decompress photo.ccdc -o -"):
        assert one_line(shell(f"{line} >&-", tmp_path), 1, "cannot write to standard output: it is closed")
    assert one_line(shell("P info - <&-", tmp_path), 2, "cannot read standard input: it is closed")
    done = shell("P info none.ccdc 2>&-", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert shell("P info none.ccdc 2> /dev/full", tmp_path).returncode == 2
    assert shell("P decompress photo.ccdc -q <&- >&- 2>&-", tmp_path).returncode == 0
    with Image.open(tmp_path / "photo.png") as image:
        assert np.asarray(image).shape == (72, 96, 3)


def test_a_result_line_that_cannot_be_shown_costs_no_file(picture, tmp_path):
    options = " ".join(map(str, QUICK))
    assert one_line(shell(f"P compress q.png {options} > /dev/full", tmp_path), 1, "cannot write to standard output")
    assert coordcodec.open(tmp_path / "q.ccdc").render().shape == (24, 32, 3)


FAULTS = {"it could not be scored": "score", "its preview could not be drawn": "preview"}


@pytest.mark.parametrize("failed", FAULTS)
@pytest.mark.parametrize(
    ("raised", "code"),
    [("MemoryError()", 1), ("ValueError('unlucky')", 5), ("PluginError('its fault')", 5), ("SignalError('odd')", 2)],
)
def test_what_fails_after_the_encode_costs_no_file(picture, tmp_path, failed, raised, code):
    method = FAULTS[failed]
    script = (
        "import sys; from coordcodec.cli import main; from coordcodec.errors import *\n"
        "from coordcodec_image.modality import Image\n"
        f"def broken(*given): raise {raised}\n"
        f"Image.{method} = broken\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "compress", "q.png", "--preview", "p.png", "--json", *map(str, QUICK)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert one_line(done, code, f"warning: q.ccdc is written, but {failed}: ")
    facts = json.loads(done.stdout)
    assert (facts["psnr_db"] is None) == (method == "score")
    assert coordcodec.open(tmp_path / "q.ccdc").render().shape == (24, 32, 3)


def test_the_table_of_exit_codes_is_the_same_everywhere(command):
    words = command("--help").stdout
    assert in_words() in words
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    for code, text in EXITS.items():
        assert f"| {code} | {text} |" in readme

    def below(kind):
        return {kind, *(found for sub in kind.__subclasses__() for found in below(sub))}

    assert {code_of(kind.__new__(kind)) for kind in below(CoordCodecError)} == {1, 2, 3, 4, 5}
