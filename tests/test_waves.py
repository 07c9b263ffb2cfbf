"""Sines of phases of any size, and fields that are finite."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import coordcodec
from coordcodec.compute.kernels import TorchKernels, kernels_for
from coordcodec.data import Grid, Quantized
from coordcodec.errors import ContainerError, RecipeError
from coordcodec.layers.siren import coding
from coordcodec.quant.uniform import as_symbols
from coordcodec.specs import SirenSpec
from coordcodec.stream.container import Container, Section, pack

CPU = torch.device("cpu")


def waves_of(kernels, x):
    phase, sine = torch.tensor(x), torch.empty(len(x), dtype=torch.tensor(x).dtype)
    kernels.waves(phase, sine)
    return sine.float().numpy(), phase.float().numpy()


@pytest.mark.parametrize("lowest", [-140, 0, 15, 23, 31, 60, 100])
@pytest.mark.parametrize("kernels", [kernels_for(CPU), TorchKernels()])
def test_every_phase_has_its_sine(kernels, lowest):
    rng = np.random.default_rng(lowest + 200)
    x = (2.0 ** rng.uniform(lowest, lowest + 27, 20_001) * rng.choice([-1, 1], 20_001)).astype(np.float32)
    x[7::4096] = 0.5  # among large ones
    sine, cosine = waves_of(kernels, x)
    np.testing.assert_allclose(sine, np.sin(x.astype(np.float64)), atol=2e-6)
    np.testing.assert_allclose(cosine, np.cos(x.astype(np.float64)), atol=2e-6)


def test_every_phase_in_bfloat16_has_its_sine():
    x = torch.tensor(2.0 ** np.random.default_rng(0).uniform(0, 120, 5000)).bfloat16()
    phase, sine = x.clone(), torch.empty_like(x)
    kernels_for(CPU).waves(phase, sine)
    np.testing.assert_allclose(sine.float().numpy(), np.sin(x.double().numpy()), atol=0.005)
    np.testing.assert_allclose(phase.float().numpy(), np.cos(x.double().numpy()), atol=0.005)


@pytest.mark.parametrize("kernels", [kernels_for(CPU), TorchKernels()])
def test_what_is_no_number_has_no_sine(kernels):
    sine, cosine = waves_of(kernels, np.array([np.inf, -np.inf, np.nan, 0, -0.0], np.float32))
    assert np.isnan(sine).tolist() == np.isnan(cosine).tolist() == [True, True, True, False, False]
    assert np.signbit(sine[3:]).tolist() == [False, True] or sine[3:].tolist() == [0, 0]


def file_of(frequencies, dims=2):
    """A file with one network of random numbers."""
    spec = SirenSpec(dims, 1, 8, 1, frequencies, 2000)
    rng, symbols = np.random.default_rng(frequencies), {}
    for name, shape in spec.tensors().items():
        halves = rng.uniform(-0.5, 0.5, shape).astype(np.float16)
        symbols[name] = Quantized(halves.view(np.uint16).astype(np.int32), 0.0)
    return Section(spec, coding.encode(symbols, spec, None))


def packed(section):
    return pack(Container("image", 2, {"shape": [64, 64], "channels": 1}, (section,)))


@pytest.mark.parametrize("frequencies", [16, 24, 32])  # phases up to 7e9
def test_phases_that_a_file_may_have_decode_alike_with_and_without_numba(tmp_path, frequencies):
    path = tmp_path / "a.ccdc"
    path.write_bytes(packed(file_of(frequencies)))
    script = (
        "import coordcodec, numpy, sys; from coordcodec.data import Grid\n"
        "numpy.save(sys.argv[2], coordcodec.open(sys.argv[1]).field.on_grid(Grid((64, 64))))"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", script, path, tmp_path / "b.npy"], check=True, env=environment)
    found, plain = coordcodec.open(path).field.on_grid(Grid((64, 64))), np.load(tmp_path / "b.npy")
    assert np.isfinite(found).all()
    assert np.abs(found - plain).max() <= 1e-5 * np.abs(plain).max() + 1e-5


def test_the_largest_networks_that_a_file_can_hold_are_finite():
    spec = SirenSpec(2, 1, 1024, 1, 4, 2000)
    most = {name: Quantized(np.full(shape, 2047, np.int32), 2.0**100) for name, shape in spec.tensors().items()}
    opened = coordcodec.open(packed(Section(spec, coding.encode(most, spec, None))))
    assert np.isfinite(opened.field.on_grid(Grid((5, 5)))).all()


def test_weights_that_are_no_numbers_are_never_quantized():
    with pytest.raises(RecipeError, match="the fit diverged"):
        as_symbols(torch.tensor([[0.5, float("nan")]]), 1.0)


def test_a_sum_of_layers_that_is_not_finite_is_a_damaged_file():
    from coordcodec.field import SumField

    def infinite(coords):
        return np.full((len(coords), 1), np.inf, np.float32)

    with pytest.raises(ContainerError, match="not a finite number"):
        SumField([infinite])(np.zeros((3, 2)))
    with pytest.raises(ContainerError, match="not a finite number"):
        SumField([infinite, infinite]).on_grid(Grid((3, 3)))
    assert np.isinf(SumField([infinite])(np.full((3, 2), 1e30))).all()  # far from all samples nothing is promised
