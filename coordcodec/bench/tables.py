"""The tables of the documentation, each made from the result files in docs/results and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import mean
from typing import Any

from coordcodec.bench.rate_distortion import load
from coordcodec.bench.shapes import at_bytes

Row = dict[str, Any]

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


def meshes_table(results: Path) -> str:
    """Every mesh at every size beside Draco's lower hull at the same bytes."""
    hulls: dict[str, list[Row]] = {}
    for row in load(results / "draco.jsonl"):
        hulls.setdefault(row["file"], []).append(row)
    rows = sorted(_whole(load(results / "meshes.jsonl")), key=lambda r: (r["file"], r["target_rate"]))
    lines = [
        "| mesh | bytes | Chamfer-L1 | Draco's hull | ratio | F-score 0.5 % | normals | IoU | largest part | s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        theirs = at_bytes(hulls[row["file"]], row["bytes"])
        lines.append(
            f"| {Path(row['file']).stem} | {row['bytes']:,} | **{row['chamfer_l1_percent']:.4f} %** | {theirs:.4f} % "
            f"| {row['chamfer_l1_percent'] / theirs:.2f} | {row['f_score_05_percent']:.4f} "
            f"| {row['normal_error_degrees']:.1f}° | {row['iou']:.4f} | {row['largest_component_percent']:.2f} % "
            f"| {row['encode_seconds']:.0f} |"
        )
    return "\n".join([*lines, "", _measured(rows[0])])


def sounds_table(results: Path) -> str:
    """Means over the clips of each folder and rate, by codec."""
    rows = _whole(load(results / "sounds.jsonl"))
    lines = [
        "| clips | codec | kbps | SNR, dB | SI-SDR, dB | log-spectral distance, dB | encode, s |",
        "|---|---|---|---|---|---|---|",
    ]
    order = ("coordcodec", "siren", "mp3", "opus")
    for rate in sorted({row["target_rate"] for row in rows}):
        for codec in order:
            chosen = [row for row in rows if (row["target_rate"], row["codec"]) == (rate, codec)]
            if not chosen:
                continue
            clips = Path(chosen[0]["file"]).stem if len(chosen) == 1 else f"{len(chosen)} of LibriSpeech, mean"
            score = {k: mean(r[k] for r in chosen) for k in ("rate", "snr_db", "si_sdr_db", "log_spectral_distance_db")}
            lines.append(
                f"| {clips} | {codec} | {score['rate']:.1f} | {score['snr_db']:.2f} | {score['si_sdr_db']:.2f} "
                f"| {score['log_spectral_distance_db']:.2f} | {mean(r['encode_seconds'] for r in chosen):.1f} |"
            )
    ours = next(row for row in rows if row["codec"] == "coordcodec")
    versions = sorted({str(row["version"]) for row in rows})
    return "\n".join(
        [*lines, "", f"Measured {ours['date']} on {ours['device']}, effort {ours['effort']}: {'; '.join(versions)}."]
    )


def fields_table(results: Path) -> str:
    """A climate field by several codecs at equal bytes."""
    lines = ["| codec | at equal | bytes | RMSE, K | largest error, K | encode, s |", "|---|---|---|---|---|---|"]
    for row in load(results / "fields.jsonl"):
        if "rmse" in row:
            lines.append(
                f"| {row['codec']} | {row['comparison']} | {row['bytes']:,} | {row['rmse']:.3f} "
                f"| {row['max_error']:.2f} | {row['encode_seconds']:.2f} |"
            )
    return "\n".join(lines)


TABLES: dict[str, Callable[[Path], str]] = {
    "kodak": kodak_table,
    "summary": summary_table,
    "speed": speed_table,
    "meshes": meshes_table,
    "sounds": sounds_table,
    "fields": fields_table,
}


def _kodak(results: Path, rate: float) -> list[Row]:
    rows = [r for r in load(results / "kodak.jsonl") if r["target_rate"] == rate and r["preset"] == "basic"]
    return sorted(rows, key=lambda row: str(row["file"]))


def _whole(rows: Iterable[Row]) -> list[Row]:
    """Rows that did not fail; a failed one would otherwise drop out of a mean without a word."""
    rows = list(rows)
    failed = [row["file"] for row in rows if "failed" in row]
    assert not failed, f"these rows failed: {failed}"
    return rows


def _measured(row: Row) -> str:
    return (
        f"Measured {row['date']} with coordcodec {row['version']}, torch {row['torch']}, device {row['device']}, "
        f"{row['threads']} threads, effort {row['effort']}."
    )
