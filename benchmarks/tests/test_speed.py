"""The measurements of speed: they run, they race, and they notice what has become slower. No time is a pass mark."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from coordcodec.layers.siren import network
from coordcodec.partition import Partition
from coordcodec.specs import SirenSpec
from coordcodec_bench import facts, latency, speed
from coordcodec_bench.plain import PlainSiren
from coordcodec_bench.race import PSNR_DB, race

CPU = torch.device("cpu")


def test_the_yardstick_computes_what_our_field_computes():
    spec = SirenSpec(2, 3, 12, 2, 4, 1400)
    arrays = dict(network.init(spec, 1, 0))
    plain = PlainSiren(spec)
    layers = [*plain.hidden, plain.last]
    with torch.no_grad():
        for k, layer in enumerate(layers):
            factor = 30 if k < len(layers) - 1 else 1  # ours keeps omega_0 inside the weights
            layer.weight.copy_(arrays[f"weight{k}"][0] / factor)
            layer.bias.copy_(arrays[f"bias{k}"][0] / factor)
        coords = torch.rand(50, 2) * 2 - 1
        field = network.as_field(spec, {k: v.numpy() for k, v in arrays.items()}, Partition((1, 1)), CPU)
        assert np.allclose(plain(coords).numpy(), field(coords.numpy()), atol=1e-4)


def test_a_width_is_measured():
    row = speed.measure(8, CPU, rounds=1)
    assert all(row[name] > 0 for name in speed.RATIOS)
    assert row["fit_points_per_second"] > 0


def test_the_weight_coder_is_timed_on_a_network_of_the_size_that_it_says():
    found = latency.coder(rounds=1)
    assert 58_000 < found["weights"] < 62_000
    assert found["encode_seconds"] > 0
    assert found["decode_seconds"] > 0


def test_the_race_counts_whole_encodings_and_only_if_they_are_good_enough(tmp_path, photograph, monkeypatch):
    from PIL import Image

    from coordcodec_bench import race as module

    picture = tmp_path / "detail.png"
    Image.fromarray(photograph).save(picture)
    monkeypatch.setattr(module, "PSNR_DB", 10.0)
    found = race(picture, CPU, recipe={"siren": {"steps": 40}})
    assert found["bpp"] <= 0.3
    assert found["psnr_db"] > 10
    assert found["coin_seconds"] == found["coin_step_seconds"] * 50_000
    assert found["times_faster"] == pytest.approx(found["coin_seconds"] / found["seconds"])
    monkeypatch.setattr(module, "PSNR_DB", 99.0)
    assert race(picture, CPU, recipe={"siren": {"steps": 2}})["times_faster"] is None
    assert PSNR_DB == 29.31


def test_a_ratio_that_has_fallen_is_a_regression_and_noise_is_none():
    row = {"width": 64, "fit_over_plain": 8.0, "decode_over_plain": 2.0, "fit_share_of_peak": 0.4}
    committed = [{"device": "cpu", "rows": [row]}, {"device": "cuda:0", "rows": [row | {"fit_over_plain": 100.0}]}]
    now = {"device": "cpu", "rows": [row | {"fit_over_plain": 5.0}]}
    assert speed.regressions(now, committed) == []
    now = {"device": "cpu", "rows": [row | {"fit_over_plain": 4.0}]}
    assert speed.regressions(now, committed) == ["width 64: fit_over_plain is 4.00, was 8.00"]
    assert speed.regressions({"device": "mps", "rows": [row]}, committed) == []
    assert speed.regressions({"device": "cpu", "rows": [row | {"width": 7}]}, committed) == []


def test_peak_memory_is_that_since_the_start():
    script = """
import numpy as np
from coordcodec_bench.facts import Memory
first = Memory()
block = np.ones(200 << 20, np.uint8)
del block
print(first.peak_mib(), Memory().peak_mib())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    first, second = map(float, done.stdout.split())
    assert 200 < first < 400
    if Path("/proc/self/clear_refs").exists():
        assert second < first - 150


def test_the_machine_and_the_commit_are_told():
    assert str(facts.cores()) in facts.machine()
    assert facts.commit() is None or len(facts.commit().removesuffix("+")) == 12
