"""Grids, signals and quantized tensors check themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordcodec.data import Grid, Quantized, Signal, round_step, sample
from coordcodec.errors import SignalError

SHAPES = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)


@given(SHAPES)
def test_a_grid_fills_the_cube_with_its_ends_on_the_ends(shape):
    grid = Grid(shape)
    coords = grid.coords()
    assert coords.shape == (len(grid), len(shape))
    assert coords.dtype == np.float64
    for k, n in enumerate(shape):
        expected = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        assert np.allclose(grid.axis(k), expected, atol=1e-6)
    mesh = np.meshgrid(*(grid.axis(k) for k in range(grid.dims)), indexing="ij")
    assert np.array_equal(coords, np.stack([m.ravel() for m in mesh], axis=1))


@given(SHAPES, st.data())
def test_a_window_keeps_the_coordinates_of_its_lattice(shape, data):
    grid = Grid(shape)
    bounds = []
    for n in shape:
        lower = data.draw(st.integers(0, n - 1))
        bounds.append((lower, data.draw(st.integers(lower + 1, n))))
    window = grid.window(bounds)
    whole = grid.coords().reshape(*shape, len(shape))
    part = whole[tuple(slice(a, b) for a, b in bounds)].reshape(-1, len(shape))
    assert np.array_equal(window.coords(), part)


@given(SHAPES, st.integers(1, 50))
def test_slices_are_the_whole_and_no_longer_than_asked(shape, size):
    grid = Grid(shape)
    parts = list(grid.slices(size))
    assert np.array_equal(np.concatenate([c for _, c in parts]), grid.coords())
    assert max(len(c) for _, c in parts) <= size
    assert [part.start for part, _ in parts] == list(range(0, len(grid), size))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("HU"), "HU"),
        (np.array([1.0, 2.0]), [1.0, 2.0]),
        ([np.int16(1), np.float64(2)], [1, 2.0]),
    ],
)
def test_meta_takes_numpy_scalars_and_arrays_of_one_axis(given, kept):
    signal = Signal(Grid((2,)), np.zeros((2, 1)), "toy", {"key": given})
    assert signal.meta["key"] == kept
    assert type(signal.meta["key"]) is type(kept)


@pytest.mark.parametrize(
    ("given", "remedy"),
    [(None, "leave the key out"), (np.eye(2), r"ravel\(\).tolist\(\)"), ([[1.0], [2.0]], "store a nested list flat")],
)
def test_meta_says_what_to_do_with_what_it_does_not_take(given, remedy):
    with pytest.raises(SignalError, match=rf"meta\['key'\] must be a bool.*; .*{remedy}"):
        Signal(Grid((2,)), np.zeros((2, 1)), "toy", {"key": given})


@pytest.mark.parametrize("kind", [complex, str, object])
def test_values_that_are_no_real_numbers_are_refused(kind):
    with pytest.raises(SignalError, match="values must be real numbers, got .*; convert them"):
        Signal(Grid((2,)), np.zeros((2, 1)).astype(kind), "toy")


def test_sampling_a_field_never_asks_for_more_than_a_slice():
    asked = []

    def field(coords):
        asked.append(len(coords))
        return coords[:, :1] * 2

    grid = Grid((300, 400))
    values = np.concatenate([v for _, v in sample(field, grid, size=1000)])
    assert np.array_equal(values, grid.coords()[:, :1] * 2)
    assert max(asked) == 1000


@pytest.mark.parametrize(
    "arguments",
    [((),), ((0, 3),), ((2,) * 9,), ((3, 3), (2, 2)), ((3,), (5,), (3,)), ((3, 3), (3,))],
)
def test_impossible_grids_are_refused(arguments):
    with pytest.raises(SignalError):
        Grid(*arguments)


def test_a_signal_knows_its_shape_and_channels():
    signal = Signal(Grid((2, 3)), np.zeros((6, 4)), "x", {"note": "a", "list": (1, 2)})
    assert dict(signal.meta) == {"note": "a", "list": [1, 2], "shape": [2, 3], "channels": 4}
    assert (signal.dims, signal.channels) == (2, 4)
    scattered = Signal(np.zeros((5, 3), np.float32), np.zeros((5, 1)), "x")
    assert scattered.meta["shape"] == []
    with pytest.raises(TypeError):
        signal.meta["note"] = "b"


@pytest.mark.parametrize(
    ("coords", "values", "name", "meta", "says"),
    [
        (Grid((2,)), np.zeros((3, 1)), "x", {}, "2 points, but there are 3 values"),
        (Grid((2,)), np.full((2, 1), 1.5), "x", {}, "in [-1, 1]"),
        (Grid((2,)), np.full((2, 1), np.inf), "x", {}, "finite"),
        (Grid((2,)), np.full((2, 1), np.nan), "x", {}, "no sample is known"),
        (Grid((2,)), np.zeros(2), "x", {}, "(n, c)"),
        (Grid((2,)), np.zeros((2, 300)), "x", {}, "c <= 255"),
        (Grid((2,)), np.zeros((0, 1)), "x", {}, "has 2 points, but there are 0 values"),
        (np.full((2, 2), 3.0), np.zeros((2, 1)), "x", {}, "coords must be finite and in [-1, 1]"),
        (np.zeros((2, 9)), np.zeros((2, 1)), "x", {}, "d <= 8"),
        (Grid((4,)).window([(0, 2)]), np.zeros((2, 1)), "x", {}, "whole lattice"),
        (Grid((2,)), np.zeros((2, 1)), "Not a name", {}, "a-z"),
        (Grid((2,)), np.zeros((2, 1)), "x", {"f": np.inf}, "meta['f']"),
        (Grid((2,)), np.zeros((2, 1)), "x", {"f": {"a": 1}}, "meta['f']"),
        (Grid((2,)), np.zeros((2, 1)), "x", {"f": [[1]]}, "meta['f']"),
        (Grid((2,)), np.zeros((2, 1)), "x", {"f": 2**70}, "meta['f']"),
    ],
)
def test_what_breaks_a_rule_is_refused_and_told(coords, values, name, meta, says):
    with pytest.raises(SignalError) as caught:
        Signal(coords, values, name, meta)
    assert says in str(caught.value)


@given(st.floats(1e-25, 1e25))
def test_a_stored_step_is_a_little_larger_and_stays(step):
    stored = round_step(step)
    assert step * 0.999999 <= stored <= step * 1.008
    assert round_step(stored) == stored
    assert Quantized(np.zeros(1, np.int32), stored).step == stored


def test_quantized_tensors_give_their_values_back():
    q = Quantized(np.array([[-3, 4]], np.int32), 0.5)
    assert np.array_equal(q.dequantize(), np.array([[-1.5, 2.0]], np.float32))
    half = np.array([1.5, -0.25, 0.0], np.float16)
    bits = Quantized(half.view(np.uint16).astype(np.int32), 0.0)
    assert np.array_equal(bits.dequantize(), half.astype(np.float32))
    with pytest.raises(ValueError, match="two bytes"):
        Quantized(np.zeros(1, np.int32), 0.1)
    with pytest.raises(ValueError, match="integers"):
        Quantized(np.zeros(1, np.float32), 0.5)
