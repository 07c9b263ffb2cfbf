"""Real pictures: every kind of file comes through or is refused in one clear line."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import pytorch_msssim
import torch
from PIL import Image as Pil
from PIL import ImageCms

from coordcodec import codec
from coordcodec.data import Signal
from coordcodec.errors import CoordCodecError, RecipeError, SignalError
from coordcodec.plugins import installed
from coordcodec.testing import check_modality, nearest_field
from coordcodec_image import metrics, modality

IMAGES = Path(__file__).parent / "images"
IMAGE = installed().modalities.get("image")


def shown(path):
    """The pixels that a picture is read as."""
    signal = IMAGE.read(path)
    return IMAGE.render(nearest_field(signal), signal.meta)


@pytest.mark.parametrize("name", ["basn2c08.png", "basn0g16.png", "basn6a16.png", "basn3p04.png", "basn4a08.png"])
def test_it_keeps_the_contract(name):
    check_modality(IMAGE, IMAGES / name)
    check_modality(IMAGE, lambda: io.BytesIO((IMAGES / name).read_bytes()))


def test_the_contract_catches_modalities_that_break_it(photograph):
    class Loose(type(IMAGE)):
        def render(self, field, meta, *, scale=None, size=None, region=None, **options):
            field(np.zeros((1, 2), np.float32))
            return super().render(field, meta, scale=scale, size=size, region=region, **options)

    class Random(type(IMAGE)):
        def read(self, source, **options):
            signal = super().read(source)
            noise = np.random.default_rng().uniform(-0.01, 0.01, signal.values.shape)
            return Signal(signal.coords, np.clip(signal.values + noise, -1, 1), self.name, signal.meta)

    small = photograph[:9, :7]
    for broken, says in ((Loose(), "check meta"), (Random(), "reading twice")):
        with pytest.raises(AssertionError, match=says):
            check_modality(broken, small)


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("basn0g01.png", (32, 32), np.uint8),
        ("basn0g08.png", (32, 32), np.uint8),
        ("basn0g16.png", (32, 32), np.uint16),
        ("basn2c08.png", (32, 32, 3), np.uint8),
        ("basn2c16.png", (32, 32, 3), np.uint16),
        ("basn3p04.png", (32, 32, 3), np.uint8),
        ("basn4a08.png", (32, 32, 2), np.uint8),
        ("basn4a16.png", (32, 32, 2), np.uint16),
        ("basn6a08.png", (32, 32, 4), np.uint8),
        ("basn6a16.png", (32, 32, 4), np.uint16),
        ("tbbn3p08.png", (32, 32, 4), np.uint8),
        ("tbbn0g04.png", (32, 32, 2), np.uint8),
        ("tbwn0g16.png", (32, 32, 2), np.uint16),
        ("basi6a16.png", (32, 32, 4), np.uint16),
        ("s01n3p01.png", (1, 1, 3), np.uint8),
    ],
)
def test_depth_alpha_and_palette_survive(name, shape, dtype):
    pixels = shown(IMAGES / name)
    assert pixels.shape == shape
    assert pixels.dtype == dtype


def test_sixteen_bits_are_sixteen_bits(tmp_path):
    import imagecodecs
    import tifffile

    rng = np.random.default_rng(0)
    for channels in (1, 2, 3, 4):
        pixels = rng.integers(0, 65536, (6, 5, channels), dtype=np.uint16)
        pixels = pixels[:, :, 0] if channels == 1 else pixels
        (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
        extra = {"extrasamples": ["unassalpha"]} if channels in (2, 4) else {}
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb" if channels > 2 else "minisblack", **extra)
        assert np.array_equal(shown(tmp_path / "a.png"), pixels)
        assert np.array_equal(shown(tmp_path / "a.tif"), pixels)


def test_a_transparent_colour_becomes_alpha():
    pixels = shown(IMAGES / "tbwn0g16.png")
    assert set(np.unique(pixels[:, :, 1])) == {0, 65535}
    with Pil.open(IMAGES / "tbbn0g04.png") as image:  # its key of 15 is white
        grey = np.asarray(image)
    assert np.array_equal(shown(IMAGES / "tbbn0g04.png"), np.dstack([grey, np.where(grey == 255, 0, 255)]))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    from PIL import ImageOps

    pixels = np.zeros((24, 32, 3), np.uint8)
    pixels[:8], pixels[:, :8, 1], pixels[:4, :4, 2] = 200, 150, 250
    exif = Pil.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a{suffix}"
    Pil.fromarray(pixels).save(path, exif=exif, **({"quality": 100, "subsampling": 0} if suffix == ".jpg" else {}))
    with Pil.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(shown(path), expected)


def test_exif_orientation_of_sixteen_bit_files(tmp_path):
    import tifffile

    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    tifffile.imwrite(tmp_path / "a.tif", pixels, extratags=[(274, 3, 1, 6, True)])
    assert np.array_equal(shown(tmp_path / "a.tif"), np.rot90(pixels, -1))


def test_what_is_not_carried_is_said_in_one_line(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Pil.new("RGB", (4, 4)).save(tmp_path / "b.png", icc_profile=profile[:100])
    frames = [Pil.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    for name, says in (
        ("b.png", "b.png: its colour profile (damaged or too long) is not carried"),
        ("a.gif", "a.gif: all but the first of its frames are not carried"),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            IMAGE.read(tmp_path / name)
        assert len(caught) == 1
        assert says in str(caught[0].message)


@pytest.mark.parametrize("mode", ["CMYK", "LAB", "F", "I"])
def test_colours_that_would_be_wrong_are_refused(tmp_path, mode):
    Pil.new(mode, (4, 4)).save(tmp_path / "a.tif")
    with pytest.raises(SignalError, match="convert it"):
        IMAGE.read(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty", b"", "is empty"),
        ("text", b"no picture at all", "cannot read text as an image"),
        ("truncated.png", (IMAGES / "basn2c08.png").read_bytes()[:90], "cannot read truncated.png as an image"),
        ("truncated16.png", (IMAGES / "basn2c16.png").read_bytes()[:200], "cannot read truncated16.png as an image"),
        ("corrupt.png", (IMAGES / "xcsn0g01.png").read_bytes(), "cannot read corrupt.png as an image"),
        ("header.png", (IMAGES / "xhdn0g08.png").read_bytes(), "cannot read header.png as an image"),
        ("nodata.png", (IMAGES / "xdtn0g01.png").read_bytes(), "cannot read nodata.png as an image"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, name, data, says):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(SignalError) as caught:
        IMAGE.read(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def png(width, height, depth=8):
    """A PNG that declares a size and has no such data."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("depth", [8, 16])
def test_enormous_and_empty_sizes_are_refused_before_decoding(tmp_path, depth):
    (tmp_path / "huge.png").write_bytes(png(2**31 - 1, 2**31 - 1, depth))
    with pytest.raises(SignalError, match="huge.png declares more than 134217728 pixels"):
        IMAGE.read(tmp_path / "huge.png")
    (tmp_path / "zero.png").write_bytes(png(0, 5, depth))
    with pytest.raises(SignalError):
        IMAGE.read(tmp_path / "zero.png")


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((4, 4)), "uint8 or uint16, got float64"),
        (np.zeros((4, 4, 5), np.uint8), "1 to 4 channels"),
        (np.zeros(4, np.uint8), "(h, w)"),
        (np.zeros((0, 4), np.uint8), "(h, w)"),
    ],
)
def test_arrays_that_are_no_image_are_refused(array, says):
    with pytest.raises(SignalError) as caught:
        IMAGE.read(array)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "name", ["basn0g08.png", "basn4a08.png", "basn2c08.png", "basn6a08.png", "basn2c16.png", "basn6a16.png"]
)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".bmp", ".jpg"])
def test_what_can_be_written_is_written_right_and_the_rest_refused(name, suffix):
    signal = IMAGE.read(IMAGES / name)
    target = io.BytesIO()
    try:
        IMAGE.write(nearest_field(signal), signal.meta, target, format=suffix)
    except RecipeError as error:
        assert ".png" in str(error)
        return
    lossless = suffix in (".png", ".tif", ".bmp")
    back = IMAGE.read(io.BytesIO(target.getvalue()))
    assert back.meta["shape"] == signal.meta["shape"]
    if lossless and back.channels == signal.channels:
        assert np.array_equal(back.values, signal.values)


def test_an_unknown_kind_of_output_is_refused():
    signal = IMAGE.read(IMAGES / "basn2c08.png")
    with pytest.raises(RecipeError, match="cannot write images as '.xyz'; choose .png"):
        IMAGE.write(nearest_field(signal), signal.meta, io.BytesIO(), format=".xyz")


def test_scores_are_those_of_the_written_picture(photograph):
    signal = IMAGE.read(photograph)
    rng = np.random.default_rng(0)
    noisy = np.clip(photograph.astype(int) + rng.integers(-9, 10, photograph.shape), 0, 255).astype(np.uint8)
    scores = IMAGE.score(nearest_field(IMAGE.read(noisy)), signal)
    error = ((photograph.astype(float) - noisy) ** 2).mean()
    assert scores["psnr_db"] == pytest.approx(10 * np.log10(255**2 / error), abs=1e-9)
    assert scores["ms_ssim"] is None
    assert IMAGE.score(nearest_field(signal), signal)["psnr_db"] == 100


def test_ms_ssim_is_one_for_the_same_and_less_for_another():
    rng = np.random.default_rng(0)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(180, 170)), 0), 1)
    pixels = np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))
    signal = IMAGE.read(pixels)
    assert IMAGE.score(nearest_field(signal), signal)["ms_ssim"] == pytest.approx(1)
    blurred = IMAGE.read(np.uint8(pixels // 32 * 32))
    assert 0.2 < IMAGE.score(nearest_field(blurred), signal)["ms_ssim"] < 0.999


def test_every_nasty_file_is_read_or_refused():
    for path in sorted(path for path in IMAGES.rglob("*.*") if path.suffix != ".md"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                assert isinstance(IMAGE.read(path), Signal)
            except CoordCodecError as error:
                assert "\n" not in str(error)


def previewed(field, signal):
    target = io.BytesIO()
    IMAGE.preview(field, signal, target)
    with Pil.open(target) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("name", ["basn0g16.png", "basn2c08.png", "basn4a08.png", "basn6a16.png", "s01n3p01.png"])
def test_a_preview_shows_both_pictures_and_no_difference(name):
    signal = IMAGE.read(IMAGES / name)
    shown = previewed(nearest_field(signal), signal)
    assert shown.shape == (364, 992, 3)
    original, decoded, difference = (shown[36:356, 8 + 328 * k : 328 + 328 * k] for k in range(3))
    assert np.array_equal(original, decoded)
    assert not difference.any()


def test_a_preview_shows_the_difference_amplified():
    pixels = np.full((40, 60), 100, np.uint8)
    signal = IMAGE.read(pixels)
    pixels[:20] += 2
    shown = previewed(nearest_field(IMAGE.read(pixels)), signal)
    difference = shown[36:236, 664:964]  # each pixel five wide and high
    assert difference[:100].min() == difference[:100].max() == 2 * 100
    assert not difference[100:].any()


@pytest.mark.parametrize(
    ("shape", "size"),
    [((1, 1), (364, 992)), ((1, 5000), (45, 2177)), ((5000, 3), (759, 992)), ((1000, 1600), (378, 1634))],
)
def test_a_preview_is_of_bounded_size_and_asks_in_slices(shape, size):
    signal = IMAGE.read(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    asked = []

    def field(coords):
        asked.append(len(coords))
        return np.zeros((len(coords), 1), np.float32)

    shown = previewed(field, signal)
    assert shown.shape[:2] == size
    assert sum(asked) == signal.values.size
    assert max(asked) <= 1 << 16


def test_a_preview_of_a_large_picture_shows_means():
    stripes = np.zeros((1536, 1536), np.uint8)
    stripes[:, ::2] = 200
    signal = IMAGE.read(stripes)
    shown = previewed(lambda c: np.full((len(c), 1), -1, np.float32), signal)
    assert np.array_equal(np.unique(shown[36:-8, 8:776]), [100])
    assert np.array_equal(np.unique(shown[36:-8, 1560:-8]), [200])  # twice the mean difference


@pytest.mark.parametrize("shape", [(161, 163, 3), (205, 333, 1), (700, 200, 1)])
def test_ms_ssim_in_bands_is_that_of_the_whole(shape, monkeypatch):
    monkeypatch.setattr(metrics, "_BAND", 40 * shape[1])
    rng = np.random.default_rng(0)
    drawn = (np.cumsum(rng.normal(size=shape), 1) * 9 + 128).clip(0, 255).astype(np.uint8)
    other = (drawn + rng.normal(size=shape) * 9).clip(0, 255).astype(np.uint8)
    pair = [torch.from_numpy(v.astype(np.float32)).permute(2, 0, 1)[None] for v in (other, drawn)]
    expected = float(pytorch_msssim.ms_ssim(*pair, data_range=255))
    assert metrics.ms_ssim(other, IMAGE.read(drawn), 255) == pytest.approx(expected, abs=1e-5)


def test_a_large_picture_is_read_without_values_and_coded_alike(monkeypatch):
    pixels = (np.random.default_rng(0).normal(size=(90, 70, 3)).cumsum(0) * 9 + 128).clip(0, 255).astype(np.uint8)
    whole = IMAGE.read(pixels)
    monkeypatch.setattr(modality, "_LARGE", 100)
    waiting = IMAGE.read(pixels)
    assert (waiting.points, waiting.size, waiting.channels) == (whole.points, whole.size, whole.channels)
    np.testing.assert_allclose(waiting.part(slice(30, 50)), whole.values[30:50], atol=1e-6)
    choices = {"rate": 2, "effort": 1, "layers": "detail"}
    recipe = codec.make_recipe(IMAGE, **choices)
    assert codec.compress_signal(waiting, IMAGE, recipe).data == codec.compress_signal(whole, IMAGE, recipe).data
    assert waiting.__dict__["values"] is None, "nobody asked for all of them"
    np.testing.assert_allclose(waiting.values, whole.values, atol=1e-6)
