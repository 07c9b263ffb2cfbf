"""The documentation says what is so."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from coordcodec.bench import documents, fields, rate_distortion
from coordcodec.cli.arguments import build_parser
from coordcodec.recipe import PRESETS

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
    from coordcodec import kit

    page = ROOT / "docs" / "plugins.md"
    kit.create("heightmap", tmp_path / "a")
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


def test_the_published_targets_are_met_by_the_committed_results():
    rows = [r for r in rate_distortion.load(ROOT / "docs" / "results" / "kodak.jsonl") if r["target_rate"] == 0.3]
    assert len(rows) == 24
    assert all("failed" not in row and row["rate"] <= 0.3 for row in rows)
    assert sum(row["psnr_db"] for row in rows) / 24 >= 28.5


def test_the_field_of_the_example_is_met_by_the_committed_results():
    rows = fields.load(ROOT / "docs" / "results" / "fields.jsonl")
    (ours,) = (r for r in rows if r["file"] == "A1B_north_america.nc" and r["codec"] == "coordcodec")
    assert ours["bytes"] <= 12000
    assert ours["rmse"] < 1
    assert {r["codec"] for r in rows} == {"coordcodec", *fields.PEERS}


def test_other_codecs_of_fields_get_their_best_setting(monkeypatch):
    def missing():
        raise ImportError

    def encode(cells, mode, loose):
        """A codec that rounds; its mode "bad" wastes bytes."""
        levels = np.rint(cells / max(loose, 1e-3))
        size = int(np.log2(2 + np.ptp(levels)) * cells.size) * (2 if mode == "bad" else 1)
        return loose.hex().encode().ljust(size)

    def decode(data, like):
        step = max(float.fromhex(data.decode().strip()), 1e-3)
        return (np.rint(like / step) * step).astype(like.dtype)

    peer = fields.Peer(("bad", "good"), encode, decode, "toy 1")
    monkeypatch.setattr(fields, "PEERS", {"toy": (lambda: peer, ""), "lost": (missing, "pip install lost")})
    cells = np.sin(np.arange(400, dtype=np.float32) / 9).reshape(20, 20)
    field = fields.Field(cells, np.ones(cells.shape, bool))
    by_bytes, by_rmse = field.rows("toy", 1500, 0.01)
    assert (by_bytes["comparison"], by_rmse["comparison"]) == ("bytes", "rmse")
    assert by_bytes["bytes"] <= 1500 < by_bytes["bytes"] * 1.1
    assert by_rmse["rmse"] <= 0.01 < by_rmse["rmse"] * 1.1
    assert all(row["setting"].startswith("good") and row["version"] == "toy 1" for row in (by_bytes, by_rmse))
    assert list(field.rows("lost", 1500, 0.01)) == [
        {"codec": "lost", "comparison": "bytes", "skipped": "not installed: pip install lost"}
    ]
    assert "no setting has bytes of at most 1" in next(field.rows("toy", 1, 0.01))["failed"]
    half = fields.Field(cells, cells > 0)
    wrong = fields.Peer(("one",), lambda *_: b"x", lambda data, like: np.where(like > 0, like, 99), "")
    assert half.trial(wrong, "one", 1)["rmse"] == 0


def test_the_format_page_names_the_limits_of_the_code():
    from coordcodec import data
    from coordcodec.stream import container, entropy

    page = (ROOT / "docs" / "format.md").read_text()
    for words, value in (
        ("their product at most 2^40", container.MAX_POINTS == 1 << 40),
        ("their product P at most 2^16", container.MAX_PARTS == 1 << 16),
        ("length n (1 to 4096)", container.MAX_META == 4096),
        ("number n of tensors (at most 64)", container.MAX_TENSORS == 64),
        ("N is at most 2^24", container.MAX_PARAMETERS == 1 << 24),
        ("d, 1 to 8", data.MAX_DIMS == 8),
        ("c, 1 to 255", data.MAX_CHANNELS == 255),
        ("width B of the symbols, 2 to 12", (entropy.MIN_BITS, entropy.MAX_BITS) == (2, 12)),
    ):
        assert words in page
        assert value


def test_the_readme_names_every_command_and_preset():
    text = (ROOT / "README.md").read_text()
    for command in ("compress", "decompress", "info", "evaluate", "modalities", "new-modality"):
        assert f"coordcodec {command}" in text
    for preset in PRESETS:
        assert preset in text


def test_result_files_are_json_lines():
    for path in (ROOT / "docs" / "results").glob("*.jsonl"):
        for line in path.read_text().splitlines():
            assert isinstance(json.loads(line), dict)
