"""Tables of the documentation about the speed of the fit."""

from __future__ import annotations

from pathlib import Path

from coordcodec_bench.report.tables import Table
from coordcodec_bench.sources import markdown, speeds_in


def race(results: Path) -> str:
    """The race to COIN's published quality, a row per device."""
    body = []
    for facts in speeds_in(results):
        found = facts.get("race")
        if found:
            body.append((
                facts["machine"], f"{found['coin_step_seconds']:.2f} s x {found['coin_steps']:,} = "
                f"{found['coin_seconds'] / 3600:.1f} h", f"{found['seconds']:.1f} s",
                f"{found['psnr_db']:.2f} dB at {found['bpp']:.3f} bpp",
                f"**{found['times_faster']:,.0f}** times" if found["times_faster"] else "not reached",
            ))  # fmt: skip
    head = ("machine", "COIN's procedure to 29.31 dB at 0.3 bpp", "our networks, whole encoding", "what it gives",
            "faster")  # fmt: skip
    return markdown(Table(head, tuple(body)))


def speed(results: Path) -> str:
    """Ratios of speed, one table per device."""
    head = ("width", "fit over plain PyTorch", "fit, Mpoint/s", "share of the matrix peak", "decode, Mpixel/s",
            "decode over plain PyTorch")  # fmt: skip
    parts = []
    for facts in speeds_in(results):
        parts.append(
            f"{facts['date']}: {facts['machine']}, torch {facts['torch']}; `coordcodec --help` takes "
            f"{facts['help_seconds']:.2f} s, reading a file's header {1e6 * facts['header_seconds']:.0f} µs."
        )
        body = [
            (str(row["width"]), f"**{row['fit_over_plain']:.1f}x**",
             f"{row['fit_points_per_second'] / 1e6:.2f} ({row['precision']})", f"{row['fit_share_of_peak']:.0%}",
             f"{row['decode_mpixel_per_second']:.2f}", f"{row['decode_over_plain']:.1f}x")
            for row in facts["rows"]
        ]  # fmt: skip
        parts.append(markdown(Table(head, tuple(body))))
    return "\n\n".join(parts)
