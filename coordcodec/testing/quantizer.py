"""The contract of a quantizer."""

from __future__ import annotations

from typing import Any

import numpy as np

from coordcodec.data import NAME, Grid, Signal, Symbols
from coordcodec.hookspecs import Loss, Quantizer
from coordcodec.inr.spec import SirenSpec
from coordcodec.partition import Partition
from coordcodec.stream import container, file


def check_quantizer(quantizer: Quantizer) -> None:
    """Check that a quantizer keeps its protocol, on a small network that is fitted here (a few seconds)."""
    import torch

    from coordcodec.inr import batches, fit, objective, siren

    assert isinstance(quantizer, Quantizer), f"{quantizer!r} lacks members of coordcodec.hookspecs.Quantizer"
    assert NAME.fullmatch(quantizer.name), f"name {quantizer.name!r} is not 1 to 32 of a-z0-9_-"
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
