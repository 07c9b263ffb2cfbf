"""What each command does."""

from __future__ import annotations

import argparse
import os
import shlex
import time
from typing import Any

from coordcodec import inits, plugins, scaffold
from coordcodec.cli.output import (
    STDIO,
    beside,
    check_output,
    check_preview,
    draw_preview,
    in_words,
    inputs_of,
    joined,
    open_input,
    options_of,
    print_json,
    print_table,
    promise_in_words,
    report,
    shown_name,
    size_and_rate,
    source,
    write_output,
)
from coordcodec.cli.progress import progress_bar
from coordcodec.cli.streams import printable, say, tell
from coordcodec.data import Signal
from coordcodec.errors import RecipeError
from coordcodec.files import suffix_of
from coordcodec.plugins import installed


def decompress(a: argparse.Namespace) -> None:
    """Decode a file, whole or in part, at any size."""
    start = time.monotonic()
    opened = open_input(a.input, a.init, a.max_bytes, a.time_limit)
    suffix = opened.modality.suffixes[0]
    output = a.output or (STDIO if a.input == STDIO else beside(a.input, suffix))
    check_output(output, a, inputs_of(a))
    options = options_of(a, opened.modality.write_options, opened.modality.name)
    with progress_bar(a.quiet) as watch:
        decoder = opened.to(a.device, watch, a.threads)
        data = decoder.export("" if output == STDIO else suffix_of(output, opened.modality.suffixes), **options)
    write_output(output, data, a.force)
    facts = {
        "output": output,
        "bytes": len(data),
        "modality": opened.container.modality,
        "device": decoder.device,
        "seconds": round(time.monotonic() - start, 3),
    }
    report(a, facts, f"{shown_name(output)}  {len(data):,} bytes  {facts['seconds']:.1f} s")


def info(a: argparse.Namespace) -> None:
    """Show what a file says of itself."""
    info = open_input(a.input).info
    if a.json:
        print_json({**info, **info.earlier()})
        return
    rate = "unknown, its plugin is not installed" if info["rate"] is None else f"{info['rate']:.4g} {info['rate_unit']}"
    promise = promise_in_words(info["max_error"], info["samples"]["unit"] if info["samples"] else "")
    lines = {
        "modality": info["modality"],
        "bytes": f"{info['bytes']:,}  ({', '.join(f'{k} {v:,}' for k, v in info['sections'].items())})",
        "rate": rate,
        "meta": "; ".join(f"{k} {joined(v)}" for k, v in info["meta"].items() if v != []),
        **({"samples": _samples_in_words(info["samples"])} if info["samples"] else {}),
        **({"promise": promise} if promise else {}),
        **({"unknown": f"{info['unknown']:,} samples"} if info["unknown"] else {}),
        "layers": "; ".join(_layer_in_words(layer) for layer in info["layers"]),
        **({"init": _init_in_words(info["init"])} if info["init"] else {}),
        "format": info["format"],
    }
    for key, value in lines.items():
        say(f"{key:9} {printable(str(value))}")


def _layer_in_words(layer: dict[str, Any]) -> str:
    """A layer's facts: its kind, numbers and lists as they are, what each tensor is coded by."""
    words = [layer["kind"]]
    for key, value in layer.items():
        if isinstance(value, dict):
            words += [f"{name} by {how}" for name, how in value.items() if not name.startswith("bias")]
            words += ["biases by differences"] if any(name.startswith("bias") for name in value) else []
        elif key == "coding":
            words.append(str(value))
        elif key != "kind" and value not in (0, [1] * len(value) if isinstance(value, list) else None):
            words.append(f"{key} {value:,}" if isinstance(value, int) else f"{key} {joined(value)}")
    return ", ".join(words)


def _samples_in_words(kind: dict[str, Any]) -> str:
    """The type of samples, and how a value of the field becomes one."""
    unit = f" {kind['unit']}" if kind["unit"] else ""
    return f"{kind['dtype']}, {joined(kind['offset'])} + {joined(kind['scale'])} * value{unit}"


def _init_in_words(init: dict[str, Any]) -> str:
    return f"{init['name']}, {init['hash']}" if init["available"] else f"{init['hash']}, which is not here"


def evaluate(a: argparse.Namespace) -> None:
    """Compare a file with its original."""
    if a.original == STDIO and a.input == STDIO:
        raise RecipeError("only one of ORIGINAL and IN.ccdc can be standard input")
    opened = open_input(a.input, a.init, time_limit=a.time_limit)
    modality = opened.modality
    options = options_of(a, modality.read_options, modality.name)
    check_preview(a, modality, inputs_of(a))
    signal: Signal = modality.read(source(a.original), **options)
    with progress_bar(a.quiet) as watch:
        decoder = opened.to(a.device, watch, a.threads)
        scores = decoder.score(signal)
        preview = draw_preview(decoder, signal) if a.preview else None
    if preview:
        write_output(a.preview, preview, a.force)
    facts = {"bytes": len(opened.data), "rate": opened.rate, "rate_unit": modality.rate_unit, **scores}
    words = "  ".join(in_words(name, value) for name, value in scores.items())
    report(a, facts, f"{size_and_rate(a.input, facts)}  {words}")


def modalities(a: argparse.Namespace) -> None:
    """List the kinds of data that plugins bring, and plugins that failed."""
    registry = installed().modalities
    rows = [
        {"name": name, "suffixes": list(e.object.suffixes), "package": e.package, "version": e.version}
        for name, e in sorted(registry.entries.items())
    ]
    problems = [*registry.failures, *registry.collisions.values()]
    if a.json:
        print_json({"modalities": rows, "problems": problems})
        return
    for row in rows:
        say(f"{row['name']:12} {row['package']} {row['version']:10} {' '.join(row['suffixes'])}")
    for problem in problems:
        tell(f"warning: {problem}")


def initialisations(a: argparse.Namespace) -> None:
    """List the learned initialisations that are at hand."""
    rows = [
        {
            "name": entry.name,
            "modality": entry.modality,
            "width": entry.spec.width,
            "hash": entry.sha256[:16],
            **{fact: entry.facts.get(fact) for fact in ("gain", "trained_on", "licence")},
            "shipped": entry.shipped,
            "path": str(entry.path),
        }
        for entry in inits.available()
    ]
    searched = [str(folder) for folder in inits.places()]
    if a.json:
        print_json({"initialisations": rows, "searched": searched})
        return
    if not rows:
        say(f"no initialisation is here; searched {', '.join(searched)}")
    else:
        keys = ("name", "modality", "width", "hash", "gain", "trained_on", "licence")
        titles = (*keys[:5], "learned from", "licence", "where")
        where = ("shipped" if row["shipped"] else row["path"] for row in rows)
        print_table(titles, [(*(row[key] for key in keys), place) for row, place in zip(rows, where, strict=True)])


def new_modality(a: argparse.Namespace) -> None:
    """Write a plugin package for a new kind of data."""
    folder = a.output or f"coordcodec-{a.name}"
    if folder == STDIO:
        raise RecipeError("a package is a folder and cannot go to standard output; name one with -o")
    files = scaffold.create(a.name, folder, force=a.force)
    facts = {"output": folder, "modality": a.name, "module": scaffold.module_of(a.name), "files": files}
    report(a, facts, f"{printable(folder)}  {', '.join(files)}\nnext: pip install -e {printable(shlex.quote(folder))}")


def learn_init(a: argparse.Namespace) -> None:
    """Learn an initialisation from folders of signals."""
    from coordcodec.learning.plan import Plan
    from coordcodec.learning.run import learn

    modality = plugins.modality(a.modality, installed())
    options = options_of(a, modality.read_options, modality.name)
    given = {name: value for name, value in vars(a).items() if name in Plan.__dataclass_fields__ and value is not None}
    plan = Plan(**{**given, "folders": tuple(a.folders), "options": options})
    with progress_bar(a.quiet or os.environ.get("RANK", "0") != "0") as watch:
        told = (lambda line: None) if a.quiet or a.json else say
        facts = learn(plan, told, watch)
    if not facts:  # another process leads
        return
    head = f"{shown_name(plan.output)}  {facts['hash']}  {facts['tasks']} tasks  {facts['outer_steps']} steps"
    gain = f"held back {facts['before_db']:.2f} -> {facts['psnr_db']:.2f} dB  {facts['seconds']:.0f} s"
    report(a, facts, f"{head}  {gain}\nkept for decoding in {facts['kept']}")
