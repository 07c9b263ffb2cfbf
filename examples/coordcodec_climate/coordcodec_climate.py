"""The modality "climate": one variable of a NetCDF file on up to four axes, with its mask, units and coordinates."""

import warnings

import numpy as np
from coordcodec import Grid, Recipe, Signal
from coordcodec.data import SampleType, on_grid
from coordcodec.errors import ContainerError, RecipeError, SignalError
from coordcodec.hookspecs import hookimpl
from coordcodec_field.cells import cells_of
from coordcodec_field.circle import check_axes
from coordcodec_field.metrics import scores
from coordcodec_field.netcdf import opened

COORDCODEC_API = 2
KEPT = ("units", "standard_name", "long_name", "calendar")


class Climate:
    name, suffixes, rate_unit, main_score, lower_is_better = "climate", (".nc", ".nc4", ".cdf"), "bytes", "rmse", True
    defaults = Recipe(num_bytes=12000, siren={"depth": 2, "omega_0": 10, "l1": 5e-8, "bits": 7})
    write_options, read_options = {}, {"variable": "its name; default: the first of those with the most axes"}

    def read(self, source, *, variable=None, **options):
        with opened(source) as contents:  # the reader of coordcodec's own fields: CF's missing and packed numbers
            cells, meta, circle, lost = self._chosen(contents, variable)
        for words in [*([f"{meta['name']} is taken without {', '.join(lost)}"] if lost else []), *cells.remarks]:
            warnings.warn(words, stacklevel=2)
        axes = [k for k, n in enumerate(meta["sizes"]) if n > 1]
        grid = Grid([meta["sizes"][k] for k in axes], periodic=[k == circle for k in axes])
        samples = np.where(cells.known, cells.samples, np.nan).astype(self.sample_type(meta).dtype)
        kind = {"samples": samples.reshape(-1, 1), **self.sample_type(meta).scaling}
        return Signal(grid, modality=self.name, meta=meta, **kind)  # NaN is the same as a mask

    def _chosen(self, contents, variable):
        """The cells of a variable, its axes as meta, which of them closes a circle, and the names of what is lost."""
        found, bounds = contents.variables, {v.text("bounds") for v in contents.variables.values()}
        able = {n: v for n, v in found.items() if v.numeric and n not in {*bounds, *v.dims} and v.size <= 2**27}
        able = {n: v for n, v in able.items() if 0 < sum(k > 1 for k in v.shape) < 5 and len({*v.dims}) == len(v.dims)}
        name = max(able, key=lambda n: len(able[n].dims), default="") if variable is None else str(variable)
        if name not in able:
            listed = ", ".join(able) or "none"
            raise SignalError(f"no numbers {f'{name!r} ' if name else ''}on 1 to 4 axes; choose from: {listed}")
        cells, dims = cells_of(name, found[name]), found[name].dims
        axes = {d: found[d] for d in dims if d in found and found[d].dims == (d,) and found[d].numeric}
        check_axes(found[name], axes)
        lost, circle = [n for n in found if n not in (name, *axes)], None
        meta = {
            "name": name,
            "dims": list(dims),
            "sizes": list(found[name].shape),
            "low": cells.low,
            "high": cells.high,
        }
        meta |= {"double": 1} if np.result_type(cells.samples.dtype, "f4") == "f8" else {}
        for k, (dim, n) in enumerate(zip(dims, found[name].shape, strict=True)):
            # coordinates: a line through 2 (even ones) to 64 points
            at = axes[dim].data.astype(float) if dim in axes else np.arange(n, dtype=float)
            step = float(at[-1] - at[0]) / max(n - 1, 1)
            even = np.allclose(at, np.linspace(at[0], at[-1], n), rtol=0, atol=abs(step) / 500)
            lost += [] if even or n <= 64 else [f"the exact spacing of {dim}"]
            meta[f"at{k}"] = np.interp(np.linspace(0, n - 1, 2 if even else min(n, 64)), np.arange(n), at).tolist()
            east = dim in axes and axes[dim].text("units").startswith("degrees_e")
            circle = k if even and east and round(abs(step) * n, 1) == 360 else circle
        for k, attrs in enumerate([*(axes[d].attrs if d in axes else {} for d in dims), cells.attrs]):
            meta |= {f"{key}{k}": str(attrs[key])[:80] for key in KEPT if isinstance(attrs.get(key), str)}
        return cells, meta, circle, lost

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
            if not meta["shape"] or not named or not fits or len({*names}) <= grid.dims or len(grid) > 2**27:
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
        written = signal.sample_type.samples(on_grid(field, signal.coords))  # what `write` writes
        known = slice(None) if signal.mask is None else signal.mask
        found = scores(signal.samples[known], written[known], None)
        return {name: found[name] for name in ("rmse", "max_error", "psnr_db")}

    def rate(self, num_bytes, meta):
        return float(num_bytes)


register_modalities = hookimpl(lambda: [Climate()])
