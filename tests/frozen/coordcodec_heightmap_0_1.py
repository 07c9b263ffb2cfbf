"""The modality "heightmap": arrays of numbers for a start. Change what is yours; pytest says what is missing."""

import math

import numpy as np

from coordcodec import Grid, Recipe, Signal
from coordcodec.data import sample
from coordcodec.errors import ContainerError, RecipeError, SignalError
from coordcodec.hookspecs import hookimpl


class HeightmapModality:
    name = "heightmap"  # stored in every file
    suffixes = (".npy",)  # what it reads; it writes the first
    rate_unit = "bits/sample"
    main_score, lower_is_better = "rmse", True
    defaults = Recipe(num_bytes=2000, num_frequencies=6, omega_0=10)  # a target, and what suits smooth data
    read_options = {}
    write_options = {"scale": "samples per sample along every axis, above 0; default: 1"}

    def read(self, source, **options):
        try:
            array = np.asarray(source if isinstance(source, np.ndarray) else np.load(source, allow_pickle=False), float)
        except Exception as error:  # on damaged files readers raise anything
            raise SignalError(f"cannot read this as an array of numbers: {error}") from None
        if not 1 <= array.ndim <= 4 or not array.size or not np.isfinite(array).all():
            raise SignalError(f"expected finite numbers on 1 to 4 axes, got shape {array.shape}")
        low, high = float(array.min()), float(array.max())
        values = (array - low) * (2 / max(high - low, 1e-300)) - 1
        return Signal(Grid(array.shape), values.reshape(-1, 1), self.name, {"low": low, "high": high})

    def render(self, field, meta, *, scale=1, **options):
        low, high, shape = meta.get("low"), meta.get("high"), meta["shape"]
        if not isinstance(low, float) or not isinstance(high, float) or not shape or meta["channels"] != 1:
            raise ContainerError("a file of another kind: expected low, high, a grid and one channel")
        if options or not isinstance(scale, int | float) or not 0 < scale < 1e6:
            raise RecipeError(f"the only option is scale, a number above 0; got {options or scale!r}")
        shape = [max(1, round(n * scale)) for n in shape]
        if math.prod(shape) > 1 << 26:
            raise RecipeError(f"at most {1 << 26} samples are written, that would be {shape}")
        values = np.concatenate([part for _, part in sample(field, Grid(shape))])
        return ((values + 1) / 2 * (high - low) + low).reshape(shape)

    def write(self, field, meta, target, *, format, **options):
        if format not in self.suffixes:
            raise RecipeError(f"expected a name that ends with {self.suffixes[0]}, not {format}")
        np.save(target, self.render(field, meta, **options))

    def score(self, field, signal):
        squares = sum(((part - signal.values[at]) ** 2).sum() for at, part in sample(field, signal.coords))
        half = (signal.meta["high"] - signal.meta["low"]) / 2  # a value of 1 in the unit of the data
        return {"rmse": float(half * math.sqrt(squares / signal.values.size))}

    def rate(self, num_bytes, meta):
        return 8 * num_bytes / math.prod(meta["shape"])


@hookimpl
def register_modalities():
    return [HeightmapModality()]
