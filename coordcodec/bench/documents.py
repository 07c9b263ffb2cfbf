"""Write measured figures into the documentation: `python -m coordcodec.bench.documents` or `make docs`.

A page marks a place with `<!-- table: NAME -->` and `<!-- end -->`; what stands between is made from the result files
in docs/results and nothing else, so that no figure is written by hand. A test checks that they agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

from coordcodec.bench.rate_distortion import load

Row = dict[str, Any]
PAGES = ("README.md", "docs/benchmarks.md")
RESULTS = Path("docs/results")

PUBLISHED = {
    "COIN, mean of 24 at 0.30 bpp": 26.34,
    "Strümpler et al. (basic), mean of 24 at 0.30 bpp": 28.42,
    "COIN, kodim15 at 0.30 bpp": 29.31,
    "COIN, kodim05 at 0.30 bpp": 20.97,
}
"""PSNR in dB: COIN's paper and repository; the result files of Strümpler et al.'s repository, interpolated."""


def kodak_table(results: Path) -> str:
    """Every picture at 0.3 bpp, and the mean."""
    rows = _kodak(results, 0.3)
    lines = [
        "| picture | bytes | bpp | PSNR, dB | MS-SSIM | width | encode, s | decode, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {Path(row['file']).stem} | {row['bytes']:,} | {row['rate']:.4f} | {row['psnr_db']:.2f} "
            f"| {row['ms_ssim']:.4f} | {row['width']} | {row['encode_seconds']:.0f} | {row['decode_seconds']:.2f} |"
        )
    averages = {key: mean(row[key] for row in rows) for key in ("bytes", "rate", "psnr_db", "ms_ssim")}
    seconds = mean(row["encode_seconds"] for row in rows), mean(row["decode_seconds"] for row in rows)
    lines.append(
        f"| **mean** | {averages['bytes']:,.0f} | {averages['rate']:.4f} | **{averages['psnr_db']:.2f}** "
        f"| {averages['ms_ssim']:.4f} | | {seconds[0]:.0f} | {seconds[1]:.2f} |"
    )
    first = rows[0]
    lines.append("")
    lines.append(
        f"Measured {first['date']} with coordcodec {first['version']}, torch {first['torch']}, "
        f"device {first['device']}, {first['threads']} threads, preset {first['preset']}, effort {first['effort']}."
    )
    return "\n".join(lines)


def summary_table(results: Path) -> str:
    """What a visitor wants to know: ours beside what was published."""
    all_rows = _kodak(results, 0.3)
    single = {(Path(r["file"]).stem, rate): r for rate in (0.3, 0.17) for r in _kodak(results, rate)}
    ours = mean(row["psnr_db"] for row in all_rows)
    rate = mean(row["rate"] for row in all_rows)
    p15, p05, low = single["kodim15", 0.3], single["kodim05", 0.3], single["kodim15", 0.17]
    return "\n".join(
        [
            "| Kodak, RGB PSNR | ours, whole file | COIN | Strümpler et al., basic |",
            "|---|---|---|---|",
            f"| 24 pictures, mean | **{ours:.2f} dB** at {rate:.3f} bpp "
            f"| {PUBLISHED['COIN, mean of 24 at 0.30 bpp']:.2f} dB at 0.30 "
            f"| {PUBLISHED['Strümpler et al. (basic), mean of 24 at 0.30 bpp']:.2f} dB at 0.30 |",
            f"| kodim15 | **{p15['psnr_db']:.2f} dB** at {p15['rate']:.3f} bpp "
            f"| {PUBLISHED['COIN, kodim15 at 0.30 bpp']:.2f} dB at 0.30 | |",
            f"| kodim15 | **{low['psnr_db']:.2f} dB** at {low['rate']:.3f} bpp | | |",
            f"| kodim05 | **{p05['psnr_db']:.2f} dB** at {p05['rate']:.3f} bpp "
            f"| {PUBLISHED['COIN, kodim05 at 0.30 bpp']:.2f} dB at 0.30 | |",
        ]
    )


def speed_table(results: Path) -> str:
    """Ratios of speed, one table per machine."""
    parts = []
    for facts in load(results / "speed.jsonl"):
        parts.append(
            f"{facts['date']}: {facts['machine']}, torch {facts['torch']}; "
            f"`coordcodec --help` takes {facts['help_seconds']:.2f} s.\n"
        )
        parts.append("| width | fit over plain PyTorch | fit, Mpoint/s | share of the matrix peak | decode, Mpixel/s |")
        parts.append("|---|---|---|---|---|")
        parts += [
            f"| {row['width']} | **{row['fit_over_plain']:.1f}x** | {row['fit_points_per_second'] / 1e6:.2f} "
            f"({row['precision']}) | {row['fit_share_of_peak']:.0%} | {row['decode_mpixel_per_second']:.2f} |"
            for row in facts["rows"]
        ]
    return "\n".join(parts)


TABLES: dict[str, Callable[[Path], str]] = {"kodak": kodak_table, "summary": summary_table, "speed": speed_table}


def _kodak(results: Path, rate: float) -> list[Row]:
    rows = [r for r in load(results / "kodak.jsonl") if r["target_rate"] == rate and r["preset"] == "basic"]
    return sorted(rows, key=lambda row: str(row["file"]))


def refreshed(text: str, results: Path) -> str:
    """A page with its tables made anew."""

    def table(match: re.Match[str]) -> str:
        return f"<!-- table: {match[1]} -->\n{TABLES[match[1]](results)}\n<!-- end -->"

    return re.sub(r"<!-- table: (\w+) -->\n.*?<!-- end -->", table, text, flags=re.S)


def main() -> None:
    """Refresh all pages."""
    for name in PAGES:
        page = Path(name)
        page.write_text(refreshed(page.read_text(), RESULTS))
        print(f"{name} is up to date")


if __name__ == "__main__":
    main()
