"""The modality "climate": one variable of a NetCDF file on up to four axes, with its mask, units and coordinates."""

import warnings
from base64 import b85decode, b85encode
from lzma import FORMAT_ALONE, LZMADecompressor, compress

import numpy as np
import scipy  # its parts are loaded when they are first used
from coordcodec import Grid, Recipe, Signal
from coordcodec.errors import ContainerError, RecipeError, SignalError
from coordcodec.hookspecs import hookimpl

KEPT = ("units", "standard_name", "long_name", "calendar")


class Climate:
    name, suffixes, rate_unit, main_score, lower_is_better = "climate", (".nc", ".nc4", ".cdf"), "bytes", "rmse", True
    defaults = Recipe(num_bytes=12000, siren={"depth": 2, "omega_0": 10, "l1": 5e-8, "bits": 7})
    write_options, read_options = {}, {"variable": "its name; default: the first of those with the most axes"}

    def read(self, source, *, variable=None, **options):
        data, masked, meta, lost = self._open(source, variable)
        if masked.any():  # what lies nearest takes the place of masked cells: no cliffs to be learnt where nobody looks
            data = data[tuple(scipy.ndimage.distance_transform_edt(masked, None, False, True))]
            meta["still"] = [k for k in range(data.ndim) if (masked == masked.take([0], k)).all()]  # land, in time
            meta["mask"] = b85encode(compress(np.packbits(masked.min(tuple(meta["still"]))), FORMAT_ALONE)).decode()
        if len(str(meta)) > 4000:
            raise SignalError(f"the mask of {meta['name']} is too irregular: it takes {len(str(meta))} bytes, 4000 fit")
        if lost:
            warnings.warn(f"{meta['name']} is taken without {', '.join(lost)}", stacklevel=2)
        coords = np.vstack(list(self._points(meta))) if "circle" in meta else Grid([n for n in data.shape if n > 1])
        scaled = (data.reshape(-1, 1) - meta["low"]) / max(meta["high"] - meta["low"], 1e-300) * 2 - 1
        return Signal(coords, scaled, self.name, meta)

    def _open(self, source, variable):
        """The cells of a variable, which of them are masked, its axes as meta, and the names of what is left behind."""
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
        array = fields[name].astype(float).where(np.isfinite(fields[name]))
        lost = [n for n in found.variables if n not in (name, *array.indexes)]
        meta = {"name": name, "dims": list(array.dims), "sizes": list(array.shape)}
        meta |= {"low": float(array.min()), "high": float(array.max())}
        for k, (dim, n) in enumerate(array.sizes.items()):  # coordinates: a line through 2 (even ones) to 64 points
            at, step = array[dim].values.astype(float), float(array[dim][-1] - array[dim][0]) / max(n - 1, 1)
            even = np.allclose(at, np.linspace(at[0], at[-1], n), rtol=0, atol=abs(step) / 500)
            lost += [] if even or n <= 64 else [f"the exact spacing of {dim}"]
            meta[f"at{k}"] = np.interp(np.linspace(0, n - 1, 2 if even else min(n, 64)), np.arange(n), at).tolist()
            if even and str(array[dim].attrs.get("units")).startswith("degrees_e") and round(abs(step) * n, 1) == 360:
                meta["circle"] = k
        for k, v in enumerate([*(array[dim] for dim in array.dims), fields[name]]):
            meta |= {f"{key}{k}": str(v.attrs[key])[:80] for key in KEPT if key in v.attrs}
        return array.values, np.isnan(array.values), meta, lost

    def _masked(self, meta):
        """Which cells are masked: a DataArray that lacks nothing but values. Raises ContainerError for forged meta."""
        import xarray as xr

        try:
            grid, names, axes = Grid(meta["sizes"]), [*meta["dims"], meta["name"]], {}
            shape = [n for n in grid.shape if n > 1 and "circle" not in meta] + [1]
            named = all(n.isprintable() and n.strip(" .").replace("/", "") == n > "" for n in names)
            sound = named and len({*names}) > grid.dims and meta.get("circle", 0) in range(grid.dims)
            sound = sound and len(grid) <= 2**27 and meta["low"] <= meta["high"] < 1e300
            if not sound or [*meta["shape"], meta["channels"]] != shape:
                raise ValueError("its numbers and names do not fit together")
            kept = [1 if k in meta.get("still", range(8)) else n for k, n in enumerate(grid.shape)]
            raw = LZMADecompressor(memlimit=2**25).decompress(b85decode(meta.get("mask", "")), 2**27) or b"\0"
            mask = np.unpackbits(np.frombuffer(raw, np.uint8), count=len(Grid(kept))).reshape(kept) > 0
            attrs = [{a: str(meta[f"{a}{k}"]).replace("\0", "") for a in KEPT if f"{a}{k}" in meta} for k in range(9)]
            for k, n in enumerate(grid.shape):
                at = np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(meta[f"at{k}"])), meta[f"at{k}"])
                axes[names[k]] = names[k], at, attrs[k]
            return xr.DataArray(np.broadcast_to(mask, grid.shape), axes, names[:-1], names[-1], attrs[grid.dims])
        except Exception as error:  # meta may be forged in any way
            raise ContainerError(f"not a climate field: {error}") from None

    def _points(self, meta):
        """The network's coordinates, in slices: of axes of several cells; of a circle of longitudes cosine and sine."""
        for _, place in Grid(meta["sizes"]).slices():
            columns = [place[:, k] for k, n in enumerate(meta["sizes"]) if n > 1 and k != meta.get("circle")]
            if "circle" in meta:
                angle = np.pi * (place[:, int(meta["circle"])] + 1) * (1 - 1 / meta["sizes"][int(meta["circle"])])
                columns += [np.cos(angle), np.sin(angle)]
            yield np.stack(columns, axis=1).astype(np.float32)

    def render(self, field, meta, **options):
        if options:
            raise RecipeError(f"this kind of data has no options, got {', '.join(options)}")
        masked = self._masked(meta)
        values = np.concatenate([field(coords) for coords in self._points(meta)]).reshape(masked.shape)
        cells = (values + 1) / 2 * (meta["high"] - meta["low"]) + meta["low"]
        return masked.copy(data=np.where(masked, np.nan, cells).astype(np.float32))

    def write(self, field, meta, target, *, format, **options):
        if format not in self.suffixes:
            raise RecipeError(f"expected a name that ends with {' or '.join(self.suffixes)}, not {format}")
        target.write(self.render(field, meta, **options).to_netcdf(engine="h5netcdf"))

    def score(self, field, signal):
        span, known = np.float64(signal.meta["high"] - signal.meta["low"]), ~self._masked(signal.meta).values.ravel()
        decoded = np.concatenate([field(coords) for coords in self._points(signal.meta)])
        error = abs(decoded - signal.values)[known] * span / 2
        rmse = np.sqrt((error**2).mean())
        return {"rmse": rmse, "max_error": error.max(), "psnr_db": 20 * np.log10(span / rmse) if rmse * span else None}

    def rate(self, num_bytes, meta):
        return float(num_bytes)


register_modalities = hookimpl(lambda: [Climate()])
