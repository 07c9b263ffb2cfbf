"""What a forged file says of itself: never obeyed by a terminal, never a traceback, never a plugin's fault."""

import json
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import coordcodec
from coordcodec.errors import ContainerError, PluginError, RecipeError
from coordcodec.plugins import told_by_a_file
from coordcodec.stream.container import pack, unpack
from tests.test_waves import file_of

EXAMPLE = Path(__file__).parent.parent / "examples" / "coordcodec_climate"


def forged(data, old, new):
    """A file with some bytes replaced by as many others, and the right checksum."""
    assert len(old) == len(new)
    assert data.count(old) == 1
    body = data[:-4].replace(old, new)
    return body + zlib.crc32(body).to_bytes(4, "little")


@pytest.mark.parametrize(
    "name", [b"im\x1bge", b"im\nge", b"Image", b"1mage", b"im ge", b"im.ge", b"im\xc3\xa4e", b"imag\x00"]
)
def test_a_modality_is_a_plain_name(name, compressed, command, tmp_path):
    bad = forged(compressed, b"image", name)
    with pytest.raises(ContainerError, match="damaged file: the modality") as caught:
        coordcodec.open(bad)
    assert str(caught.value).isprintable()
    (tmp_path / "a.ccdc").write_bytes(bad)
    for arguments in (("info", "a.ccdc"), ("info", "a.ccdc", "--json"), ("decompress", "a.ccdc")):
        done = command(*arguments)
        assert done.returncode == 3
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.strip().isprintable()


def test_texts_of_meta_are_escaped_when_they_are_shown(compressed, command, tmp_path):
    container = unpack(compressed)
    meta = {**container.meta, "note": "\x1b[2J\x1b[31mred\n\nerror: none", "\x1b]0;key\x07": ["two\nlines", "\u202e"]}
    bad = pack(type(container)(container.modality, container.dims, meta, container.sections))
    (tmp_path / "a.ccdc").write_bytes(bad)
    words = command("info", "a.ccdc").stdout
    assert "\\x1b[2J\\x1b[31mred\\n\\nerror: none" in words
    assert all(line.isprintable() for line in words.splitlines())
    assert not any(line.startswith("error") for line in words.splitlines())
    assert json.loads(command("info", "a.ccdc", "--json").stdout)["meta"]["note"] == meta["note"]


class Careless:
    """A modality that believes what a file says."""

    name = "careless"


@pytest.mark.parametrize("raised", [ValueError("sizes [1, 1, 1]\nof two"), KeyError("dims"), PluginError("its fault")])
def test_what_a_modality_stumbles_over_is_the_files_fault(raised):
    with pytest.raises(ContainerError, match="do not go together") as caught, told_by_a_file(Careless()):
        raise raised
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("raised", [RecipeError("no such option"), ContainerError("not a sound"), MemoryError()])
def test_errors_that_a_modality_may_raise_pass_through(raised):
    with pytest.raises(type(raised)) as caught, told_by_a_file(Careless()):
        raise raised
    assert caught.value is raised


def test_the_climate_example_refuses_sizes_that_are_not_the_grid_s():
    script = (
        "import sys, coordcodec, coordcodec_climate\n"
        "from coordcodec import plugins\n"
        "from coordcodec.errors import ContainerError\n"
        "plugins.modality_of = lambda name: coordcodec_climate.Climate()\n"
        "try: coordcodec.open(sys.stdin.buffer.read()).render()\n"
        "except ContainerError as error: print(error)"
    )
    container = unpack(pack_of_three())
    done = subprocess.run(
        [sys.executable, "-c", script], input=pack(container), capture_output=True, check=True, cwd=EXAMPLE
    )
    assert b"not" in done.stdout


def pack_of_three():
    section = file_of(0, dims=3)
    meta = {"shape": [], "channels": 1, "dims": ["time", "lat", "lon"], "sizes": [1, 1, 1], "name": "tas"}
    meta |= {"low": 0.0, "high": 1.0, "at0": [0.0], "at1": [0.0], "at2": [0.0]}
    from coordcodec.stream.container import Container

    return pack(Container("climate", 3, meta, (section,)))
