"""What the report says of machines: two devices that decode the same file, the speed of a fit."""

from __future__ import annotations

from collections.abc import Sequence

from coordcodec_bench import rows
from coordcodec_bench.report import words
from coordcodec_bench.report.results import Group
from coordcodec_bench.report.tables import Table
from coordcodec_bench.rows import Row


def devices(group: Group) -> Table | None:
    """How far what a second device decodes is from the first; None where there was no second one."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows.good(group.rows):
        other = row.get("other_device")
        if isinstance(other, dict) and isinstance(other.get("scores"), dict):
            found.setdefault((str(row.get("fitted_on")), str(other.get("device"))), []).append(row)
    body = []
    for pair, members in found.items():
        most = max(float(row["other_device"].get("largest_difference") or 0) for row in members)
        scores = [
            (row["scores"].get(group.score), row["other_device"].get("scores", {}).get(group.score)) for row in members
        ]
        apart = max((abs(a - b) for a, b in scores if a is not None and b is not None), default=None)
        body.append((*pair, str(len(members)), f"{most:.2g}", words.number(apart, group.score)))
    name = words.score_name(group.score)
    head = ("fitted on", "decoded also on", "files", "largest difference of values in [−1, 1]", f"of {name}")
    return Table(head, tuple(body)) if body else None


def race(facts: Row) -> str:
    """How long COIN's own procedure takes to its published quality and how long we do; empty where not measured."""
    found = facts.get("race")
    if not isinstance(found, dict):
        return ""
    faster = found.get("times_faster")
    return (
        f"{found['picture']}: COIN's own procedure takes {words.seconds(found['coin_step_seconds'])} s × "
        f"{found['coin_steps']:,} steps = {found['coin_seconds'] / 3600:.1f} hours to its published "
        f"{found['published_psnr_db']:g} dB at {found['published_bpp']:g} bpp; ours reach {found['psnr_db']:.2f} dB at "
        f"{found['bpp']:.3f} bpp in {words.seconds(found['seconds'])} s"
        + (f", {faster:,.0f} times as fast." if faster else ", which is less.")
    )


def speed(measured: Sequence[Row]) -> list[tuple[str, Table, str]]:
    """A heading, a table and the result of the race for each measurement of speed."""
    columns = (
        ("width", "width", "{}"),
        ("fit over plain PyTorch", "fit_over_plain", "{:.1f}×"),
        ("fit, Mpoint/s", "fit_points_per_second", "{:.2f}"),
        ("share of the matrix peak", "fit_share_of_peak", "{:.0%}"),
        ("decode, Mpixel/s", "decode_mpixel_per_second", "{:.2f}"),
        ("decode over plain PyTorch", "decode_over_plain", "{:.1f}×"),
    )
    found = []
    for facts_of in measured:
        body = []
        for row in (row for row in facts_of["rows"] if isinstance(row, dict)):
            values = [row.get(key) for _, key, _ in columns]
            values[2] = values[2] / 1e6 if isinstance(values[2], (int, float)) else None
            body.append(tuple("–" if v is None else f.format(v) for v, (_, _, f) in zip(values, columns, strict=True)))
        heading = ", ".join(str(facts_of[k]) for k in ("date", "machine", "device") if facts_of.get(k))
        found.append((heading, Table(tuple(name for name, _, _ in columns), tuple(body)), race(facts_of)))
    return found
