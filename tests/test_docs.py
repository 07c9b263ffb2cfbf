"""The documentation says what is so."""

import json
import re
import shlex
from pathlib import Path

import pytest

from coordcodec.cli.arguments import build_parser
from coordcodec.recipe import PRESETS
from coordcodec_bench import documents, published
from coordcodec_bench.baselines import baselines_of
from coordcodec_bench.rows import load

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_in_the_documentation_parse(page):
    parser = build_parser()
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in line.split("|"):
                words = shlex.split(part, comments=True)
                if words[:1] == ["coordcodec"]:
                    end = words.index(">") if ">" in words else len(words)
                    parser.parse_args(words[1:end])


def test_the_python_in_the_readme_runs(tmp_path, monkeypatch, photograph):
    from PIL import Image

    Image.fromarray(photograph).save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(ROOT / "README.md", "python")
    quick = code.replace("rate=0.3", "num_bytes=900, steps=60").replace("effort=5", "effort=1")
    assert quick != code
    exec(compile(quick, "README.md", "exec"), {})


def test_the_plugin_in_the_documentation_is_what_the_kit_writes(tmp_path):
    from coordcodec import scaffold

    page = ROOT / "docs" / "plugins.md"
    scaffold.create("heightmap", tmp_path / "a")
    module = next(block for block in blocks(page, "python") if "class " in block)
    assert module == (tmp_path / "a" / "coordcodec_heightmap.py").read_text()
    assert (tmp_path / "a" / "tests" / "test_heightmap.py").read_text() in blocks(page, "python")
    assert len(module.splitlines()) <= 60


def test_the_page_for_authors_names_the_limits_of_the_code():
    from coordcodec.stream import container
    from coordcodec.testing import MOST_POINTS

    page = (ROOT / "docs" / "plugins.md").read_text()
    assert f"slices of at most {MOST_POINTS:,} points" in page
    assert f"take at most {container.MAX_META} bytes" in page


def test_tables_of_figures_are_those_of_the_result_files():
    for page in PAGES:
        text = page.read_text()
        assert documents.refreshed(text, ROOT / "docs" / "results") == text, f"{page}: run `make docs`"


def rows_of(modality):
    return load(ROOT / "docs" / "results" / f"{modality}.jsonl")


@pytest.mark.parametrize(
    ("codec", "floors"),
    [
        ("ours:preset=basic", ((0.15, 26.58), (0.3, 28.5), (0.6, 30.62))),  # Struempler et al., basic
        (
            "ours",
            ((0.15, 27.5), (0.3, 29.4), (0.6, 31.6)),
        ),  # Struempler et al., with meta-learning: 26.94, 28.84, 31.14
    ],
)
def test_the_published_targets_are_met_by_the_committed_results(codec, floors):
    for rate, least in floors:
        rows = [r for r in rows_of("image") if r["target_rate"] == rate and r["codec"] == codec]
        assert len(rows) == 24
        assert all(row["status"] == "ok" and row["rate"] <= rate for row in rows)
        assert sum(row["scores"]["psnr_db"] for row in rows) / 24 >= least


@pytest.mark.parametrize(
    ("modality", "rates", "files"),
    [("image", (0.15, 0.3, 0.6), 24), ("sdf", (4096, 8192, 16384), 5), ("audio", (32,), 23), ("climate", (12000,), 1)],
)
def test_the_committed_results_are_complete(modality, rates, files):
    """Every file, at every rate, by ours and every other codec, none failed, none left out."""
    rows = rows_of(modality)
    assert [r for r in rows if r["status"] != "ok"] == []
    ours = "ours:preset=basic" if modality == "audio" else "ours"
    for codec in (ours, *baselines_of(modality).codecs):
        for rate in rates:
            assert len({r["file"] for r in rows if (r["codec"], r["target_rate"]) == (codec, rate)}) == files, codec


def test_no_other_codec_disagrees_with_its_published_curve():
    verdicts = published.check(rows_of("image"))
    assert {v.codec for v in verdicts} == set(published.REFERENCES)
    assert {v.verdict for v in verdicts} == {"agrees", "outside the published range"}
    assert not [v for v in verdicts if v.verdict == "disagrees"]


def test_coins_quality_is_reached_a_thousand_times_faster():
    found = load(ROOT / "docs" / "results" / "speed.jsonl", key=("machine", "device"))
    assert all(row["race"]["times_faster"] > 1000 for row in found)


def test_the_field_of_the_example_is_met_by_the_committed_results():
    (ours,) = (r for r in rows_of("climate") if r["codec"] == "ours")
    assert ours["file"] == "A1B_north_america.nc"
    assert ours["bytes"] <= 12000
    assert ours["scores"]["rmse"] < 1


def test_the_format_page_names_the_limits_of_the_code():
    from coordcodec import data
    from coordcodec.stream import container, weight_models

    page = (ROOT / "docs" / "format.md").read_text()
    for words, value in (
        ("their product at most 2^40", container.MAX_POINTS == 1 << 40),
        ("their product P at most 2^16", container.MAX_PARTS == 1 << 16),
        ("length n (1 to 4096)", container.MAX_META == 4096),
        ("number n of tensors (at most 64)", container.MAX_TENSORS == 64),
        ("N is at most 2^24", container.MAX_PARAMETERS == 1 << 24),
        ("d, 1 to 8", data.MAX_DIMS == 8),
        ("c, 1 to 255", data.MAX_CHANNELS == 255),
        ("width B of the symbols, 2 to 12", (weight_models.MIN_BITS, weight_models.MAX_BITS) == (2, 12)),
    ):
        assert words in page
        assert value


def test_the_readme_names_every_command_and_preset():
    text = (ROOT / "README.md").read_text()
    for command in ["compress", "decompress", "info", "evaluate", "modalities", "new-modality", "bench"]:
        assert f"coordcodec {command}" in text
    for preset in PRESETS:
        assert preset in text


def test_result_files_are_json_lines():
    for path in (ROOT / "docs" / "results").glob("*.jsonl"):
        for line in path.read_text().splitlines():
            assert isinstance(json.loads(line), dict)
