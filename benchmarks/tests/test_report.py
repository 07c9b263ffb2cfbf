"""The report: what it says, what it shows, and how it looks in a browser."""

import base64
import html
import html.parser
import io
import itertools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import coordcodec
from coordcodec import codec
from coordcodec.errors import FileError, RecipeError
from coordcodec.plugins import installed
from coordcodec_bench import curves, published, report, rows
from coordcodec_bench.baseline import Search
from coordcodec_bench.baselines import baselines_of
from coordcodec_bench.report import bd, drawing, pictures, plots, results, tables, words

ROOT = Path(__file__).parents[2]
HOSTILE = '<img src=x onerror="alert(1)">&amp;.png'
REASON = "</td></table><script>alert('a codec said so')</script>"
QUICK = {"effort": 1, "siren": {"steps": 40, "quantizer": "uniform"}, "device": "cpu"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Page(html.parser.HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its text."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.words, self.source = [], [], path.read_text()
        self.feed(self.source)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def written(folder, output, **choices):
    facts = report.write(folder, output, **choices)
    return facts, Page(output)


def row_of(file, codec, target, score, rate=None, **more):
    """A row as a run writes it; the rate is the target unless given."""
    rate = target if rate is None else rate
    own = codec.startswith(("ours", "coin"))
    return {
        "file": file, "sha256": "0" * 16, "folder": "pictures", "modality": "image", "unit": "bpp", "codec": codec,
        "target_rate": target, "status": "ok", "bytes": round(rate * 49152), "rate": rate,
        "scores": {"psnr_db": score, "ms_ssim": 0.9}, "encode_seconds": 50.0 if own else 0.01, "decode_seconds": 0.1,
        "peak_memory_mib": 300.0, "setting": "", "version": "1", "machine": "a machine", "threads": 2,
        "date": "2026-01-02", "torch": "2", "coordcodec": "0.1.0", "commit": "abc",
        **({"effort": 5, "seed": 0, "device": "cpu", "steps": 6000} if own else {}), **more,
    }  # fmt: skip


def folder_of(path, found, modality="image"):
    path.mkdir(exist_ok=True)
    (path / f"{modality}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    return path


def keep(folder, path, modality, codec_name, target, data, scores, **more):
    """Add a row about a real file of `data` to a folder of results, as a run does."""
    kind = installed().modalities.get(modality)
    unit = {"image": "bpp", "sdf": "bytes", "audio": "kbps"}[modality]
    row = row_of(path.name, codec_name, target, 0.0, sha256=rows.digest(path), modality=modality, unit=unit, **more)
    row |= {"bytes": len(data), "rate": target * 0.99, "scores": scores, "folder": path.parent.name}
    assert kind.rate_unit == unit
    rows.append(folder / f"{modality}.jsonl", row)
    rows.kept(folder, row).write_bytes(data)


def promise(folder, file, codec_name, bound, size, **more):
    """Add a row of a promise, as a run does."""
    row = row_of(file, codec_name, 1.0, 0.0, **{"modality": "field", "unit": "bits/sample"} | more)
    del row["target_rate"]
    largest = 0.0 if bound == "lossless" else float(re.match("[0-9.]+", bound)[0])
    row |= {"bound": bound, "max_error": largest, "scores": {"max_error": 0.99 * largest, "rmse": 0.3 * largest}}
    row |= {"bytes": size, "rate": 8 * size / 49152, "samples": 49152, "raw_bytes": 49152}
    rows.append(folder / f"promises-{row['modality']}.jsonl", row)


def promises_in(folder):
    """Rows of promises: a field at five bounds by four codecs, pictures without loss, and what went wrong."""
    for number, codec_name in enumerate(("ours", "sperr", "sz3", "zfp")):
        for bound in (1, 0.5, 0.25, 0.1, 0.05):
            size = round((20_000 + 9_000 * number) / bound**0.6)
            promise(folder, "a.nc", codec_name, f"{bound}K", size, options="variable t")
            promise(folder, "b.nc", codec_name, f"{bound}%", size // 3)
    pictures_of = {"modality": "image", "unit": "bpp"}
    for number, codec_name in enumerate(("ours", "png", "jpeg2000", "jxl", "webp")):
        for name in ("a.png", HOSTILE):
            promise(folder, name, codec_name, "lossless", 20_000 + 1_000 * number, **pictures_of)
    lost = {"status": "failed", "reason": REASON}
    promise(folder, "c.png", "ours", "lossless", 1, **pictures_of, **lost)


@pytest.fixture(scope="session")
def measured(tmp_path_factory):
    """Real files: three pictures by three codecs at two rates, a mesh, a sound; rows that failed or were skipped."""
    import soundfile
    import trimesh
    from PIL import Image

    base = tmp_path_factory.mktemp("inputs")
    folder = base / "results"
    (folder / "files").mkdir(parents=True)
    baselines = baselines_of("image")
    with Image.open(ROOT / "examples" / "kodim15.png") as photograph:
        for name, x, y in (("a.png", 250, 90), ("b.png", 500, 300), (HOSTILE, 300, 200)):
            photograph.crop((x, y, x + 180, y + 120)).save(base / name)
    for name in ("a.png", "b.png", HOSTILE):
        signal = installed().modalities.get("image").read(base / name)
        searches = {
            baseline: Search(baselines.codecs[baseline], baselines, signal) for baseline in ("jpeg", "jpeg2000")
        }
        for target in (0.6, 1.2):
            data = coordcodec.compress(base / name, rate=target, **QUICK)
            keep(folder, base / name, "image", "ours", target, data, codec.open(data).score(signal))
            for baseline, search in searches.items():
                found = search.best(round(target * 180 * 120 / 8))
                keep(folder, base / name, "image", baseline, target, found["data"], found["scores"])
    for codec_name, status in (("jpeg", "failed"), ("avif", "skipped")):
        row = {"file": "c.png", "modality": "image", "unit": "bpp", "codec": codec_name, "target_rate": 0.6}
        rows.append(folder / "image.jsonl", row | {"status": status, "reason": REASON})
    mesh = base / "ball.ply"
    trimesh.creation.icosphere(subdivisions=2).export(mesh)
    data = coordcodec.compress(mesh, num_bytes=1500, **QUICK | {"siren": {"steps": 250, "quantizer": "uniform"}})
    keep(folder, mesh, "sdf", "ours", 1500.0, data, {"chamfer_l1_percent": 0.7})
    tried = [[900, 1.5], [1100, 1.1], [1200, 1.3], [1490, 0.9]]
    keep(folder, mesh, "sdf", "draco", 1500.0, b"draco", {"chamfer_l1_percent": 0.9}, tried=tried)
    t = np.arange(8000) / 16000
    soundfile.write(base / "sweep.wav", 0.5 * np.sin(2 * np.pi * (200 + 800 * t) * t), 16000)
    data = coordcodec.compress(base / "sweep.wav", rate=24, **QUICK)
    keep(folder, base / "sweep.wav", "audio", "ours", 24.0, data, {"snr_db": 12.0})
    places = {rows.digest(path): str(path) for path in base.iterdir() if path.is_file()}
    (folder / "sources.json").write_text(json.dumps(places))
    shutil.copy(ROOT / "benchmarks" / "results" / "speed.jsonl", folder)
    promises_in(folder)
    return folder


@pytest.fixture(scope="session")
def page(measured, tmp_path_factory):
    """The path of the report of `measured`, and what writing it returned."""
    output = tmp_path_factory.mktemp("page") / "report.html"
    return output, report.write(measured, output)


@pytest.fixture(scope="session")
def seen(page):
    return Page(page[0])


def test_the_page_needs_no_other_file_and_no_script(seen):
    assert not {"script", "link", "iframe", "object", "embed", "base"} & {tag for tag, _ in seen.elements}
    for tag, attributes in seen.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "srcset", "href", "poster", "action", "background"):
            value = attributes.get(name, "data:image/")
            assert value.startswith(("data:image/", "#")), f"{tag} {name} {value[:80]}"
    style = "".join(re.findall(r"<style>(.*?)</style>", seen.source, re.S))
    assert style
    assert not re.search(r"url\(|@import|http", style)


def test_every_figure_is_a_whole_picture_with_words_and_lies_beside_the_page(page, seen):
    from PIL import Image

    output, facts = page
    images = seen.all("img")
    assert len(images) == facts["pictures"] > 20
    assert output.stat().st_size == facts["bytes"] < 3_000_000
    for attributes in images:
        with Image.open(io.BytesIO(base64.b64decode(attributes["src"].partition(",")[2]))) as image:
            assert image.size == (int(attributes["width"]), int(attributes["height"]))
            assert np.asarray(image.convert("L")).std() > 5
        assert len(attributes["alt"]) > 10
    files = sorted(Path(facts["figures"]).iterdir())
    assert len(files) == len(images)
    for path in files:
        with Image.open(path) as image:
            assert image.format == "PNG"


@pytest.mark.parametrize("heading", ["Images", "Shapes", "Sounds", "Speed", "Rate and distortion", "Bjøntegaard rates",
    "Time and quality", "Side by side, at 1.2 bpp", "Best for ours", "Worst for ours", "Draco's settings",
    "What was decoded", "Failed", "Skipped", "Every file", "Fields within a largest error", "Images without loss",
    "Failed or skipped"])  # fmt: skip
def test_sections(seen, heading):
    assert re.search(rf"<h[234]>{re.escape(heading)}</h[234]>", seen.source)


def test_the_head_says_what_was_measured_how_and_with_what(measured, seen):
    head = seen.text.partition("Rate and distortion")[0]
    row = rows.load(measured / "image.jsonl")[0]
    for said in (row["machine"], row["date"], row["coordcodec"], row["torch"], "8 × its length"):
        assert str(said) in head
    assert "coordcodec bench inputs0 --modality image --rates 0.6,1.2 --codecs ours,avif,jpeg,jpeg2000" in head
    assert "--effort 5 --seed 0 --device cpu -o RESULTS" in head
    assert "2 failed" in head


def test_what_failed_and_what_is_not_installed_is_told_with_its_reason(seen):
    assert seen.text.count("a codec said so") == 3
    assert "0.6 bpp: 3 of 4 files" in seen.text  # the failed row's file is not in the means


def test_hostile_names_and_reasons_are_only_text(seen):
    assert HOSTILE in seen.text
    assert REASON in seen.text
    assert "<script" not in seen.source
    assert all("onerror" not in attributes for _, attributes in seen.elements)


def test_every_row_is_in_the_tables(measured, seen):
    for modality in ("image", "sdf", "audio"):
        for row in rows.good(rows.load(measured / f"{modality}.jsonl")):
            assert f"{row['bytes']:,}" in seen.text
            assert row["file"] in seen.text


def copied(measured, tmp_path):
    return shutil.copytree(measured, tmp_path / "results")


def test_what_cannot_be_shown_is_told_and_the_rest_is_there(measured, tmp_path):
    folder = copied(measured, tmp_path)
    (folder / "sdf.jsonl").unlink()
    places = json.loads((folder / "sources.json").read_text())
    by_name = {Path(place).name: key for key, place in places.items()}
    changed = tmp_path / "a.png"
    shutil.copy(places[by_name["b.png"]], changed)
    places[by_name["a.png"]] = str(changed)
    places[by_name["b.png"]] = str(tmp_path / "gone.png")
    del places[by_name["sweep.wav"]]
    (folder / "sources.json").write_text(json.dumps(places))
    row = next(
        r
        for r in rows.load(folder / "image.jsonl")
        if (r["file"], r["target_rate"], r["codec"]) == (HOSTILE, 1.2, "ours")
    )
    rows.kept(folder, row).write_bytes(b"short")
    facts, seen = written(folder, tmp_path / "report.html")
    assert f"a.png: {changed} has changed since it was measured" in seen.text
    assert f"b.png: the original is no longer at {tmp_path / 'gone.png'}" in seen.text
    assert f"{HOSTILE}: the file kept for ours is that of another run: 5 bytes, not {row['bytes']:,}" in seen.text
    assert "sweep.wav: it is not known where the original lay" in seen.text
    assert "Side by side" not in seen.text
    assert "What was decoded" not in seen.text
    assert facts["pictures"] == len(seen.all("img"))


def test_an_output_that_exists_is_replaced_by_force_alone(tmp_path):
    folder = folder_of(tmp_path / "results", [row_of("a.png", "ours", 0.3, 30.0)])
    output = tmp_path / "report.html"
    figures = tmp_path / "report-figures"
    report.write(folder, output)
    names = {path.name for path in figures.iterdir()}
    with pytest.raises(FileError, match=r"report\.html exists; .*--force"):
        report.write(folder, output)
    output.unlink()
    with pytest.raises(FileError, match=r"report-figures exists; .*--force"):
        report.write(folder, output)
    (figures / "old.png").touch()
    report.write(folder, output, force=True)
    assert {path.name for path in figures.iterdir()} == names
    (figures / "notes.txt").touch()
    with pytest.raises(FileError, match="left alone"):
        report.write(folder, output, force=True)
    assert (figures / "notes.txt").exists()


def test_page_and_figures_are_there_both_or_neither(tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "results", [row_of("a.png", "ours", 0.3, 30.0)])
    before = set(tmp_path.iterdir())
    whole = report.write_bytes

    def full(path, data, force=False):
        if Path(path).suffix == ".html":
            raise FileError(f"cannot write {path}: No space left on device")
        whole(path, data, force)

    with monkeypatch.context() as patch:
        patch.setattr(report, "write_bytes", full)
        with pytest.raises(FileError, match="No space left"):
            report.write(folder, tmp_path / "report.html")
    assert set(tmp_path.iterdir()) == before
    report.write(folder, tmp_path / "report.html")
    page, figures = (tmp_path / "report.html").read_bytes(), tmp_path / "report-figures"
    names = sorted(figures.iterdir())
    folder_of(folder, [row_of("a.png", "ours", 0.3, 30.0), row_of("a.png", "jpeg", 0.3, 29.0)])
    with monkeypatch.context() as patch:
        patch.setattr(report, "write_bytes", full)
        with pytest.raises(FileError, match="No space left"):
            report.write(folder, tmp_path / "report.html", force=True)
    assert (tmp_path / "report.html").read_bytes() == page
    assert sorted(figures.iterdir()) == names
    assert {p.name for p in tmp_path.iterdir()} == {"results", "report.html", "report-figures"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there are no results in"),
        ("", "there are no results in"),
        ("{}{\n{}\n", "line 1 is no JSON object"),
        ("[1]\n", "line 1 is no JSON object"),
        ('{"codec": "ours", "psnr_db": 30}\n', "has file None, which coordcodec bench does not write"),
        (json.dumps(row_of("a.png", "ours", 0.3, 30.0) | {"rate": "0.3"}), "has rate '0.3'"),
        (json.dumps(row_of("a.png", "ours", 0.3, 30.0) | {"scores": {"psnr_db": "x"}}), "has scores"),
        (json.dumps(row_of("a.png", "ours", 0.3, 30.0) | {"scores": None}), "has scores None"),
        (json.dumps(row_of("a.png", "ours", 0.3, 30.0) | {"status": "fine"}), "has status 'fine'"),
        (json.dumps(row_of("a.png", "ours", 0.3, 30.0) | {"encode_seconds": float("nan")}), "has encode_seconds nan"),
        (json.dumps(row_of("a.png", "draco", 0.3, 30.0) | {"tried": [[1, 2, 3]]}), "has tried"),
        (json.dumps(row_of("a.png", "draco", 0.3, 30.0) | {"tried": 7}), "has tried 7"),
        (json.dumps(row_of("a.png", "ours", 0.3, 30.0) | {"rate": 0.0}), "has rate 0.0"),
        (json.dumps(row_of("a.png", "ours", 0.3, 30.0) | {"effort": [5]}), "unhashable"),
    ],
)
def test_results_that_are_none_are_one_clear_error(tmp_path, content, message):
    folder = folder_of(tmp_path / "results", [])
    (folder / "image.jsonl").unlink() if content is None else (folder / "image.jsonl").write_text(content)
    with pytest.raises(FileError, match=re.escape(message)) as told:
        report.write(folder, tmp_path / "report.html")
    assert "\n" not in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_bad_outputs_and_folders_are_told_before_any_work(tmp_path):
    with pytest.raises(RecipeError, match="a report is a page of HTML"):
        report.write(tmp_path, tmp_path / "report.pdf")
    with pytest.raises(FileError, match="there is no folder"):
        report.write(tmp_path / "nowhere", tmp_path / "report.html")
    with pytest.raises(FileError, match="there is no folder"):
        report.write(tmp_path, tmp_path / "nowhere" / "report.html")


def test_what_reports_need_and_is_not_installed_is_told(tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "results", [row_of("a.png", "ours", 0.3, 30.0)])
    monkeypatch.setattr(report, "NEEDED", ("jinja2", "no_such_library"))
    with pytest.raises(RecipeError, match=r"reports need no_such_library: pip install 'coordcodec\[bench\]'"):
        report.write(folder, tmp_path / "report.html")


def test_the_command_names_how_files_were_read(tmp_path):
    found = [row_of("a.png", "ours", 0.3, 30.0, options="sample_rate 16000, variable it's", seed=3)]
    _, seen = written(folder_of(tmp_path / "results", found), tmp_path / "report.html")
    assert """--seed 3 --device cpu --sample-rate 16000 --variable 'it'"'"'s' -o RESULTS""" in seen.text
    assert "a.png (sample_rate 16000, variable it's)" in seen.text


def test_means_are_over_the_files_that_all_codecs_have(tmp_path):
    found = [row_of(f"{k}.png", codec, 0.3, 20.0 + k) for k in range(4) for codec in ("ours", "jpeg", "webp")]
    found[1] = {**found[1], "status": "failed", "reason": "crashed"}  # JPEG on 0.png
    found[8]["scores"] = {"psnr_db": None}  # WebP on 2.png
    (group,), _ = results.read(folder_of(tmp_path / "results", found))
    (comparison,) = group.comparisons
    assert comparison.common == {0.3: {"1.png", "3.png"}}
    assert {label: points[0].score for label, points in comparison.points.items()} == dict.fromkeys(
        ("ours", "JPEG", "WebP"), 22.0
    )
    _, seen = written(tmp_path / "results", tmp_path / "report.html")
    assert "0.3 bpp: 2 of 4 files" in seen.text
    assert "crashed" in seen.text


def test_a_codec_run_on_few_files_does_not_shrink_the_means_of_the_others(tmp_path):
    found = [row_of(f"{k}.png", codec, 0.3, 20.0 + k) for k in range(6) for codec in ("ours", "jpeg")]
    found += [row_of(f"{k}.png", "coin", 0.3, 18.0 + k) for k in (1, 5)]
    (group,), _ = results.read(folder_of(tmp_path / "results", found))
    many, few = group.comparisons
    assert [s.codec for s in many.series] == ["ours", "jpeg"]
    assert many.points["ours"][0].score == 22.5
    assert [s.codec for s in few.series] == ["ours", "coin", "jpeg"]
    assert (few.points["ours"][0].score, few.points["COIN here"][0].score) == (23.0, 21.0)
    _, seen = written(tmp_path / "results", tmp_path / "report.html")
    assert "Not in it, being run on few files: COIN here (2 files); see below." in seen.text
    assert "With COIN here, on 2 files" in seen.text


def test_runs_that_differ_in_effort_seed_or_device_are_lines_of_their_own(tmp_path):
    found = [row_of("a.png", "ours", 0.3, 20.0 + e, effort=e, device=d) for e in (1, 5) for d in ("cpu", "cuda:0")]
    (group,), _ = results.read(folder_of(tmp_path / "results", found))
    assert {s.label for s in group.series} == {f"ours, effort {e}, {d}" for e in (1, 5) for d in ("cpu", "cuda:0")}


def test_modalities_without_a_plugin_or_peers_are_reported(tmp_path):
    found = [
        row_of("a.xyz", "ours", target, 0.0, modality="heights", unit="bytes", scores={"error_m": 400 / target})
        for target in (100, 200)
    ]
    folder = folder_of(tmp_path / "results", found, "heights")
    (group,), _ = results.read(folder)
    assert (group.score, group.falling) == ("error_m", True)
    _, seen = written(folder, tmp_path / "report.html")
    assert "Heights" in seen.text
    assert "smaller is better" in seen.text


def test_what_a_second_device_decodes_is_told(tmp_path):
    other = {"device": "cpu", "largest_difference": 2.5e-4, "scores": {"psnr_db": 30.03}}
    found = [row_of(f"{k}.png", "ours", 0.3, 30.0, fitted_on="a GPU", other_device=other) for k in range(3)]
    _, seen = written(folder_of(tmp_path / "results", found), tmp_path / "report.html")
    assert "a GPU cpu 3 0.00025 0.03" in seen.text


def test_initialisations_that_files_share_are_told_in_the_head(tmp_path):
    alone, shared = row_of("a.png", "ours:init=none", 0.3, 30.0), row_of("a.png", "ours", 0.3, 31.0)
    _, seen = written(folder_of(tmp_path / "one", [alone]), tmp_path / "one.html")
    assert "files share nothing but the programs that read them" in seen.text
    shared["init"] = "image-w64 0123456789abcdef"
    _, seen = written(folder_of(tmp_path / "two", [alone, shared]), tmp_path / "two.html")
    assert "not the learned initialisations (image-w64 0123456789abcdef)" in seen.text


def test_the_race_with_coin_is_told(tmp_path):
    folder = folder_of(tmp_path / "results", [row_of("a.png", "ours", 0.3, 30.0)])
    race = {
        "picture": "kodim15.png", "published_psnr_db": 29.31, "published_bpp": 0.3, "coin_step_seconds": 1.8,
        "coin_steps": 50000, "coin_seconds": 90000.0, "bpp": 0.2961, "psnr_db": 29.5, "seconds": 9.0,
        "times_faster": 10000.0,
    }  # fmt: skip
    facts = {"device": "cpu", "machine": "a machine", "date": "2026-01-02", "rows": [], "race": race}
    (folder / "speed.jsonl").write_text(json.dumps(facts) + "\n")
    _, seen = written(folder, tmp_path / "report.html")
    assert "1.8 s × 50,000 steps = 25.0 hours" in seen.text
    assert "ours reach 29.50 dB at 0.296 bpp in 9.0 s, 10,000 times as fast" in seen.text


def test_results_in_which_everything_failed_are_a_report_too(tmp_path):
    found = [row_of("a.png", "ours", 0.3, 0.0) | {"status": "failed", "reason": "it broke"}]
    _, seen = written(folder_of(tmp_path / "results", found), tmp_path / "report.html")
    assert "it broke" in seen.text
    assert "there are no means to show" in seen.text


def kodak(**offsets):
    """Rows of the 24 pictures at two rates: baselines on their published curves, moved by an offset in dB, and ours."""
    known = curves.load()
    found = []
    for number in range(1, 25):
        for target in (0.3, 0.6):
            size = round(target * published.KODAK_PIXELS / 8)
            facts = {"bytes": size, "unit": "bpp", "folder": "kodak"}
            ours = row_of(f"kodim{number:02d}.png", "ours", target, 23 + 12 * target + number / 12.5, **facts)
            found.append(ours)
            for codec_name in ("jpeg", "jpeg2000", "webp"):
                reference = published.REFERENCES[codec_name]
                rate = 8 * size / published.KODAK_PIXELS
                score = curves.at(known[reference.curve], rate + reference.saved_bpp) + reference.gain_db
                score += offsets.get(codec_name, 0) + (number - 12.5) / 4
                row = row_of(f"kodim{number:02d}.png", codec_name, target, score, rate, **facts)
                found.append(row)
            ours["rate"] = 8 * size / published.KODAK_PIXELS
    return found


def test_a_peer_that_misses_its_published_curve_is_told_loudly(tmp_path):
    facts, seen = written(folder_of(tmp_path / "results", kodak(jpeg2000=-4.4)), tmp_path / "report.html")
    assert facts["disagreeing"] == ["JPEG 2000"]
    alarms = [attributes for tag, attributes in seen.elements if attributes.get("role") == "alert"]
    assert [attributes["class"] for attributes in alarms] == ["bad", "bad"]
    assert seen.text.index("Read with care: JPEG 2000") < seen.text.index("Rate and distortion")
    assert "JPEG 2000: not what was published" in seen.text
    assert "−4.40 disagrees" in seen.text
    assert "4 of 6 measurements agree" in seen.text
    reason = published.REFERENCES["jpeg2000"].reason
    assert not reason or reason in seen.text


def test_headers_of_the_check_stand_over_their_columns(tmp_path):
    _, seen = written(folder_of(tmp_path / "results", kodak(jpeg2000=-4.4)), tmp_path / "report.html")
    table = re.search(r'class="bad" role="alert">\s*<h3>.*?</table>', seen.source, re.S)[0]
    names = re.findall(r'<th scope="col">(.*?)</th>', table)
    cells = [*re.findall(r'<th scope="row">(.*?)</th>', table)[:1], *re.findall(r"<td>(.*?)</td>", table)[:6]]
    found = dict(zip(names, cells, strict=True))
    assert found["verdict"] == "disagrees"
    assert found["difference, dB"] == "−4.40"
    assert float(found["measured, dB"]) - float(found["expected, dB"]) == pytest.approx(-4.4, abs=0.011)


def test_promises_are_bytes_against_bounds_and_totals(seen):
    assert "1\N{NO-BREAK SPACE}K" in seen.source
    assert "a.nc (variable t)" in seen.text
    bounded = [attributes["alt"] for attributes in seen.all("img") if "against the largest error" in attributes["alt"]]
    assert [alt.partition(":")[0] for alt in bounded] == ["a.nc (variable t)", "b.nc"]
    assert "ours: 120,684 bytes at 0.05" in bounded[0]
    totals = re.search(r"<h2>Images without loss</h2>.*?</table>", seen.source, re.S)[0]
    row = re.search(r'<th scope="row">PNG</th>(.*?)</tr>', totals)[1]
    assert re.findall(r"<td>(.*?)</td>", row)[:4] == ["2", "42,000", "3.418", "+5.0 %"]
    assert "coordcodec bench pictures --modality image --lossless --codecs ours,png,jpeg2000,jxl,webp" in seen.text
    assert "--modality field --variable t --only a.nc --max-errors 1K,0.5K,0.25K,0.1K,0.05K" in seen.text


def test_peers_that_agree_stand_before_their_published_curves(tmp_path):
    facts, seen = written(folder_of(tmp_path / "results", kodak()), tmp_path / "report.html")
    assert facts["disagreeing"] == []
    assert "alert" not in {attributes.get("role") for _, attributes in seen.elements}
    assert "6 of 6 measurements agree" in seen.text
    assert "the codec's published curve" in seen.text
    assert "Ours among published curves (dashed)" in seen.text
    assert curves.load()["COIN"].source in seen.text
    assert re.search(r"COIN −\d+\.\d %", seen.text)  # ours against it


def test_published_curves_are_left_out_unless_all_their_pictures_are_there(tmp_path):
    found = [row for row in kodak(jpeg2000=-4.4) if row["file"] != "kodim07.png"]
    facts, seen = written(folder_of(tmp_path / "results", found), tmp_path / "report.html")
    assert facts["disagreeing"] == []
    assert "was not checked" in seen.text
    assert "published curve" not in seen.text.partition("Rate and distortion")[2]


def test_other_curves_than_the_packaged_ones_may_be_given(tmp_path):
    mine = {"codecs": {"NEW": {"bpp": [0.2, 0.9], "psnr_db": [30.0, 36.0], "source": "a paper <b>of mine</b>"}}}
    (tmp_path / "mine.json").write_text(json.dumps(mine))
    folder = folder_of(tmp_path / "results", kodak())
    _, seen = written(folder, tmp_path / "report.html", published=tmp_path / "mine.json")
    assert "NEW: a paper <b>of mine</b>" in seen.text
    assert "COIN" not in seen.text
    with pytest.raises(FileError, match="holds no curves"):
        (tmp_path / "mine.json").write_text("{}")
        report.write(folder, tmp_path / "other.html", published=tmp_path / "mine.json")


def test_bjontegaard_rates_of_known_curves():
    rising = [(rate, 20 + 5 * np.log2(rate / 0.1)) for rate in (0.1, 0.2, 0.4, 0.8)]
    smaller = [(rate * 0.8, score) for rate, score in rising]
    percent, overlap = bd.bd_rate(rising, smaller)
    assert percent == pytest.approx(-20)
    assert overlap == pytest.approx(1)
    falling = [(rate, 1 / rate) for rate in (100, 200, 400)]
    percent, _ = bd.bd_rate(falling, [(rate * 1.5, score) for rate, score in falling], falling=True)
    assert percent == pytest.approx(50)
    _, overlap = bd.bd_rate(rising, [(rate, score + 12) for rate, score in rising])
    assert overlap < bd.LITTLE
    assert bd.bd_rate(rising, [(rate, score + 100) for rate, score in rising]) is None
    assert bd.bd_rate(rising, rising[:1]) is None
    assert bd.bd_rate(rising, [(0.1, 25.0), (0.2, 24.0)]) is None


def test_tables_hold_no_column_of_which_nothing_is_known(tmp_path):
    ours = [(codec, rate) for codec in ("ours", "jpeg") for rate in (0.3, 0.6)]
    found = [row_of(f"{k}.png", codec, rate, 20 + rate) for k in range(6) for codec, rate in ours]
    found += [row_of("last.png", codec, 1.2, 30.0) for codec in ("ours", "jpeg", "coin")]
    (group,), _ = results.read(folder_of(tmp_path / "results", found))
    both, one = group.comparisons
    assert tables.means(group, both).head == ("codec", "0.3 bpp", "0.6 bpp", "1.2 bpp")
    assert tables.means(group, one).head == ("codec", "1.2 bpp")
    assert tables.bd_rates(group, both).head == ("codec", "against JPEG", "against ours")
    assert tables.bd_rates(group, one) is None  # one rate each
    # WebP and JPEG share no quality with ours, but with each other.
    scores = {"ours": 50, "jpeg": 20, "webp": 21}
    found = [row_of("a.png", codec, r, low + 10 * r) for codec, low in scores.items() for r in (0.15, 0.3, 0.6)]
    (group,), _ = results.read(folder_of(tmp_path / "apart", found))
    rates = tables.bd_rates(group, group.comparisons[0])
    assert rates.head == ("codec", "against JPEG")
    assert [row[1] == "–" for row in rates.body] == [True, True, False]


def test_numbers_and_times_are_what_people_write():
    assert [words.number(value, "snr_db") for value in (-0.29, 12.345, None)] == ["−0.29", "12.35", "–"]
    assert [words.number(value) for value in (-1.5, 3e-9, 0.0)] == ["−1.5", "3.00e-09", "0"]
    assert [words.seconds(value) for value in (0.0, 0.0123, 1.23, 1234.0)] == [
        "<\N{NO-BREAK SPACE}0.001",
        "0.012",
        "1.2",
        "1,234",
    ]


@pytest.mark.parametrize(("low", "high"), [(11_000, 99_000), (900, 1_490), (0.15, 0.6), (0.009, 250.0), (24, 48)])
def test_numbers_of_an_axis_do_not_touch(low, high):
    figure, axes = drawing.new_figure()
    plots.logarithmic(axes.xaxis, low, high, least=1.3)
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
    assert len(boxes) >= 2
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_crops_show_the_largest_error_and_the_most_detail():
    generator = np.random.default_rng(0)
    original = np.full((240, 300, 3), 128, np.uint8)
    original[20:80, 200:260] = generator.integers(0, 255, (60, 60, 3))
    decoded = original.copy()
    decoded[150:200, 40:90] = 0
    error, detail = pictures.interesting(original, decoded)
    for (x, y, side), (left, top, width) in ((error, (40, 150, 50)), (detail, (200, 20, 60))):
        assert x <= left
        assert y <= top
        assert x + side >= left + width
        assert y + side >= top + width
    for shape in ((1, 1, 3), (2, 90, 3), (75, 75, 3)):
        for x, y, side in pictures.interesting(np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)):
            assert 0 <= x <= shape[1] - side
            assert 0 <= y <= shape[0] - side


INSIDE = """<script>
document.querySelectorAll("details").forEach(box => { box.open = OPEN; });
addEventListener("load", () => parent.postMessage(JSON.stringify({
  width: innerWidth, needed: document.documentElement.scrollWidth, height: document.documentElement.scrollHeight,
  images: [...document.images].map(image => [image.complete, image.naturalWidth, image.getBoundingClientRect().width]),
  fonts: [...document.querySelectorAll("body, p, td, th, dd, dt, li, figcaption, summary, caption, pre")].map(
    element => parseFloat(getComputedStyle(element).fontSize)),
  scrolled: [...document.querySelectorAll(".scroll")].filter(element =>
    !element.closest("details, .preview") && element.scrollWidth > element.clientWidth + 1).map(
    element => element.getAttribute("aria-label")),
  cut: [...document.querySelectorAll("main *")].filter(element => {
    const box = element.getBoundingClientRect();
    return box.right > innerWidth + 1 && !element.closest(".scroll, pre");
  }).map(element => element.outerHTML.slice(0, 80)),
}), "*"));
</script>"""
OUTSIDE = """<!DOCTYPE html><body style="margin: 0">
<iframe src="page.html" style="border: 0; width: WIDTHpx; height: HEIGHTpx"></iframe>
<script>onmessage = event => { const box = document.createElement("pre"); box.id = "found";
box.textContent = event.data; document.body.append(box); };</script></body>"""
"""A browser's own window may not be as narrow as a telephone; a frame may."""


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Run a browser without a window; returns what it prints."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None and os.environ.get("COORDCODEC_BROWSER") != "required":
        pytest.skip(f"no browser ({', '.join(BROWSERS)}); get one: apt-get install chromium")
    assert program, f"COORDCODEC_BROWSER=required, and there is none of {BROWSERS}: apt-get install chromium"

    def look(page, width, height, *flags):
        command = [
            program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
            f"--user-data-dir={tmp_path_factory.mktemp('browser')}", f"--window-size={width},{height}",
            "--virtual-time-budget=10000", *flags, page.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return look


def framed(page, folder, width, height, opened):
    """The page in a frame of a width, telling what it measures."""
    inside = INSIDE.replace("OPEN", str(opened).lower())
    (folder / "page.html").write_text(page.read_text().replace("</body>", f"{inside}</body>"))
    frame = folder / "frame.html"
    frame.write_text(OUTSIDE.replace("WIDTH", str(width)).replace("HEIGHT", str(height)))
    return frame


@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("opened", [False, True])
def test_the_page_fits_its_window_and_can_be_read(browser, page, tmp_path, width, opened):
    frame = framed(page[0], tmp_path, width, 800, opened)
    dom = browser(frame, 1280, 800, "--dump-dom")
    found = json.loads(
        re.search(r'<pre id="found">(.*?)</pre>', dom, re.S)[1].replace("&lt;", "<").replace("&gt;", ">")
    )
    assert found["width"] == width
    assert found["needed"] == width
    assert found["cut"] == []
    assert width < 1280 or found["scrolled"] == []  # the last column of no table is out of sight
    assert found["height"] > 2000
    assert len(found["images"]) == page[1]["pictures"]
    for complete, natural, shown in found["images"]:
        assert complete
        assert natural > 0
        assert shown > 120
    assert min(found["fonts"]) >= 14
    assert sorted(found["fonts"])[len(found["fonts"]) // 20] >= 16


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_screenshots_show_something_from_top_to_bottom(browser, page, tmp_path, width, dark):
    from PIL import Image

    shot, height = tmp_path / "shot.png", 6000
    frame = framed(page[0], tmp_path, width, height, True)
    flags = ["--blink-settings=preferredColorScheme=0"] if dark else []
    browser(frame, max(width, 600), height, f"--screenshot={shot}", *flags)
    with Image.open(shot) as image:
        pixels = np.asarray(image.convert("L"))[:, :width].astype(float)
    assert pixels.shape == (height, width)
    background = np.median(pixels[:, :6])
    assert (background < 60) if dark else (background > 240)
    for part in np.split(pixels, 8):
        assert (np.abs(part - background) > 60).mean() > 0.005
