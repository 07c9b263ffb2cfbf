"""Boxes tile the domain, and every coordinate finds its own."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coordcodec.data import Grid, Signal
from coordcodec.partition import Partition, gain_codes, gain_of

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


@given(COUNTS, st.integers(0, 127), st.integers(0, 1000))
def test_shares_of_overlapping_boxes_add_up_to_one(counts, margin, seed):
    partition = Partition(counts, margin)
    coords = np.random.default_rng(seed).uniform(-1, 1, (200, len(counts))).astype(np.float32)
    coords[0], coords[1], coords[2] = -1, 1, 0
    total = np.zeros((200, 1))
    for cover in partition.covers(coords):
        assert (cover.weights >= 0).all()
        assert np.abs(cover.local).max(initial=0) <= 1 + 2 * margin / 256 + 1e-4
        index = np.stack(np.unravel_index(cover.boxes, counts), axis=1)
        back = ((cover.local + 1) / 2 + index) * 2 / np.array(counts) - 1
        assert np.allclose(back, coords[cover.points], atol=1e-5)
        total[cover.points] += cover.weights
    assert np.allclose(total, 1, atol=1e-6)


@given(COUNTS, st.integers(1, 127), st.data())
def test_a_window_holds_every_sample_in_which_its_box_has_a_share(counts, margin, data):
    shape = tuple(data.draw(st.integers(c, 12)) for c in counts)
    grid, partition = Grid(shape), Partition(counts, margin)
    windows = list(partition.windows(grid))
    for cover in partition.covers(grid.coords()):
        points = np.arange(len(grid))[cover.points]
        for point, box, local, weight in zip(points, cover.boxes, cover.local, cover.weights[:, 0], strict=True):
            index = np.unravel_index(point, shape)
            window = windows[box]
            inside = [i - o for i, o in zip(index, window.offset, strict=True)]
            if weight > 1e-6:  # a share of nothing may lie on the window's edge
                assert all(0 <= i < n for i, n in zip(inside, window.shape, strict=True))
                found = [partition.within(int(box), window, k)[i] for k, i in enumerate(inside)]
                assert np.allclose(found, local, atol=1e-5)


def test_one_box_has_no_margin_and_a_long_line_is_cut_at_once():
    assert Partition.of(Grid((100,)), 100, 9) == Partition((1,), 0)
    assert Partition.of(Grid((101,)), 100, 9) == Partition((2,), 9)
    assert Partition.of(Grid((10**9,)), 1000).counts == (10**6,)


def test_a_gain_is_the_smallest_that_holds_its_part():
    values = np.float32([[1.0], [-0.5], [0.3], [0.0001], [0.0], [0.0]])
    partition = Partition((3,))
    for coords in (Grid((6,)), Grid((6,)).coords()):
        gains = [gain_of(code) for code in gain_codes(Signal(coords, values, "toy"), partition)]
        peaks = [1.0, 0.3, 0.0]
        assert all(peak <= gain for peak, gain in zip(peaks, gains, strict=True))
        assert all(gain <= max(1.1 * peak, 1e-9) for peak, gain in zip(peaks, gains, strict=True))
