"""What several tests need: real pictures, devices, the installed command."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from coordcodec.data import Grid, Signal

ROOT = Path(__file__).parent
settings.register_profile("house", deadline=None)  # machines are shared and noisy: no time is a pass mark
settings.load_profile("house")
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def pytest_report_header():
    absent = "" if "cuda" in DEVICES else " (no GPU here: GPU tests run where there is one)"
    return f"devices: {', '.join(DEVICES)}{absent}"


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param


@pytest.fixture(scope="session")
def photograph():
    """A detail of a real photograph, (72, 96, 3) uint8."""
    from PIL import Image

    with Image.open(ROOT / "examples" / "kodim15.png") as image:
        return np.asarray(image)[100:388:4, 200:584:4].copy()


@pytest.fixture(scope="session")
def compressed(photograph):
    """The photograph's detail as a network, made quickly."""
    import coordcodec

    choices = {"num_bytes": 1200, "effort": 1, "layers": "siren", "device": "cpu"}
    return coordcodec.compress(photograph, modality="image", **choices)


@pytest.fixture
def packed(compressed, tmp_path):
    """The path of `compressed`, as a file of a test's own."""
    path = tmp_path / "photo.ccdc"
    path.write_bytes(compressed)
    return path


@pytest.fixture
def waves():
    """A smooth signal on a grid of 24 x 20 with two channels."""
    grid = Grid((24, 20))
    x = grid.coords()
    values = np.stack([np.sin(4 * x[:, 0]) * x[:, 1], np.cos(3 * x[:, 1] + x[:, 0])], axis=1) * 0.9
    return Signal(grid, values.astype(np.float32), "waves")


@pytest.fixture
def command(tmp_path):
    """Run the installed command in an empty folder; returns the finished process."""

    def run(*arguments, stdin=None, text=True):
        program = Path(sys.executable).parent / "coordcodec"
        return subprocess.run(
            [program, *map(str, arguments)],
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=text,
            timeout=600,
            check=False,
        )

    return run
