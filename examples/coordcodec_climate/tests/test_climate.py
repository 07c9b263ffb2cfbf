"""NetCDF fields there and back: the contract, names and units, masks, the seam of a circle of longitudes."""

from io import BytesIO
from pathlib import Path

import coordcodec
import numpy as np
import pytest
import xarray as xr
from coordcodec.errors import ContainerError, SignalError
from coordcodec.plugins import installed
from coordcodec.testing import check_modality, nearest_field

from coordcodec_climate import Climate

CUTOUT = Path(__file__).parent / "A1B_cutout.nc"
CLIMATE = Climate()
# What the reader says of the cut-out's coordinates that are not those of an axis.
pytestmark = pytest.mark.filterwarnings("ignore:air_temperature is taken without")


def smooth(step=22.5, mask=False):
    """Temperatures on five days, nine latitudes and sixteen longitudes; a step of 22.5 degrees closes the circle."""
    lat, lon = np.linspace(-60, 60, 9), np.arange(16) * step - 180
    values = 280 + 10 * np.cos(np.radians(lat))[:, None] * np.cos(np.radians(lon)) + np.arange(5)[:, None, None]
    if mask:
        values[:, 2:5, 3:9] = np.nan
    axes = {
        "time": ("time", [0.0, 31, 59, 90, 120], {"units": "days since 2001-01-01", "calendar": "noleap"}),
        "lat": ("lat", lat, {"units": "degrees_north"}),
        "lon": ("lon", lon, {"units": "degrees_east"}),
    }
    return xr.DataArray(values, axes, ["time", "lat", "lon"], "tas", {"units": "K", "long_name": "Air temperature"})


def saved(array, folder):
    path = folder / "field.nc"
    array.to_netcdf(path, engine="h5netcdf")
    return path


def there_and_back(path, **options):
    """What a perfect codec makes of a file."""
    signal = CLIMATE.read(path, **options)
    target = BytesIO()
    CLIMATE.write(nearest_field(signal), signal.meta, target, format=".nc")
    return xr.load_dataset(BytesIO(target.getvalue()), decode_times=False)


def test_it_is_installed_under_its_name():
    entry = installed().modalities.entries["climate"]
    assert (entry.package, type(entry.object)) == ("coordcodec-climate", Climate)


@pytest.mark.parametrize("example", ["masked", "global"])
def test_it_keeps_the_contract(example, tmp_path):
    check_modality(CLIMATE, saved(smooth(22.5 if "global" in example else 2.5, "masked" in example), tmp_path))


def test_real_data_keep_the_contract():
    check_modality(CLIMATE, CUTOUT)


def test_names_units_and_coordinates_come_back():
    before, after = xr.load_dataset(CUTOUT, decode_times=False).air_temperature, there_and_back(CUTOUT).air_temperature
    assert after.dims == ("time", "latitude", "longitude")
    assert (after.units, after.standard_name) == ("K", "air_temperature")
    assert (after.time.units, after.time.calendar) == ("hours since 1970-01-01 00:00:00", "360_day")
    assert after.latitude.units == "degrees_north"
    for name in after.dims:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-6)
    np.testing.assert_allclose(after, before, atol=1e-4)
    assert after.dtype == np.float32


def test_masked_cells_come_back_exactly(tmp_path):
    array = smooth(2.5, mask=True)
    after = there_and_back(saved(array, tmp_path)).tas
    assert np.array_equal(np.isnan(after), np.isnan(array))
    moving = array.copy()
    moving[0] = 270.0  # a mask that changes in time
    after = there_and_back(saved(moving, tmp_path)).tas
    assert np.array_equal(np.isnan(after), np.isnan(moving))


def test_masked_cells_do_not_count(tmp_path):
    signal = CLIMATE.read(saved(smooth(2.5, mask=True), tmp_path))
    perfect, hidden = nearest_field(signal), np.isnan(smooth(2.5, mask=True).values).ravel()
    wrong = nearest_field(coordcodec.Signal(signal.coords, np.where(hidden[:, None], 1, signal.values), "climate"))
    assert CLIMATE.score(wrong, signal) == CLIMATE.score(perfect, signal)
    assert CLIMATE.score(lambda coords: perfect(coords) * 0, signal)["rmse"] > 1


def test_any_mask_fits_and_one_that_stays_is_stored_once(tmp_path):
    noise = np.random.default_rng(0).random((60, 40, 40)) < 0.5
    array = xr.DataArray(np.where(noise, np.nan, 1.0), dims=["a", "b", "c"], name="noise")
    assert np.array_equal(np.isnan(there_and_back(saved(array, tmp_path)).noise), noise)
    still = smooth(2.5, mask=True)
    data = coordcodec.compress(saved(still, tmp_path), modality="climate", num_bytes=1500, effort=1)
    info = coordcodec.open(data).info
    assert len(data) <= 1500
    assert info["sections"]["mask"] < 40  # one map of 9 x 16 cells, not five
    assert info["unknown"] == int(np.isnan(still).sum())
    samples = coordcodec.open(data).samples()
    assert (samples.dtype, samples.shape) == (np.float64, (still.size, 1))
    assert np.array_equal(np.isnan(samples).reshape(still.shape), np.isnan(still))
    assert float(abs(samples.reshape(still.shape) - still).max()) < 1


def test_a_circle_of_longitudes_has_no_seam(tmp_path):
    signal = CLIMATE.read(saved(smooth(), tmp_path))
    assert signal.coords.periodic == (False, False, True)
    data = coordcodec.compress(saved(smooth(), tmp_path), modality="climate", num_bytes=1500, effort=1, seed=1)
    opened = coordcodec.open(data)
    assert float(abs(opened.render() - smooth()).max()) < 1
    west, east = (opened.field(np.array([[0.1, 0.2, side]])) for side in (-1, 1))
    np.testing.assert_allclose(west, east, atol=1e-5)
    assert not any(CLIMATE.read(saved(smooth(2.5), tmp_path)).coords.periodic)


def test_real_data_at_low_effort():
    data = coordcodec.compress(CUTOUT, modality="climate", num_bytes=4000, effort=1)
    assert len(data) <= 4000
    opened = coordcodec.open(data)
    assert opened.score(CLIMATE.read(CUTOUT))["rmse"] < 1.5
    assert opened.render().sizes == {"time": 24, "latitude": 19, "longitude": 25}


def test_the_variable_can_be_chosen(tmp_path):
    path = tmp_path / "two.nc"
    xr.Dataset({"flat": smooth()[0] + 1, "tas": smooth(), "kind": ("n", ["a", "b"])}).to_netcdf(path, engine="h5netcdf")
    with pytest.warns(UserWarning, match="tas is taken without .*flat"):
        assert CLIMATE.read(path).meta["name"] == "tas"
    with pytest.warns(UserWarning, match="flat is taken without .*tas"):
        assert CLIMATE.read(path, variable="flat").meta["sizes"] == [9, 16]
    with pytest.raises(SignalError, match="no numbers 'wind' on 1 to 4 axes; choose from: flat, tas"):
        CLIMATE.read(path, variable="wind")


@pytest.mark.parametrize("count", [40, 300])
def test_uneven_axes_are_kept_while_they_are_short(count, tmp_path):
    days = np.cumsum(28 + np.arange(count) % 4).astype(float)
    array = xr.DataArray(np.sin(days / 99), {"time": ("time", days, {"units": "days since 1900-01-01"})}, name="x")
    path = saved(array, tmp_path)
    if count > 64:
        with pytest.warns(UserWarning, match="x is taken without the exact spacing of time"):
            after = there_and_back(path).time
        assert 0 < float(abs(after - days).max()) < 4
    else:
        np.testing.assert_allclose(there_and_back(path).time, days)


def test_axes_of_one_cell_cost_nothing_and_come_back(tmp_path):
    array = smooth(2.5).isel(time=[2])
    signal = CLIMATE.read(saved(array, tmp_path))
    assert signal.coords.shape == (9, 16)
    after = there_and_back(tmp_path / "field.nc").tas
    assert after.sizes == array.sizes
    assert float(after.time[0]) == 59


@pytest.mark.parametrize(
    "forged",
    [
        {"dims": ["a", "a", "b"]},
        {"dims": ["a/b", "b", "c"]},
        {"name": "lat"},
        {"sizes": [5, 9, 17]},
        {"high": float("1e301")},
        {"low": "cold"},
        {"at1": 7},
    ],
)
def test_forged_meta_are_refused(forged, tmp_path):
    signal = CLIMATE.read(saved(smooth(2.5, mask=True), tmp_path))
    with pytest.raises(ContainerError, match="not a climate field"):
        CLIMATE.render(nearest_field(signal), {**signal.meta, **forged})


@pytest.mark.parametrize(
    ("attrs", "wrong", "hidden"),
    [
        ({"valid_min": 100.0}, -999, True),
        ({"valid_range": np.array([100.0, 400.0])}, 1e6, True),
        ({"missing_value": -999.0}, -999, True),
        ({}, 9.969209968386869e36, True),
        ({}, 1000.0, False),
    ],
)
def test_what_is_missing_is_found(attrs, wrong, hidden, tmp_path):
    array = smooth(2.5)
    array.values[0, 2, 3:5] = wrong
    array.attrs |= attrs
    array.encoding["_FillValue"] = None
    signal = CLIMATE.read(saved(array, tmp_path))
    assert (0 if signal.mask is None else int((~signal.mask).sum())) == (2 if hidden else 0)
    assert signal.meta["high"] == (float(smooth(2.5).max()) if hidden else 1000)


def test_large_offsets_are_written_in_full(tmp_path):
    array = smooth() + 1e9
    after = there_and_back(saved(array, tmp_path)).tas
    assert after.dtype == np.float64
    error = float(abs(after - array).max())
    assert error < 1e-3
    signal = CLIMATE.read(tmp_path / "field.nc")
    assert CLIMATE.score(nearest_field(signal), signal)["max_error"] == error


def test_what_is_no_field_is_refused_in_one_line(tmp_path):
    array = smooth()
    array["lat"] = array.lat.where(array.lat != 15)
    with pytest.raises(SignalError, match="the coordinate lat has 1 numbers"):
        CLIMATE.read(saved(array, tmp_path))
    xr.Dataset(coords={"x": np.arange(5.0)}).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    with pytest.raises(SignalError, match="^no numbers on 1 to 4 axes; choose from: none$"):
        CLIMATE.read(tmp_path / "x.nc")
    xr.Dataset({"v": ("x", [1.0])}).to_netcdf(tmp_path / "one.nc", engine="h5netcdf")
    with pytest.raises(SignalError, match="no numbers on 1 to 4 axes"):
        CLIMATE.read(tmp_path / "one.nc")


def test_a_file_without_a_grid_is_refused(tmp_path):
    signal = CLIMATE.read(saved(smooth(2.5), tmp_path))
    with pytest.raises(ContainerError, match="not a climate field"):
        CLIMATE.render(nearest_field(signal), {**signal.meta, "sizes": [1, 1, 1], "shape": []})


def test_it_stays_a_short_example():
    assert len((Path(__file__).parent.parent / "coordcodec_climate.py").read_text().splitlines()) <= 120
