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
    """The twelve: a name, a modality, a source or a signal, and the choices."""
    grey = photo()[:, :, 0]
    small = {"num_bytes": 900, "steps": 60}
    return [
        ("image-default", "image", photo(), small),
        ("image-deep", "image", photo(), {"width": 32, "depth": 5, "steps": 40, "quantizer": "qat"}),
        ("image-grey-adaround", "image", grey, {"num_bytes": 500, "steps": 60, "quantizer": "adaround"}),
        ("image-parts", "image", photo(), {**small, "part_points": 900, "gains": True, "margin": 20}),
        ("image-learned", "image", photo(), {"init": "image-w32", "num_bytes": 2000, "steps": 40}),
        ("image-coin", "image", photo()[:20, :20], {"preset": "coin", "width": 20, "steps": 40}),
        ("image-adam", "image", photo(), {**small, "optimizer": "adam", "lr": 0.006, "pull": 0.5}),
        ("sdf-default", "sdf", solid(), {"num_bytes": 1500, "steps": 60}),
        ("sdf-learned", "sdf", solid(), {"init": "sdf-w32", "num_bytes": 2500, "steps": 40}),
        ("audio-default", "audio", sound(1), {"num_bytes": 1200, "steps": 60, "init": "none"}),
        ("audio-parts", "audio", sound(4), {"num_bytes": 2400, "steps": 40, "part_bytes": 600, "init": "none"}),
        ("audio-learned", "audio", sound(2), {"init": "audio-w32", "num_bytes": 1500, "steps": 40}),
    ]


def main(threads):
    """Hash, size and steps of every encode."""
    from coordcodec import codec

    warnings.simplefilter("ignore")
    found = {}
    for name, kind, source, choices in jobs():
        modality = codec.find_modality(source, kind)
        common = {"device": "cpu", "precision": "float32", "threads": threads, "seed": 0}
        recipe = codec.make_recipe(modality, **common, **choices)
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
