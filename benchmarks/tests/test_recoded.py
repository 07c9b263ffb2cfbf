"""What the weight coder's parts are worth: the same function, coded in other ways."""

import json

import numpy as np
import pytest

import coordcodec
from coordcodec.layers import layer_of
from coordcodec_bench import recoded
from coordcodec_bench.names import NETWORKS
from coordcodec_bench.rows import kept


@pytest.fixture(scope="module")
def data(photograph):
    return coordcodec.compress(
        photograph, modality="image", effort=1, siren={"steps": 300}, num_bytes=3000, init="none", device="cpu"
    )


def test_shuffled_neurons_compute_the_same_in_another_order(data):
    opened = coordcodec.open(data)
    spec, layer = opened.section.spec, layer_of(opened.section.spec)
    mixed = recoded.shuffled(opened.symbols, 0)
    points = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    one, other = (layer.field(spec, symbols, None, "cpu")(points) for symbols in (opened.symbols, mixed))
    assert np.allclose(one, other, atol=1e-4)
    assert any(not np.array_equal(q.symbols, mixed[name].symbols) for name, q in opened.symbols.items())
    size = len(opened.section.chunks[0])
    assert len(layer.encode(mixed, spec, None)[0]) == recoded.coded_bytes(opened.symbols, True) == size


def test_what_order_and_contexts_save_is_counted_in_bytes_of_the_file(data, tmp_path):
    row = {"file": "a.png", "modality": "image", "codec": NETWORKS, "target_rate": 0.3, "effort": 1, "seed": 0}
    row |= {"device": "cpu", "status": "ok"}
    (tmp_path / "image.jsonl").write_text(f"{json.dumps(row)}\n{json.dumps(row | {'codec': 'jpeg'})}\n")
    kept(tmp_path, row).parent.mkdir()
    kept(tmp_path, row).write_bytes(data)
    more = recoded.more_bytes(tmp_path)
    assert set(more) == {0.3}
    assert 0 < more[0.3]["neurons as they come"] < 10
    opened = coordcodec.open(data)
    plain = recoded.coded_bytes(opened.symbols, False)
    saved = plain - recoded.coded_bytes(opened.symbols, True)
    assert more[0.3]["no contexts"] == pytest.approx(100 * saved / len(data))
    assert saved > 0
