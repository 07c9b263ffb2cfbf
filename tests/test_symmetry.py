"""Networks that compute the same function: the one that a file holds is another, but no different one."""

import math

import numpy as np
import pytest
import torch

import coordcodec
from coordcodec.data import Quantized
from coordcodec.layers.siren import network, order, symmetry
from coordcodec.specs import SirenSpec
from coordcodec.stream import contexts

SPECS = [
    SirenSpec(2, 3, 9, 2, 4, 1400),
    SirenSpec(1, 1, 5, 0, 0, 1000),
    SirenSpec(3, 2, 1, 1, 2, 2000),
]


@pytest.fixture(params=SPECS, ids=lambda spec: f"depth{spec.depth}")
def drawn(request):
    """A network in three parts, with biases of several turns, and coordinates."""
    spec, generator = request.param, torch.Generator().manual_seed(0)
    params = {name: tensor.double() for name, tensor in network.init(spec, 3, 0).items()}
    for layer in range(spec.depth + 1):
        params[f"bias{layer}"] = torch.randn(3, spec.width, generator=generator, dtype=torch.float64) * 6
    return spec, params, torch.rand(3, 50, spec.dims, generator=generator, dtype=torch.float64) * 2 - 1


def test_folded_parameters_are_the_same_function_with_small_biases(drawn):
    spec, params, coords = drawn
    found = symmetry.folded(spec, params)
    assert torch.allclose(network.apply(spec, found, coords), network.apply(spec, params, coords), atol=1e-9)
    for layer in range(spec.depth + 1):
        assert float(found[f"bias{layer}"].abs().max()) <= math.pi / 2 + 1e-9
        assert float(params[f"bias{layer}"].abs().max()) > math.pi / 2
    assert torch.equal(found[f"bias{spec.depth + 1}"], params[f"bias{spec.depth + 1}"])


def test_canonical_symbols_are_the_same_function_in_ascending_order(drawn):
    spec, params, coords = drawn
    symbols = {n: Quantized((t * 10).round().int().numpy(), 0.125) for n, t in params.items()}
    found = order.canonical(spec, symbols)

    def values(of):
        return network.apply(spec, {n: torch.from_numpy(q.symbols).double() / 10 for n, q in of.items()}, coords)

    assert torch.allclose(values(found), values(symbols), atol=1e-9)
    for layer in range(spec.depth + 1):
        ordered = found[f"bias{layer}"].symbols
        assert (np.diff(ordered, axis=1, prepend=0) >= 0).all()
        assert np.array_equal(ordered, np.sort(np.abs(symbols[f"bias{layer}"].symbols), axis=1))
    again = order.canonical(spec, found)
    assert all(np.array_equal(again[name].symbols, q.symbols) for name, q in found.items())


def test_files_that_stand_alone_are_canonical(compressed):
    info = coordcodec.open(compressed).info
    layers = [name for name, kind in info["layers"][0]["contexts"].items() if kind == contexts.NAMES[contexts.SORTED]]
    assert set(layers) >= {f"bias{layer}" for layer in range(info["layers"][0]["depth"] + 1)}
    symbols = coordcodec.open(compressed).symbols
    for layer in range(info["layers"][0]["depth"] + 1):
        reach = symbols[f"bias{layer}"].symbols.max() * symbols[f"bias{layer}"].step
        assert reach < math.pi / 2 + symbols[f"bias{layer}"].step * 4  # training may move it a little after the fold
