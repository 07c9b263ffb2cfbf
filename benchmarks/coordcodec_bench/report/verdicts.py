"""Published curves: which of them stand behind a plot, and whether the codecs run here agree with theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coordcodec_bench import published
from coordcodec_bench.curves import Curve
from coordcodec_bench.published import Verdict
from coordcodec_bench.report import words
from coordcodec_bench.report.results import Comparison, Group
from coordcodec_bench.report.tables import Table

SHARING = ("Struempler-meta", "COIN++", "MSCN", "VC-INR", "RECOMBINER")
"""Those whose rates leave out what encoder and decoder share beside the program: learned networks or priors."""
MARK = "*"


@dataclass(frozen=True)
class Verdicts:
    """What the check of the baselines found.

    disagreeing: their names. bad, good: the measurements, those that disagree and the others. bad_notes, good_notes:
    what is known to set their codecs apart from the curves, and has been allowed for. counts: how many measurements
    agree, in words. why: why nothing could be checked.
    """

    disagreeing: tuple[str, ...] = ()
    bad: Table | None = None
    good: Table | None = None
    bad_notes: tuple[str, ...] = ()
    good_notes: tuple[str, ...] = ()
    counts: str = ""
    why: str = ""
    tolerance: str = f"{published.TOLERANCE_DB:g}\N{NO-BREAK SPACE}dB"


@dataclass(frozen=True)
class Behind:
    """Curves for the plots of a comparison. baselines: by codec, its own. others: of codecs that are not run here."""

    baselines: Mapping[str, Curve]
    others: tuple[Curve, ...]

    @property
    def sources(self) -> list[tuple[str, str]]:
        """Names and sources of all of them, each once."""
        return list({curve_name(c): c.source for c in (*self.baselines.values(), *self.others)}.items())


def curve_name(curve: Curve) -> str:
    """A curve's name for a plot, marked if its rates leave something out."""
    return words.CURVES.get(curve.name, curve.name) + (MARK if curve.name in SHARING else "")


def behind(group: Group, comparison: Comparison, curves: Mapping[str, Curve]) -> Behind:
    """Nothing, unless the comparison's means are of what the curves are means of: the 24 Kodak pictures."""
    comparable = group.modality == "image" and group.score == "psnr_db" and comparison.common
    if not comparable or any({Path(f).stem for f in files} != published.KODAK for files in comparison.common.values()):
        return Behind({}, ())
    known = {codec: reference.curve for codec, reference in published.REFERENCES.items()}
    here = {series.codec for series in comparison.series}
    baselines = {codec: curves[name] for codec, name in known.items() if codec in here and name in curves}
    others = tuple(curve for name, curve in curves.items() if name not in known.values())
    return Behind(baselines, others)


def judged(group: Group, curves: Mapping[str, Curve]) -> Verdicts:
    """Whether the baselines of a group agree with their curves."""
    found = published.check(group.rows, curves)
    complete = [v for v in found if v.verdict != published.INCOMPLETE]
    if not complete:
        return Verdicts(
            why="Whether the other codecs are run as they should be was not checked: published curves are means over "
            "the 24 Kodak pictures, and not all of those were measured."
        )
    bad = [v for v in found if v.verdict == published.DISAGREES]
    good = [v for v in found if v.verdict != published.DISAGREES]
    return Verdicts(
        tuple(dict.fromkeys(words.codec_name(v.codec) for v in bad)),
        _table(bad) if bad else None,
        _table(good) if good else None,
        _notes(bad),
        _notes(good),
        f"{sum(v.verdict == published.AGREES for v in found)} of {len(found)} measurements agree",
    )


def _notes(found: list[Verdict]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{words.codec_name(v.codec)}: {v.reason}" for v in found if v.reason))


def _table(found: list[Verdict]) -> Table:
    head = ("codec", "at, bpp", "measured, dB", "expected, dB", "published, dB", "difference, dB", "verdict")
    body = []
    for v in found:
        difference = "–" if v.difference_db is None else f"{v.difference_db:+.2f}".replace("-", "−")
        values = (words.number(x, "psnr_db") for x in (v.psnr_db, v.expected_db, v.published_db))
        codec, curve = words.codec_name(v.codec), words.CURVES.get(v.curve, v.curve)
        body.append(
            (codec if codec == curve else f"{codec} beside {curve}", f"{v.bpp:.3f}", *values, difference, v.verdict)
        )
    return Table(head, tuple(body))
