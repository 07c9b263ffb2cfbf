"""The contract of a quantizer."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import numpy as np

from coordcodec.data import NAME, Grid, Signal, Symbols
from coordcodec.hookspecs import Loss, Quantizer
from coordcodec.layers import fitted_example, layer_of
from coordcodec.stream import weights

SHAPE = (24, 24)


def check_quantizer(quantizer: Quantizer) -> None:
    """Check that a quantizer keeps its protocol, on a small network that is fitted here (a few seconds)."""
    assert isinstance(quantizer, Quantizer), f"{quantizer!r} lacks members of coordcodec.hookspecs.Quantizer"
    assert NAME.fullmatch(quantizer.name), f"name {quantizer.name!r} is not 1 to 32 of a-z0-9_-"
    signal, grid = _waves(), Grid(SHAPE)
    with closing(fitted_example(signal)) as fitted:
        layer, spec, sizes, errors = layer_of(fitted.spec), fitted.spec, [], []
        for bits, budget in ((8.0, 40), (5.5, 40), (4.0, 0)):
            symbols = _quantized(quantizer, fitted.updates, fitted.loss, bits, budget)
            sizes.append(_coded_bytes(symbols, {n: tuple(t.shape) for n, t in fitted.updates.items()}))
            field = layer.field(spec, symbols, None, "cpu")
            errors.append(float(((field(grid.coords()) - signal.values) ** 2).mean()))
    if all(q.step > 0 for q in symbols.values()):
        assert sizes[0] > sizes[1] > sizes[2], f"fewer bits must make a smaller file; 8, 5.5, 4 bits took {sizes}"
    assert errors[0] < 0.02, f"at 8 bits the network must still resemble the signal; squared error {errors[0]:g}"


def _waves() -> Signal:
    grid = Grid(SHAPE)
    coords = grid.coords()
    waves = np.stack([np.sin(5 * coords[:, 0]) * coords[:, 1], np.cos(4 * coords[:, 1])], axis=1)
    return Signal(grid, waves.astype(np.float32) * 0.9, "check")


def _coded_bytes(symbols: Symbols, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """The bytes that symbols take, from which they must come back."""
    chunk = weights.encode(symbols)
    back = weights.decode(chunk, shapes)
    for name, q in symbols.items():
        same = np.array_equal(back[name].symbols, q.symbols) and back[name].step == q.step
        assert same, f"the symbols of {name} must survive being coded"
    return len(chunk)


def _quantized(quantizer: Quantizer, params: dict[str, Any], loss: Loss, bits: float, budget: int) -> Symbols:
    from coordcodec.quant.uniform import largest

    calls = 0

    def counted(given: Any) -> Any:
        nonlocal calls
        calls += 1
        return loss(given)

    before = {name: tensor.clone() for name, tensor in params.items()}
    symbols = quantizer(params, counted, largest(params), bits, budget)
    assert calls <= budget, f"the loss was called {calls} times with a budget of {budget}"
    assert list(symbols) == list(params), f"tensors must come back in their order, got {list(symbols)}"
    for name, q in symbols.items():
        assert bool((params[name] == before[name]).all()), f"the parameters must not be changed, {name} was"
        assert q.symbols.shape == tuple(params[name].shape), f"{name} changed its shape to {q.symbols.shape}"
        limit = 1 << 16 if q.step == 0 else 1 << 11
        assert int(np.abs(q.symbols).max()) < limit, f"a symbol of {name} has a magnitude of {limit} or more"
    return symbols
