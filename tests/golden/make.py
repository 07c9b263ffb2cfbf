"""Write a golden file for every feature of the format: `python -m tests.golden.make`.

Run it only to add files: those of released versions are never written again, they must decode for ever.
"""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

import coordcodec
from coordcodec import codec
from coordcodec.data import Signal

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


class Cloud:
    """A stand-in for a plugin of scattered points."""

    name, rate_unit = "cloud", "bytes"
    defaults = coordcodec.Recipe(width=7, depth=2, num_frequencies=3)

    def rate(self, num_bytes, meta):
        return float(num_bytes)


def save(name, data, version=1):
    path = HERE / f"v{version}-{name}.ccdc"
    if path.exists():
        return
    opened = coordcodec.open(data)
    coords = np.random.default_rng(0).uniform(-1, 1, (24, opened.container.dims)).astype(np.float32)
    coords[0], coords[1] = -1, 1
    path.write_bytes(data)
    np.savez(path.with_suffix(".npz"), coords=coords, values=opened.field(coords))


def image(pixels, **choices):
    return coordcodec.compress(pixels, modality="image", effort=2, device="cpu", **choices)


def main():
    warnings.simplefilter("ignore")
    with Image.open(ROOT / "examples" / "kodim15.png") as picture:
        photo = np.asarray(picture)[100:388:6, 200:584:6]
    save("rgb", image(photo, num_bytes=900))
    save("grey", image(photo[:, :, 0], num_bytes=500, quantizer="uniform"))
    save("alpha16", image((np.dstack([photo, photo[:, :, :1]]).astype(np.uint16) * 257), width=6, bits=11))
    save("coin", image(photo[:20, :20], preset="coin", width=20))
    save("pixel", image(photo[:1, :1], num_bytes=150))
    save("parts", image(photo, num_bytes=1500, part_points=900))
    save("gains", image(photo, num_bytes=1500, part_points=900, gains=True, margin=20), version=2)
    coords = np.random.default_rng(1).uniform(-1, 1, (500, 3)).astype(np.float32)
    values = (np.linalg.norm(coords, axis=1, keepdims=True) - 0.8).astype(np.float32) / 2
    meta = {"scale": 0.1, "centre": [1.0, 2.5, -1e-9], "unit": "mm", "closed": True, "faces": -7, "open": False}
    recipe = codec.make_recipe(Cloud(), device="cpu", effort=2)
    save("cloud", codec.compress_signal(Signal(coords, values, "cloud", meta), Cloud(), recipe).data)


if __name__ == "__main__":
    main()
