"""What `compress --dry-run` shows."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from coordcodec.cli.output import STDIO, joined, print_json, promise_in_words, shown_name
from coordcodec.data import Signal
from coordcodec.encoder.forecast import Expected, Forecast
from coordcodec.hookspecs import Modality


def show_forecast(a: argparse.Namespace, output: str, expected: Forecast, signal: Signal, modality: Modality) -> None:
    """Print a forecast as lines, or as one JSON object; on standard error if the file would go to standard output."""
    replaced = output != STDIO and Path(output).exists()
    if a.json:
        facts = {"output": output, "replaces": replaced, "preview": a.preview, "written": False}
        print_json({**facts, "modality": modality.name, **expected.describe()})
        return
    unit = signal.sample_type.unit if signal.sample_type else ""
    kinds = "+".join(layer.spec["kind"] for layer in expected.layers)
    lines = {
        "input": f"{shown_name(a.input)}, {modality.name}, {_size(signal)}",
        "output": f"{output}{', which is there and would be replaced' if replaced else ''}",
        **({"preview": a.preview} if a.preview else {}),
        "layers": f"{kinds}: {expected.why}",
        **{f"layer {k}": _layer(layer) for k, layer in enumerate(expected.layers, 1)},
        "target": _target(expected, signal, modality, unit),
        "time": _time(expected),
        "memory": f"about {expected.memory / 1e6:,.0f} MB",
        "written": "nothing, this is a dry run",
    }
    for key, value in lines.items():
        print(f"{key:9} {value}", file=sys.stderr if output == STDIO else sys.stdout)


def _size(signal: Signal) -> str:
    shape: list[int] = signal.meta["shape"]
    points = joined(shape) + " samples" if shape else f"{signal.points:,} scattered points"
    return points if signal.channels == 1 else f"{points}, {signal.channels} channels"


def _layer(layer: Expected) -> str:
    words = [str(layer.spec["kind"])]
    words += [f"{key} {joined(value)}" for key, value in layer.spec.items() if key != "kind"]
    words += [f"from {layer.init}"] if layer.init else []
    words += [f"at most {layer.bytes:,} bytes"] if layer.bytes is not None else []
    return f"{', '.join(words)}; {', '.join(f'{n:,} {name}' for name, n in layer.estimate.work.items())}"


def _target(expected: Forecast, signal: Signal, modality: Modality, unit: str) -> str:
    if expected.promise:
        return promise_in_words(expected.promise.max_error or 0.0, unit) + ", in as many bytes as that takes"
    if expected.target is None:
        return "open: as many bytes as these choices take"
    rate: Any = modality.rate(expected.target, signal.meta)
    size = (
        f"{expected.target:,} bytes"
        if modality.rate_unit == "bytes"
        else (f"{expected.target:,} bytes, {rate:.4g} {modality.rate_unit}")
    )
    if expected.score is not None:
        return f"{modality.main_score} {expected.score:g}; a search over sizes, from {size} on"
    return f"at most {size}"


def _time(expected: Forecast) -> str:
    seconds = f"about {expected.seconds:,.0f} s"
    return seconds + (f", and {expected.compiling:.0f} s once to compile kernels" if expected.compiling else "")
