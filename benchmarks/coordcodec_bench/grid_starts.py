"""Learn the built-in starts of the grid coder, on data outside every benchmark.

    python -m coordcodec_bench.grid_starts SPEECH PHOTOS [OUTPUT]

SPEECH: a folder of flac files (LibriSpeech); PHOTOS: folders of png files (CID22, gb82). Two to four minutes on one
core. The files that ship are frozen: new ones are another format.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from coordcodec_bench.grid_planes import IntArray, Plane, bands, lapped, zones_of

Job = list[list[Plane]]
"""The chunks of a tile, each of some planes."""
MATRIX = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
"""Red, green and blue to luma and two chroma."""


def sounds(folder: Path, random: np.random.Generator) -> Iterator[Job]:
    """Lapped cosine planes of several sizes and steps."""
    import soundfile

    for path in sorted(folder.glob("*.flac")):
        samples = soundfile.read(path)[0]
        block = int(random.choice([256, 256, 256, 512, 1024, 2048]))
        step = float(np.std(samples) * 10 ** -random.uniform(0.4, 1.8))
        spectrum = lapped(samples, block) / step
        plane = (np.sign(spectrum) * np.floor(np.abs(spectrum) + random.uniform(0.33, 0.5))).astype(np.int32)
        yield [[(plane, {}, zones_of(block) if random.random() < 0.9 else None)]]


def pictures(folder: Path, random: np.random.Generator) -> Iterator[Job]:
    """Wavelet bands of luma and chroma at many steps."""
    for path in sorted(folder.rglob("*.png"))[::2]:
        yield bands((pixels(path) - 128.0) @ MATRIX.T, float(np.exp(random.uniform(np.log(5), np.log(70)))))


def pixels(path: Path) -> IntArray:
    """A picture's red, green and blue, (height, width, 3)."""
    from PIL import Image

    with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as image:
        return np.asarray(image.convert("RGB")).astype(np.int32)


def learn(jobs: list[Job]) -> bytes:
    """A start learned on tiles, one after the other."""
    from coordcodec.stream.grid import GridEncoder, GridState, start

    state = GridState.blank()
    for job in jobs:
        for chunk in job:
            encoder = GridEncoder(state, count=True)
            for values, guides, zones in chunk:
                encoder.plane(values, guides, zones)
    probabilities, weights = (np.array(part, np.int32) for part in state.model[:2])
    return start.dump(probabilities, weights)


def main(arguments: list[str]) -> int:
    """Write 1.bin and 2.bin."""
    import os

    from coordcodec.stream.grid import layout, start

    # Probabilities that go on to the mean of many decisions; compiled apart, since the coder's own are others.
    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp()
    setting: Any = layout
    setting.OLDEST = 250
    speech, photos = map(Path, arguments[:2])
    output = Path(arguments[2]) if len(arguments) > 2 else start.FOLDER
    random = np.random.default_rng(20261130)
    for number, jobs in enumerate((list(sounds(speech, random)), list(pictures(photos, random))), 1):
        random.shuffle(jobs)
        made = learn(jobs)
        (output / f"{number}.bin").write_bytes(made)
        print(f"{number}.bin: {len(jobs)} tiles, {len(made)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
