"""Twelve small encodes of three modalities, as hashes: `python -m tests.twelve` prints them as JSON.

What comes out must not depend on the machine's load or on its number of threads, and code that is only moved must not
change it. Signals are made of integers and of operations that IEEE 754 rounds correctly. The libraries are asked for
the instructions that every x86-64 processor has, so that one list of hashes holds on all of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).parent.parent
RECORDED = Path(__file__).parent / "twelve.json"
PLAIN = {
    "MKL_CBWR": "COMPATIBLE",
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "NUMBA_CPU_NAME": "x86-64",
    "NUMBA_CPU_FEATURES": "",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
}
"""Environment variables that keep MKL, PyTorch, oneDNN, Numba and NumPy to common instructions."""


def kind_of_processor():
    """What a list of hashes holds for: system, architecture and the widest registers."""
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    widest = next((name for name in ("avx512f", "avx2") if name in flags), "")
    return f"{platform.system()} {platform.machine()} {widest}".lower().strip()


def photo():
    import numpy as np
    from PIL import Image

    with Image.open(ROOT / "examples" / "kodim15.png") as image:
        return np.asarray(image)[100:388:6, 200:584:6].copy()


def sound(seconds_of_rows):
    """Rows of the photograph as sound: (n, 1 or 2) int16 at 8000 Hz."""
    import numpy as np

    rows = photo().astype(np.int16).reshape(48, -1)[: 12 * seconds_of_rows]
    samples = (rows.ravel() - 128) * 250
    return samples, 8000


def solid():
    """Distances to a sphere at well-spread points, as the sdf plugin would sample a mesh."""
    import numpy as np

    from coordcodec.data import Signal

    steps = np.arange(3000)[:, None] * np.array([[0.8191725133961645, 0.6710436067037893, 0.5497004779019703]])
    coords = (2 * (steps % 1) - 1).astype(np.float32)
    distance = np.sqrt((coords.astype(np.float64) ** 2).sum(1, keepdims=True)) - 0.625
    meta = {"c": [0.0, 0.0, 0.0], "s": 1.0, "t": 0.125}
    return Signal(coords, np.clip(distance * 8, -1, 1), "sdf", meta)


def jobs():
    """The twelve: a name, a modality, a source or a signal, the choices, and those of the networks."""
    grey, rgb, ball = photo()[:, :, 0], photo(), solid()
    cut = {"part_points": 900, "gains": True, "margin": 20}
    few, fewer = {"steps": 60}, {"steps": 40}
    alone = {"init": "none"}
    return [
        ("image-default", "image", rgb, {"num_bytes": 900}, few),
        ("image-deep", "image", rgb, {}, {"width": 32, "depth": 5, "quantizer": "qat", **fewer}),
        ("image-grey-adaround", "image", grey, {"num_bytes": 500}, {"quantizer": "adaround", **few}),
        ("image-parts", "image", rgb, {"num_bytes": 900}, few | cut),
        ("image-learned", "image", rgb, {"num_bytes": 2000, "init": "image-w32"}, fewer),
        ("image-coin", "image", rgb[:20, :20], {"preset": "coin"}, {"width": 20, **fewer}),
        (
            "image-adam",
            "image",
            rgb,
            {"num_bytes": 900},
            {"optimizer": "adam", "lr": 0.006, "rate_penalty": 0.5, **few},
        ),
        ("sdf-default", "sdf", ball, {"num_bytes": 1500}, few),
        ("sdf-learned", "sdf", ball, {"num_bytes": 2500, "init": "sdf-w32"}, fewer),
        ("audio-default", "audio", sound(1), {"num_bytes": 1200, **alone}, few),
        ("audio-parts", "audio", sound(4), {"num_bytes": 2400, **alone}, {"part_bytes": 600, **fewer}),
        ("audio-learned", "audio", sound(2), {"num_bytes": 1500, "init": "audio-w32"}, fewer),
    ]


def main(threads):
    """Hash, size and steps of every encode."""
    from coordcodec import codec

    warnings.simplefilter("ignore")
    found = {}
    for name, kind, source, choices, networks in jobs():
        modality = codec.find_modality(source, kind)
        common = {"device": "cpu", "precision": "float32", "threads": threads, "seed": 0}
        recipe = codec.make_recipe(modality, **common, **choices, siren=networks)
        signal = source if kind == "sdf" else modality.read(source)
        data = codec.compress_signal(signal, modality, recipe).data
        found[name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    print(json.dumps(found, indent=1))


def in_another_process(threads):
    """Start them in a process of their own, with common instructions only."""
    command = [sys.executable, "-m", "tests.twelve", str(threads)]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | PLAIN, stdout=subprocess.PIPE, text=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
