"""Boxes tile the domain, and every coordinate finds its own."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coordcodec.data import Grid
from coordcodec.partition import Partition

COUNTS = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


@given(COUNTS, st.integers(0, 1000))
def test_every_coordinate_has_one_box_and_lies_in_it(counts, seed):
    partition = Partition(counts)
    coords = np.random.default_rng(seed).uniform(-1, 1, (200, len(counts))).astype(np.float32)
    coords[0], coords[1] = -1, 1
    number, local = partition.locate(coords)
    assert ((number >= 0) & (number < len(partition))).all()
    assert np.abs(local).max() <= 1 + 1e-5
    index = np.stack(np.unravel_index(number, counts), axis=1)
    back = ((local + 1) / 2 + index) * 2 / np.array(counts) - 1
    assert np.allclose(back, coords, atol=1e-5)


@given(COUNTS, st.data())
def test_windows_tile_the_grid_in_the_order_of_the_boxes(counts, data):
    shape = tuple(data.draw(st.integers(c, 12)) for c in counts)
    grid, partition = Grid(shape), Partition(counts)
    number, _ = partition.locate(grid.coords())
    windows = list(partition.windows(grid)) if all(np.bincount(number, minlength=len(partition)) > 0) else []
    for i, window in enumerate(windows):
        place = tuple(slice(o, o + n) for o, n in zip(window.offset, window.shape, strict=True))
        assert (number.reshape(shape)[place] == i).all()
    assert sum(len(w) for w in windows) in (0, len(grid))


def test_a_grid_is_cut_only_as_far_as_it_must():
    assert Partition.of(Grid((512, 768))).counts == (1, 1)
    assert Partition.of(Grid((3000, 4000)), most=1 << 20).counts == (3, 4)
    assert Partition.of(Grid((10_000_000,)), most=1 << 20).counts == (10,)
    assert len(Partition.of(Grid((1, 1)))) == 1
