"""Write a golden file for every feature of the format: `python -m tests.golden.make`.

Run it only to add files: those of released versions are never written again, they must decode for ever.
"""

import dataclasses
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

import coordcodec
from coordcodec import codec, inits
from coordcodec.data import Quantized, Signal, round_step
from coordcodec.layers.detail import propose
from coordcodec.partition import Partition
from coordcodec.specs import SirenSpec
from coordcodec.stream import weights
from coordcodec.stream.container import Container, Section, pack

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TINY = SirenSpec(dims=2, channels=3, width=8, depth=1, num_frequencies=3, sigma=2000)


class Globe:
    """A stand-in for a plugin of fields on a globe: two axes, the second of which is a circle."""

    name, rate_unit = "globe", "bytes"
    defaults = coordcodec.Recipe(siren={"width": 7, "depth": 1, "num_frequencies": 3})

    def rate(self, num_bytes, meta):
        return float(num_bytes)

    def signal(self, meta=None, circle=True, land=False, typed=False):
        grid = coordcodec.Grid((9, 16), periodic=(False, circle))
        lat, lon = grid.coords()[:, 0] * np.pi / 2, grid.coords()[:, 1] * np.pi
        samples = np.rint(250 + 40 * np.cos(lat) + 8 * np.sin(lon) * np.cos(lat)).astype(np.int16)[:, None]
        mask = ~((abs(lat) < 0.9) & (lon > 0.5) & (lon < 2)) if land else None
        values = ((samples - 250.0) / 50).astype(np.float32)
        kind = {"samples": samples, "scale": 50.0, "offset": 250.0, "unit": "°C"} if typed else {}
        return Signal(grid, values, "globe", meta or {}, mask=mask, **kind)


class Cloud:
    """A stand-in for a plugin of scattered points."""

    name, rate_unit = "cloud", "bytes"
    defaults = coordcodec.Recipe(siren={"width": 7, "depth": 2, "num_frequencies": 3})

    def rate(self, num_bytes, meta):
        return float(num_bytes)


def save(name, data, version=1, init=None):
    """init: the bytes of the initialisation that the file was made with; they are kept beside it."""
    path = HERE / f"v{version}-{name}.ccdc"
    if path.exists():
        return
    opened = coordcodec.open(data, inits.parse(init) if init else None)
    if init:
        path.with_suffix(inits.SUFFIX).write_bytes(init)
    coords = np.random.default_rng(0).uniform(-1, 1, (24, opened.container.dims)).astype(np.float32)
    coords[0], coords[1] = -1, 1
    if version == 5:  # some on samples, where a mask decides
        shape = opened.container.meta["shape"]
        coords[2:8] = coordcodec.Grid(shape, periodic=opened.container.periodic).coords()[5::23][:6]
    path.write_bytes(data)
    promised = {"samples": opened.samples()} if opened.container.promise else {}
    np.savez(path.with_suffix(".npz"), coords=coords, values=opened.field(coords), **promised)


def learned(seed, steps, spec=TINY):
    """The bytes of an initialisation that nobody learned: drawn, with updates that shrink with the column."""
    rng, shapes = np.random.default_rng(seed), spec.shapes()
    theta = {k: rng.normal(size=s) * (3 if k == "weight0" else 1) / np.sqrt(s[-1]) for k, s in shapes.items()}
    rates = [{k: rng.uniform(0, 0.1, s) for k, s in shapes.items()} for _ in range(steps)]
    codes = {k: np.broadcast_to(-3 - np.arange(s[-1]) // 2, s) for k, s in shapes.items()}
    ranges = {k: 0.5 + i for i, k in enumerate(shapes)}
    facts = {"trained_on": "nothing", "licence": "CC0-1.0", "gain": "0 dB", "seed": str(seed)}
    return inits.pack(f"drawn-w{spec.width}", "image", spec, theta, rates, codes, ranges, facts)


def updated(init, parts=(1, 1), half=False, seed=0, margin=0, gains=b""):
    """A file whose updates to an initialisation, given as bytes, are drawn as large as it expects them."""
    learned, rng = inits.parse(init), np.random.default_rng(seed)
    symbols = {}
    for name, codes in learned.codes.items():
        sigma = 2.0 ** (codes.astype(float) / 2)
        update = rng.laplace(0, sigma, (int(np.prod(parts)), *codes.shape))
        step = 0.0 if half else round_step(sigma.max() / 6)
        whole = np.float16(update).view(np.uint16) if half else np.clip(np.rint(update / step), -63, 63)
        symbols[name] = Quantized(whole.astype(np.int32), step)
    meta = {"shape": [20, 24], "channels": 3}
    spec = dataclasses.replace(learned.spec, partition=Partition(parts, margin), gains=gains)
    section = Section(spec, (weights.encode(symbols, learned.offsets()),), learned.id)
    return pack(Container("image", 2, meta, (section,)))


def adapted(seed, parts=(1, 1)):
    """A file whose weights differ so much from column to column, or from row to row, that it pays to adapt to them."""
    rng, symbols, spec = np.random.default_rng(seed), {}, dataclasses.replace(TINY, width=16)
    for name, shape in spec.shapes().items():
        sigma = 30.0 / (1 + np.arange(shape[-1]))[rng.permutation(shape[-1])]
        sigma = np.broadcast_to(30.0 / (1 + np.arange(shape[0]))[:, None], shape) if name == "weight1" else sigma
        drawn = rng.laplace(0, sigma, (int(np.prod(parts)), *shape))
        symbols[name] = Quantized(np.clip(np.rint(drawn), -127, 127).astype(np.int32), round_step(0.02))
    section = Section(dataclasses.replace(spec, partition=Partition(parts)), (weights.encode(symbols),))
    return pack(Container("image", 2, {"shape": [20, 24], "channels": 3}, (section,)))


def image(pixels, **choices):
    return coordcodec.compress(pixels, modality="image", effort=2, device="cpu", **choices)


def main():
    warnings.simplefilter("ignore")
    with Image.open(ROOT / "examples" / "kodim15.png") as picture:
        photo = np.asarray(picture)[100:388:6, 200:584:6]
    save("rgb", image(photo, num_bytes=900))
    save("grey", image(photo[:, :, 0], num_bytes=500, siren={"quantizer": "uniform"}))
    save(
        "alpha16", image((np.dstack([photo, photo[:, :, :1]]).astype(np.uint16) * 257), siren={"width": 6, "bits": 11})
    )
    save("coin", image(photo[:20, :20], preset="coin", siren={"width": 20}))
    save("pixel", image(photo[:1, :1], num_bytes=150))
    save("parts", image(photo, num_bytes=1500, siren={"part_points": 900}))
    save("gains", image(photo, num_bytes=1500, siren={"part_points": 900, "gains": True, "margin": 20}), version=2)
    save("init", updated(learned(1, 3)), version=3, init=learned(1, 3))
    parts = updated(learned(2, 0), (2, 3), margin=30, gains=bytes(range(6)))
    save("init-parts", parts, version=3, init=learned(2, 0))
    save("init-half", updated(learned(3, 1), half=True), version=3, init=learned(3, 1))
    save("contexts", adapted(0), version=4)
    save("contexts-parts", adapted(1, (2, 2)), version=4)
    save("sorted", image(photo, num_bytes=1500, siren={"part_points": 900}), version=4)
    coords = np.random.default_rng(1).uniform(-1, 1, (500, 3)).astype(np.float32)
    values = (np.linalg.norm(coords, axis=1, keepdims=True) - 0.8).astype(np.float32) / 2
    meta = {"scale": 0.1, "centre": [1.0, 2.5, -1e-9], "unit": "mm", "closed": True, "faces": -7, "open": False}
    globe, recipe = Globe(), codec.make_recipe(Globe(), device="cpu", effort=2)

    def wrapped(signal, **choices):
        return codec.compress_signal(signal, globe, recipe.replace(**choices)).data

    save("mask", wrapped(globe.signal(circle=False, land=True)), version=5)
    save("periodic", wrapped(globe.signal(typed=True, land=True)), version=5)
    save("periodic-parts", wrapped(globe.signal(), siren={"part_points": 72, "gains": True, "margin": 20}), version=5)
    profile = {"profile": bytes(range(200)) + bytes(3000), "empty": b"", "note": "kept"}
    save("side", wrapped(globe.signal(profile, circle=False)), version=5)
    detail(photo, globe)
    pyramids(photo, globe)
    recipe = codec.make_recipe(Cloud(), device="cpu", effort=2)
    save("cloud", codec.compress_signal(Signal(coords, values, "cloud", meta), Cloud(), recipe).data)


def detail(photo, globe):
    """Files with a detail layer, one for each basis and promise."""
    propose._SMALL = 300  # chunks of a scale each in a small file

    def made(signal, **choices):
        return codec.compress_signal(signal, globe, codec.make_recipe(globe, device="cpu", effort=2, **choices)).data

    whole = photo.reshape(-1, 1).astype(np.int16)[:900] * 50 - 6400
    sound = Signal(coordcodec.Grid((900,)), whole / np.float32(8192), "globe", samples=whole, scale=8192.0)
    save("lossless", image(photo[:20, :28], lossless=True), version=5)
    save("cascade", made(sound, lossless=True), version=5)
    save("bound", made(globe.signal(typed=True, land=True), max_error=2), version=5)
    save("reversible", made(globe.signal(typed=True), max_error=4, detail={"basis": "5/3"}), version=5)
    save("lapped", made(sound, num_bytes=500, layers="detail"), version=5)
    save("wavelet", image(photo, num_bytes=700, layers="detail"), version=5)
    save("layers", image(photo, num_bytes=900, layers="siren+detail"), version=5)
    tiles(made)


def tiles(made):
    """Files whose planes are cut, for each basis."""
    rows, columns = np.mgrid[:80, :110]
    waves = np.rint(400 * np.sin(rows / 9) * np.cos(columns / 7)).astype(np.int16)

    def field(samples, shape):
        return Signal(coordcodec.Grid(shape), samples / np.float32(512), "globe", samples=samples, scale=512.0)

    flat, tile = field(waves.reshape(-1, 1), waves.shape), {"tile": 12}
    coast = (np.sin(rows / 8) + np.cos(columns / 11) + np.sin(columns / 5 + rows / 6) > -0.4).ravel()
    land = dataclasses.replace(flat, mask=coast)
    save("coast", made(land, num_bytes=900, layers="detail"), version=5)
    save("tiles-lossless", made(flat, lossless=True, detail=tile), version=5)
    save("tiles-bound", made(flat, max_error=6, detail=tile), version=5)
    twice = np.kron(waves, np.ones((2, 1), np.int16)).reshape(-1, 1)
    save("tiles-wavelet", made(field(twice, (160, 110)), num_bytes=900, layers="detail", detail=tile), version=5)
    time = np.arange(40_000)
    sound = np.rint(300 * np.sin(time / 9) * np.sin(time / 3000)).astype(np.int16).reshape(-1, 1)
    save("tiles-lapped", made(field(sound, (40_000,)), num_bytes=900, layers="detail", detail=tile), version=5)


def pyramids(photo, globe):
    """Files with a pyramid: of 1 to 3 axes, levels that not all axes are halved for, circles, masks, another layer."""

    def made(signal, **choices):
        nets = {"steps": 40, "synthesis": (8, 4), "context": (8, 8), "neighbours": 7} | choices.pop("pyramid", {})
        recipe = codec.make_recipe(globe, device="cpu", effort=2, layers="pyramid", pyramid=nets, **choices)
        return codec.compress_signal(signal, globe, recipe).data

    nets = {"steps": 60, "synthesis": (12, 8), "context": (8, 8)}
    save("pyramid", image(photo, num_bytes=1300, layers="pyramid", pyramid=nets), version=5)
    save("pyramid-layers", image(photo[:24, :25], num_bytes=1500, layers="pyramid+detail", pyramid=nets), version=5)
    save("pyramid-globe", made(globe.signal(typed=True, land=True), pyramid={"finest": 1}, num_bytes=700), version=5)
    time = np.arange(700)
    sound = np.sin(time / 9 + time**2 / 3000)[:, None].astype(np.float32)
    save("pyramid-sound", made(Signal(coordcodec.Grid((700,)), sound, "globe"), num_bytes=600), version=5)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in (9, 3, 16)), indexing="ij")
    values = np.stack([(np.sin(4 * axes[0] + 3 * axes[2]) + axes[1]) / 2, axes[0] * axes[1]], -1).reshape(-1, 2)
    volume = Signal(coordcodec.Grid((9, 3, 16)), values.astype(np.float32), "globe")
    save("pyramid-volume", made(volume, pyramid={"context": (8, 4), "neighbours": 20}, num_bytes=900), version=5)


if __name__ == "__main__":
    main()
