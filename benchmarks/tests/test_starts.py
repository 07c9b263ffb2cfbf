"""The table that compares learned initialisations with none, from rows that were measured."""

import json
import re
from pathlib import Path

import pytest

from coordcodec_bench import starts
from coordcodec_bench.rows import load

ROOT = Path(__file__).parents[2]

WITHOUT, LEARNED = "ours:preset=basic", "ours:siren.quantizer=qat:init=auto"


@pytest.fixture
def rows():
    found = load(ROOT / "benchmarks" / "results" / "ablation" / "image.jsonl")
    return [row for row in found if row["codec"] in (WITHOUT, LEARNED)]


def table(folder, rows):
    """The lines of the table, each as its cells; rows lie where `make bench` puts them."""
    (folder / "learned").mkdir()
    for where, codec in ((folder, WITHOUT), (folder / "learned", LEARNED)):
        lines = [json.dumps(row) for row in rows if row["codec"] == codec]
        (where / "image.jsonl").write_text("\n".join(lines) + "\n")
    text = starts.learned(folder).split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]]


def mean(rows, codec, target, files):
    found = [r["scores"]["psnr_db"] for r in rows if (r["codec"], r["target_rate"]) == (codec, target)]
    assert len(found) == files
    return sum(found) / files


def test_only_files_that_were_measured_both_ways_count(tmp_path, rows):
    left = {row["file"] for row in rows} - {"kodim05.png", "kodim20.png"}
    kept = [row for row in rows if row["codec"] == WITHOUT or row["file"] in left]
    both = [row for row in rows if row["file"] in left]
    low, high, over_both = table(tmp_path, kept)
    for cells, target in ((low, 0.15), (high, 0.3)):
        assert cells[0] == f"Images, {target} bpp, effort 2, qat"
        assert cells[1] == "6"
        plain, learned = (mean(both, codec, target, 6) for codec in (WITHOUT, LEARNED))
        assert cells[3:] == [f"{plain:.2f}", f"{learned:.2f}", f"{learned - plain:+.2f} dB"]
    assert over_both[2] == "Bjøntegaard rate"
    assert re.fullmatch(r"\(?−[\d.]+ %\)?", over_both[5])


def test_files_that_are_not_of_networks_alone_do_not_count(tmp_path, rows):
    settings = "layers detail, effort 2", "layers siren+detail, quantizer qat, effort 2"
    others = [
        row | {"setting": setting, "device": "another", "scores": {"psnr_db": 99.0}}
        for row in rows
        for setting in settings
        if row["codec"] == WITHOUT
    ]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert table(tmp_path / "a", rows + others) == table(tmp_path / "b", rows)


def test_no_rate_is_computed_over_curves_of_different_files(tmp_path, rows):
    kept = [row for row in rows if (row["codec"], row["file"], row["target_rate"]) != (LEARNED, "kodim05.png", 0.3)]
    assert [cells[:2] for cells in table(tmp_path, kept)] == [
        ["Images, 0.15 bpp, effort 2, qat", "8"],
        ["Images, 0.3 bpp, effort 2, qat", "7"],
    ]
