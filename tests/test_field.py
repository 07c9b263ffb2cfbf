"""NetCDF fields: what is read comes back, numbers within their bound and everything else exactly."""

import io
import sys
import warnings

import h5netcdf
import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import netcdf_file

from coordcodec import codec
from coordcodec.errors import ContainerError, FileError, RecipeError, SignalError
from coordcodec.testing import check_modality, nearest_field
from coordcodec_field import lattice, netcdf
from coordcodec_field.modality import Field

FIELD = Field()
LAT, LON = np.linspace(-60, 60, 9), (np.arange(16) * 22.5 - 180).astype(np.float32)
SMOOTH = 280 + 10 * np.cos(np.radians(LAT))[:, None] * np.cos(np.radians(LON)) + np.arange(3)[:, None, None]
UNITS = {"units": "K", "long_name": "Air temperature"}


def axes(step=1.0):
    time = ("time", [0.0, 31, 59], {"units": "days since 2001-01-01", "calendar": "noleap"})
    lat, lon = ("lat", LAT, {"units": "degrees_north"}), ("lon", LON * np.float32(step), {"units": "degrees_east"})
    return {"time": time, "lat": lat, "lon": lon}


def saved(folder, numbers=SMOOTH, attrs=UNITS, step=1.0, name="t", **others):
    """A file of one variable: `attrs` as they are, so that nothing is packed or filled by the writer."""
    data = xr.Dataset({name: (["time", "lat", "lon"], np.asarray(numbers), attrs), **others}, axes(step))
    data.attrs = {"title": "a test", "levels": np.array([1, 2, 3], np.int16)}
    path = folder / "field.nc"
    encoding = {n: {"_FillValue": None} for n in data.variables if "_FillValue" not in data[n].attrs}
    data.to_netcdf(path, engine="h5netcdf", encoding=encoding)
    return path


def plain(source):
    """A file, or its bytes, with nothing decoded."""
    source = io.BytesIO(source) if isinstance(source, bytes) else source
    return xr.open_dataset(source, engine="h5netcdf", decode_times=False, mask_and_scale=False, decode_coords=False)


def perfect(signal, format=".nc"):
    """What is written of a field that knows every sample."""
    target = io.BytesIO()
    FIELD.write(nearest_field(signal), signal.meta, target, format=format)
    return target.getvalue()


def kept(signal, **choices):
    """What is written of a compressed file, and its samples."""
    recipe = codec.make_recipe(FIELD, **choices)
    opened = codec.open(codec.compress_signal(signal, FIELD, recipe).data)
    target = io.BytesIO()
    FIELD.write(opened.field, opened.container.meta, target, format=".nc")
    return target.getvalue(), opened


def masked(numbers=SMOOTH, missing=np.nan):
    found = np.array(numbers)
    found[:, 2:5, 3:9] = missing
    return found


PACKED = {**UNITS, "scale_factor": np.float32(0.01), "add_offset": np.float32(280), "_FillValue": np.int16(-32768)}
EXAMPLES = {
    "circle": (SMOOTH, UNITS, 1.0),
    "masked": (masked().astype(np.float32), {**UNITS, "_FillValue": np.float32(1e20)}, 0.1),
    "packed": (masked(np.rint((SMOOTH - 280) * 100), -32768).astype(np.int16), PACKED, 0.1),
    "integers": (masked(np.rint(SMOOTH), -999).astype(np.int16), {"valid_min": np.int16(0), "units": "$1"}, 0.1),
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_it_keeps_the_contract(example, tmp_path):
    numbers, attrs, step = EXAMPLES[example]
    check_modality(FIELD, saved(tmp_path, numbers, attrs, step))


def test_numbers_on_one_axis_keep_the_contract():
    check_modality(FIELD, np.sin(np.arange(50) / 5))


def test_all_but_the_numbers_comes_back_exactly(tmp_path):
    lat2 = np.add.outer(LAT, LON.astype(float)) * np.pi
    others = {
        "lat2": (("lat", "lon"), lat2, {"units": "degrees"}),
        "age": ("time", np.array([3, 1, 2], np.int32), {"units": "days", "bounds": "age_bounds"}),
        "age_bounds": (("time", "two"), np.array([[1, 2], [0.1, 0.2], [np.nan, -0.0]])),
        "height": ((), np.float64(1.5), {"positive": "up"}),
        "crs": ((), np.int32(0), {"grid_mapping_name": "latitude_longitude", "earth_radius": 6371229.0}),
    }
    named = {"coordinates": "lat2 age height", "grid_mapping": "crs", "valid_range": np.array([0, 400.0])}
    path = saved(tmp_path, SMOOTH, {**UNITS, **named, "flags": ["a", "b"]}, **others)
    before, after = plain(path), plain(kept(FIELD.read(path, coordinates="all"), max_error=0.5)[0])
    assert set(after.variables) == set(before.variables)
    assert after.sizes == before.sizes
    assert str(after.attrs) == str(before.attrs)  # in their order, too
    for name, variable in before.variables.items():
        assert after[name].dims == variable.dims
        assert after[name].dtype == variable.dtype
        assert str(after[name].attrs) == str(variable.attrs)
        if name != "t":
            assert after[name].values.tobytes() == variable.values.tobytes(), name
    assert float(abs(after.t - before.t).max()) <= 0.5
    assert after.t.encoding.get("scale_factor") is None


def test_what_is_rendered_is_decoded(tmp_path):
    signal = FIELD.read(saved(tmp_path, *EXAMPLES["packed"]))
    array = FIELD.render(nearest_field(signal), signal.meta)
    assert (array.name, array.dims, array.units, array.dtype) == ("t", ("time", "lat", "lon"), "K", np.float32)
    assert array.time.units == "days since 2001-01-01"
    assert np.array_equal(np.isnan(array), np.isnan(masked()))
    bare = np.load(io.BytesIO(perfect(signal, ".npy")))
    np.testing.assert_array_equal(bare, array)
    integers = FIELD.read(saved(tmp_path, *EXAMPLES["integers"]))
    assert FIELD.render(nearest_field(integers), integers.meta).isnull().sum() == np.isnan(masked()).sum()


def test_coordinates_on_several_axes_are_a_choice(tmp_path):
    rough = np.random.default_rng(0).random((9, 16))
    path = saved(tmp_path, SMOOTH, {**UNITS, "coordinates": "rough"}, rough=(("lat", "lon"), rough))
    with pytest.warns(UserWarning, match="t is taken without the coordinates rough; to keep them: --coordinates all"):
        assert "rough" not in plain(perfect(FIELD.read(path)))
    with pytest.warns(UserWarning, match="rough"):
        FIELD.read(path, coordinates="axes")
    assert np.array_equal(plain(perfect(FIELD.read(path, coordinates="all"))).rough, rough)
    with pytest.raises(RecipeError, match="coordinates is one of auto, all, axes, got 'some'"):
        FIELD.read(path, coordinates="some")


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("layers", ["siren", "detail"])
def test_masked_cells_come_back_exactly_and_do_not_count(layers, moving, tmp_path):
    numbers = masked()
    if moving:
        numbers[0] = 270.0
    signal = FIELD.read(saved(tmp_path, numbers, step=0.1))
    written, opened = kept(signal, num_bytes=900, effort=1, layers=layers)
    assert np.array_equal(np.isnan(plain(written).t), np.isnan(numbers))
    scores = FIELD.score(opened.field, signal)
    assert scores["rmse"] <= scores["max_error"] < 20
    exact = nearest_field(signal)
    assert FIELD.score(exact, signal)["max_error"] < 1e-4
    assert FIELD.score(lambda coords: np.nan_to_num(exact(coords), nan=9), signal) == FIELD.score(exact, signal)


@pytest.mark.parametrize(
    ("raw", "attrs", "hidden"),
    [
        (np.float32([1, 2, 9.969209968386869e36]), {}, [2]),
        (np.float64([1, 2, 9.969209968386869e36]), {}, [2]),
        (np.int16([1, 2, -32767]), {}, [2]),
        (np.float32([1, 2, np.nan]), {"valid_range": "0, 100"}, [2]),
        (np.float64([1, -5, 900]), {"valid_range": "0, 100"}, [1, 2]),
        (np.float32([1, -999, 277]), {"valid_min": "0"}, [1]),
        (np.float32([1, -999.9, -5]), {"missing_value": np.float64(-999.9)}, [1]),
        (np.float32([1, -999, -5]), {"missing_value": "-999"}, [1]),
        (np.float32([1, -999, 1e20]), {"missing_value": np.float32(1e20), "_FillValue": np.float32(-999)}, [1, 2]),
        (np.uint16([1, 2, 65535]), {}, [2]),
        (np.int32([1, 2, -2147483647]), {}, [2]),
        (np.uint32([1, 2, 4294967295]), {}, [2]),
        (np.int64([1, 2, -9223372036854775806]), {}, [2]),
        (np.uint64([1, 2, 18446744073709551614]), {}, [2]),
        (np.float32([1, np.nan, 1e20]), {"missing_value": 1e20}, [1, 2]),
        (np.float32([1, -5, 900]), {"valid_range": np.float32([0, 100])}, [1, 2]),
        (np.float32([100, -999, 277]), {"valid_min": np.float32(100)}, [1]),
        (np.uint8([0, 7, 255]), {"_FillValue": np.uint8(7)}, [1]),
        (np.uint8([*range(256)]), {"_FillValue": np.uint8(7)}, [7]),
        (np.int32([5, 6, 7]), {"missing_value": np.array([6, 8], np.int32)}, [1]),
        (np.int8([-1, -2, 5]), {"_Unsigned": "true", "_FillValue": np.int8(-1)}, [0]),
    ],
)
def test_what_is_missing(raw, attrs, hidden, tmp_path):
    raw = np.resize(raw, 256 if len(raw) > 3 else 3)
    data = xr.Dataset({"v": ("x", raw, attrs)})
    encoding = {} if "_FillValue" in attrs else {"v": {"_FillValue": None}}
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf", encoding=encoding)
    signal = FIELD.read(tmp_path / "a.nc")
    known = np.ones(len(raw), bool) if signal.mask is None else signal.mask
    assert np.flatnonzero(~known).tolist() == hidden
    back = FIELD.read(io.BytesIO(perfect(signal)))
    again = np.ones(len(raw), bool) if back.mask is None else back.mask
    assert np.array_equal(again, known)
    np.testing.assert_array_equal(back.samples[known], signal.samples[known])
    array = FIELD.render(nearest_field(signal), signal.meta)
    assert np.flatnonzero(np.isnan(array)).tolist() == hidden


@pytest.mark.parametrize("fill", [np.int8(-127), np.uint8(255)])
def test_bytes_that_perhaps_nobody_wrote_are_said(fill, tmp_path):
    xr.Dataset({"v": ("x", np.array([1, 2, fill, fill], fill.dtype))}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.warns(UserWarning, match=f"2 cells of v hold {fill}, which NetCDF writes where nobody did"):
        signal = FIELD.read(tmp_path / "a.nc")
    assert signal.mask is None


@pytest.mark.parametrize(("dtype", "fill"), [("i2", -32767), ("u4", 4294967295), ("i8", -9223372036854775806)])
def test_readers_that_know_no_default_find_the_missing_ones_too(dtype, fill, tmp_path):
    numbers = np.rint(SMOOTH).astype(dtype)
    numbers[0, 0, :3] = fill
    written, _ = kept(FIELD.read(saved(tmp_path, numbers)), lossless=True)
    back = xr.open_dataset(io.BytesIO(written), engine="h5netcdf", decode_times=False).t
    assert np.array_equal(np.isnan(back), numbers == fill)


def packed(folder, attrs, scale=0.001):
    """SMOOTH in thousandths from 280 on, two cells far off, which a valid range may hide."""
    raw = np.rint((SMOOTH - 280) / scale).astype(np.int16)
    raw[0, 0, :2] = -32768, 32767
    return saved(folder, raw, {"scale_factor": scale, "add_offset": 280.0, **attrs})


def test_valid_ranges_are_of_packed_numbers_unless_that_makes_no_sense(tmp_path):
    for limits in (np.int16([-20000, 20000]), np.float32([-20000, 20000]), np.float64([-20000, 20000])):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            signal = FIELD.read(packed(tmp_path, {"valid_range": limits}))
        assert int((~signal.mask).sum()) == 2
        assert len(caught) == (limits.dtype.kind == "f")
    with pytest.warns(UserWarning, match="taken as one of unpacked numbers; 2 cells count as missing"):
        signal = FIELD.read(packed(tmp_path, {"valid_min": 260.0, "valid_max": 300.0}))
    assert int((~signal.mask).sum()) == 2
    with pytest.warns(UserWarning, match="of unpacked numbers"):
        again = FIELD.read(packed(tmp_path, {"valid_range": np.array([260.0, 300.0])}, scale=-0.001))
    assert np.array_equal(again.mask, signal.mask)
    assert float(signal.samples[signal.mask].min()) == pytest.approx(float(SMOOTH.min()), abs=0.01)


@pytest.mark.parametrize(("scale", "offset"), [(0.001, 1e9), (1e35, 0)])
def test_what_float32_cannot_tell_apart_is_unpacked_in_float64(scale, offset, tmp_path):
    raw = np.rint((SMOOTH - 280) * 1000).astype(np.int16)
    attrs = {"scale_factor": np.float32(scale), "add_offset": np.float32(offset)}
    signal = FIELD.read(saved(tmp_path, raw, attrs))
    expected = raw.reshape(-1, 1) * np.float64(np.float32(scale)) + np.float64(np.float32(offset))
    np.testing.assert_array_equal(signal.samples, expected)


def test_floating_point_numbers_may_be_packed_too(tmp_path):
    signal = FIELD.read(saved(tmp_path, SMOOTH.astype(np.float32), {"scale_factor": np.float32(0.5), "units": "K"}))
    np.testing.assert_allclose(signal.samples[:, 0], SMOOTH.ravel() / 2, rtol=1e-6)
    for attrs in ({"scale_factor": np.nan}, {"add_offset": np.inf}):
        with pytest.raises(SignalError, match=r"t has the scale_factor .* expected finite numbers"):
            FIELD.read(saved(tmp_path, SMOOTH, attrs))


@pytest.mark.parametrize("factor", [1e-200, 1e39, 1e200, 1e297])
def test_numbers_of_any_size_are_scored_and_written(factor, tmp_path):
    signal = FIELD.read(saved(tmp_path, SMOOTH * factor))
    found = FIELD.score(nearest_field(signal), signal)
    back = plain(perfect(signal)).t
    assert back.dtype == np.float64
    errors = np.abs(back.values - SMOOTH * factor)
    assert found["max_error"] == pytest.approx(float(errors.max()), rel=1e-6)
    assert found["rmse"] / factor == pytest.approx(float(np.sqrt(((errors / factor) ** 2).mean())), rel=1e-6)
    assert found["psnr_db"] > 150


def test_a_small_range_far_from_zero_keeps_its_precision(tmp_path):
    signal = FIELD.read(saved(tmp_path, SMOOTH + 1e9))
    back = plain(perfect(signal)).t
    assert back.dtype == np.float64
    errors = np.abs(back.values - (SMOOTH + 1e9))
    assert float(errors.max()) < 1e-3
    assert FIELD.score(nearest_field(signal), signal)["max_error"] == float(errors.max())


def test_the_score_is_that_of_what_is_written(tmp_path):
    half = SMOOTH.astype(np.float16)
    signal = FIELD.read(saved(tmp_path, half, {"valid_max": np.float16(295)}))

    def off(coords):
        return nearest_field(signal)(coords) * np.float32(1.01)

    target = io.BytesIO()
    FIELD.write(off, signal.meta, target, format=".nc")
    back = plain(target.getvalue()).t
    known = signal.mask if signal.mask is not None else np.ones(half.size, bool)
    errors = np.abs(back.values.astype(np.float64) - half).ravel()[known]
    assert FIELD.score(off, signal)["max_error"] == float(errors.max())


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 9.969209968386869e36])
def test_coordinates_of_an_axis_that_are_no_places_are_refused(wrong, tmp_path):
    path = saved(tmp_path)
    with h5py.File(path, "r+") as file:
        file["lat"][4] = wrong
    with pytest.raises(SignalError, match="the coordinate lat has 1 numbers that are missing, NaN or infinite"):
        FIELD.read(path)


def test_numbers_in_other_files_are_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(8 * 100))
    with h5py.File(tmp_path / "other.nc", "w") as file:
        file["t"] = np.zeros(100)
    path = tmp_path / "a.nc"

    def outside(file):
        file.create_dataset("t", (100,), np.float64, external=[(str(secret), 0, 800)])

    def virtual(file):
        layout = h5py.VirtualLayout((100,), np.float64)
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.nc"), "t", (100,))
        file.create_virtual_dataset("t", layout)

    def linked(file):
        file["t"] = h5py.ExternalLink(str(tmp_path / "other.nc"), "t")

    def deep(file):
        outside(file.create_group("a/b"))

    for made in (outside, virtual, linked, deep):
        with h5py.File(path, "w") as file:
            file["fine"] = np.arange(10.0)
            made(file)
        with pytest.raises(SignalError, match=r"a.nc has .*'(a/b/)?t' in another file"):
            FIELD.read(path)


def test_a_heap_without_an_end_is_refused(tmp_path):
    path = saved(tmp_path)
    data = bytearray(path.read_bytes())
    at = data.index(b"GCOL") + 16
    while number := int.from_bytes(data[at : at + 2], "little"):
        assert number < 1000
        at += 16 + (int.from_bytes(data[at + 8 : at + 16], "little") + 7) // 8 * 8
    data[at + 8 : at + 16] = bytes(8)  # of the free space, behind which libhdf5 would look for ever
    path.write_bytes(data)
    for source in (path, io.BytesIO(data)):
        with pytest.raises(SignalError, match="one of its global heaps has no end"):
            FIELD.read(source)


def test_sizes_are_looked_at_before_numbers_are_read(tmp_path):
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file.create_dataset("t", (1 << 20, 1 << 20), np.float64, chunks=(1024, 1024))
    with pytest.raises(SignalError, match=r"t has 1099511627776 numbers, 268435456 at most are read"):
        FIELD.read(tmp_path / "a.nc")


def test_a_fill_amid_the_numbers_hides_none_that_is_decoded(tmp_path):
    numbers = np.rint(SMOOTH).astype(np.int16)
    numbers[0, 0, :3] = 281
    signal = FIELD.read(saved(tmp_path, numbers, {"_FillValue": np.int16(281)}))
    written, _ = kept(signal, max_error=2)
    assert np.array_equal(FIELD.read(io.BytesIO(written)).mask, signal.mask)


def test_an_array_has_no_fill_by_default():
    numbers = np.array([-32767, 5, 32766], np.int16)
    signal = FIELD.read(numbers)
    assert signal.mask is None
    assert plain(perfect(signal)).data._FillValue == -32768
    assert FIELD.read(io.BytesIO(perfect(signal))).mask is None
    whole = FIELD.read(np.array([-32768, -32767, 32767], np.int16))
    assert plain(perfect(whole)).data.dtype == np.int32
    assert FIELD.read(io.BytesIO(perfect(whole))).mask is None


def test_numbers_stay_in_their_valid_range(tmp_path):
    rain = np.maximum(0, SMOOTH - 285).astype(np.float32)
    signal = FIELD.read(saved(tmp_path, rain, {"valid_min": np.float32(0), "units": "mm"}))
    written, _ = kept(signal, max_error="0.5mm")
    back = plain(written).t
    assert float(back.min()) >= 0
    assert float(abs(back - rain).max()) <= 0.5
    assert FIELD.read(io.BytesIO(written)).mask is None


def test_packed_integers_become_numbers_in_their_unit_or_stay(tmp_path):
    numbers, attrs, step = EXAMPLES["packed"]
    path = saved(tmp_path, numbers, attrs, step)
    signal = FIELD.read(path)
    assert (signal.samples.dtype, signal.unit) == (np.float32, "K")
    expected = xr.open_dataset(path, engine="h5netcdf", decode_times=False).t
    np.testing.assert_allclose(signal.samples.reshape(SMOOTH.shape), expected, rtol=2e-7)
    written, _ = kept(signal, max_error="0.1K")
    after = plain(written).t
    assert after.dtype == np.float32
    assert not {"scale_factor", "add_offset"} & set(after.attrs)
    assert float(abs(after.where(after < 1e19) - expected).max()) <= 0.1
    with pytest.warns(UserWarning, match="t is kept packed: errors are in its packed numbers, not in its unit"):
        signal = FIELD.read(path, packed="keep")
    written, _ = kept(signal, lossless=True)
    np.testing.assert_array_equal(plain(written).t, numbers)
    assert plain(written).t.attrs == plain(path).t.attrs
    double = {**attrs, "scale_factor": 0.01}
    assert FIELD.read(saved(tmp_path, numbers, double, step)).samples.dtype == np.float64


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_integers_come_back_exactly(dtype, tmp_path):
    numbers = np.rint(SMOOTH - 260).astype(dtype)
    written, opened = kept(FIELD.read(saved(tmp_path, numbers)), lossless=True)
    assert plain(written).t.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(plain(written).t, numbers)
    assert opened.samples().dtype.kind == numbers.dtype.kind or dtype[1] == "8"


def test_integers_that_no_sample_holds(tmp_path):
    signal = FIELD.read(np.array([1, 2, 1 << 40]))
    assert signal.samples.dtype == np.float64
    with pytest.warns(UserWarning, match="more than 53 bits"):
        FIELD.read(np.array([1, 2, (1 << 60) + 1]))


def test_a_circle_of_longitudes_is_an_axis_without_ends(tmp_path):
    assert FIELD.read(saved(tmp_path)).periodic == (False, False, True)
    assert not any(FIELD.read(saved(tmp_path, step=0.5)).periodic)
    opened = kept(FIELD.read(saved(tmp_path)), max_error=0.2)[1]
    assert opened.container.meta["periodic"] == [False, False, True]


def test_axes_of_one_sample_come_back(tmp_path):
    data = xr.Dataset({"t": (("run", "y", "x", "end"), SMOOTH[:1, :, :, None].astype(np.float32))}, {"run": [7.0]})
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    signal = FIELD.read(tmp_path / "a.nc")
    assert signal.meta["shape"] == [9, 16]
    assert plain(perfect(signal)).t.shape == (1, 9, 16, 1)
    single = FIELD.read(np.array([[5.0]]))
    assert single.meta["shape"] == [1]
    assert np.load(io.BytesIO(perfect(single, ".npy"))).shape == (1, 1)


def test_classic_files_and_streams_are_read(tmp_path):
    path = tmp_path / "old.cdf"
    with netcdf_file(path, "w") as file:
        for name, values, unit in (("lat", LAT, "degrees_north"), ("lon", LON, "degrees_east")):
            file.createDimension(name, len(values))
            file.createVariable(name, values.dtype.str[1:], (name,))[:] = values
            file.variables[name].units = unit
        file.createVariable("t", "f", ("lat", "lon"))[:] = SMOOTH[0]
        file.variables["t"].units = "K"
    signal = FIELD.read(path)
    assert (signal.unit, signal.periodic, signal.samples.dtype) == ("K", (False, True), np.float32)
    assert FIELD.read(io.BytesIO(path.read_bytes())).meta == signal.meta
    assert plain(perfect(signal)).lat.values.tobytes() == LAT.tobytes()


def test_the_variable_can_be_chosen(tmp_path):
    words = ("word", np.array(["a", "bc"], dtype="S2"))
    path = saved(tmp_path, flat=(("lat", "lon"), SMOOTH[0]), kind=words)
    with pytest.warns(UserWarning, match=r"t is taken without (flat, kind|kind, flat)"):
        assert FIELD.read(path).meta["shape"] == [3, 9, 16]
    with pytest.warns(UserWarning, match="flat is taken without"):
        assert FIELD.read(path, variable="flat").meta["shape"] == [9, 16]
    for name, words in (
        ("wind", "there is no variable 'wind'"),
        ("kind", "is no number"),
        ("lat", "is the coordinate"),
    ):
        with pytest.raises(SignalError, match=f"{words}.*; choose from: t, flat|{words}.*choose from: flat, t"):
            FIELD.read(path, variable=name)


def bad(folder, data):
    path = folder / "bad.nc"
    data.to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (xr.Dataset(coords={"x": [1.0, 2]}), "no variable with numbers on 1 to 4 axes, only x"),
        (xr.Dataset(), "the file is empty"),
        (xr.Dataset({"s": ("x", np.array(["a", "b"], "S1"))}), "no variable with numbers .* only s"),
        (xr.Dataset({"v": ("abcde", np.ones(3))}).expand_dims(a=2, b=2, c=2, d=2), "has 5 axes"),
        (xr.Dataset({"v": ("x", [np.nan] * 3)}), "v holds no known number"),
        (xr.Dataset({"v": ("x", [1.0, np.inf])}), "v has 1 infinite numbers"),
        (xr.Dataset({"v": ("x", [1.0, 1e308])}), "v has numbers up to 1e.308"),
        (
            xr.Dataset({"v": ("x", [1.0, 2])}, {"x": [0.0, np.nan]}),
            "the coordinate x has 1 numbers that are missing, NaN or infinite",
        ),
        (xr.Dataset({"v": ("x", np.zeros(0))}), "v holds no numbers"),
    ],
)
def test_bad_files_are_refused_in_one_line(data, words, tmp_path):
    if "v" in data and data.v.dims and data.v.dims[-1] == "abcde":
        data = data.rename(abcde="e")
    with pytest.raises(SignalError, match=words) as caught:
        FIELD.read(bad(tmp_path, data))
    assert "\n" not in str(caught.value)
    assert "None" not in str(caught.value)


def test_other_bad_sources(tmp_path, monkeypatch):
    with pytest.raises(FileError, match="cannot read .*missing.nc: No such file"):
        FIELD.read(tmp_path / "missing.nc")
    with pytest.raises(SignalError, match="nccopy -k nc4"):
        FIELD.read(io.BytesIO(b"CDF\x05" + bytes(99)))
    with pytest.raises(SignalError, match="an array of numbers on 1 to 4 axes"):
        FIELD.read(np.array(["a"]))
    with pytest.raises(RecipeError, match="fields have no option resolution"):
        FIELD.read(np.ones(3), resolution=3)
    path = saved(tmp_path)
    monkeypatch.setitem(sys.modules, "h5netcdf", None)
    with pytest.raises(RecipeError, match=r'h5netcdf, which is missing: pip install "coordcodec\[field\]"'):
        FIELD.read(path)


def test_names_that_netcdf_4_does_not_have(tmp_path):
    path = tmp_path / "old.nc"
    with netcdf_file(path, "w") as file:
        file.createDimension("a/b", 3)
        file.createVariable("t", "f", ("a/b",))[:] = [1, 2, 3]
    with pytest.raises(SignalError, match="rename|no variable"):
        FIELD.read(path)


@pytest.mark.parametrize(
    "forged",
    [
        {"about": b"{}"},
        {"low": "cold"},
        {"high": 1e301},
        {"low": 5.0, "high": 4.0},
        {"type": "float16"},
        {"shape": [3, 9, 17]},
        {"axes": b"more"},
        *(
            {"about": (old, new)}
            for old, new in [
                (b'"lat":9', b'"lat":1099511627776'),
                (b'"name":"t"', b'"name":"a/b"'),
                (b'"name":"t"', b'"name":"lat"'),
                (b'["time","lat","lon"]', b'["time","lat","lat"]'),
                (b'"units":"K"', b'"units":["f8",[]]'),
                (b'["lon",["lon"],"f4",[', b'["lon",["lon"],"f4",["x",'),
                (b'"units":"K"', b'"a/b":"K"'),
                (b'["lat",["lat"],"f8"', b'["lat",["lat"],"O"'),
            ]
        ),
    ],
)
def test_forged_meta_are_refused(forged, tmp_path):
    signal = FIELD.read(saved(tmp_path))
    about = forged.get("about")
    if isinstance(about, tuple):
        assert about[0] in signal.meta["about"]
        forged = {"about": signal.meta["about"].replace(*about)}
    for action in (FIELD.render, lambda f, m: FIELD.write(f, m, io.BytesIO(), format=".nc")):
        with pytest.raises(ContainerError, match="not a field"):
            action(nearest_field(signal), {**signal.meta, **forged})


@given(st.sampled_from(["i2", "u1", "i4", "u4", "f4", "f8", "i8"]), st.integers(0, 2**32 - 1), st.integers(0, 3))
@settings(max_examples=60)
def test_any_coordinates_are_exact(dtype, seed, dims):
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(1, 6, dims))
    raw = random.integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    array = raw.view(dtype).reshape(shape)
    if seed % 3 == 0:
        array = np.cumsum(np.ones(shape), axis=-1 if dims else None).astype(dtype).reshape(shape)
    line = lattice.line_of(array)
    if line is None:
        method, data = lattice.pack(array)
        back = lattice.unpack(method, data, shape, np.dtype(dtype))
    else:
        back = lattice.on_line(*line, *shape, array.dtype)
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes()


@given(st.integers(0, 2**32 - 1), st.sampled_from(["f4", "f8", "i2", "u1", "packed"]), st.booleans())
@settings(max_examples=40)
def test_promises_are_kept(seed, kind, hide):
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(1, 9, random.integers(1, 5)))
    smooth = np.cumsum(random.normal(size=shape), axis=-1) * 10.0 ** random.integers(-3, 5)
    dtype = {"packed": "i2"}.get(kind, kind)
    if dtype[0] != "f":
        reach = np.iinfo(dtype)
        smooth = np.clip(np.rint(smooth), reach.min + 1, reach.max - 1)
    numbers = smooth.astype(dtype)
    known = random.random(shape) < 0.8 if hide else np.ones(shape, bool)
    known.flat[random.integers(known.size)] = True
    source = np.ma.masked_array(numbers, ~known)
    if kind == "packed":
        buffer = io.BytesIO()
        source = numbers if not hide else np.where(known, numbers, -32768).astype("i2")
        attrs = {"scale_factor": np.array(0.25), "add_offset": np.array(1e3), "_FillValue": np.array(-32768, "i2")}
        variable = netcdf.Variable(tuple("abcd"[: len(shape)]), source, attrs)
        netcdf.write_file(netcdf.Contents({"v": variable}), buffer)
        source, numbers = io.BytesIO(buffer.getvalue()), numbers * 0.25 + 1e3
    signal = FIELD.read(source)
    span = float(numbers[known].max().astype(float) - numbers[known].min())
    bound = max(
        span * random.choice([0.2, 0.01, 0.001]), 1.0 if kind in ("i2", "u1") else 1e-6 * abs(smooth).max(), 1e-3
    )
    written, opened = kept(signal, max_error=bound)
    back = FIELD.render(opened.field, opened.container.meta)
    assert np.array_equal(np.isnan(back), ~known)
    assert float(np.abs(back.values.astype(float) - numbers)[known].max()) <= bound
    raw = plain(written)["v" if kind == "packed" else "data"]
    assert raw.shape == shape
    assert np.array_equal(np.asarray(raw)[known], back.values[known])


def test_a_picture_is_drawn_of_any_number_of_axes():
    for shape in ((40,), (8, 9), (2, 3, 4, 5)):
        signal = FIELD.read(np.arange(np.prod(shape), dtype=float).reshape(shape))
        target = io.BytesIO()
        FIELD.preview(nearest_field(signal), signal, target)
        assert target.getvalue().startswith(b"\x89PNG")


def test_what_is_written_is_netcdf_4(tmp_path):
    with h5netcdf.File(io.BytesIO(perfect(FIELD.read(saved(tmp_path)))), "r") as file:
        assert file.variables["t"].dimensions == ("time", "lat", "lon")
        assert file.attrs["title"] == "a test"
    with pytest.raises(RecipeError, match=r"as \.nc, \.nc4, \.cdf or \.npy, not as \.png"):
        FIELD.write(None, {}, io.BytesIO(), format=".png")


def test_what_keeps_all_warns_of_nothing(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FIELD.read(saved(tmp_path))
