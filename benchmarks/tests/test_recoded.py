"""What the weight coder's parts are worth: the same function, coded in other ways."""

import json

import numpy as np
import pytest
import torch

import coordcodec
from coordcodec.layers.siren import symmetry
from coordcodec.partition import Partition
from coordcodec.specs import SirenSpec
from coordcodec_bench import recoded
from coordcodec_bench.rows import kept


@pytest.fixture(scope="module")
def data(photograph):
    return coordcodec.compress(
        photograph, modality="image", effort=1, siren={"steps": 300}, num_bytes=3000, init="none", device="cpu"
    )


def test_shuffled_neurons_compute_the_same_in_another_order(data):
    opened = coordcodec.open(data)
    network = opened.info["network"]
    spec = SirenSpec(2, 3, network["width"], network["depth"], network["num_frequencies"], 1400)
    mixed = recoded.shuffled(opened.symbols, 0)
    points = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    one, other = (
        network.as_field(spec, {n: q.dequantize() for n, q in s.items()}, Partition((1, 1)), torch.device("cpu"))(
            points
        )
        for s in (opened.symbols, mixed)
    )
    assert np.allclose(one, other, atol=1e-4)
    assert any(not np.array_equal(q.symbols, mixed[name].symbols) for name, q in opened.symbols.items())
    back = symmetry.canonical(spec, mixed)
    assert recoded.coded_bytes(opened.container, back, True) == recoded.coded_bytes(
        opened.container, opened.symbols, True
    )
    assert recoded.coded_bytes(opened.container, opened.symbols, True) == len(data)


def test_what_order_and_contexts_save_is_counted_in_bytes_of_the_file(data, tmp_path):
    row = {"file": "a.png", "modality": "image", "codec": "ours", "target_rate": 0.3, "effort": 1, "seed": 0}
    row |= {"device": "cpu", "status": "ok"}
    (tmp_path / "image.jsonl").write_text(f"{json.dumps(row)}\n{json.dumps(row | {'codec': 'jpeg'})}\n")
    kept(tmp_path, row).parent.mkdir()
    kept(tmp_path, row).write_bytes(data)
    more = recoded.more_bytes(tmp_path)
    assert set(more) == {0.3}
    assert 0 < more[0.3]["neurons as they come"] < 10
    opened = coordcodec.open(data)
    plain = recoded.coded_bytes(opened.container, opened.symbols, False)
    saved = plain - recoded.coded_bytes(opened.container, opened.symbols, True)
    assert more[0.3]["no contexts"] == pytest.approx(100 * saved / len(data))
    assert saved > 0
