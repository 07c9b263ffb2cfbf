"""The contract of a modality, on one example: what must hold for honest data. `hostile` has the rest."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from coordcodec.codec import compress_signal, open
from coordcodec.data import Field, Grid, Signal, check_meta
from coordcodec.encoder.plan import frame_of
from coordcodec.errors import CoordCodecError
from coordcodec.hookspecs import Modality, Previewer, Source
from coordcodec.layers import LAYERS
from coordcodec.registration import fault_of
from coordcodec.stream import meta, side
from coordcodec.testing import fresh, hostile
from coordcodec.testing.fields import Enough, Watched, nearest_field
from coordcodec.testing.samples import check_decoded, check_samples, check_written

QUICK_POINTS = 1 << 18
"""A check asks for a few hundred decodings: each should evaluate no more points than this."""
_CLOSE = 2 / 127
"""How far a value may be off after it was written and read: two steps of a signed byte."""


@dataclass(frozen=True)
class Example:
    """A modality, a signal that it read, and how to ask for it.

    meta: the signal's, as it comes out of a file. quick: write options that make decoding quick.
    """

    modality: Modality
    signal: Signal
    meta: Mapping[str, Any]
    quick: Mapping[str, Any] = field(default_factory=dict)

    def render(self, field: Field, **options: Any) -> Any:
        """What the modality renders, quickly."""
        return self.modality.render(field, self.meta, **{**self.quick, **options})

    def written(self, field: Field, suffix: str = "", **options: Any) -> bytes:
        """The bytes that the modality writes, quickly."""
        target = io.BytesIO()
        format = suffix or self.modality.suffixes[0]
        self.modality.write(field, self.meta, target, format=format, **{**self.quick, **options})
        assert not target.closed, "write() must leave its target open: the core takes the bytes out of it"
        assert target.getvalue(), f"write() wrote nothing as {format}"
        return target.getvalue()


def check_modality(
    modality: Modality,
    source: Source | Callable[[], Source],
    *,
    examples: Mapping[str, Any] | None = None,
    quick: Mapping[str, Any] | None = None,
) -> None:
    """Check that a modality keeps its contract on one example. Takes some seconds.

    source: a path or an array that `read` takes, or a function that opens a fresh stream each time. Small is
        quick: a few hundred samples are enough.
    examples: good values of the modality's write options, {"region": (0, 0, 4, 4)}; each is tried by itself and
        must change what is written. `scale` is tried without.
    quick: write options that make decoding quick where it takes many points by default, {"resolution": 24}.

    Raises AssertionError, whose message says what to mend.
    """
    _check_facts(modality)

    def read() -> Signal:
        return modality.read(source() if callable(source) else source)

    signal = _check_reading(modality, read)
    example = Example(modality, signal, _through_a_file(modality, signal), quick or {})
    _check_rate(example)
    check_samples(modality, signal, example.meta)
    hostile.check_giant_shape(modality, signal)
    _check_perfect_field(example)
    _check_examples(example, dict(examples or {}))
    _check_preview(example)
    hostile.check_sources(modality, source)
    hostile.Hostile(modality, signal, _through_a_file(modality, signal.with_extras()), example.quick).check()
    _check_end_to_end(example, read())
    fresh.check_no_torch(modality, source, example.quick)


def _check_facts(modality: Modality) -> None:
    fault = fault_of(modality)
    assert not fault, f"{modality!r}: {fault}"
    for method, member in (("render", "write_options"), ("read", "read_options")):
        known = inspect.signature(getattr(modality, method)).parameters
        for name in getattr(modality, member):
            assert name in known, f"{member} names {name!r}: give {method}() a keyword argument of that name"


def _check_reading(modality: Modality, read: Callable[[], Signal]) -> Signal:
    signal, again = read(), read()
    assert isinstance(signal, Signal), f"read() must return a coordcodec.Signal, got {type(signal).__name__}"
    assert signal.modality == modality.name, f"the signal's modality is {signal.modality!r}, not {modality.name!r}"
    assert np.array_equal(signal.values, again.values), "reading twice must give the same values; seed what is random"
    assert _same_coords(signal, again), "reading twice must give the same coords; seed what is random"
    assert dict(signal.meta) == dict(again.meta), "reading twice must give the same meta"
    assert signal.extras == again.extras, "reading twice must give the same extras"
    try:
        stored = _through_a_file(modality, signal)
    except CoordCodecError as error:
        raise AssertionError(f"meta must fit into a file: {error}") from None
    assert dict(stored) == dict(signal.meta), "meta must survive being written to a file"
    return signal


def _same_coords(a: Signal, b: Signal) -> bool:
    if isinstance(a.coords, Grid) or isinstance(b.coords, Grid):
        return a.coords == b.coords
    return np.array_equal(a.coords, b.coords)


def _through_a_file(modality: Modality, signal: Signal) -> Mapping[str, Any]:
    """The signal's meta as it comes out of a file."""
    frame = frame_of(signal, modality)
    blobs = {key: value for key, value in frame.meta.items() if isinstance(value, bytes)}
    kept = side.read(side.pack(blobs)) if blobs else {}
    return check_meta({**meta.read_meta(meta.pack_meta(frame.meta, frame.free)), **kept, **frame.free})


def _check_rate(example: Example) -> None:
    one, many = (example.modality.rate(n, example.meta) for n in (1, 1000))
    assert one > 0 and abs(many / one - 1000) < 1e-6, "rate() must be proportional to the number of bytes"


def _check_scores(example: Example, field: Field) -> None:
    main, scores = example.modality.main_score, example.modality.score(field, example.signal)
    assert main in scores, f"score() must have the main score {main!r}, got {scores}"
    for name, value in scores.items():
        assert value is None or (isinstance(value, int | float) and math.isfinite(value)), (
            f"every score must be a finite float or None, {name} is {value!r} ({type(value).__name__})"
        )
    json.dumps(scores)


def _check_perfect_field(example: Example) -> None:
    """Render, score and write the field of a perfect codec, and read back what was written."""
    modality, signal = example.modality, example.signal
    perfect = Watched(nearest_field(signal), signal.dims)
    assert example.render(perfect) is not None, "render() must return the decoded data"
    assert not perfect.problem, perfect.problem
    assert perfect.asked <= QUICK_POINTS, (
        f"render() asks for {perfect.asked} points of this example; use a smaller one, or name write options that are "
        "quick: check_modality(..., quick={...})"
    )
    if example.quick:
        _check_slices(example)
    _check_scores(example, nearest_field(signal))
    for suffix in modality.suffixes[1:]:
        try:
            example.written(nearest_field(signal), suffix)
        except CoordCodecError:
            continue
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"written{modality.suffixes[0]}"
        path.write_bytes(example.written(nearest_field(signal)))
        _check_read_back(signal, example.meta, modality.read(path))


def _check_slices(example: Example) -> None:
    """By default, too, the field must be asked in slices."""
    watched = Watched(nearest_field(example.signal), example.signal.dims, most=1 << 21)
    with contextlib.suppress(Enough, AssertionError):
        example.modality.render(watched, example.meta)
    assert not watched.problem, watched.problem


def _check_read_back(signal: Signal, meta: Mapping[str, Any], back: Signal) -> None:
    """On the same points values and meta must agree; scattered points need not come back (those of a mesh)."""
    alike = (back.modality, back.dims, back.channels) == (signal.modality, signal.dims, signal.channels)
    assert alike, (
        f"what write() writes must read back as {signal.modality}, {signal.dims} dims and {signal.channels} channels, "
        f"got {back.modality}, {back.dims} and {back.channels}"
    )
    if not isinstance(signal.coords, Grid) and not _same_coords(signal, back):
        return
    assert _same_meta(meta, back.meta), f"what write() writes must read back alike: {dict(meta)}, {dict(back.meta)}"
    check_written(signal, back)
    worst = float(np.abs(back.values - signal.values).max())
    assert worst <= _CLOSE, f"a perfect field must write back the signal; a value is {worst:g} off"


def _same_meta(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Equal but for the rounding of floats."""

    def close(x: Any, y: Any) -> bool:
        if isinstance(x, list) and isinstance(y, list):
            return len(x) == len(y) and all(close(p, q) for p, q in zip(x, y, strict=True))
        if isinstance(x, float) and isinstance(y, float):
            return abs(x - y) <= max(1e-4 * abs(x), 1e-6 * largest, 1e-9)
        return type(x) is type(y) and bool(x == y)

    floats = [v for value in a.values() for v in (value if isinstance(value, list) else [value])]
    largest = max((abs(v) for v in floats if isinstance(v, float)), default=0.0)
    return set(a) == set(b) and all(close(a[key], b[key]) for key in a)


def _check_examples(example: Example, examples: dict[str, Any]) -> None:
    """Every option that there is an example for must work and do something."""
    known, perfect = example.modality.write_options, nearest_field(example.signal)
    for name in examples:
        assert name in known, f"examples names {name!r}, write_options does not: {', '.join(known) or 'none'}"
    if "scale" in known:
        examples.setdefault("scale", 2)
    plain = example.written(perfect)
    for name, value in examples.items():
        assert example.render(perfect, **{name: value}) is not None, f"render({name}={value!r}) must return the data"
        changed = example.written(perfect, **{name: value}) != plain
        assert changed, f"write({name}={value!r}) writes the same as without; pass the options on to render()"


def _check_preview(example: Example) -> None:
    if not isinstance(example.modality, Previewer):
        return
    watched, target = Watched(nearest_field(example.signal), example.signal.dims), io.BytesIO()
    example.modality.preview(watched, example.signal, target)
    assert not watched.problem, watched.problem
    picture = b"" if target.closed else target.getvalue()
    whole = picture.startswith(b"\x89PNG\r\n\x1a\n") and b"IEND" in picture[-12:]
    assert whole, "preview() must write one whole PNG to its target and leave that open"


def _check_end_to_end(example: Example, again: Signal) -> None:
    """Compress for real, twice: the same seed must give the same bytes."""
    quick = {kind: layer.quick for kind, layer in LAYERS.items()}
    recipe = example.modality.defaults.replace(device="cpu", strip=False, **quick)
    data = compress_signal(example.signal, example.modality, recipe).data
    same = data == compress_signal(again, example.modality, recipe).data
    assert same, "compressing twice with one seed must give the same bytes; seed what is random in read()"
    opened = open(data)
    assert opened.container.meta == {**example.meta, **example.signal.extras}, "meta must survive compression"
    assert example.render(opened.field) is not None, "render() must work on a compressed file"
    check_decoded(example.modality, example.signal, opened, example.written(opened.field))
    _check_scores(example, opened.field)
