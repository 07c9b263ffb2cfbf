"""Leaving out a part of the detail encoder changes what it says and nothing else."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from coordcodec_bench import detail_ablation
from coordcodec_bench.detail_ablation import PARTS, Encodes, compare

ROOT = Path(__file__).parents[2]


@pytest.fixture
def encodes(photograph, tmp_path):
    """A small picture and a sound of which half rings and half clicks."""
    Image.fromarray(photograph).save(tmp_path / "photo.png")
    t = np.arange(1 << 16) / 16000
    clicks = np.where(np.arange(t.size) % 1500 < 12, 0.7, 0) * (t > 2)
    sound = 0.3 * np.sin(2 * np.pi * 440 * t) * (t < 2) + clicks + np.random.default_rng(0).normal(0, 0.01, t.size)
    soundfile.write(tmp_path / "sound.wav", sound, 16000, subtype="PCM_16")
    return Encodes({"picture": str(tmp_path / "photo.png"), "speech": str(tmp_path / "sound.wav")})


def test_parts_that_help_save_bytes_and_others_are_as_they_were(encodes):
    before = {part.name: [change[0].__dict__[change[1]] for change in part.changes] for part in PARTS}
    found = {}
    for part in PARTS:
        for name, choices in part.cases:
            if name in encodes.paths:
                row = compare(encodes, part, name, choices)
                assert row["bytes"] > 100
                found[part.name, part.instead, name, "rate" in choices] = row["gain_percent"]
    assert found["rotation of channels", "none", "picture", True] > 5
    assert found["optimised rounding", "rounding to the nearest", "picture", True] > 1
    assert found["window switching", "one block size per file", "speech", True] > 2
    assert found["cascade", "gradient (left)", "speech", False] > 2
    assert before == {part.name: [change[0].__dict__[change[1]] for change in part.changes] for part in PARTS}


def test_the_table_has_every_part_that_is_measured():
    rows = json.loads((ROOT / "benchmarks" / "results" / detail_ablation.FILE).read_text())
    assert {(row["part"], row["instead"]) for row in rows} == {(part.name, part.instead) for part in PARTS}
    assert len(rows) == sum(len(part.cases) for part in PARTS)
    table = detail_ablation.table(ROOT / "benchmarks" / "results")
    assert all(f"{row['without']:,} → {row['bytes']:,}" in table for row in rows)
