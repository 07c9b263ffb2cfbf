"""The tables about learned initialisations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean

from coordcodec import inits
from coordcodec_bench.report import words
from coordcodec_bench.report.bd import bd_text
from coordcodec_bench.report.tables import Table
from coordcodec_bench.rows import Row
from coordcodec_bench.sources import group_of, markdown, measured_with, read_folder, whole

FOLDER = "learned"
"""Where rows lie that no other table needs, below the results."""
START = "ours:init=image-w48:siren.steps=0"
"""The inner steps alone."""
LEARNED_FROM = ("trained_on", "gain", "hours", "seed", "date", "licence")
"""What the file of an initialisation tells."""


def learned(results: Path) -> str:
    """With and without learned initialisations, everything else equal: a line for each kind of data, quantizer, effort
    and target rate, over the files that were measured both ways, and one for all rates if these are the same files.
    """
    found = [row for folder in (results, results / FOLDER) for group in read_folder(folder)[0] for row in group.rows]
    rows = [row for row in found if row["codec"].startswith("ours") and "steps=" not in row["codec"]]
    rows = [row for row in whole(rows) if "detail" not in row["setting"]]  # of networks alone
    sides: dict[tuple[str, ...], dict[bool, list[Row]]] = {}
    for row in rows:
        quantizer = row["setting"].split("quantizer ")[1].split(",")[0]
        key = (row["modality"], row["unit"], f"effort {row['effort']}, {quantizer}", f"{row['target_rate']:012.4f}")
        sides.setdefault(key, {}).setdefault("init" in row, []).append(row)
    body: list[tuple[str, ...]] = []
    curves: dict[tuple[str, ...], list[tuple[list[Row], list[Row]]]] = {}
    for (modality, unit, stack, rate), pair in sorted(sides.items()):
        without, starting = ({row["file"]: row for row in pair.get(side, [])} for side in (False, True))
        both = sorted(without.keys() & starting.keys())
        if not both:
            continue
        score = group_of(results, modality).score
        compared = [without[file] for file in both], [starting[file] for file in both]
        a, b = (mean(row["scores"][score] for row in side) for side in compared)
        gain = (
            words.signed(b - a, ".2f", "dB") if score.endswith("_db") else words.signed(100 * (b / a - 1), ".1f", "%")
        )
        what = f"{words.modality_name(modality)}, {words.plain(float(rate))} {unit}, {stack}"
        cells = (words.number(a, score), words.number(b, score))
        body.append((what, str(len(both)), words.score_name(score), *cells, gain))
        curves.setdefault((modality, unit, stack), []).append(compared)
    for (modality, _, stack), measured in curves.items():
        if len(measured) > 1 and len({tuple(row["file"] for row in plain) for plain, _ in measured}) == 1:
            group = group_of(results, modality)
            plain, starts = ([_mean_point(pair[i], group.score) for pair in measured] for i in (0, 1))
            what = f"{words.modality_name(modality)}, {stack}"
            body.append((what, "", "Bjøntegaard rate", "", "", bd_text(plain, starts, group)))
    body += _inner_steps(found)
    head = ("what", "files", "score", "without", "learned", "difference")
    return f"{markdown(Table(head, tuple(body)))}\n\n{measured_with(rows)}"


def _mean_point(rows: Sequence[Row], score: str) -> tuple[float, float]:
    return mean(row["rate"] for row in rows), mean(row["scores"][score] for row in rows)


def _inner_steps(rows: Iterable[Row]) -> list[tuple[str, ...]]:
    """What the inner steps alone reach."""
    found = [row["scores"]["psnr_db"] for row in rows if row["codec"] == START]
    what = "Images, the three inner steps alone, width 48"
    return [(what, str(len(found)), "PSNR, dB", "", f"{mean(found):.2f}", "")] if found else []


def shipped(results: Path) -> str:
    """The initialisations that come with the package, from what their files say, and the commands that made them."""
    body, commands = [], []
    for entry in sorted(inits.available(), key=lambda e: (e.modality, e.spec.width)):
        if entry.shipped:
            facts = entry.facts
            size = f"{entry.path.stat().st_size / 1000:.0f} kB"
            body.append((entry.name, entry.sha256[:16], size, *(facts[name] for name in LEARNED_FROM)))
            commands.append(facts["command"])
    head = ("name", "SHA-256", "size", "learned from", "held back", "hours", "seed", "made on", "licence of the data")
    block = "\n".join(("```sh", *commands, "```"))
    return f"{markdown(Table(head, tuple(body)))}\n\n{block}"
