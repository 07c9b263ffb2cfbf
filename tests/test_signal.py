"""What a signal may say besides its values: samples, scale, offset, unit, mask, circles, byte strings."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import coordcodec
from coordcodec import codec
from coordcodec.data import Grid, Mask, SampleType, Signal, on_grid
from coordcodec.errors import ContainerError, InitialisationError, SignalError
from coordcodec.samples import DTYPES
from coordcodec.testing import nearest_field
from tests.golden.make import Globe

GLOBE = Globe()
QUICK = {"steps": 60, "width": 8}


def encoded(signal, **choices):
    """A file, made quickly, and its bytes."""
    recipe = codec.make_recipe(GLOBE, device="cpu", init="none", siren={**QUICK, **choices})
    return coordcodec.open(codec.compress_signal(signal, GLOBE, recipe).data)


@st.composite
def typed(draw):
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    channels = draw(st.integers(1, 3))
    if dtype.kind == "f":
        numbers = st.floats(-1000, 1000, width=32)
        low, high = -1000.0, 1000.0
    else:
        low, high = (float(v) for v in (np.iinfo(dtype).min, np.iinfo(dtype).max))
        numbers = st.integers(int(low), int(high))
    samples = draw(arrays(dtype, (draw(st.integers(1, 6)), channels), elements=numbers))
    return samples, (high - low) / 2, (high + low) / 2


@given(typed())
def test_values_follow_from_samples_and_samples_from_values(drawn):
    samples, scale, offset = drawn
    signal = Signal(Grid((len(samples),)), modality="x", samples=samples, scale=scale, offset=offset, unit="m")
    assert signal.values.dtype == np.float32
    kind = signal.sample_type
    assert (kind.dtype, kind.unit, len(kind.scale)) == (samples.dtype.name, "m", samples.shape[1])
    back = kind.samples(signal.values)
    assert back.dtype == samples.dtype
    if samples.dtype.itemsize < 3:
        assert np.array_equal(back, samples)
    else:
        assert np.abs(back.astype(float) - samples).max() <= 2.0**-22 * scale


def test_samples_are_clipped_rounded_and_filled():
    kind = SampleType.of(np.dtype("uint8"), 1, 127.5, 127.5)
    values = np.array([[-2], [2], [np.nan], [0.001]], np.float32)
    assert kind.samples(values).ravel().tolist() == [0, 255, 0, 128]
    assert kind.samples(values, fill=7).ravel().tolist() == [0, 255, 7, 128]
    fractions = SampleType.of(np.dtype("float64"), 1, 10.0, 5.0)
    assert np.isnan(fractions.samples(values)[2, 0])
    assert fractions.samples(values, fill=-999)[2, 0] == -999


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"samples": np.zeros((4, 1), np.int64)}, "samples may be int8, uint8"),
        ({"samples": np.zeros((4, 1), np.float16)}, "got float16"),
        ({"samples": np.zeros((4, 1), complex)}, "got complex128"),
        ({"samples": np.zeros(4)}, "samples must be (n, c)"),
        ({"samples": np.zeros((5, 1))}, "there are 5 values"),
        ({"samples": np.zeros((4, 1)), "scale": 0}, "scales must be finite and not 0, got 0"),
        ({"samples": np.zeros((4, 1)), "scale": np.nan}, "scales must be finite and not 0, got nan"),
        ({"samples": np.zeros((4, 2)), "scale": [1, np.inf]}, "scales must be finite and not 0, got 1, inf"),
        ({"samples": np.zeros((4, 1)), "offset": -np.inf}, "offsets must be finite, got -inf"),
        ({"samples": np.zeros((4, 1)), "scale": "x"}, "scale is one number or one per channel, got 'x'"),
        ({"samples": np.zeros((4, 1)), "unit": 5}, "a unit is a text such as 'K', got 5"),
        ({"samples": np.zeros((4, 1)), "meta": {"name": "\ud800"}}, "must be a bool, int"),
        ({"samples": np.zeros((4, 1)), "periodic": True}, "periodic needs a bool per axis, got True"),
        ({"samples": np.array([[0], [0], [0], [1000050]], "i4"), "scale": 1e6}, "but they go from 0 to 1.00005e+06"),
        ({"samples": np.ones((4, 1)), "values": np.zeros((4, 1))}, "sample 0 is 1, but its value 0 means 0"),
        ({"samples": np.zeros((4, 1)), "scale": [1, 2]}, "scale is one number or one per channel, 1 here"),
        ({"samples": np.zeros((4, 1)), "unit": "x" * 65}, "text of at most 64 bytes"),
        ({"samples": np.zeros((4, 1)), "values": np.zeros((4, 2))}, "must have one shape"),
        ({}, "a signal needs values, or samples"),
        (
            {"values": np.zeros((4, 1)), "mask": np.ones(5, bool)},
            "mask must be bool of shape (4,), got bool of shape (5,)",
        ),
        ({"values": np.zeros((4, 1)), "mask": np.ones(4)}, "mask must be bool of shape (4,), got float64"),
        ({"values": np.zeros((4, 1)), "mask": np.zeros(4, bool)}, "no sample is known"),
        ({"values": np.zeros((4, 1)), "periodic": [True, False]}, "periodic needs one entry per axis, got 2"),
        ({"values": np.zeros((4, 1)), "periodic": [1]}, "periodic needs a bool per axis"),
        ({"coords": Grid((1, 4)), "values": np.zeros((4, 1)), "periodic": [True, False]}, "at least two samples"),
        ({"coords": np.zeros((4, 1)), "values": np.zeros((4, 1)), "periodic": [True]}, "scattered points have no per"),
    ],
)
def test_what_breaks_a_rule_is_refused_in_one_line(choices, says):
    with pytest.raises(SignalError) as refused:
        Signal(**{"coords": Grid((4,)), "modality": "x", **choices})
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_hidden_or_nan_anywhere_is_not_known():
    hidden = np.ma.masked_array(np.ones((4, 1)), [[0], [1], [0], [0]])
    holes = np.array([[1], [1], [np.nan], [1]])
    for choices in ({"values": hidden}, {"samples": hidden}, {"values": np.ones((4, 1)), "samples": hidden}):
        assert Signal(Grid((4,)), modality="x", **choices).mask.tolist() == [True, False, True, True]
    signal = Signal(Grid((4,)), np.ones((4, 1)), "x", samples=holes, mask=np.array([False, True, True, True]))
    assert signal.mask.tolist() == [False, True, False, True]
    filled = np.ma.masked_array(np.full((4, 1), 1e30), [[0], [1], [1], [1]])
    filled[0] = 2
    assert Signal(Grid((4,)), modality="x", samples=filled, scale=4).values.ravel().tolist() == [0.5, 0, 0, 0]


def test_circles_are_said_by_the_grid_or_by_the_signal():
    circle = Grid((4, 3), periodic=(True, False))
    values = np.zeros((12, 1))
    assert Signal(circle, values, "x").periodic == (True, False)
    assert Signal(circle, values, "x", periodic=(False, False)).periodic == (True, False)
    assert Signal(Grid((4, 3)), values, "x", periodic=np.array([True, False])).coords == circle
    plain = Signal(Grid((4, 3)), values, "x")
    assert dataclasses.replace(plain, coords=circle).periodic == (True, False)
    with pytest.raises(SignalError, match="say it once"):
        Signal(circle, values, "x", periodic=(False, True))
    with pytest.raises(SignalError, match="one entry per axis"):
        Signal(Grid((4, 3)), values, "x", periodic=(False,))


def test_a_fill_that_the_type_lacks_is_refused():
    kind = SampleType.of(np.dtype("uint8"), 1, 127.5, 127.5)
    for fill in (-1, 256, 0.5, np.nan, np.inf):
        with pytest.raises(SignalError, match="a fill of uint8 is a whole number, 0 to 255"):
            kind.samples(np.zeros((1, 1), np.float32), fill)


def test_integers_stay_within_what_values_can_be():
    deep = SampleType.of(np.dtype("int32"), 1, 2.0**23)
    assert deep.samples(np.array([[-1.5], [1.5]], np.float32)).ravel().tolist() == [-(2**23), 2**23]


def test_the_nearest_sample_of_any_place_is_one():
    grid = Grid((5, 4), periodic=(False, True))
    rows, columns = grid.nearest([[np.nan, np.inf], [-1e30, 1e30], [np.inf, -np.inf], [0.2, 1.0]])
    assert rows.tolist() == [2, 0, 4, 2]
    assert set(columns.tolist()) <= {0, 1, 2, 3}
    assert columns[3] == 0


@pytest.mark.parametrize("share", [20 / 96**2, 0.01])
def test_few_known_samples_are_fitted_as_well_as_many(share):
    axis = np.linspace(-1, 1, 96)
    values = (0.8 * np.sin(3 * axis[:, None]) * np.cos(2 * axis)).reshape(-1, 1)
    mask = np.random.default_rng(0).random(96**2) < share
    opened = encoded(Signal(Grid((96, 96)), values, "globe", mask=mask), steps=300)
    error = opened.field.on_grid(Grid((96, 96)))[mask] - values[mask]
    assert float(np.sqrt((error**2).mean())) < 0.03


def test_a_mask_too_large_for_a_file_is_refused(monkeypatch):
    monkeypatch.setattr("coordcodec.mask.MAX_BITS", 100)
    known = np.random.default_rng(0).random((20, 30)) < 0.5
    with pytest.raises(SignalError, match="a mask of 600 samples is too large, a file holds 100"):
        Mask.of(Grid((20, 30)), known.ravel())
    still = np.repeat(known[:1], 20, axis=0)
    assert Mask.of(Grid((20, 30)), still.ravel()).known.shape == (1, 30)


def test_a_circle_has_no_end():
    grid = Grid((3, 8), periodic=(False, True))
    assert np.allclose(grid.axis(0), [-1, 0, 1])
    assert np.allclose(grid.axis(1), np.arange(8) / 4 - 1)
    near = grid.nearest(np.array([[0.9, 0.99], [-0.6, -1.0], [0.2, 1.0], [0, 0.74]]))
    assert near[0].tolist() == [2, 0, 1, 1]
    assert near[1].tolist() == [0, 0, 0, 7]
    part = grid.window([(1, 3), (5, 8)])
    assert np.array_equal(part.axis(1), grid.axis(1)[5:])


def test_a_circle_is_fitted_without_a_seam():
    opened = encoded(GLOBE.signal())
    assert opened.container.periodic == (False, True)
    assert opened.container.meta["periodic"] == [False, True]
    lat = np.linspace(-1, 1, 20)
    ends = [opened.field(np.stack([lat, np.full(20, side)], axis=1)) for side in (-1.0, 1.0)]
    assert np.allclose(*ends, atol=1e-5)
    assert opened.section.spec.features == 3 * (1 + 2 * opened.section.spec.num_frequencies)


def test_a_circle_that_is_cut_is_fitted_as_any_other_axis():
    signal = GLOBE.signal(land=True)
    opened = encoded(signal, part_points=64, margin=20, gains=True, steps=400)
    spec = opened.section.spec
    assert spec.partition.counts[1] > 1
    assert spec.features == 2 * (1 + 2 * spec.num_frequencies)
    error = on_grid(opened.field, signal.coords)[signal.mask] - signal.values[signal.mask]
    assert np.sqrt((error**2).mean()) < 0.1


def test_a_learned_initialisation_does_not_fit_a_circle(photograph):
    image = codec.find_modality(photograph, "image")
    signal = dataclasses.replace(image.read(photograph), periodic=(True, False))
    recipe = codec.make_recipe(image, device="cpu", init="image-w32", effort=1)
    with pytest.raises(InitialisationError, match="without periodic axes, this signal has some; use --init none"):
        codec.compress_signal(signal, image, recipe)
    assert not codec.compress_signal(signal, image, recipe.replace(init="auto", siren={"steps": 20})).init


@pytest.mark.parametrize("choices", [{}, {"part_points": 64, "margin": 10, "gains": True}, {"quantizer": "qat"}])
def test_masked_samples_are_ignored_by_the_fit(choices):
    signal = GLOBE.signal(land=True)
    wild = np.where(signal.mask[:, None], signal.values, np.float32(np.nan))
    other = dataclasses.replace(signal, values=wild, mask=None)
    hidden = dataclasses.replace(signal, values=np.where(signal.mask[:, None], signal.values, np.float32(1)))
    assert np.array_equal(other.mask, signal.mask)
    first, *others = (encoded(s, **choices).data for s in (signal, other, hidden))
    assert set(others) == {first}
    assert first != encoded(dataclasses.replace(hidden, mask=None), **choices).data


def test_masked_samples_do_not_pull_at_the_others():
    """A cliff where nobody looks costs nothing."""
    signal = GLOBE.signal(land=True)
    cliff = dataclasses.replace(signal, values=np.where(signal.mask[:, None], signal.values, -1), mask=None)
    errors = []
    for given_ in (signal, cliff):
        values = on_grid(encoded(given_, steps=600).field, signal.coords)
        errors.append(float(((values - signal.values)[signal.mask] ** 2).mean()))
    assert errors[0] < 0.5 * errors[1]


def test_a_part_without_a_known_sample_is_no_trouble():
    grid = Grid((8, 32))
    mask = np.ones(grid.shape, bool)
    mask[:, :16] = False
    values = np.sin(grid.coords()[:, :1] * 3)
    signal = Signal(grid, values, "globe", mask=mask.ravel())
    opened = encoded(signal, part_points=64, gains=True, quantizer="rd", steps=200)
    decoded = on_grid(opened.field, grid)
    assert np.array_equal(np.isnan(decoded[:, 0]), ~signal.mask)
    assert np.abs(decoded - values)[signal.mask].mean() < 0.2


def test_scattered_samples_that_are_masked_are_left_out():
    rng = np.random.default_rng(0)
    coords, mask = rng.uniform(-1, 1, (300, 2)).astype(np.float32), np.arange(300) % 3 > 0
    values = np.where(mask, coords[:, 0], np.nan)[:, None]
    whole = encoded(Signal(coords[mask], values[mask], "globe"))
    assert encoded(Signal(coords, values, "globe")).data == whole.data
    assert np.isfinite(whole.field(coords)).all()


def test_the_field_is_nan_where_the_nearest_sample_is_masked():
    signal = GLOBE.signal(land=True)
    opened = encoded(signal)
    assert np.array_equal(np.isnan(opened.field.on_grid(signal.coords)[:, 0]), ~signal.mask)
    fine = np.random.default_rng(0).uniform(-1, 1, (2000, 2))
    assert np.array_equal(np.isnan(opened.field(fine)), np.isnan(nearest_field(signal)(fine)))
    window = signal.coords.window([(2, 7), (3, 15)])
    mine = opened.field.on_grid(window).reshape(window.shape)
    whole = opened.field.on_grid(signal.coords).reshape(signal.coords.shape)[window.place]
    assert np.allclose(mine, whole, atol=1e-5, equal_nan=True)


def test_a_file_gives_back_samples_in_their_own_type_and_unit():
    signal = GLOBE.signal(typed=True, land=True)
    opened = encoded(signal, steps=500)
    assert opened.data[4] == 5
    assert opened.sample_type == SampleType("int16", (50.0,), (250.0,), "°C")
    samples = opened.samples()
    assert (samples.dtype, samples.shape) == (np.int16, signal.samples.shape)
    assert (samples[~signal.mask] == -(1 << 15)).all()
    assert (opened.samples(fill=-1)[~signal.mask] == -1).all()
    assert np.abs(samples - signal.samples)[signal.mask].mean() < 3
    info = opened.info
    assert info["samples"] == {"dtype": "int16", "scale": 50.0, "offset": 250.0, "unit": "°C"}
    assert info["unknown"] == int((~signal.mask).sum())
    assert sum(info["sections"].values()) == len(opened.data)
    assert info["sections"]["mask"] > 0


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_pictures_give_back_their_pixels(photograph, kind):
    pixels = np.dstack([photograph, photograph[:, :, :1]]).astype(kind) * (257 if kind == np.uint16 else 1)
    data = coordcodec.compress(pixels, modality="image", num_bytes=1500, siren={"steps": 40}, init="none")
    opened = coordcodec.open(data)
    assert data[4] <= 4
    samples = opened.samples()
    assert samples.dtype == kind
    assert np.array_equal(samples.reshape(pixels.shape), opened.render())


@pytest.mark.parametrize(
    ("depth", "kind"), [("PCM_U8", np.int8), ("PCM_16", np.int16), ("PCM_24", np.int32), ("FLOAT", np.float32)]
)
def test_sounds_give_back_their_samples(depth, kind, tmp_path):
    import soundfile

    waves = np.sin(np.arange(4000) / 9)[:, None] * 0.6
    soundfile.write(tmp_path / "a.wav", waves, 8000, depth)
    audio = codec.find_modality(tmp_path / "a.wav", None)
    signal = audio.read(tmp_path / "a.wav")
    assert signal.samples.dtype == kind
    dtype, unit = {"PCM_U8": ("int16", 256), "PCM_24": ("int32", 256), "FLOAT": ("float32", 1)}.get(depth, ("int16", 1))
    heard, _ = soundfile.read(tmp_path / "a.wav", dtype=dtype, always_2d=True)
    assert np.array_equal(signal.samples, heard / unit)
    data = coordcodec.compress(tmp_path / "a.wav", num_bytes=900, siren={"steps": 40}, init="none")
    assert data[4] <= 4
    samples = coordcodec.open(data).samples()
    assert (samples.dtype, samples.shape) == (kind, (4000, 1))
    coordcodec.decompress(data, tmp_path / "b.wav")
    assert np.array_equal(audio.read(tmp_path / "b.wav").samples, samples)


def test_samples_that_cannot_be_had_are_refused(waves):
    scattered = Signal(np.zeros((3, 2), np.float32), np.zeros((3, 1)), "globe")
    with pytest.raises(SignalError, match="does not hold the places of scattered points"):
        encoded(scattered).samples()
    large = encoded(dataclasses.replace(waves, modality="globe"))
    forged = dataclasses.replace(large.container, meta={**large.container.meta, "shape": [1 << 20, 1 << 19]})
    with pytest.raises(SignalError, match="too many samples to return at once"):
        dataclasses.replace(large, container=forged).samples()


def test_what_neither_file_nor_plugin_says_is_said(monkeypatch):
    opened = encoded(GLOBE.signal())
    monkeypatch.setattr(coordcodec.decoder, "plugins", None)
    monkeypatch.setattr(type(opened), "modality", GLOBE)
    with pytest.raises(SignalError, match="does not say what its samples are, nor does 'globe'"):
        opened.samples()


def test_long_byte_strings_survive():
    profile = np.random.default_rng(0).bytes(300_000)
    signal = GLOBE.signal({"profile": profile, "text": b"word " * 4000, "note": "kept"}, circle=False)
    opened = encoded(signal)
    assert dict(opened.container.meta) == dict(signal.meta)
    assert 300_000 < len(opened.data) < 302_000
    assert opened.info["meta"]["profile"] == {"bytes": 300_000}
    with pytest.raises(ContainerError, match="side data take 67108865 bytes, a file holds 67108864"):
        encoded(GLOBE.signal({"a": bytes((1 << 26) + 1)}))


def test_a_target_in_bytes_counts_mask_and_side_data():
    signal = GLOBE.signal({"profile": bytes(range(256))}, land=True, typed=True)
    recipe = codec.make_recipe(GLOBE, device="cpu", num_bytes=700, siren={"steps": 60, "width": None})
    data = codec.compress_signal(signal, GLOBE, recipe).data
    assert 600 < len(data) <= 700
