"""The modality "climate": one variable of a NetCDF file on up to four axes, with its mask, units and coordinates."""

import warnings

import numpy as np
from coordcodec import Grid, Recipe, Signal
from coordcodec.data import SampleType, on_grid
from coordcodec.errors import ContainerError, RecipeError, SignalError
from coordcodec.hookspecs import hookimpl

COORDCODEC_API = 2
KEPT = ("units", "standard_name", "long_name", "calendar")


class Climate:
    name, suffixes, rate_unit, main_score, lower_is_better = "climate", (".nc", ".nc4", ".cdf"), "bytes", "rmse", True
    defaults = Recipe(num_bytes=12000, siren={"depth": 2, "omega_0": 10, "l1": 5e-8, "bits": 7})
    write_options, read_options = {}, {"variable": "its name; default: the first of those with the most axes"}

    def read(self, source, *, variable=None, **options):
        cells, meta, circle, lost = self._open(source, variable)
        if lost:
            warnings.warn(f"{meta['name']} is taken without {', '.join(lost)}", stacklevel=2)
        axes = [k for k, n in enumerate(cells.shape) if n > 1]
        grid = Grid([cells.shape[k] for k in axes], periodic=[k == circle for k in axes])
        kind = {"samples": cells.reshape(-1, 1), **self.sample_type(meta).scaling}
        return Signal(grid, modality=self.name, meta=meta, **kind)  # NaN is the same as a mask

    def _open(self, source, variable):
        """The cells of a variable, its axes as meta, which of them closes a circle, and the names of what is lost."""
        import xarray as xr

        try:
            found = xr.load_dataset(source, decode_times=False)
        except Exception as error:  # xarray's readers raise anything on damaged files
            raise SignalError(f"cannot read this as NetCDF: {error}".splitlines()[0]) from None
        bounds = {v.attrs.get("bounds") for v in found.variables.values()}
        odd = [n for n, v in found.variables.items() if v.dtype.kind not in "fiu" or v.size > 2**27]
        fields = {n: v for n, v in found.drop_vars(odd).items() if n not in bounds and 0 < v.squeeze().ndim < 5}
        name = max(fields, key=lambda n: fields[n].ndim, default=None) if variable is None else str(variable)
        if name not in fields or not np.isfinite(fields[name]).any():
            raise SignalError(f"no numbers {name!r} on 1 to 4 axes; choose from: {', '.join(fields) or 'none'}")
        array = fields[name].astype(np.result_type(fields[name].dtype, "f4")).where(np.isfinite(fields[name]))
        lost, circle = [n for n in found.variables if n not in (name, *array.indexes)], None
        meta = {"name": name, "dims": list(array.dims), "sizes": list(array.shape)}
        meta |= {
            "low": float(array.min()),
            "high": float(array.max()),
            **({"double": 1} if array.dtype == "f8" else {}),
        }
        for k, (dim, n) in enumerate(array.sizes.items()):  # coordinates: a line through 2 (even ones) to 64 points
            at, step = array[dim].values.astype(float), float(array[dim][-1] - array[dim][0]) / max(n - 1, 1)
            even = np.allclose(at, np.linspace(at[0], at[-1], n), rtol=0, atol=abs(step) / 500)
            lost += [] if even or n <= 64 else [f"the exact spacing of {dim}"]
            meta[f"at{k}"] = np.interp(np.linspace(0, n - 1, 2 if even else min(n, 64)), np.arange(n), at).tolist()
            if even and str(array[dim].attrs.get("units")).startswith("degrees_e") and round(abs(step) * n, 1) == 360:
                circle = k
        for k, v in enumerate([*(array[dim] for dim in array.dims), fields[name]]):
            meta |= {f"{key}{k}": str(v.attrs[key])[:80] for key in KEPT if key in v.attrs}
        return array.values, meta, circle, lost

    def sample_type(self, meta):
        low, high, dims = meta.get("low"), meta.get("high"), meta.get("dims")
        if not (isinstance(low, float) and isinstance(high, float) and low <= high < 1e300 and isinstance(dims, list)):
            raise ContainerError(f"not a climate field: numbers from {low!r} to {high!r} on the axes {dims!r}")
        unit = str(meta.get(f"units{len(dims)}", "")).encode()[:64].decode(errors="ignore")
        half, kind = (high - low) / 2 or 1.0, np.dtype("f8" if meta.get("double") else "f4")
        return SampleType.of(kind, meta.get("channels", 1), half, (low + high) / 2, unit if unit.isprintable() else "")

    def _empty(self, meta):
        """A DataArray that lacks nothing but values. Raises ContainerError for forged meta."""
        import xarray as xr

        try:
            grid, names, axes = Grid(meta["sizes"]), [*meta["dims"], meta["name"]], {}
            named = all(n.isprintable() and n.strip(" .").replace("/", "") == n > "" for n in names)
            fits = [*meta["shape"], meta["channels"]] == [n for n in grid.shape if n > 1] + [1]
            if not named or not fits or not meta["shape"] or len({*names}) <= grid.dims or len(grid) > 2**27:
                raise ValueError("its numbers and names do not fit together")
            attrs = [{a: str(meta[f"{a}{k}"]).replace("\0", "") for a in KEPT if f"{a}{k}" in meta} for k in range(9)]
            for k, n in enumerate(grid.shape):
                at = np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(meta[f"at{k}"])), meta[f"at{k}"])
                axes[names[k]] = names[k], at, attrs[k]
            cells = np.broadcast_to(np.float32(np.nan), grid.shape)
            return xr.DataArray(cells, axes, names[:-1], names[-1], attrs[grid.dims])
        except Exception as error:  # meta may be forged in any way
            raise ContainerError(f"not a climate field: {error}") from None

    def render(self, field, meta, **options):
        if options:
            raise RecipeError(f"this kind of data has no options, got {', '.join(options)}")
        empty, kind = self._empty(meta), self.sample_type(meta)
        values = on_grid(field, Grid(meta["shape"], periodic=meta.get("periodic", ())))
        return empty.copy(data=kind.samples(values).reshape(empty.shape))

    def write(self, field, meta, target, *, format, **options):
        if format not in self.suffixes:
            raise RecipeError(f"expected a name that ends with {' or '.join(self.suffixes)}, not {format}")
        target.write(self.render(field, meta, **options).to_netcdf(engine="h5netcdf"))

    def score(self, field, signal):
        error = abs(on_grid(field, signal.coords) - signal.values).astype(float) * signal.scale
        error = error if signal.mask is None else error[signal.mask]
        rmse, span = np.sqrt((error**2).mean()), signal.meta["high"] - signal.meta["low"]
        return {"rmse": rmse, "max_error": error.max(), "psnr_db": 20 * np.log10(span / rmse) if rmse * span else None}

    def rate(self, num_bytes, meta):
        return float(num_bytes)


register_modalities = hookimpl(lambda: [Climate()])
