"""Published curves, and the check of the baselines against them."""

import io
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from coordcodec.errors import FileError
from coordcodec.plugins import installed
from coordcodec_bench import curves, images, published
from coordcodec_bench.baseline import NotInstalled

ROOT = Path(__file__).parents[2]

CURVES = curves.load()
RATES = (0.3, 0.6, 1.2)


def row_of(codec, number, rate, psnr_db, **more):
    size = round(rate * published.KODAK_PIXELS / 8)
    return {
        "file": f"kodim{number:02d}.png",
        "codec": codec,
        "target_rate": rate,
        "status": "ok",
        "bytes": size,
        "rate": 8 * size / published.KODAK_PIXELS,
        "scores": {"psnr_db": psnr_db},
        **more,
    }


def rows_of(codec, rate, mean_db, pictures=24):
    """Rows of Kodak pictures, some easier than others, of a mean PSNR."""
    spread = np.linspace(-4, 4, pictures)
    return [row_of(codec, number, rate, mean_db + s) for number, s in enumerate(spread, 1)]


def expected(codec, rate):
    """What the check expects of a baseline at a rate, in dB."""
    reference = published.REFERENCES[codec]
    return curves.at(CURVES[reference.curve], rate + reference.saved_bpp) + reference.gain_db


def test_the_package_holds_the_curves_and_where_they_come_from():
    known = "JPEG JPEG2000 WebP AV1 BPG444 VTM COIN Struempler-basic Struempler-meta NIF25 RECOMBINER VC-INR MSCN C3"
    assert set(CURVES) == {*known.split(), "Cool-chic v5.0"}
    for name, curve in CURVES.items():
        assert curve.name == name
        assert len(curve.source) > 10 and curve.status
        assert list(curve.psnr_db) == sorted(curve.psnr_db), "a rising curve"
        assert 0 < curve.bpp[0] < 0.3 < curve.bpp[-1] < 8
        assert curve.points[0] == (curve.bpp[0], curve.psnr_db[0])
    assert "Kodak" in json.loads(curves.PACKAGED.read_text())["note"]
    assert curves.PACKAGED.parent == (ROOT / "benchmarks" / "coordcodec_bench")


@pytest.mark.parametrize(
    ("name", "bpp", "psnr_db"),
    [
        ("JPEG2000", 0.3, 29.57),
        ("JPEG", 0.3, 26.03),
        ("VTM", 0.3, 32.01),
        ("COIN", 0.3, 26.34),
        ("BPG444", 0.15, 28.45),
    ],
)
def test_rates_between_the_points_are_interpolated(name, bpp, psnr_db):
    assert curves.at(CURVES[name], bpp) == pytest.approx(psnr_db, abs=0.01)


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_goes_through_its_points_and_not_beyond(name):
    curve = CURVES[name]
    for bpp, psnr_db in curve.points:
        assert curves.at(curve, bpp) == pytest.approx(psnr_db, abs=1e-9)
    assert curves.at(curve, curve.bpp[0] * 0.999) is None
    assert curves.at(curve, curve.bpp[-1] * 1.001) is None
    assert curves.at(curve, float("nan")) is None


def test_a_file_of_ones_own_is_read(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"codecs": {"Mine": {"bpp": [0.1, 1], "psnr_db": [20, 30.5], "source": "me"}}}))
    assert curves.load(file) == {"Mine": curves.Curve("Mine", (0.1, 1.0), (20.0, 30.5), "me")}


CURVE = {"bpp": [0.1, 0.2], "psnr_db": [20, 21], "source": "x"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no JSON"),
        ("\x00\xff", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[1, 2]", "holds no curves"),
        ('{"codecs": {}}', "holds no curves"),
        ('{"codecs": [1]}', "holds no curves"),
        *(
            (json.dumps({"codecs": {"A": entry}}), "the curve 'A' needs lists")
            for entry in (
                3,
                {},
                {**CURVE, "bpp": [0.1]},
                {**CURVE, "bpp": [0.1, 0.2, 0.3]},
                {**CURVE, "bpp": [0.2, 0.1]},
                {**CURVE, "bpp": [0.1, 0.1]},
                {**CURVE, "bpp": [0, 0.1]},
                {**CURVE, "bpp": [0.1, float("nan")]},
                {**CURVE, "bpp": [0.1, 10**400]},
                {**CURVE, "psnr_db": [20, "21"]},
                {**CURVE, "psnr_db": [20, True]},
                {**CURVE, "psnr_db": [20, float("inf")]},
                {**CURVE, "psnr_db": None},
            )
        ),
        (json.dumps({"codecs": {"A": {**CURVE, "source": 5}}}), "source and status of the curve 'A' must be text"),
    ],
)
def test_what_holds_no_curves_is_told_in_one_line(text, words, tmp_path):
    file = tmp_path / "bad.json"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(FileError, match=words) as caught:
        curves.load(file)
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FileError, match=r"cannot read .*none\.json"):
        curves.load(tmp_path / "none.json")


def test_an_equal_curve_needs_as_many_bits():
    assert published.bd_rate(CURVES["VTM"].points, CURVES["VTM"].points) == pytest.approx(0, abs=1e-9)


@given(st.floats(0.3, 3), st.permutations(range(8)))
def test_a_codec_that_needs_a_share_of_the_bits_everywhere_has_that_rate(share, order):
    anchor = CURVES["VTM"].points
    test = [(anchor[i][0] * share, anchor[i][1]) for i in order]
    assert published.bd_rate(anchor, test) == pytest.approx(100 * (share - 1), abs=1e-6)


def test_rates_of_published_curves_are_those_that_others_computed():
    # 22.5 % and 4.8 % are published, against VTM 19.1 and over other ranges.
    assert published.bd_rate(CURVES["VTM"].points, CURVES["BPG444"].points) == pytest.approx(22.5, abs=5)
    assert published.bd_rate(CURVES["VTM"].points, CURVES["C3"].points) == pytest.approx(4.8, abs=2)


@pytest.mark.parametrize(
    "test",
    [
        [],
        [(0.3, 30.0)],
        [(0.3, 50.0), (0.6, 55.0)],
        [(0.3, 30.0), (0.3, 31.0)],
        [(0.3, 31.0), (0.6, 30.0)],
        [(0.0, 30.0), (0.6, 31.0)],
    ],
)
def test_curves_that_cannot_be_compared_have_no_rate(test):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert published.bd_rate(CURVES["VTM"].points, test) is None
        assert published.bd_rate(test, CURVES["VTM"].points) is None


def test_a_missing_library_is_told_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    with pytest.raises(NotInstalled, match="^pip install bjontegaard$"):
        published.bd_rate(CURVES["VTM"].points, CURVES["C3"].points)


def test_every_reference_is_a_curve_and_a_peer():
    assert set(published.REFERENCES) == set(images.BASELINES.codecs) - {"jxl"}
    for reference in published.REFERENCES.values():
        assert reference.curve in CURVES
        assert reference.reason if reference.saved_bpp or reference.gain_db else True
        assert abs(reference.gain_db) <= 1 and 0 <= reference.saved_bpp < 0.1


@pytest.mark.parametrize("codec", published.REFERENCES)
def test_a_peer_on_its_curve_agrees_and_one_beside_it_does_not(codec):
    for off, verdict in ((0, "agrees"), (0.45, "agrees"), (-0.45, "agrees"), (-0.6, "disagrees"), (0.6, "disagrees")):
        rows = [row for rate in RATES for row in rows_of(codec, rate, expected(codec, rate) + off)]
        found = published.check(rows)
        assert [v.target_rate for v in found] == list(RATES)
        for v in found:
            assert (v.codec, v.pictures, v.verdict) == (codec, 24, verdict)
            assert v.bpp == pytest.approx(v.target_rate, abs=1e-4)
            assert v.difference_db == pytest.approx(off, abs=0.002)
            assert v.psnr_db - v.expected_db == pytest.approx(v.difference_db)
            assert v.published_db == pytest.approx(curves.at(CURVES[v.curve], v.bpp))
            assert v.source == CURVES[v.curve].source


def test_a_jpeg2000_without_its_colour_transform_is_caught():
    with Image.open(ROOT / "examples" / "kodim15.png") as image:
        picture = np.asarray(image)
    signal = installed().modalities.get("image").read(picture)
    baseline = images.BASELINES.codecs["jpeg2000"]
    lost = []
    for colour in (1, 0):
        target = io.BytesIO()
        Image.fromarray(picture).save(
            target, "JPEG2000", no_jp2=True, irreversible=True, mct=colour, quality_layers=[80]
        )
        decoded = baseline.decode(target.getvalue(), picture)
        lost.append(images.BASELINES.score(decoded, signal)["psnr_db"])
    right = expected("jpeg2000", 0.3)
    verdicts = [published.check(rows_of("jpeg2000", 0.3, right + score - lost[0]))[0].verdict for score in lost]
    assert verdicts == ["agrees", "disagrees"]


def test_a_mean_needs_all_pictures():
    rows = rows_of("webp", 0.3, 29.2)
    failed = [*rows[:-1], {**rows[-1], "status": "failed", "reason": "crashed"}]
    for some in (rows[:-1], failed, [*rows[:-1], rows[0]], rows[:1]):
        (verdict,) = published.check(some)
        assert verdict.verdict == "needs all 24 pictures"
        assert verdict.pictures == len({row["file"] for row in some if row["status"] == "ok"})


def test_other_pictures_of_these_names_do_not_count():
    small = [{**row, "rate": 4 * row["rate"]} for row in rows_of("webp", 0.3, 29.2)]
    assert published.check(small) == []
    assert published.check([{**row, "file": "holiday.png"} for row in rows_of("webp", 0.3, 29.2)]) == []


def test_other_codecs_have_no_verdict():
    assert published.check([]) == []
    assert published.check(rows_of("ours", 0.3, 29) + rows_of("jxl", 0.3, 29)) == []


def test_a_rate_outside_the_curve_has_no_verdict():
    (verdict,) = published.check(rows_of("webp", 0.1, 25))
    assert verdict.verdict == "outside the published range"
    assert verdict.published_db is verdict.expected_db is verdict.difference_db is None


def test_curves_of_ones_own_are_used_instead():
    own = curves.Curve("WebP", (0.1, 1.0), (10.0, 20.0), "me")
    rows = rows_of("webp", 0.3, 29.2) + rows_of("jpeg", 0.3, 26.5)
    (verdict,) = published.check(rows, {"WebP": own})
    assert (verdict.codec, verdict.verdict, verdict.source) == ("webp", "disagrees", "me")
