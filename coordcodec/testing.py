"""Contract tests for plugin authors: whatever passes them works with the codec.

    from coordcodec.testing import check_modality

    def test_heightmap(tmp_path):
        check_modality(Heightmap(), example_file)

The built-in plugins pass the same checks. All raise AssertionError with a message that says what to mend.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from coordcodec.codec import compress_signal, open
from coordcodec.data import Field, Floats, Grid, Signal, Symbols
from coordcodec.errors import CoordCodecError
from coordcodec.hookspecs import Loss, Modality, Quantizer, Source
from coordcodec.inr.spec import SirenSpec
from coordcodec.partition import Partition
from coordcodec.recipe import Recipe
from coordcodec.stream import container, file

MOST_POINTS = 1 << 20
"""A modality asks a field for at most so many points in one call."""


def nearest_field(signal: Signal) -> Field:
    """The field of a perfect codec: at any coordinate the value of the sample nearest to it, for gridded signals."""
    assert isinstance(signal.coords, Grid), "a nearest-sample field needs a signal on a grid"
    shape = np.array(signal.coords.shape)
    lattice = signal.values.reshape(*shape, signal.channels)

    def field(coords: Floats) -> Floats:
        assert len(coords) <= MOST_POINTS, f"a field was asked for {len(coords)} points at once; use data.sample"
        index = np.rint((coords.astype(np.float64) + 1) / 2 * (shape - 1)).astype(np.int64)
        values: Floats = lattice[tuple(np.clip(index, 0, shape - 1).T)]
        return values

    return field


def check_modality(modality: Modality, source: Source | Callable[[], Source]) -> None:
    """Check that a modality keeps its protocol on one example.

    source: a path or an array that `read` takes, or a function that opens a fresh stream each time. Small is
    quick: a few hundred samples are enough.
    """
    assert isinstance(modality, Modality), f"{modality!r} lacks members of coordcodec.hookspecs.Modality"
    _check_facts(modality)

    def read() -> Signal:
        return modality.read(source() if callable(source) else source)

    signal = read()
    assert isinstance(signal, Signal), f"read() must return a coordcodec.Signal, got {type(signal).__name__}"
    assert signal.modality == modality.name, f"the signal's modality is {signal.modality!r}, not {modality.name!r}"
    again = read()
    assert np.array_equal(signal.values, again.values), "reading twice must give the same values"
    assert dict(signal.meta) == dict(again.meta), "reading twice must give the same meta"
    assert dict(_through_a_file(signal).meta) == dict(signal.meta), "meta must survive being written to a file"
    one, many = modality.rate(1, signal.meta), modality.rate(1000, signal.meta)
    assert one > 0 and abs(many / one - 1000) < 1e-6, "rate() must be proportional to the number of bytes"
    if isinstance(signal.coords, Grid):
        _check_perfect_field(modality, signal)
        _check_hostile_meta(modality, signal)
    _check_end_to_end(modality, signal)


def _check_facts(modality: Modality) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", modality.name), f"name {modality.name!r} is not 1 to 32 of a-z0-9_-"
    assert modality.suffixes, "suffixes must name at least one kind of file"
    for suffix in modality.suffixes:
        assert re.fullmatch(r"\.[a-z0-9.]+", suffix), f"suffix {suffix!r} must be lower case and begin with a dot"
    assert modality.rate_unit, "rate_unit must not be empty"
    recipe = modality.defaults
    assert isinstance(recipe, Recipe), "defaults must be a coordcodec.Recipe"
    targets = (recipe.rate, recipe.num_bytes, recipe.width)
    assert any(t is not None for t in targets), "defaults must set a target: rate, num_bytes or width"


def _through_a_file(signal: Signal) -> container.Container:
    parts = (1,) * signal.dims
    header = file.Header(signal.modality, signal.dims, signal.meta, parts, (1, b""))
    symbols: Symbols = {}
    return container.unpack(file.write(header, symbols))


def _check_perfect_field(modality: Modality, signal: Signal) -> None:
    perfect, meta = nearest_field(signal), _through_a_file(signal).meta
    assert modality.render(perfect, meta) is not None, "render() must return the decoded data"
    scores = modality.score(perfect, signal)
    assert modality.main_score in scores, f"score() must have the main score {modality.main_score!r}, got {scores}"
    finite = all(v is None or np.isfinite(v) for v in scores.values())
    assert finite, f"every score must be finite or None, got {scores}"
    target = io.BytesIO()
    modality.write(perfect, meta, target, format=modality.suffixes[0])
    assert target.getvalue(), f"write() wrote nothing as {modality.suffixes[0]}"
    back = modality.read(io.BytesIO(target.getvalue()))
    assert dict(back.meta) == dict(meta), f"what write() writes must read back alike: {dict(meta)}, {dict(back.meta)}"
    worst = float(np.abs(back.values - signal.values).max())
    assert worst <= 2 / 127, f"a perfect field must write back the signal; a value is {worst:g} off"


def _check_hostile_meta(modality: Modality, signal: Signal) -> None:
    """A forged shape must be refused before anything of its size is allocated or computed."""

    def field(coords: Floats) -> Floats:
        raise AssertionError("render() must check meta['shape'] against a limit before it asks the field")

    forged = {**signal.meta, "shape": [1 << 30] * len(signal.meta["shape"])}
    try:
        modality.render(field, forged)
    except CoordCodecError:
        return
    raise AssertionError("render() must raise a CoordCodecError for a shape of 2^30 samples per axis")


def _check_end_to_end(modality: Modality, signal: Signal) -> None:
    recipe = modality.defaults.replace(width=8, steps=40, device="cpu")
    opened = open(compress_signal(signal, modality, recipe).data)
    meta = opened.container.meta
    assert modality.render(opened.field, meta) is not None, "render() must work on a compressed file"
    assert modality.main_score in modality.score(opened.field, signal), "score() must work on a compressed file"
    target = io.BytesIO()
    modality.write(opened.field, meta, target, format=modality.suffixes[0])
    assert target.getvalue(), "write() must work on a compressed file"


def check_quantizer(quantizer: Quantizer) -> None:
    """Check that a quantizer keeps its protocol, on a small network that is fitted here (a few seconds)."""
    import torch

    from coordcodec.inr import batches, fit, objective, siren

    assert isinstance(quantizer, Quantizer), f"{quantizer!r} lacks members of coordcodec.hookspecs.Quantizer"
    assert re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", quantizer.name), f"name {quantizer.name!r} is not 1 to 32 of a-z0-9_-"
    grid = Grid((24, 24))
    coords = grid.coords()
    values = (
        np.stack([np.sin(5 * coords[:, 0]) * coords[:, 1], np.cos(4 * coords[:, 1])], axis=1).astype(np.float32) * 0.9
    )
    signal = Signal(grid, values, "check")
    spec, whole = SirenSpec(2, 2, 12, 2, 4, 1400), Partition((1, 1))
    device = torch.device("cpu")
    source = batches.batches_of(signal, whole, spec, 576, 0, device)
    loss = objective.Objective(spec, source, 0.0, torch.float32, device)
    params, _ = fit.fit(loss, siren.init(spec, 1, 0), steps=600, lr=3e-2, optimizer="soap")

    def error(symbols: Symbols) -> float:
        field = siren.as_field(spec, {n: q.dequantize() for n, q in symbols.items()}, whole, device)
        return float(((field(coords) - values) ** 2).mean())

    sizes, errors = [], []
    for bits, budget in ((8.0, 40), (5.5, 40), (4.0, 0)):
        symbols = _quantized(quantizer, params, loss, bits, budget)
        header = file.Header("check", 2, signal.meta, (1, 1), spec.pack())
        data = file.write(header, symbols)
        back = file.read(container.unpack(data), {n: tuple(t.shape) for n, t in params.items()})
        for name, q in symbols.items():
            same = np.array_equal(back[name].symbols, q.symbols) and back[name].step == q.step
            assert same, f"the symbols of {name} must survive being coded"
        sizes.append(len(data))
        errors.append(error(symbols))
    if all(q.step > 0 for q in symbols.values()):
        assert sizes[0] > sizes[1] > sizes[2], f"fewer bits must make a smaller file; 8, 5.5, 4 bits took {sizes}"
    assert errors[0] < 0.02, f"at 8 bits the network must still resemble the signal; squared error {errors[0]:g}"


def _quantized(quantizer: Quantizer, params: dict[str, Any], loss: Loss, bits: float, budget: int) -> Symbols:
    calls = 0

    def counted(given: Any) -> Any:
        nonlocal calls
        calls += 1
        return loss(given)

    before = {name: tensor.clone() for name, tensor in params.items()}
    symbols = quantizer(params, counted, bits, budget)
    assert calls <= budget, f"the loss was called {calls} times with a budget of {budget}"
    assert list(symbols) == list(params), f"tensors must come back in their order, got {list(symbols)}"
    for name, q in symbols.items():
        assert bool((params[name] == before[name]).all()), f"the parameters must not be changed, {name} was"
        assert q.symbols.shape == tuple(params[name].shape), f"{name} changed its shape to {q.symbols.shape}"
        limit = 1 << 16 if q.step == 0 else 1 << 11
        assert int(np.abs(q.symbols).max()) < limit, f"a symbol of {name} has a magnitude of {limit} or more"
    return symbols
