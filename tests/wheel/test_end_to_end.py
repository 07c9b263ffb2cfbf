"""There and back with what is installed: every modality, every kind of layer, every command that users begin with.

`make test-example` runs it from the wheel, with COORDCODEC_WHEEL=required, in an environment without the source tree.
It needs nothing of this folder.
"""

import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

import coordcodec


def command(folder, *arguments, code=0):
    program = Path(sys.executable).parent / "coordcodec"
    done = subprocess.run(
        [program, *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def test_it_is_the_installed_package_that_is_tested():
    if os.environ.get("COORDCODEC_WHEEL") == "required":
        folder = Path(coordcodec.__file__).resolve()
        assert folder.is_relative_to(Path(sys.prefix).resolve()), folder
        assert "site-packages" in folder.parts
    assert (Path(coordcodec.__file__).parent / "inits" / "shipped").is_dir()


def picture(folder):
    from PIL import Image

    y, x = np.mgrid[:40, :56]
    pixels = np.stack([4 * x, 5 * y, 2 * x + 3 * y], axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    return folder / "a.png"


def sound(folder):
    samples = (9000 * np.sin(np.arange(4000) / 9)).astype("<i2")
    with wave.open(str(folder / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return folder / "a.wav"


def mesh(folder):
    corners = [(x, y, z) for x in (0, 3) for y in (0, 2) for z in (0, 4)]
    faces = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    lines = [f"v {x} {y} {z}" for x, y, z in corners]
    lines += [f"f {' '.join(str(k + 1) for k in face)}" for face in faces]
    (folder / "a.obj").write_text("\n".join(lines) + "\n")
    return folder / "a.obj"


@pytest.mark.parametrize(
    ("made", "options"),
    [
        (picture, ("--bytes", 500)),
        (picture, ("--bytes", 500, "--layers", "siren")),
        (picture, ("--lossless",)),
        (picture, ("--max-error", 3)),
        (sound, ("--bytes", 600)),
        (sound, ("--lossless",)),
        (mesh, ("--bytes", 3000, "--samples", 20000)),
    ],
)
def test_there_and_back(tmp_path, made, options):
    source = made(tmp_path)
    more = ("--resolution", 24) if made is mesh else ()
    command(tmp_path, "compress", source.name, "-o", "b.ccdc", "--effort", 1, "--verify", *options)
    assert "ok" in command(tmp_path, "verify", "b.ccdc")
    command(tmp_path, "decompress", "b.ccdc", "-o", f"back{source.suffix}", *more)
    assert (tmp_path / f"back{source.suffix}").stat().st_size > 0
    if options == ("--lossless",):
        assert np.array_equal(read(tmp_path / f"back{source.suffix}"), read(source))
    command(tmp_path, "info", "b.ccdc")
    command(tmp_path, "evaluate", source.name, "b.ccdc")
    (tmp_path / "b.ccdc").write_bytes((tmp_path / "b.ccdc").read_bytes()[:-5])
    command(tmp_path, "verify", "b.ccdc", code=3)


def read(path):
    if path.suffix == ".wav":
        with wave.open(str(path)) as file:
            return file.readframes(file.getnframes())
    from PIL import Image

    return np.asarray(Image.open(path))


def test_what_is_listed():
    folder = Path.cwd()
    words = command(folder, "modalities")
    for name in ("image", "audio", "sdf", "field"):
        assert name in words
    assert "image-w" in command(folder, "inits")
    assert coordcodec.__version__ in command(folder, "--version")
