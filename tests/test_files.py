"""Files appear whole or not at all, and nothing is overwritten unasked."""

import os

import pytest

from coordcodec.errors import FileError
from coordcodec.files import check_writable, read_bytes, write_bytes


def test_writing_and_reading(tmp_path):
    path = tmp_path / "a.bin"
    write_bytes(path, b"one")
    assert read_bytes(path) == b"one"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
    os.umask(mask := os.umask(0))
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_an_existing_file_needs_force(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(FileError, match="exists; choose another output with -o or overwrite it with --force"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    write_bytes(path, b"new", force=True)
    assert path.read_bytes() == b"new"


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(FileError, match="No space left"):
        write_bytes(tmp_path / "a.bin", b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["", "missing/a.bin"])
def test_impossible_outputs_are_told_before_the_work(tmp_path, where):
    with pytest.raises(FileError, match="cannot write"):
        check_writable(tmp_path / where, force=True)


@pytest.mark.parametrize("where", [".", "missing.bin", "nul\0byte"])
def test_unreadable_inputs_are_told(tmp_path, where):
    with pytest.raises(FileError, match="cannot read"):
        read_bytes(tmp_path / where)
