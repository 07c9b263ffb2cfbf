"""A decode that takes too long is refused before the work, by an estimate that is the same on every machine."""

import time

import numpy as np
import pytest

import coordcodec
from coordcodec.data import Grid, Quantized
from coordcodec.errors import DecodeLimit, RecipeError
from coordcodec.layers import KINDS, layer_of
from coordcodec.layers.budget import RATE, TIME_LIMIT, Budget
from coordcodec.layers.costs import Cost
from coordcodec.layers.siren import coding
from coordcodec.partition import Partition
from coordcodec.specs import SirenSpec
from coordcodec.stream.container import Container, Section, pack


def slow(width=64, shape=(11585, 11585), counts=(1, 1), margin=0):
    """A small file of many points."""
    spec = SirenSpec(2, 1, width, 6, 4, 1400, Partition(counts, margin))
    symbols = {name: Quantized(np.ones(size, np.int32), 2.0**-6) for name, size in spec.tensors().items()}
    section = Section(spec, coding.encode(symbols, spec, None))
    return pack(Container("image", 2, {"shape": list(shape), "channels": 1}, (section,)))


@pytest.mark.parametrize(
    "data",
    [slow(1024, (4000, 4000)), slow(1, counts=(128, 256), margin=127), slow(256)],
    ids=["wide", "cut", "large"],
)
def test_minutes_of_work_are_refused_at_once(data, command, tmp_path):
    (tmp_path / "a.ccdc").write_bytes(data)
    began = time.monotonic()
    with pytest.raises(DecodeLimit, match=r"takes about .* (minutes|hours), the limit is 10 minutes; allow more with"):
        coordcodec.open(data).render()
    with pytest.raises(DecodeLimit):
        coordcodec.decompress(data, tmp_path / "a.png")
    assert time.monotonic() - began < 30
    for arguments in (("decompress", "a.ccdc"), ("verify", "a.ccdc")):
        done = command(*arguments)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert "--time-limit" in done.stderr
    assert command("info", "a.ccdc").returncode == 0
    assert not (tmp_path / "a.png").exists()


def test_parts_of_a_slow_file_decode_and_limits_can_be_moved(command, tmp_path):
    data = slow(256)
    opened = coordcodec.open(data)
    assert opened.render(region=(0, 0, 40, 30)).shape[:2] == (30, 40)
    assert opened.field(np.zeros((1000, 2))).shape == (1000, 1)
    strict = coordcodec.open(data, time_limit=1e-3)
    with pytest.raises(DecodeLimit, match="the limit is 0.001 seconds"):
        strict.render(region=(0, 0, 400, 300))
    (tmp_path / "a.ccdc").write_bytes(data)
    region = ("decompress", "a.ccdc", "-f", "--region", "0,0,400,300", "--time-limit")
    assert command(*region, "0.001").returncode == 2
    assert command(*region, "none").returncode == 0
    for bad in ("0", "-1", "nan", "soon", "inf"):
        assert command(*region, bad).returncode == 2
    with pytest.raises(RecipeError, match="a time limit is a number of seconds"):
        _ = coordcodec.open(data, time_limit=0).field


def test_a_job_adds_up_and_calls_of_the_field_do_not():
    budget = Budget(Cost(RATE, RATE), limit=10, own=5)
    for _ in range(20):
        budget.spend(8)
    job = budget.begun({"scale": None})
    job.spend(8)
    with pytest.raises(DecodeLimit):
        job.spend(2)
    with pytest.raises(DecodeLimit):
        Budget(Cost(0, RATE), limit=10, own=11).begun({})
    Budget(Cost(0, RATE), limit=10, own=11).begun({"region": (0, 0, 1, 1)}).spend(10)
    with pytest.raises(DecodeLimit, match="about 3 days"):
        Budget(Cost(0, RATE), limit=TIME_LIMIT, own=3 * 86400).begun({})


def test_every_kind_of_layer_says_what_it_costs(photograph):
    for layer in KINDS:
        data = coordcodec.compress(photograph, modality="image", num_bytes=1500, effort=1, layers=layer.kind)
        (section,) = coordcodec.open(data).container.sections
        spec, points = section.spec, 72 * 96
        cost = layer_of(spec).cost(spec, points)
        assert 0 < cost.once + points * cost.each < 5 * RATE
        assert coordcodec.open(data).field.on_grid(Grid((72, 96))).shape == (points, 3)
