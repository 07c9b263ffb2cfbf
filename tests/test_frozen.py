"""Plugins that were written for earlier versions keep working: what new-modality wrote in 0.1.0, unchanged."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import coordcodec
from coordcodec import codec
from coordcodec.testing import check_modality

FROZEN = Path(__file__).parent / "frozen" / "coordcodec_heightmap_0_1.py"


@pytest.fixture(scope="module")
def heightmap():
    spec = importlib.util.spec_from_file_location(FROZEN.stem, FROZEN)
    module = importlib.util.module_from_spec(spec)
    with pytest.warns(DeprecationWarning) as seen:
        spec.loader.exec_module(module)
    assert {warning.filename for warning in seen} == {str(FROZEN)}
    assert "num_frequencies= is a choice of one kind of layer; write siren=" in str(seen[0].message)
    (modality,) = module.register_modalities()
    return modality


def test_it_keeps_the_contract(heightmap, tmp_path):
    x, y = np.mgrid[-1:1:20j, -1:1:30j]
    np.save(tmp_path / "example.npy", 3 * np.exp(-(x**2) - y**2) + 0.5 * x)
    check_modality(heightmap, tmp_path / "example.npy")


def test_it_compresses_and_decodes(heightmap):
    x, y = np.mgrid[-1:1:20j, -1:1:30j]
    array = 20 * np.sin(2 * x) * y + 100
    recipe = codec.make_recipe(heightmap, num_bytes=600, effort=1)
    assert (recipe.siren.num_frequencies, recipe.siren.omega_0) == (6, 10)
    data = codec.compress_signal(heightmap.read(array), heightmap, recipe).data
    opened = coordcodec.open(data)
    back = heightmap.render(opened.field, opened.container.meta)
    assert np.sqrt(((back - array) ** 2).mean()) < 1
