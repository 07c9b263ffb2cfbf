"""Measure a folder's files with several codecs at several rates: what `coordcodec bench` does.

Rows (see `coordcodec_bench.rows`) go to RESULTS/MODALITY.jsonl one by one as they come, compressed files to
RESULTS/files. A run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coordcodec.errors import FileError, RecipeError, UnknownName
from coordcodec.files import suffix_of, write_bytes
from coordcodec.hookspecs import Modality
from coordcodec.plugins import installed
from coordcodec_bench import facts, ours
from coordcodec_bench.baselines import baselines_of
from coordcodec_bench.keepers import named
from coordcodec_bench.rows import PROMISES, SUFFIX, Row, Target, append, digest, kept, key_of, load, sources
from coordcodec_bench.workers import Crew, Task

Told = Callable[[str], None]
Watch = Callable[[int, int], None]


@dataclass(frozen=True)
class Plan:
    """What to measure.

    folder: its files of the modality are taken, or those named in `only`. rates: in the modality's unit, > 0; empty
    for the modality's default. promises: in place of rates, largest errors such as "0.5K" and "0.5%", or "lossless".
    codecs: names as in `coordcodec_bench.ours` and of the modality's baselines or keepers; empty for ours and all of
    those. jobs: processes, >= 1; limit: seconds per row, > 0. retry: measure failed rows again.
    options: what the modality's `read` is told.
    """

    folder: Path
    output: Path
    modality: str = "image"
    rates: tuple[float, ...] = ()
    promises: tuple[str, ...] = ()
    codecs: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    effort: int = 5
    seed: int = 0
    device: str = "auto"
    jobs: int = 1
    limit: float = 3600.0
    retry: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def results(self) -> Path:
        """The file of its rows."""
        return self.output / f"{PROMISES if self.promises else ''}{self.modality}{SUFFIX}"


@dataclass
class _Input:
    path: Path
    sha256: str | None


def run(plan: Plan, told: Told = print, watch: Watch | None = None) -> dict[str, Any]:
    """Measure what is not measured yet; returns how many rows are ok, failed and skipped, and how many are new.

    told: given one line per event. watch: given the rows done and in all.
    Raises FileError, RecipeError or UnknownName before any work if the plan cannot be carried out.
    """
    kind, codecs, rates, device = _checked(plan)
    inputs = [_Input(path, _digest(path)) for path in _files(plan, kind, told)]
    done = {key_of(row): row for row in load(plan.results)}
    _prepare(plan.output, inputs)
    wanted = [
        (item, rate, _key(plan, item, codec, rate, device)) for item in inputs for codec in codecs for rate in rates
    ]
    pending: dict[tuple[Path, str], list[Target]] = {}
    changed = set()
    for item, rate, key in wanted:
        old = done.get(key_of(key))
        if old and item.sha256 and old.get("sha256") not in (None, item.sha256):
            changed.add(item.path.name)
        elif old and (old["status"] == "ok" or (old["status"] == "failed" and not plan.retry)):
            continue
        pending.setdefault((item.path, key["codec"]), []).append(rate)
    for name in sorted(changed):
        told(f"{name} has changed since it was measured: its rows are measured again")
    hashes = {item.path: item.sha256 for item in inputs}
    tasks = [
        Task(str(path), plan.modality, codec, tuple(at), plan.effort, plan.seed, device, dict(plan.options))
        for (path, codec), at in pending.items()
    ]
    new = _measure(plan, kind, tasks, hashes, done, told, watch)
    rows = [done[key_of(key)] for _, _, key in wanted if key_of(key) in done]
    counts = {status: sum(row["status"] == status for row in rows) for status in ("ok", "failed", "skipped")}
    return {"results": str(plan.results), "rows": len(wanted), "new": new, **counts}


def _measure(
    plan: Plan,
    kind: Modality,
    tasks: list[Task],
    hashes: Mapping[Path, str | None],
    done: dict[tuple[Any, ...], Row],
    told: Told,
    watch: Watch | None,
) -> int:
    """Run the tasks and write their rows; returns how many were written."""
    total, new, commit = sum(len(task.rates) for task in tasks), 0, facts.commit()
    missing: set[str] = set()
    for count, (task, rate, measured) in enumerate(Crew(plan.jobs, plan.limit).run(tasks), 1):
        path = Path(task.path)
        data = measured.pop("data", None)
        row = _key(plan, _Input(path, hashes[path]), task.codec, rate, task.device)
        row |= {"folder": path.resolve().parent.name, "sha256": hashes[path], "unit": kind.rate_unit, "commit": commit}
        row |= measured
        try:
            if data is not None:
                write_bytes(kept(plan.output, row), data, force=True)
            append(plan.results, row)
            done[key_of(row)] = row
            new += 1
        except FileError as error:
            told(f"{_name(row)}: {error}; the row is lost and will be measured again by the next run")
        if row["status"] != "skipped" or task.codec not in missing:
            told(_line(row, kind))
        missing |= {task.codec} if row["status"] == "skipped" else set()
        if watch:
            watch(count, total)
    return new


def _checked(plan: Plan) -> tuple[Modality, list[str], list[Target], str]:
    """The modality, the codecs, the rates or promises and the device. Raises what `run` raises."""
    kind = installed().modalities.get(plan.modality)
    targets: list[Target] = [*dict.fromkeys(plan.promises)] if plan.promises else [*_rates(plan, kind)]
    others = _others(plan)
    codecs = []
    for name in plan.codecs or ("ours", *others):
        own = ours.parse(name)
        if own is None and name not in others:
            hint = "; ours take options, as in ours:effort=2" if ":" in name else ""
            raise UnknownName("codec", name, [*ours.OURS, *others], hint)
        if own is not None:
            own.recipe(kind, targets[0], plan.effort, plan.seed, plan.device)
        codecs.append(own.name if own else name)
    if plan.jobs < 1:
        raise RecipeError(f"--jobs is 1 or more processes, got {plan.jobs}")
    if not plan.limit > 0:
        raise RecipeError(f"--time-limit is a number of seconds above 0, got {plan.limit:g}")
    return kind, list(dict.fromkeys(codecs)), targets, _device(plan.device)


def _others(plan: Plan) -> list[str]:
    """The other codecs that can do what is asked for."""
    if plan.promises:
        return list(dict.fromkeys(name for promise in plan.promises for name in named(plan.modality, promise)))
    found = baselines_of(plan.modality)
    return list(found.codecs) if found else []


def _rates(plan: Plan, kind: Modality) -> list[float]:
    default = kind.defaults.rate or (kind.defaults.num_bytes if kind.rate_unit == "bytes" else None)
    rates = list(dict.fromkeys(plan.rates)) or ([float(default)] if default else [])
    if not rates:
        raise RecipeError(f"{plan.modality} has no default rate; name some in {kind.rate_unit} with --rates")
    for rate in rates:
        if not (math.isfinite(rate) and rate > 0):
            raise RecipeError(f"a rate is a number above 0, in {kind.rate_unit}; got {rate:g}")
    return rates


def _device(name: str) -> str:
    from coordcodec.compute.device import find_device

    return str(find_device(name))


def _files(plan: Plan, kind: Modality, told: Told) -> Iterator[Path]:
    if not plan.folder.is_dir():
        raise FileError(f"{plan.folder} is no folder; name one with files of the modality {plan.modality}")
    found = sorted(path for path in plan.folder.iterdir() if path.is_file() and not path.name.startswith("."))
    chosen = [path for path in found if suffix_of(path, kind.suffixes) in kind.suffixes]
    for name in plan.only:
        if name not in {path.name for path in chosen}:
            raise FileError(f"there is no {name} among the {plan.modality} files of {plan.folder}")
    chosen = [path for path in chosen if not plan.only or path.name in plan.only]
    if not chosen:
        raise FileError(f"no file of modality {plan.modality} in {plan.folder}; expected {' '.join(kind.suffixes)}")
    others = len(found) - len(chosen)
    if others and not plan.only:
        told(f"left out of {plan.folder}: {others} of another kind than {' '.join(kind.suffixes)}")
    yield from chosen


def _digest(path: Path) -> str | None:
    try:
        return digest(path)
    except OSError:
        return None  # reading it will say why


def _prepare(output: Path, inputs: list[_Input]) -> None:
    """Make the folder of results, and note where the inputs lie."""
    try:
        (output / "files").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make the folder {output / 'files'}: {error.strerror or error}") from None
    known = sources(output) | {item.sha256: str(item.path.resolve()) for item in inputs if item.sha256}
    write_bytes(output / "sources.json", (json.dumps(known, indent=1) + "\n").encode(), force=True)


def _key(plan: Plan, item: _Input, codec: str, target: Target, device: str) -> Row:
    """The row's part that says what is measured; see `coordcodec_bench.rows.KEY`."""
    own = ours.parse(codec)
    row: Row = {"file": item.path.name, "modality": plan.modality, "codec": codec}
    row["bound" if isinstance(target, str) else "target_rate"] = target
    if plan.options:
        row["options"] = ", ".join(f"{name} {value}" for name, value in sorted(plan.options.items()))
    if own is None:
        return row
    return row | {"effort": own.choices.get("effort", plan.effort), "seed": plan.seed, "device": device}


def _name(row: Row) -> str:
    target = row["bound"] if "bound" in row else f"{row['target_rate']:g} {row['unit']}"
    return f"{row['file']}  {row['codec']}  {target}"


def _line(row: Row, kind: Modality) -> str:
    if row["status"] != "ok":
        return f"{_name(row)}  {row['status']}: {row['reason']}"
    name = "max_error" if "bound" in row else kind.main_score
    score = row["scores"].get(name)
    words = "undefined" if score is None else f"{score:.5g}"
    rate = "" if kind.rate_unit == "bytes" else f"  {row['rate']:.4g} {row['unit']}"
    return (
        f"{_name(row)}  {row['bytes']:,} bytes{rate}  {name} {words}  "
        f"{row['encode_seconds']:.3g} s{'  (its smallest file)' if row.get('missed') else ''}"
    )
