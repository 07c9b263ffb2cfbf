"""The tables of what each part of our networks and more time are worth: ours with one choice changed, on the same
pictures and bytes."""

from __future__ import annotations

from pathlib import Path
from statistics import mean

from coordcodec_bench.names import NETWORKS
from coordcodec_bench.report.tables import Table
from coordcodec_bench.rows import Row
from coordcodec_bench.sources import group_of, markdown, measured_with, whole

FOLDER = "ablation"
"""Where its rows lie, below the results."""
CHANGES = {
    NETWORKS: "as it is",
    "ours:siren.extra_depth=0:init=none": "three layers in place of five, and more neurons in each",
    "ours:siren.rate_penalty=0": "nothing holds parameters down; grids are still chosen by curvature",
    "ours:siren.extra_depth=0:init=auto": "three layers, from a learned initialisation",
    "ours:siren.optimizer=adam:siren.lr=0.006": "Adam in place of SOAP",
    "ours:preset=basic": "the preset basic: a constant L1 norm, grids by the largest parameter, AdaRound and QAT",
    "ours:siren.quantizer=qat:init=auto": "the preset basic, but from a learned initialisation",
}
"""What each changes, in the order of the table."""


def ablation(results: Path) -> str:
    """Mean scores with one choice changed, and what that loses."""
    group = group_of(results / FOLDER, "image")
    rows = whole(group.rows)
    targets = sorted({row["target_rate"] for row in rows})
    files = {row["file"] for row in rows}
    full = {target: _mean(rows, NETWORKS, target, files) for target in targets}
    body = []
    for codec, told in CHANGES.items():
        if not any(row["codec"] == codec for row in rows):
            continue
        cells = []
        for target in targets:
            score = _mean(rows, codec, target, files)
            cells.append(f"{score:.2f}" if codec == NETWORKS else f"{score:.2f} ({score - full[target]:+.2f})")
        body.append((told, f"`{codec}`", *cells))
    efforts = sorted({row["effort"] for row in rows})
    head = ("what is changed", "codec", *(f"{target:g} {group.unit}, dB" for target in targets))
    intro = f"Effort {' and '.join(map(str, efforts))}, mean PSNR of {_pictures(files)}."
    return f"{intro}\n\n{markdown(Table(head, tuple(body), (0,)))}\n\n{measured_with(rows)}"


def efforts(results: Path) -> str:
    """Mean scores and steps of our networks at each effort, over the pictures that all of them have."""
    group = group_of(results, "image")
    cells: dict[tuple[int, float], dict[str, Row]] = {}
    for row in whole(row for row in group.rows if row["codec"] in (NETWORKS, f"{NETWORKS}:effort={row.get('effort')}")):
        cells.setdefault((row["effort"], row["target_rate"]), {})[row["file"]] = row
    ranks = sorted({effort for effort, _ in cells})
    targets = sorted(set.intersection(*({t for e, t in cells if e == effort} for effort in ranks)))
    chosen = {key: found for key, found in cells.items() if key[1] in targets}
    files = set.intersection(*(set(found) for found in chosen.values()))
    body = []
    for effort in ranks:
        rows = {target: [chosen[effort, target][file] for file in sorted(files)] for target in targets}
        steps = mean(row["steps"] for found in rows.values() for row in found)
        scores = (f"{mean(row['scores']['psnr_db'] for row in found):.2f}" for found in rows.values())
        body.append((str(effort), *scores, f"{steps:,.0f}"))
    head = ("effort", *(f"{target:g} {group.unit}, dB" for target in targets), "steps")
    shown = [found[file] for found in chosen.values() for file in sorted(files)]
    intro = f"Mean PSNR of {_pictures(files)}."
    return f"{intro}\n\n{markdown(Table(head, tuple(body)))}\n\n{measured_with(shown)}"


def _pictures(files: set[str]) -> str:
    return f"{len(files)} pictures ({', '.join(sorted(Path(name).stem for name in files))})"


def _mean(rows: list[Row], codec: str, target: float, files: set[str]) -> float:
    chosen = {
        row["file"]: row["scores"]["psnr_db"] for row in rows if (row["codec"], row["target_rate"]) == (codec, target)
    }
    assert chosen.keys() == files, f"{codec} was not measured on {', '.join(sorted(files - chosen.keys()))}"
    return float(mean(chosen.values()))
