"""The tables of the documentation, as Markdown, each from benchmarks/results and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import mean

from coordcodec_bench import ablation, curves, detail_ablation, kept_tables, published, speed_tables, starts
from coordcodec_bench.names import NETWORKS
from coordcodec_bench.report import tables, words
from coordcodec_bench.report.results import Comparison, Group
from coordcodec_bench.report.tables import Table
from coordcodec_bench.rows import Row
from coordcodec_bench.shapes import at_bytes, lower_hull
from coordcodec_bench.sources import group_of, markdown, measured_with, whole

BASIC = "ours:preset=basic"
OWN = "ours", NETWORKS, BASIC
"""Ours as the tables show it: by default, and what it can be told to be instead."""


def summary(results: Path) -> str:
    """What a visitor wants to know: ours beside others at the same rates, the mean of the 24 pictures."""
    group = group_of(results, "image")
    comparison = group.comparisons[0]
    assert len(comparison.files) == len(published.KODAK)
    targets = sorted(comparison.common)
    known = curves.load()
    body = []
    for series in comparison.series:
        if series.codec in (*OWN, "jpeg", "jpeg2000", "vvc"):
            points = {point.target: point for point in comparison.points[series.label]}
            cells = (f"{points[t].score:.2f}{_daggered(points[t].missed)}" for t in targets)
            body.append((f"{series.label}, measured", *cells))
    for name, label in (("COIN", "COIN, published"), ("Struempler-basic", "Strümpler et al., basic, published")):
        found = (curves.at(known[name], target) for target in targets)
        body.append((label, *("–" if value is None else f"{value:.2f}" for value in found)))
    head = ("Kodak, mean PSNR in dB", *(f"{target:g} bpp" for target in targets))
    return markdown(Table(head, tuple(body), (0,)))


def compared(modality: str, folder: str = "") -> Callable[[Path], str]:
    """Codecs on the same files: the main score and the rate at each target, times, Bjøntegaard rates.

    folder: of the rows, in that of results.
    """

    def table(results: Path) -> str:
        group = group_of(results / folder, modality)
        parts = []
        for comparison in group.comparisons:
            if comparison is not group.comparisons[0] and {s.family for s in comparison.series} & {"coin", "siren"}:
                continue  # these have tables of their own
            parts += [_on(comparison, group), markdown(_points(comparison, group))]
            rates = tables.bd_rates(group, comparison)
            parts += ["Rate at equal quality (Bjøntegaard):", markdown(rates)] if rates else []
        return "\n\n".join([*parts, measured_with(group.rows)])

    return table


def _on(comparison: Comparison, group: Group) -> str:
    files = comparison.files
    name = files[0] if len(files) == 1 else f"{len(files)} files, means"
    return f"{name}: {words.score_name(group.score)} at the rate of the files, {group.unit}."


def _points(comparison: Comparison, group: Group) -> Table:
    plain = tables.means(group, comparison)
    body = []
    for row, series in zip(plain.body, comparison.series, strict=True):
        points = comparison.points[series.label]
        times = (mean(p.encode_seconds for p in points), mean(p.decode_seconds for p in points))
        body.append((*row, *map(words.seconds, times)))
    return Table((*plain.head, "encode, s", "decode, s"), tuple(body), plain.strong)


def by_file(modality: str, target: float) -> Callable[[Path], str]:
    """Every file at one rate, a column per codec: the main score and the bytes."""
    return lambda results: markdown(tables.by_file(group_of(results, modality), target))


def agreement(results: Path) -> str:
    """Each baseline beside its published curve."""
    body = []
    for v in published.check(group_of(results, "image").rows):
        decibels = (v.psnr_db, v.published_db, v.expected_db, v.difference_db)
        cells = ("–" if value is None else f"{value:.2f}" for value in decibels)
        body.append((words.codec_name(v.codec), f"{v.bpp:.3f}", *cells, v.verdict, v.curve, v.reason))
    head = ("codec", "bpp", "measured, dB", "published, dB", "expected, dB", "difference, dB", "verdict", "curve",
            "what is known to differ")  # fmt: skip
    return markdown(Table(head, tuple(body)))


def coin(results: Path) -> str:
    """COIN's networks fitted here, beside ours at the next rate below and COIN as it was published."""
    rows = [row for row in group_of(results, "image").rows if row["codec"].startswith("coin") and row["status"] == "ok"]
    ours = [row for row in group_of(results, "image").rows if row["codec"] == NETWORKS and row["status"] == "ok"]
    body = []
    for row in sorted(rows, key=lambda r: (r["file"], r["target_rate"])):
        below = [r for r in ours if r["file"] == row["file"] and r["rate"] <= row["rate"]]
        best = max(below, key=lambda r: r["target_rate"])
        known = published.COIN_ALONE.get(Path(row["file"]).stem) if 0.3 <= row["rate"] <= 0.31 else None
        body.append((
            Path(row["file"]).stem, f"{row['rate']:.3f}", f"{row['scores']['psnr_db']:.2f}", f"{row['steps']:,}",
            words.seconds(row["encode_seconds"]), "" if known is None else f"{known:.2f}", f"{best['rate']:.3f}",
            f"**{best['scores']['psnr_db']:.2f}**", words.seconds(best["encode_seconds"]),
        ))  # fmt: skip
    head = ("picture", "bpp", "COIN here, dB", "steps", "s", "published, dB", "our networks, bpp", "dB", "s")
    return f"{markdown(Table(head, tuple(body)))}\n\n{measured_with(rows)}"


def meshes(results: Path) -> str:
    """Every mesh at every size beside Draco's lower hull at the same bytes."""
    rows = whole(group_of(results, "sdf").rows)
    ours = [row for row in rows if row["codec"] in OWN]
    body = []
    for row in sorted(ours, key=lambda r: (r["file"], r["target_rate"], OWN.index(r["codec"]))):
        points = [p for r in rows if (r["codec"], r["file"]) == ("draco", row["file"]) for p in r["tried"]]
        theirs, scores = at_bytes(lower_hull(points), row["bytes"]), row["scores"]
        body.append((
            Path(row["file"]).stem, words.codec_name(row["codec"]), f"{row['bytes']:,}",
            f"**{scores['chamfer_l1_percent']:.4f} %**", f"{theirs:.4f} %",
            f"{scores['chamfer_l1_percent'] / theirs:.2f}", f"{scores['f_score_05_percent']:.4f}",
            f"{scores['normal_error_degrees']:.1f}°", f"{scores['iou']:.4f}",
            f"{scores['largest_component_percent']:.2f} %", f"{row['encode_seconds']:.0f}",
        ))  # fmt: skip
    head = ("mesh", "codec", "bytes", "Chamfer-L1", "Draco's hull", "ratio", "F-score 0.5 %", "normals", "IoU",
            "largest part", "s")  # fmt: skip
    return f"{markdown(Table(head, tuple(body)))}\n\n{measured_with(rows)}"


def sounds(results: Path) -> str:
    """Means by codec over the clips of each folder and rate; where a codec was measured on some of them, all others on
    the same ones besides."""
    order = (*OWN, f"{NETWORKS}:effort=2", "ours:effort=2:preset=basic", "siren", "mp3", "aac", "opus")
    known = (*group_of(results, "audio").rows, *group_of(results / starts.FOLDER, "audio").rows)
    rows = whole(row for row in known if row["codec"] in order)
    found: dict[tuple[float, str, str], dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row["target_rate"], row["folder"], row["codec"]), {})[row["file"]] = row
    body = []
    places = sorted({(rate, folder, tuple(sorted(clips))) for (rate, folder, _), clips in found.items()})
    for rate, folder, files in places:
        for codec in order:
            measured = found.get((rate, folder, codec), {})
            if not measured.keys() >= set(files):
                continue
            chosen = [measured[file] for file in files]
            clips = Path(files[0]).stem if len(files) == 1 else f"{len(files)} of LibriSpeech, mean"
            names = ("snr_db", "si_sdr_db", "log_spectral_distance_db")
            scores = (f"{mean(row['scores'][name] for row in chosen):.2f}" for name in names)
            seconds = words.seconds(mean(row["encode_seconds"] for row in chosen))
            body.append(
                (clips, words.codec_name(codec), f"{mean(row['rate'] for row in chosen):.1f}", *scores, seconds)
            )
    head = ("clips", "codec", "kbps", "SNR, dB", "SI-SDR, dB", "log-spectral distance, dB", "encode, s")
    return f"{markdown(Table(head, tuple(body)))}\n\n{measured_with(rows)}"


def listened(results: Path) -> str:
    """The same beside what is made for listening, in fewer words."""
    rows = [row for row in whole(group_of(results, "audio").rows) if row["codec"] in ("ours", "mp3", "aac", "opus")]
    sets: dict[tuple[bool, str, float], list[Row]] = {}
    for row in rows:
        sets.setdefault((row["file"].startswith("gt_"), row["codec"], row["target_rate"]), []).append(row)
    body = []
    for (music, codec, _), chosen in sorted(sets.items(), key=lambda item: (item[0][0], item[0][1] != "ours", item[0])):
        clips = "gt_bach" if music else f"{len(chosen)} of LibriSpeech, mean"
        scores = (mean(row["scores"][name] for row in chosen) for name in ("snr_db", "log_spectral_distance_db"))
        cells = (f"{score:.1f}" for score in scores)
        body.append((clips, words.codec_name(codec), f"{mean(row['rate'] for row in chosen):.1f}", *cells))
    return markdown(Table(("clips", "codec", "kbit/s", "SNR, dB", "log-spectral distance, dB"), tuple(body)))


def fields(results: Path) -> str:
    """A climate field by several codecs at several sizes."""
    rows = whole(group_of(results, "climate").rows)
    body = []
    for row in sorted(rows, key=lambda r: (r["target_rate"], r["codec"] not in OWN, r["codec"])):
        scores = row["scores"]
        body.append((
            words.codec_name(row["codec"]), f"{row['bytes']:,}", f"{scores['rmse']:.3f}",
            f"{scores['max_error']:.2f}", words.seconds(row["encode_seconds"]),
        ))  # fmt: skip
    head = ("codec", "bytes", "RMSE, K", "largest error, K", "encode, s")
    return f"{markdown(Table(head, tuple(body)))}\n\n{measured_with(rows)}"


TABLES: dict[str, Callable[[Path], str]] = {
    "summary": summary,
    "image": compared("image"),
    "pictures": by_file("image", 0.3),
    "agreement": agreement,
    "coin": coin,
    "race": speed_tables.race,
    "speed": speed_tables.speed,
    "meshes": meshes,
    "sounds": sounds,
    "listened": listened,
    "fields": fields,
    "learned": starts.learned,
    "ablation": ablation.ablation,
    "detail_ablation": detail_ablation.table,
    "efforts": ablation.efforts,
    "shipped": starts.shipped,
    "bounds": kept_tables.bounds,
    "lossless_pictures": kept_tables.lossless("image"),
    "lossless_sounds": kept_tables.lossless("audio"),
    "fine_pictures": compared("image", kept_tables.FINE),
    "fine_sounds": compared("audio", kept_tables.FINE),
    "long_sound": kept_tables.long_sound,
    "grid": kept_tables.grid,
}


def _daggered(missed: int) -> str:
    return "†" if missed else ""
