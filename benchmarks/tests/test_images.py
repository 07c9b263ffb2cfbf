"""Others' codecs of pictures: real small pictures through every one of them."""

import io
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from coordcodec.errors import SignalError
from coordcodec.plugins import installed
from coordcodec_bench import ffmpeg, images, videos
from coordcodec_bench.baseline import NEAR, NotInstalled, Search
from coordcodec_bench.baselines import baselines_of

ROOT = Path(__file__).parents[2]

CODECS = images.BASELINES.codecs
IMAGE = installed().modalities.get("image")


@pytest.fixture(scope="session")
def detail():
    """A part of a photograph in which 4:2:0 loses little, (170, 180, 3) uint8: not whole blocks."""
    with Image.open(ROOT / "examples" / "kodim15.png") as image:
        return np.asarray(image)[160:330, 260:440].copy()


def psnr(decoded, picture):
    return images.BASELINES.score(decoded, IMAGE.read(picture))["psnr_db"]


def at(baseline, picture, share):
    """The file of a baseline's first mode at a share of the way from the smallest to the largest."""
    return baseline.encode(picture, baseline.modes[0].name, baseline.modes[0].at(share))


def test_the_arena_is_that_of_our_own_plugin():
    baselines = baselines_of("image")
    assert baselines is images.BASELINES
    assert baselines.main_score == IMAGE.main_score
    assert list(CODECS) == ["jpeg", "jpeg2000", "webp", "jxl", "heif", "avif", "vvc"]
    assert all(baseline.name == name for name, baseline in CODECS.items())


@pytest.mark.parametrize("name", CODECS)
def test_larger_files_are_nearer_to_the_picture(name, detail):
    files = [at(CODECS[name], detail, share) for share in (0.25, 0.5, 1)]
    assert len(files[0]) < len(files[1]) < len(files[2])
    decoded = [CODECS[name].decode(file, detail) for file in files]
    assert all(picture.shape == detail.shape and picture.dtype == np.uint8 for picture in decoded)
    scores = [psnr(picture, detail) for picture in decoded]
    # Where chroma is halved along both axes, the best is not as good.
    assert scores[0] < scores[1] < scores[2] > (41 if name in ("jpeg", "webp", "vvc") else 44)


@pytest.mark.parametrize("name", CODECS)
def test_the_search_meets_the_size(name, photograph):
    row = Search(CODECS[name], images.BASELINES, IMAGE.read(photograph)).best(2500)
    assert "missed" not in row
    assert 0.75 * 2500 < row["bytes"] <= NEAR * 2500
    assert row["bytes"] == len(row["data"])
    assert 24 < row["scores"]["psnr_db"] == max(score for _, score in row["tried"])
    assert row["setting"].startswith(tuple(mode.name for mode in CODECS[name].modes))
    assert psnr(CODECS[name].decode(row["data"], photograph), photograph) == row["scores"]["psnr_db"]


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 5, 3), (17, 31, 3), (40, 23, 1), (1, 1, 1)])
@pytest.mark.parametrize("name", CODECS)
def test_any_size_and_grey_pictures_come_back(name, shape, detail):
    height, width, channels = shape
    picture = np.ascontiguousarray(detail[20 : 20 + height, 30 : 30 + width, :channels])
    assert np.array_equal(images.BASELINES.original(IMAGE.read(picture)), picture)
    decoded = CODECS[name].decode(at(CODECS[name], picture, 1), picture)
    assert decoded.shape == shape
    assert psnr(decoded, picture) > (28 if name in ("jpeg", "webp", "vvc") else 37)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("jpeg", ("libjpeg-turbo", "Pillow")),
        ("jpeg2000", ("OpenJPEG", "Pillow")),
        ("webp", ("libwebp", "Pillow")),
        ("jxl", ("libjxl", "imagecodecs")),
        ("heif", ("x265", "libheif", "pillow-heif")),
        ("avif", ("libaom-av1", "ffmpeg")),
        ("vvc", ("libvvenc", "ffmpeg")),
    ],
)
def test_a_peer_knows_its_version(name, words):
    parts = CODECS[name].version().split(", ")
    assert len(parts) == len(words)
    for part, word in zip(parts, words, strict=True):
        assert part.startswith(f"{word} ") and any(c.isdigit() for c in part.removeprefix(word))


@pytest.mark.parametrize(
    ("name", "library"),
    [("jxl", "imagecodecs"), ("heif", "pillow_heif"), ("avif", "imageio_ffmpeg"), ("vvc", "imageio_ffmpeg")],
)
def test_a_missing_library_is_told_with_the_command_that_installs_it(name, library, detail, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    for use in (CODECS[name].version, lambda: at(CODECS[name], detail, 0), lambda: CODECS[name].decode(b"", detail)):
        with pytest.raises(NotInstalled, match=f"^{CODECS[name].install}$"):
            use()
    assert library.replace("_", "-") in CODECS[name].install


@pytest.mark.parametrize(("name", "feature"), [("jpeg", "jpg"), ("jpeg2000", "jpg_2000"), ("webp", "webp")])
def test_a_pillow_without_a_codec_is_as_good_as_none(name, feature, monkeypatch):
    real = features.check
    monkeypatch.setattr(features, "check", lambda asked: asked != feature and real(asked))
    with pytest.raises(NotInstalled, match="pip install --upgrade pillow"):
        CODECS[name].version()


def test_an_ffmpeg_without_an_encoder_is_as_good_as_none():
    with pytest.raises(NotInstalled, match="pip install --upgrade imageio-ffmpeg"):
        ffmpeg.encoder_version("libnone", "yuv420p")


@pytest.mark.parametrize(
    ("shape", "kind", "words"),
    [((4, 5, 4), np.uint8, "4 channels of 8 bits"), ((4, 5, 3), np.uint16, "3 channels of 16 bits")],
)
def test_other_pictures_are_refused(shape, kind, words):
    with pytest.raises(SignalError, match=f"baselines of images take 8-bit grey or RGB pictures, got {words}"):
        images.BASELINES.original(IMAGE.read(np.zeros(shape, kind)))


def test_scores_are_those_of_our_own_files(detail):
    signal = IMAGE.read(detail)
    decoded = CODECS["jpeg"].decode(at(CODECS["jpeg"], detail, 0.3), detail)
    values = iter(np.array_split(decoded.reshape(-1, 3).astype(np.float32) / 127.5 - 1, 1))
    ours = IMAGE.score(lambda coords: next(values), signal)
    theirs = images.BASELINES.score(decoded, signal)
    assert theirs.keys() == ours.keys()
    assert theirs == pytest.approx(ours, abs=1e-6)
    assert 0.8 < theirs["ms_ssim"] < 1


def test_a_file_of_another_size_is_no_picture_of_ours(detail):
    file = at(CODECS["webp"], detail[:100], 0.5)
    with pytest.raises(RuntimeError, match=r"decoded uint8 of shape \(100, 180, 3\), not uint8 of \(170, 180, 3\)"):
        CODECS["webp"].decode(file, detail)


def test_jpeg_takes_the_smaller_of_its_two_orders(detail):
    for quality in (3, 90):
        sizes = []
        for progressive in (False, True):
            target = io.BytesIO()
            Image.fromarray(detail).save(target, "JPEG", quality=quality, optimize=True, progressive=progressive)
            sizes.append(len(target.getvalue()))
        assert len(CODECS["jpeg"].encode(detail, "4:2:0", quality)) == min(sizes)


def test_jpeg2000_is_better_than_without_its_colour_transform_or_its_wavelet(detail):
    good = CODECS["jpeg2000"].encode(detail, "ratio", 40)
    for wrong, loss in (({"mct": 0}, 1.0), ({"irreversible": False}, 0.1)):
        target = io.BytesIO()
        options = {"no_jp2": True, "irreversible": True, "mct": 1, "quality_layers": [40]} | wrong
        Image.fromarray(detail).save(target, "JPEG2000", **options)
        assert len(target.getvalue()) > 0.9 * len(good)
        worse = psnr(CODECS["jpeg2000"].decode(target.getvalue(), detail), detail)
        assert psnr(CODECS["jpeg2000"].decode(good, detail), detail) > worse + loss


def test_converting_colours_costs_little(detail):
    assert psnr(videos.from_avif(videos.avif(detail, "crf", 1), detail), detail) > 53
    assert psnr(videos.from_vvc(videos.vvc(detail, "qp", 0), detail), detail) > 45


def test_other_programs_see_the_same_in_our_avif(detail):
    file = at(CODECS["avif"], detail, 0.75)
    with Image.open(io.BytesIO(file)) as image:
        theirs = np.asarray(image.convert("RGB"))
    assert psnr(theirs, CODECS["avif"].decode(file, detail)) > 45


def test_ffmpeg_says_in_one_line_what_went_wrong():
    with pytest.raises(RuntimeError, match=r"^ffmpeg failed: .*Invalid data found.*$"):
        ffmpeg.run(["-i", "pipe:0", "-f", "wav", "pipe:1"], b"rubbish", 60)
    with pytest.raises(RuntimeError, match=r"^ffmpeg failed: .*$"):
        ffmpeg.run(["-i", "pipe:0", "-f", "avif", "pipe:1"], b"rubbish", 60, seekable=True)
    with pytest.raises(RuntimeError, match="^ffmpeg failed: it wrote nothing and said nothing$"):
        ffmpeg.run(["-f", "lavfi", "-i", "color=size=8x8", "-frames:v", "0", "-f", "null", "-"], b"", 60)


def test_ffmpeg_is_ended_after_its_time():
    start = time.perf_counter()
    with pytest.raises(RuntimeError, match="^ffmpeg took longer than 0.5 s"):
        ffmpeg.run(["-re", "-f", "lavfi", "-i", "anullsrc", "-t", "60", "-f", "wav", "pipe:1"], b"", 0.5)
    assert time.perf_counter() - start < 20
