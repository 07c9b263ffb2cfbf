"""The documentation says what is so."""

import re
import shlex
from pathlib import Path

import pytest

from coordcodec.cli.arguments import build_parser
from coordcodec.cli.external import external
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
                if words[:1] == ["coordcodec"] and words[1] not in external():
                    end = words.index(">") if ">" in words else len(words)
                    parser.parse_args(words[1:end])


def test_the_python_in_the_readme_runs(tmp_path, monkeypatch, photograph):
    from PIL import Image

    Image.fromarray(photograph).save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(ROOT / "README.md", "python")
    quick = code.replace("rate=0.3", "num_bytes=900, siren={'steps': 60}").replace("effort=5", "effort=1")
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
    from coordcodec.stream import meta
    from coordcodec.testing import MOST_POINTS

    page = (ROOT / "docs" / "plugins.md").read_text()
    assert f"slices of at most {MOST_POINTS:,} points" in page
    assert f"take at most {meta.MAX_META} bytes" in page


def test_the_format_page_names_the_limits_of_the_code():
    from coordcodec import data, mask, samples
    from coordcodec.specs import cut
    from coordcodec.stream import meta, parts, side, weight_models, weights

    page = (ROOT / "docs" / "format.md").read_text()
    for words, value in (
        ("their product at most 2^40", parts.MAX_POINTS == 1 << 40),
        ("their product P at most 2^16", cut.MAX_PARTS == 1 << 16),
        ("length n (1 to 4096)", meta.MAX_META == 4096),
        ("number n of tensors (at most 64)", weights.MAX_TENSORS == 64),
        ("N is at most 2^24", weights.MAX_PARAMETERS == 1 << 24),
        ("d, 1 to 8", data.MAX_DIMS == 8),
        ("c, 1 to 255", data.MAX_CHANNELS == 255),
        ("At most 2^28 samples are stored", mask.MAX_BITS == 1 << 28),
        ("length n (0 to 64) and the unit", samples.MAX_UNIT == 64),
        ("together have at\nmost 2^26 bytes", side.MAX_SIDE == 1 << 26),
        ("A file has at most 32 sections", parts.MAX_SECTIONS == 32),
        (", ".join(f"{i} {name}" for i, name in enumerate(samples.DTYPES)).replace("float", "binary"), True),
        ("width B of the symbols, 2 to 12", (weight_models.MIN_BITS, weight_models.MAX_BITS) == (2, 12)),
    ):
        assert words in page
        assert value


def test_the_page_of_bases_has_the_tables_of_the_code():
    from coordcodec.layers.detail.wavelet_norms import NORMS

    page = (ROOT / "docs" / "bases.md").read_text()
    for times in range(17):
        row = [str(NORMS[kind][high][times]) for kind in ("5/3", "9/7") for high in (0, 1)]
        assert f"| {times} | {' | '.join(row)} |" in page


def test_the_readme_names_every_command_and_preset():
    text = (ROOT / "README.md").read_text()
    for command in ["compress", "decompress", "info", "evaluate", "modalities", "new-modality", "bench"]:
        assert f"coordcodec {command}" in text
    for preset in PRESETS:
        assert preset in text
