"""Lossless files and largest errors: whole numbers come back exactly, and with them what a source says besides."""

import io
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pil
from PIL import ImageCms, PngImagePlugin

import coordcodec
from coordcodec import codec
from coordcodec.cli import main
from coordcodec.data import Grid, Signal
from coordcodec.errors import ContainerError, RecipeError, SignalError
from coordcodec.plugins import installed
from coordcodec.testing import check_modality, nearest_field
from coordcodec_audio import tags
from coordcodec_image import extras

ROOT = Path(__file__).parent
IMAGE, AUDIO = (installed().modalities.get(name) for name in ("image", "audio"))
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
QUICK = settings(max_examples=25, deadline=None)


def opened(signal, modality, **choices):
    recipe = codec.make_recipe(modality, **{"lossless": True, **choices})
    return coordcodec.open(codec.compress_signal(signal, modality, recipe).data)


def trip(source, modality, suffix):
    """A signal, and the one that is read from what its lossless file writes."""
    signal = modality.read(source)
    decoded = opened(signal, modality)
    assert decoded.info["max_error"] == 0
    assert np.array_equal(decoded.samples(), signal.samples)
    back = modality.read(io.BytesIO(decoded.export(suffix)))
    assert back.samples.dtype == signal.samples.dtype
    assert np.array_equal(back.samples, signal.samples)
    return signal, back


# Pictures


@st.composite
def pictures(draw):
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4)))
    most = np.iinfo(dtype).max
    noise = draw(arrays(dtype, shape, elements=st.integers(0, most)))
    y, x, c = np.mgrid[: shape[0], : shape[1], : shape[2]]
    smooth = ((7 * y + 11 * x + 50 * c) * (most // 255)).astype(dtype)
    return draw(st.sampled_from([noise, smooth, noise // 16 * 16, np.minimum(noise, smooth)]))


@QUICK
@given(pictures())
def test_pictures_come_back_exactly(pixels):
    for suffix in (".png", ".tif"):
        signal, back = trip(pixels, IMAGE, suffix)
        assert back.meta == signal.meta


def as_file(pixels, kind, **how):
    target = io.BytesIO()
    Pil.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(target, format=kind, **how)
    target.seek(0)
    return target


@pytest.mark.parametrize(
    ("kind", "channels", "suffix"),
    [
        *(("PNG", c, ".png") for c in (1, 2, 3, 4)),
        *(("TIFF", c, ".tif") for c in (1, 2, 3, 4)),
        *(("WEBP", c, ".webp") for c in (3, 4)),
        *(("BMP", c, ".bmp") for c in (1, 3)),
        ("PPM", 1, ".pgm"),
        ("PPM", 3, ".ppm"),
    ],
)
def test_every_kind_of_file_is_written_as_it_was(kind, channels, suffix):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, channels), dtype=np.uint8)
    how = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    signal, _ = trip(as_file(pixels, kind, **how), IMAGE, suffix)
    assert np.array_equal(signal.samples.reshape(pixels.shape), pixels)


def test_palettes_and_single_bits_come_back_as_they_are_shown():
    rng = np.random.default_rng(0)
    picture = Pil.fromarray(rng.integers(0, 7, (8, 9), dtype=np.uint8), "P")
    picture.putpalette(rng.integers(0, 256, 21, dtype=np.uint8).tobytes())
    for image, mode in ((picture, "RGB"), (Pil.fromarray(rng.integers(0, 2, (8, 9)) > 0), "L")):
        target = io.BytesIO()
        image.save(target, format="PNG")
        target.seek(0)
        signal, _ = trip(target, IMAGE, ".png")
        assert np.array_equal(signal.samples.reshape(8, 9, -1).squeeze(), np.asarray(image.convert(mode)))


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "images").glob("[bet]*.png")))
def test_pictures_of_the_suite_come_back(name):
    trip(ROOT / "images" / name, IMAGE, ".png")


@pytest.mark.parametrize(("kind", "channels"), [("P5", 1), ("P6", 3)])
def test_pgm_and_ppm_of_16_bits(kind, channels):
    pixels = np.random.default_rng(0).integers(0, 65536, (5, 6, channels), dtype=np.uint16)
    data = f"{kind} # a note\n6 5\n65535\n".encode() + pixels.astype(">u2").tobytes()
    signal, _ = trip(io.BytesIO(data), IMAGE, ".ppm")
    assert np.array_equal(signal.samples.reshape(pixels.shape), pixels)
    with pytest.raises(SignalError, match="is cut off"):
        IMAGE.read(io.BytesIO(data[:-1]))
    ten_bits = b"P5 2 1 1023\n" + np.array([0, 1023], ">u2").tobytes()
    assert IMAGE.read(io.BytesIO(ten_bits)).samples.ravel().tolist() == [0, 65535]
    assert IMAGE.read(io.BytesIO(b"P5 2 1 255\n..")).samples.ravel().tolist() == [46, 46]
    with pytest.raises(SignalError, match="above 1023"):
        IMAGE.read(io.BytesIO(b"P5 2 1 1023\n" + np.array([0, 1024], ">u2").tobytes()))
    with pytest.raises(SignalError, match="declares 0x5"):
        IMAGE.read(io.BytesIO(b"P5 0 5 1023\n"))


def exif(orientation=1):
    made = Pil.Exif()
    made[0x010F], made[0x0132], made[0x0112] = "Maker", "2024:01:01 00:00:00", orientation
    made[0x8769] = {0x9003: "2024:01:02 00:00:00", 0x829A: 0.01}
    made[0x8825] = {1: "N", 2: (1.0, 2.0, 3.0)}
    return made.tobytes()


def talkative(kind="PNG", orientation=1):
    """A picture file that says much besides its pixels."""
    pixels = np.random.default_rng(1).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    how = {"icc_profile": ICC, "exif": exif(orientation)}
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("Title", "hé")
        info.add_itxt("Comment", "日本", "ja", "コ")
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        how["pnginfo"] = info
    elif kind != "TIFF":
        how |= {"xmp": XMP}
    return as_file(pixels, kind, **how, **({"lossless": True} if kind == "WEBP" else {}))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_what_a_picture_says_comes_back(kind):
    signal = IMAGE.read(talkative(kind, orientation=6))
    assert signal.coords.shape == (7, 9)
    assert set(signal.extras) == {"PNG": {"icc", "exif", "xmp", "text"}, "TIFF": {"icc", "exif"}}.get(
        kind, {"icc", "exif", "xmp"}
    )
    decoded = opened(signal, IMAGE)
    assert {name: decoded.container.meta[name] for name in signal.extras} == dict(signal.extras)
    assert decoded.score(signal)["psnr_db"] == 100
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it does not hold the texts
        files = {suffix: decoded.export(suffix) for suffix in (".png", ".tif", ".jpg", ".webp")}
    assert IMAGE.read(io.BytesIO(files[".png"])).extras == signal.extras
    for data in files.values():
        with Pil.open(io.BytesIO(data)) as image:
            found = image.getexif()
            assert image.info["icc_profile"] == ICC
            assert (found[0x010F], found.get(0x0112, 1)) == ("Maker", 1)
            assert found.get_ifd(0x8769)[0x9003] == "2024:01:02 00:00:00"
            assert found.get_ifd(0x8825)[1] == "N"
            assert b'rientation="6"' not in data
    if kind == "PNG":
        with Pil.open(io.BytesIO(files[".png"])) as image:
            assert (image.text["Title"], image.text["Comment"], image.text["Comment"].lang) == ("hé", "日本", "ja")


def test_what_16_bit_pictures_say_comes_back():
    plain = IMAGE.read(np.arange(60, dtype=np.uint16).reshape(5, 4, 3) * 1000)
    meta = {**plain.meta, **IMAGE.read(talkative()).extras}
    for suffix in (".png", ".tif"):
        target = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            IMAGE.write(nearest_field(plain), meta, target, format=suffix)
        back = IMAGE.read(io.BytesIO(target.getvalue()))
        assert np.array_equal(back.samples, plain.samples)
        assert (back.extras["icc"], back.extras["xmp"]) == (meta["icc"], meta["xmp"])
        assert b"Maker" in back.extras["exif"]
        assert suffix != ".png" or back.extras["text"] == meta["text"]


def test_what_a_kind_of_file_cannot_hold_is_said():
    signal = IMAGE.read(talkative())
    for suffix, says in ((".bmp", "colour profile, EXIF, XMP, texts"), (".webp", "texts"), (".jpg", "texts")):
        with pytest.warns(UserWarning, match=says):
            IMAGE.write(nearest_field(signal), signal.with_extras().meta, io.BytesIO(), format=suffix)


@pytest.mark.filterwarnings("ignore:.* does not hold all", "ignore:.flac holds at most")
def test_the_contract_is_kept_by_files_that_say_much(tmp_path):
    (tmp_path / "a.png").write_bytes(talkative().getvalue())
    check_modality(IMAGE, tmp_path / "a.png")
    for subtype in ("PCM_32", "DOUBLE"):
        (tmp_path / "a.wav").write_bytes(tags.in_wav(sound_file(sound(300, 2), subtype), TAGS))
        check_modality(AUDIO, tmp_path / "a.wav")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif"])
@pytest.mark.parametrize("deep", [False, True])
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_forged_extras_are_refused_or_written(suffix, deep, data):
    signal = IMAGE.read(talkative())
    name = data.draw(st.sampled_from(["icc", "exif", "xmp", "text"]))
    damaged = bytearray(signal.extras[name])
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)))):
        damaged[place] = value
    forged = {**signal.meta, **signal.extras, name: bytes(damaged)}
    if deep:
        forged["depth"] = 16
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            IMAGE.write(nearest_field(signal), forged, io.BytesIO(), format=suffix)
        except (ContainerError, RecipeError) as error:
            assert "\n" not in str(error)


def test_texts_and_orientations_of_odd_files():
    assert extras.upright(b"II*\0\xff\xff\xff\xff\0\0") == b"II*\0\xff\xff\xff\xff\0\0"
    turned = exif(6)[6:]
    assert Pil.Exif().load(b"Exif\0\0" + extras.upright(turned)) is None
    long = {"text": bytes(1 << 23), "icc": ICC, "exif": b"x"}
    found, remarks = extras.kept(long)
    assert set(found) == {"icc"}
    assert len(remarks) == 2
    texts = [extras.Text("a", "b"), extras.Text("c", "", "de", "x")]
    assert extras.texts(extras.packed(texts)) == texts


def test_extras_are_bytes_by_names_that_meta_does_not_have():
    for wrong in ({"shape": b"x"}, {"a": b"x"}, {"b": "text"}):
        with pytest.raises(SignalError, match="extras are bytes"):
            Signal(Grid((2,)), np.zeros((2, 1), np.float32), "waves", {"a": 1}, extras=wrong)


# Sounds

TAGS = [("TITLE", "Stück"), ("ARTIST", "Somebody"), ("IENG", "odd")]


def sound(frames=4000, channels=1, rate=8000):
    """A struck string with its overtones and some noise, (frames, channels) float64."""
    time = np.arange(frames)[:, None] / rate
    rng = np.random.default_rng(0)
    parts = sum(
        np.sin(2 * np.pi * 220 * k * time + np.arange(channels)) / k * np.exp(-3 * k * time) for k in range(1, 9)
    )
    return 0.4 * parts + rng.normal(0, 0.002, (frames, channels))


def sound_file(samples, subtype, kind="WAV", rate=8000):
    target = io.BytesIO()
    sf.write(target, samples, rate, format=kind, subtype=subtype)
    return target.getvalue()


@st.composite
def sounds(draw):
    depth = draw(st.sampled_from([8, 16, 24, 32]))
    shape = draw(st.tuples(st.integers(1, 40), st.sampled_from([1, 2, 3, 9])))
    numbers = st.integers(-(1 << (depth - 1)) + 1, (1 << (depth - 1)) - 1)
    noise = draw(arrays(np.int64, shape, elements=numbers))
    return (noise << (32 - depth)).astype(np.int32), depth


@QUICK
@given(sounds(), st.sampled_from([".wav", ".flac"]))
def test_sounds_come_back_exactly(given_sound, suffix):
    samples, depth = given_sound
    data = sound_file(samples, {8: "PCM_U8", 16: "PCM_16", 24: "PCM_24", 32: "PCM_32"}[depth], rate=22050)
    if suffix == ".flac" and (depth == 32 or samples.shape[1] > 8):
        suffix = ".wav"
    signal, back = trip(io.BytesIO(data), AUDIO, suffix)
    assert np.array_equal(signal.samples.astype(np.int64) << (32 - depth), samples)
    assert back.meta == signal.meta


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        *(("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32")),
        *(("FLAC", subtype) for subtype in ("PCM_S8", "PCM_16", "PCM_24")),
        *(("AIFF", subtype) for subtype in ("PCM_S8", "PCM_16", "PCM_24", "PCM_32")),
    ],
)
def test_half_a_second_of_every_kind_comes_back(kind, subtype):
    data = sound_file(sound(channels=2), subtype, kind)
    signal, _ = trip(io.BytesIO(data), AUDIO, ".flac" if kind == "FLAC" else ".wav")
    expected, _ = sf.read(io.BytesIO(data), dtype="int32", always_2d=True)
    depth = signal.meta.get("depth", 16)
    assert np.array_equal(signal.samples.astype(np.int64) << (32 - depth), expected)


def test_both_ends_of_32_bits_come_back_or_are_refused():
    ends = np.array([0, -5, -(2**31), 2**31 - 1, 5, -7], np.int32)[:, None]
    trip((ends, 8000), AUDIO, ".wav")
    with pytest.raises(RecipeError, match="half the range of 32 bits"):
        opened(AUDIO.read((ends[2:], 8000)), AUDIO)


@pytest.mark.parametrize(("subtype", "dtype"), [("FLOAT", np.float32), ("DOUBLE", np.float64)])
@pytest.mark.parametrize("loud", [1, 5])
def test_floating_point_sounds_keep_a_bound(subtype, dtype, loud):
    data = sound_file(loud * sound(2000), subtype)
    signal = AUDIO.read(io.BytesIO(data))
    assert signal.samples.dtype == dtype
    with pytest.raises(RecipeError, match="lossless is for whole numbers"):
        opened(signal, AUDIO)
    for bound in (1e-3, 1e-5):
        decoded = opened(signal, AUDIO, lossless=None, max_error=bound)
        written, _ = sf.read(io.BytesIO(decoded.export(".wav")), dtype=dtype.__name__, always_2d=True)
        expected, _ = sf.read(io.BytesIO(data), dtype=dtype.__name__, always_2d=True)
        assert np.abs(written.astype(np.float64) - expected).max() <= bound
        assert sf.info(io.BytesIO(decoded.export(".wav"))).subtype == subtype


@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16")])
def test_tags_come_back(kind, subtype):
    data = sound_file(sound(500), subtype, kind)
    data = (tags.in_wav if kind == "WAV" else tags.in_flac)(data, TAGS)
    signal = AUDIO.read(io.BytesIO(data))
    assert list(tags.checked(signal.extras)) == TAGS
    for suffix in (".wav", ".flac"):
        target = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that FLAC holds whole numbers
            AUDIO.write(nearest_field(signal), signal.with_extras().meta, target, format=suffix)
        target.seek(0)
        with sf.SoundFile(target) as file:
            assert (file.title, file.artist, file.frames) == ("Stück", "Somebody", 500)
        assert AUDIO.read(io.BytesIO(target.getvalue())).extras == signal.extras


def test_tags_that_a_wav_has_no_place_for_are_said():
    data = tags.in_flac(sound_file(sound(50), "PCM_16", "FLAC"), [("REPLAYGAIN_TRACK_GAIN", "-3 dB"), *TAGS])
    signal = AUDIO.read(io.BytesIO(data))
    with pytest.warns(UserWarning, match="has no place for the tags REPLAYGAIN_TRACK_GAIN; .flac has"):
        AUDIO.write(nearest_field(signal), signal.with_extras().meta, io.BytesIO(), format=".wav")


def test_tags_of_other_kinds_are_read():
    for kind, subtype in (("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16")):
        target = io.BytesIO()
        with sf.SoundFile(target, "w", 16000, 1, subtype, format=kind) as file:
            file.title = "Name"
            file.write(sound(4000)[:, 0])
        assert ("TITLE", "Name") in tags.checked(AUDIO.read(io.BytesIO(target.getvalue())).extras)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_damaged_tags_are_left_out(noise):
    wav, flac = (sound_file(sound(50), "PCM_16", kind) for kind in ("WAV", "FLAC"))
    listed = b"LIST" + (len(noise) + 4).to_bytes(4, "little") + b"INFO" + noise
    block = bytes([4]) + len(noise).to_bytes(3, "big") + noise
    tags.checked(AUDIO.read(io.BytesIO(wav + listed)).extras)
    found = tags.packed(tags.of_sound(flac[:42] + block + flac[42:], None))  # libsndfile may refuse all of it
    tags.checked({"tags": found})


@given(st.one_of(st.binary(max_size=60), st.text(max_size=30), st.integers()))
@settings(deadline=None)
def test_forged_tags_are_refused_or_written(forged):
    signal = AUDIO.read(io.BytesIO(sound_file(sound(50), "PCM_16")))
    for suffix in (".wav", ".flac"):
        target = io.BytesIO()
        try:
            AUDIO.write(nearest_field(signal), {**signal.meta, "tags": forged}, target, format=suffix)
        except ContainerError as error:
            assert "\n" not in str(error)
        else:
            assert len(AUDIO.read(io.BytesIO(target.getvalue())).values) == 50


# The command


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with warnings.catch_warnings():
            code = main([str(a) for a in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_photograph_through_the_command(run, tmp_path, photograph):
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Two birds")
    Pil.fromarray(photograph[:48, :64]).save(tmp_path / "a.png", icc_profile=ICC, pnginfo=info)
    code, out, err = run("compress", "a.png", "--lossless")
    assert (code, err) == (0, "")
    assert "  lossless  " in out
    assert run("decompress", "a.ccdc", "-o", "b.png")[0] == 0
    with Pil.open(tmp_path / "b.png") as image:
        assert np.array_equal(np.asarray(image), photograph[:48, :64])
        assert (image.info["icc_profile"], image.text) == (ICC, {"Title": "Two birds"})
    assert "promise   lossless" in run("info", "a.ccdc")[1]
    assert "100.00 dB" in run("evaluate", "a.png", "a.ccdc")[1]
    assert run("compress", "a.png", "--lossless", "--strip", "-o", "s.ccdc")[::2] == (0, "")
    assert (tmp_path / "s.ccdc").stat().st_size < (tmp_path / "a.ccdc").stat().st_size - len("Two birds")
    assert run("decompress", "s.ccdc", "-o", "s.png")[0] == 0
    with Pil.open(tmp_path / "s.png") as image:
        assert "icc_profile" not in image.info
    assert "100.00 dB" in run("evaluate", "a.png", "s.ccdc")[1]


def test_a_largest_error_through_the_command(run, tmp_path, photograph):
    Pil.fromarray(photograph[:48, :64]).save(tmp_path / "a.png", icc_profile=ICC)
    code, out, err = run("compress", "a.png", "--max-error", 3, "--json")
    assert code == 0
    assert err == f"warning: left out of the file: icc ({len(ICC)} bytes); --no-strip (strip=False) keeps them\n"
    assert json.loads(out)["largest_error"] <= 3
    assert run("decompress", "a.ccdc", "-o", "b.png")[0] == 0
    with Pil.open(tmp_path / "b.png") as image:
        assert np.abs(np.asarray(image).astype(int) - photograph[:48, :64]).max() <= 3
    assert "promise   largest error 3" in run("info", "a.ccdc")[1]
    code, out, err = run("compress", "a.png", "--max-error", "2%", "--no-strip", "-f")
    assert (code, err) == (0, "")
    assert "  largest error " in out
    assert "icc" in run("info", "a.ccdc")[1]


@pytest.mark.parametrize("name", ["guitar48_stereo_10_sample.wav", "guitar48_stereo_1_sample.wav"])
def test_a_sound_through_the_command(run, tmp_path, name):
    data = (ROOT / "sounds" / name).read_bytes()
    (tmp_path / "a.wav").write_bytes(tags.in_wav(data, TAGS))
    code, out, err = run("compress", "a.wav", "--lossless", "--layers", "detail")
    assert (code, err) == (0, "")
    assert "  lossless  " in out
    assert run("decompress", "a.ccdc", "-o", "b.wav")[0] == 0
    (expected, rate), (back, theirs) = (sf.read(tmp_path / f"{n}.wav", dtype="int32") for n in "ab")
    assert rate == theirs
    assert np.array_equal(expected, back)
    assert sf.info(tmp_path / "b.wav").subtype == sf.info(tmp_path / "a.wav").subtype
    with sf.SoundFile(tmp_path / "b.wav") as file:
        assert file.title == "Stück"


def test_bad_input_is_one_line_and_writes_nothing(run, tmp_path, photograph):
    Pil.fromarray(photograph[:8, :8]).save(tmp_path / "a.png")
    (tmp_path / "a.wav").write_bytes(sound_file(sound(100), "FLOAT"))
    before = sorted(tmp_path.iterdir())
    for arguments, says in (
        (("a.wav", "--lossless"), "lossless is for whole numbers, these are float32; choose a largest error"),
        (("a.png", "--max-error", "0"), "must be above 0"),
        (("a.png", "--max-error", "-1"), "must be above 0, got -1"),
        (("a.png", "--max-error", "nan"), "must be above 0"),
        (("a.png", "--max-error", "much"), "a largest error is a number"),
        (("a.png", "--max-error", "0.1K"), "the samples have no unit"),
        (("a.png", "--max-error", "0.5"), "below one step of whole numbers"),
        (("a.wav", "--max-error", "1e-9"), "less than float32 resolves"),
        (("a.png", "--layers", "siren", "--max-error", "1"), "layers siren can promise nothing"),
        (("a.png", "--layers", "siren", "--lossless"), "layers siren can promise nothing"),
        (("a.png", "--layers", "plaster"), "--layers"),
        (("a.png", "--lossless", "--max-error", "1"), "not allowed with"),
        (("a.png", "--lossless", "--rate", "1"), "not allowed with"),
        (("a.png", "--lossless", "--width", "4"), "not allowed with"),
    ):
        code, out, err = run("compress", *arguments)
        assert (code, out) == (2, ""), arguments
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert says in err
    assert sorted(tmp_path.iterdir()) == before
