"""The table of what more time gives, from rows that were measured."""

import json
from pathlib import Path

from coordcodec_bench import ablation
from coordcodec_bench.names import NETWORKS

ROOT = Path(__file__).parents[2]


def test_efforts_are_compared_on_the_pictures_and_rates_that_all_of_them_have(tmp_path):
    lines = (ROOT / "benchmarks" / "results" / "image.jsonl").read_text().splitlines()
    ours = {(row["file"], row["target_rate"]): row for row in map(json.loads, lines) if row["codec"] == NETWORKS}
    few = [row for (file, _), row in ours.items() if file in ("kodim01.png", "kodim05.png", "kodim20.png")]
    assert len(few) == 9
    other = [row | {"codec": codec, "scores": {"psnr_db": 0.0}} for row in few for codec in ("ours:init=none", "ours")]
    quick = [
        row | {"codec": f"{NETWORKS}:effort=1", "effort": 1, "scores": {"psnr_db": db}, "steps": steps}
        for row, db, steps in ((ours["kodim01.png", 0.3], 20.0, 800), (ours["kodim05.png", 0.3], 21.0, 1201))
    ]
    (tmp_path / "image.jsonl").write_text("".join(json.dumps(row) + "\n" for row in few + other + quick))
    intro, table, _ = ablation.efforts(tmp_path).split("\n\n")
    assert intro == "Mean PSNR of 2 pictures (kodim01, kodim05)."
    head, _, first, second = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
    assert head == ["effort", "0.3 bpp, dB", "steps"]
    assert first == ["1", "20.50", "1,000"]
    both = [ours[file, 0.3]["scores"]["psnr_db"] for file in ("kodim01.png", "kodim05.png")]
    assert second[:2] == ["5", f"{sum(both) / 2:.2f}"]
