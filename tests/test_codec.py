"""The straight line end to end: real signals to bytes and back, at the size that was asked for."""

import dataclasses
import io
import warnings
import zlib
from types import SimpleNamespace

import numpy as np
import pytest

import coordcodec
from coordcodec import codec
from coordcodec.clock import Clock
from coordcodec.data import Grid, Signal
from coordcodec.encoder.rate import RateControl
from coordcodec.errors import ContainerError, DecodeLimit, FileError, RecipeError, SignalError, UnknownName
from coordcodec.partition import Partition
from coordcodec.plugins import installed
from coordcodec.stream import container, weights


def quick(source, **choices):
    return coordcodec.compress(source, modality="image", effort=1, device="cpu", **choices)


def test_a_photograph_there_and_back(photograph, compressed):
    opened = coordcodec.open(compressed)
    decoded = opened.render()
    assert decoded.shape == photograph.shape
    assert decoded.dtype == np.uint8
    error = ((decoded.astype(float) - photograph) ** 2).mean()
    assert 10 * np.log10(255**2 / error) > 24
    image = installed().modalities.get("image")
    assert opened.score(image.read(photograph))["psnr_db"] == pytest.approx(10 * np.log10(255**2 / error), abs=1e-6)


@pytest.mark.parametrize("target", [{"num_bytes": 700}, {"num_bytes": 2000}, {"rate": 1.5}, {"rate": 4.0}])
def test_a_target_is_met_from_below(photograph, target):
    opened = coordcodec.open(quick(photograph, siren={"steps": 120}, **target))
    pixels = photograph.shape[0] * photograph.shape[1]
    most = target.get("num_bytes") or target["rate"] * pixels / 8
    assert 0.97 * most <= len(opened.data) <= most
    assert opened.rate == 8 * len(opened.data) / pixels


@pytest.mark.parametrize("bits", [3, 6, 12])
def test_a_target_is_met_whatever_the_nominal_width(photograph, bits):
    size = len(quick(photograph, siren={"steps": 60, "bits": bits, "quantizer": "uniform"}, num_bytes=1500))
    assert 0.92 * 1500 <= size <= 1500


def test_the_side_information_of_a_photograph_is_small(photograph, compressed):
    sections = coordcodec.open(compressed).info["sections"]
    assert sections["header"] + sections["tensors"] + sections["checksum"] <= 90
    assert sum(sections.values()) == len(compressed)


def test_a_width_is_kept_and_seeds_matter(photograph):
    *alike, other = (quick(photograph, siren={"width": 6, "steps": 60}, seed=seed) for seed in (1, 1, 1, 1, 2))
    assert coordcodec.open(other).info["layers"][0]["width"] == 6
    assert len(set(alike)) == 1
    assert other not in alike


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (1, 7, 3), (5, 1, 2), (2, 2, 4), (31, 17, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_shape_and_depth_comes_back(shape, dtype):
    peak = np.iinfo(dtype).max
    pixels = (np.linspace(0, 1, int(np.prod(shape))).reshape(shape) * peak).astype(dtype)
    decoded = coordcodec.open(quick(pixels, num_bytes=200, siren={"steps": 200})).render()
    assert decoded.shape == shape
    assert decoded.dtype == dtype
    # A ramp's mean distance from its own mean is a quarter of the peak; 200 bytes are too few to come very close.
    assert np.abs(decoded.astype(float) - pixels).mean() < 0.18 * peak


def test_the_default_writes_the_smallest_file_where_it_must_and_says_so():
    pixels = np.full((8, 8, 3), 99, np.uint8)
    with pytest.warns(UserWarning, match="the default of 0.3 bpp is too little for this signal: writing at most"):
        data = quick(pixels, siren={"steps": 50})
    assert len(data) < 110
    with pytest.raises(
        RecipeError, match=r"0.3 bpp is too little for this signal: its smallest possible file takes"
    ) as e:
        quick(pixels, rate=0.3)
    words = str(e.value).split()
    smallest, rate = int(words[-4]), float(words[-2].strip("("))
    assert len(quick(pixels, num_bytes=smallest, siren={"steps": 50})) <= smallest
    assert len(quick(pixels, rate=rate, siren={"steps": 50})) <= smallest
    with pytest.raises(RecipeError, match="its smallest possible file takes"):
        quick(pixels, num_bytes=smallest - 1)


def test_more_bytes_than_a_signal_can_use_are_not_wasted_silently():
    with pytest.warns(UserWarning, match="more than this signal can use"):
        quick(np.zeros((1, 1), np.uint8), num_bytes=3000, siren={"steps": 20})


def test_constant_pictures_are_exact():
    opened = coordcodec.open(quick(np.full((40, 30, 3), (0, 128, 255), np.uint8), num_bytes=300))
    assert np.abs(opened.render().astype(int) - (0, 128, 255)).max() <= 1


def test_coin_is_its_five_networks_in_half_precision(photograph):
    opened = coordcodec.open(quick(photograph, preset="coin", siren={"width": 28, "steps": 20}))
    info = opened.info
    assert info["layers"][0]["parameters"] == 7479
    assert (info["layers"][0]["coding"], info["layers"][0]["num_frequencies"], info["layers"][0]["depth"]) == (
        "binary16",
        0,
        9,
    )
    assert len(opened.data) == 2 * 7479 + info["sections"]["header"] + 4
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = quick(photograph, preset="coin", num_bytes=10_000, siren={"steps": 20})
    assert coordcodec.open(data).info["layers"][0]["width"] == 30
    assert "fixed sizes" in str(caught[0].message)
    with pytest.raises(RecipeError, match=r"widths \[20, 30, 28, 40, 49\], got 21"):
        quick(photograph, preset="coin", siren={"width": 21})


def test_a_field_needs_no_plugin(compressed, monkeypatch):
    monkeypatch.setattr("coordcodec.plugins.installed", lambda: 1 / 0)
    opened = coordcodec.open(compressed)
    values = opened.field(np.array([[0, 0], [-1, 1], [0.25, -0.5]]))
    assert values.shape == (3, 3)
    assert values.dtype == np.float32


def test_a_missing_plugin_is_told_and_info_still_works(compressed, monkeypatch):
    from coordcodec.plugins import load

    monkeypatch.setattr("coordcodec.plugins.installed", lambda: load([]))
    opened = coordcodec.open(compressed)
    assert opened.info["rate"] is None
    assert opened.info["modality"] == "image"
    with pytest.raises(UnknownName, match="unknown modality 'image'; choose from: none is installed"):
        opened.render()


def test_regions_and_scales_are_parts_of_one_picture(compressed):
    opened = coordcodec.open(compressed)
    height, width = opened.container.meta["shape"]
    for scale in (1, 2, 0.5, 1.7):
        whole = opened.render(scale=scale)
        assert whole.shape[:2] == (round(height * scale), round(width * scale))
        part = opened.render(scale=scale, region=(10, 20, 50, 60))
        x0, y0 = round(10 * whole.shape[1] / width), round(20 * whole.shape[0] / height)
        crop = whole[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]]
        assert np.abs(part.astype(int) - crop).max() <= 1
    assert opened.render(size=(30, 11)).shape == (11, 30, 3)


def test_a_region_costs_as_much_as_the_region(compressed):
    asked = []
    coordcodec.open(compressed).to("cpu", lambda stage, done, total: asked.append(done)).render(region=(0, 0, 10, 8))
    assert asked[-1] == 80


def test_a_large_decode_comes_in_slices(compressed):
    counts = [0]
    opened = coordcodec.open(compressed).to("cpu", lambda stage, done, total: counts.append(done))
    opened.render(scale=8)
    assert counts[-1] == 72 * 96 * 64
    assert max(np.diff(counts)) <= 1 << 16


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"scale": 0}, "scale must be"),
        ({"scale": float("nan")}, "scale must be"),
        ({"scale": 2, "size": (3, 3)}, "not both"),
        ({"size": (0, 5)}, "at least 1x1"),
        ({"scale": 1e6}, "megapixels"),
        ({"region": (0, 0, 500, 10)}, "is not inside 0,0,96,72"),
        ({"region": (5, 5, 5, 9)}, "x0 < x1"),
        ({"region": (0.5, 0, 3, 3)}, "four whole numbers"),
        ({"region": (0, 0, 3)}, "four whole numbers"),
        ({"resolution": 3}, "no option resolution"),
    ],
)
def test_bad_decode_options_are_told(compressed, options, says):
    with pytest.raises(RecipeError) as caught:
        coordcodec.open(compressed).render(**options)
    assert says in str(caught.value)


def test_the_same_file_on_other_threads_and_devices_is_the_same_picture(compressed, device):
    import torch

    whole = coordcodec.open(compressed).to(device).render().astype(int)
    symbols = coordcodec.open(compressed).symbols
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = coordcodec.open(compressed)
        assert np.abs(alone.render().astype(int) - whole).max() <= 1
        for name, q in alone.symbols.items():
            assert np.array_equal(q.symbols, symbols[name].symbols)
    finally:
        torch.set_num_threads(threads)


def test_any_device_compresses(photograph, device):
    data = coordcodec.compress(photograph, modality="image", num_bytes=1200, siren={"steps": 300}, device=device)
    assert coordcodec.open(data).score(installed().modalities.get("image").read(photograph))["psnr_db"] > 22


def test_a_signal_in_parts_is_one_file(photograph):
    data = quick(photograph, num_bytes=3000, siren={"steps": 400, "part_points": 2000})
    opened = coordcodec.open(data)
    assert opened.info["layers"][0]["parts"] == [2, 2]
    assert opened.info["format"] == (4 if opened.info["layers"][0]["contexts"] else 1)
    assert len(data) <= 3000
    assert opened.score(installed().modalities.get("image").read(photograph))["psnr_db"] > 22


def test_a_size_decides_how_many_parts_there_are(photograph):
    parts = [
        coordcodec.open(quick(photograph, num_bytes=n, siren={"steps": 10, "part_bytes": 700})).info["layers"][0][
            "parts"
        ]
        for n in (900, 3000)
    ]
    assert parts == [[1, 1], [2, 2]]


def test_parts_that_overlap_fade_into_each_other(photograph):
    jumps = []
    for margin in (0, 40):
        opened = coordcodec.open(
            quick(photograph, siren={"width": 8, "steps": 150, "part_points": 3500, "margin": margin})
        )
        assert opened.info["layers"][0]["parts"] == [1, 2]
        rows = np.linspace(-1, 1, 200, dtype=np.float32)
        left, right = (opened.field(np.stack([rows, np.full_like(rows, x)], axis=1)) for x in (-5e-7, 5e-7))
        jumps.append(float(np.abs(left - right).max()))
    assert jumps[0] > 1e-2
    assert jumps[1] < 1e-3


def test_a_quiet_part_is_fitted_as_well_as_a_loud_one():
    t = np.arange(4000) / 4000
    loudness = np.where(t < 0.5, 0.9, 0.002)
    values = (loudness * np.sin(2 * np.pi * 40 * t)).astype(np.float32)[:, None]
    errors = []
    for gains in (False, True):
        recipe = coordcodec.Recipe(
            siren={"width": 8, "steps": 400, "part_points": 2000, "gains": gains, "depth": 1}, device="cpu"
        )
        image = installed().modalities.get("image")
        opened = coordcodec.open(codec.compress_signal(Signal(Grid((4000,)), values, "sound"), image, recipe).data)
        quiet = Grid((4000,)).coords(2000)
        errors.append(float(((opened.field(quiet) - values[2000:]) ** 2).mean() / (values[2000:] ** 2).mean()))
    assert opened.info["layers"][0]["gains"] == 2
    assert opened.info["format"] == (4 if opened.info["layers"][0]["contexts"] else 2)
    assert errors[1] < 0.1
    assert errors[1] < 0.3 * errors[0]


def test_silence_in_parts_is_silent():
    values = np.zeros((5000, 2), np.float32)
    recipe = coordcodec.Recipe(
        siren={"width": 4, "steps": 30, "part_points": 1000, "gains": True, "margin": 8}, device="cpu"
    )
    image = installed().modalities.get("image")
    opened = coordcodec.open(codec.compress_signal(Signal(Grid((5000,)), values, "sound"), image, recipe).data)
    assert np.abs(opened.field(Grid((5000,)).coords())).max() < 1e-6


@pytest.mark.parametrize("dims", [1, 3])
def test_other_dimensions_and_scattered_points_work(dims):
    class Points:
        name, rate_unit = "points", "bytes"
        defaults = coordcodec.Recipe(num_bytes=1500)

        def rate(self, num_bytes, meta):
            return float(num_bytes)

    rng = np.random.default_rng(0)
    grid = Grid((600,)) if dims == 1 else Grid((8, 9, 10))
    for coords in (grid, rng.uniform(-1, 1, (700, dims)).astype(np.float32)):
        at = coords.coords() if isinstance(coords, Grid) else coords
        values = np.sin(at.sum(1, keepdims=True) * 3).astype(np.float32) * 0.8
        signal = Signal(coords, values, "points", {"centre": [0.5, 2.25], "unit": "m"})
        recipe = codec.make_recipe(Points(), effort=1, siren={"steps": 400}, device="cpu")
        opened = coordcodec.open(codec.compress_signal(signal, Points(), recipe).data)
        assert dict(opened.container.meta) == dict(signal.meta)
        assert float(np.sqrt(((opened.field(at) - values) ** 2).mean())) < 0.1


def test_paths_streams_and_arrays_are_the_same_source(photograph, tmp_path):
    from PIL import Image

    path = tmp_path / "a.png"
    Image.fromarray(photograph).save(path)
    sources = [path, str(path), io.BytesIO(path.read_bytes()), photograph]
    files = [quick(source, siren={"width": 4, "steps": 20}) for source in sources]
    assert len(set(files)) == 1
    (tmp_path / "a.ccdc").write_bytes(files[0])
    for source in (tmp_path / "a.ccdc", io.BytesIO(files[0]), bytearray(files[0])):
        assert coordcodec.open(source).data == files[0]
    coordcodec.decompress(files[0], tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as image:
        assert np.array_equal(np.asarray(image), coordcodec.open(files[0]).render())
    with pytest.raises(FileError, match="exists"):
        coordcodec.decompress(files[0], tmp_path / "b.png")


def test_what_cannot_be_guessed_or_found_is_told(photograph, tmp_path):
    with pytest.raises(RecipeError, match="name the modality"):
        coordcodec.compress(photograph)
    with pytest.raises(UnknownName, match="unknown modality 'smell'; choose from: .*image"):
        coordcodec.compress(photograph, modality="smell")
    with pytest.raises(UnknownName, match="unknown quantizer 'x'; choose from: adaround, half, qat, rd, uniform"):
        quick(photograph, siren={"quantizer": "x"})
    with pytest.raises(FileError, match="cannot read"):
        coordcodec.compress(tmp_path / "missing.png")
    with pytest.raises(FileError, match="cannot read"):
        coordcodec.open(tmp_path / "missing.ccdc")
    with pytest.raises(RecipeError, match="no modality reads the suffix '.doc'"):
        coordcodec.compress("a.doc")


def test_another_picture_is_not_the_original(compressed, photograph):
    other = installed().modalities.get("image").read(photograph[:50])
    with pytest.raises(SignalError, match="not the original of this file"):
        coordcodec.open(compressed).score(other)


def forged(data, spec=None, chunk=None, network=None, **changes):
    """The file with some fields changed and a right checksum. network: kind and specification as bytes."""
    parsed = container.unpack(data)
    (section,) = parsed.sections
    spec = dataclasses.replace(section.spec, **spec or {})
    if network:
        spec = SimpleNamespace(**vars(spec), early=True, pack=lambda: network)
    section = container.Section(spec, (section.chunks[0] if chunk is None else chunk,), section.init)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(container, "unpack", lambda data: None)  # what cannot be read back is not written
        packed = container.pack(dataclasses.replace(parsed, **{"sections": (section,), **changes}))
    assert zlib.crc32(packed[:-4]) == int.from_bytes(packed[-4:], "little")
    return packed


def test_forged_files_are_refused_before_anything_large_is_made(compressed):
    parsed = container.unpack(compressed)
    (section,) = parsed.sections
    coded = weights.parse(section.chunks[0])
    few = weights._pack_table(coded.bits, [(t.step, t.model) for t in coded.tensors[:1]]) + coded.payload
    forgeries = {
        "parameters in a payload": forged(compressed, spec={"width": 1024, "depth": 16, "num_frequencies": 32}),
        "parameters in a payload of": forged(compressed, spec={"partition": Partition((256, 256))}),
        "unknown kind of network 9": forged(compressed, network=(9, b"123456")),
        "specification takes 6 bytes": forged(compressed, network=(1, b"\x00")),
        "16-bit parameters": forged(compressed, chunk=b"\0" + coded.payload),
        "1 tensors, the network has 10": forged(compressed, chunk=few),
    }
    for says, data in forgeries.items():
        with pytest.raises(ContainerError, match=says):
            coordcodec.open(data)
    huge = forged(compressed, meta={"shape": [1 << 19, 1 << 20], "channels": 3})
    with pytest.raises(DecodeLimit, match="hours"):
        coordcodec.open(huge).render()
    with pytest.raises(RecipeError, match="megapixels"):
        coordcodec.open(huge, time_limit=None).render()
    one = {"dims": 1, "partition": Partition((1,))}
    sound = forged(compressed, spec=one, meta={"shape": [6912], "channels": 3}, dims=1)
    with pytest.raises(ContainerError):
        coordcodec.open(sound).render()
    deep = forged(compressed, meta={**parsed.meta, "depth": 13})
    with pytest.raises(ContainerError, match="depth of 13"):
        coordcodec.open(deep).render()


def test_damaged_payloads_with_a_right_checksum_are_refused_or_decode(compressed):
    chunk = container.unpack(compressed).sections[0].chunks[0]
    start = len(chunk) - len(weights.parse(chunk).payload)
    rng = np.random.default_rng(0)
    for _ in range(40):
        changed = bytearray(chunk)
        changed[rng.integers(start, len(changed))] ^= int(rng.integers(1, 256))
        damaged = bytes(changed[: rng.integers(start + 1, len(changed) + 1)])
        try:
            opened = coordcodec.open(forged(compressed, chunk=damaged))
            assert np.isfinite(opened.field(np.zeros((1, 2)))).all()
        except ContainerError:
            pass


class Wasteful:
    """A fit whose final symbols take more than its drafts."""

    fineness, bounds, slope = 8.0, (2.0, 12.0), 100.0

    def symbols(self, fineness):
        return round(100 * fineness) + 57

    def draft(self, fineness):
        return round(100 * fineness) + 20


def test_sizes_of_files_are_found_even_when_a_quantizer_is_wasteful():
    frame = SimpleNamespace(ballast=0)
    plan = SimpleNamespace(target=700, size=int, frame=frame)
    symbols, bits = RateControl(plan, Wasteful(), Clock()).run()
    assert 0.9 * 700 < symbols <= 700
    assert bits < 7
    plan = SimpleNamespace(target=200, size=int, frame=frame)
    with pytest.raises(RecipeError, match="made no file of at most 200 bytes"):
        RateControl(plan, Wasteful(), Clock()).run()


def test_a_fit_that_sees_the_rate_makes_the_better_file(photograph):
    """A wider network at fewer bits per parameter, on grids as fine as each tensor needs."""
    scores, widths = [], []
    for quantizer in ("qat", "rd"):
        data = quick(photograph, num_bytes=1200, siren={"steps": 2000, "quantizer": quantizer}, init="none")
        opened = coordcodec.open(data)
        assert 1100 < len(data) <= 1200
        assert opened.initialisation is None
        widths.append(opened.section.spec.width)
        scores.append(opened.score(installed().modalities.get("image").read(photograph))["psnr_db"])
    assert widths[1] > widths[0]
    assert scores[1] > scores[0] + 0.1
