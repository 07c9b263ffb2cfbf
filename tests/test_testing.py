"""The contract test catches every modality that breaks one rule, and says which.

`Good` and `Cloud` keep the contract; every other class here breaks it in one place.
"""

import importlib
import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from coordcodec.data import Grid, SampleType, Signal, on_grid, sample
from coordcodec.errors import ContainerError, RecipeError, SignalError
from coordcodec.recipe import Recipe
from coordcodec.testing import check_modality, fresh, nearest_field

HILL = np.hypot(*np.mgrid[-1:0.5:12j, -1:1.2:16j])


def number(meta, key):
    value = meta.get(key)
    if not isinstance(value, float) or not abs(value) < 1e30:
        raise ContainerError(f"meta[{key!r}] must be a number, got {value!r}")
    return value


class Good:
    """Heights on a grid, in a .npy file."""

    name = "good"
    suffixes = (".npy", ".npz")
    rate_unit = "bytes"
    main_score = "rmse"
    defaults = Recipe(siren={"width": 8})
    read_options = {"offset": "added to every height; default: 0"}
    write_options = {"scale": "samples per sample, above 0", "rows": "A,B: only rows A to B, B excluded"}

    def read(self, source, *, offset=0, **options):
        try:
            loaded = source if isinstance(source, np.ndarray) else np.load(source, allow_pickle=False)
            heights = np.asarray(loaded, np.float64) + offset
        except Exception as error:  # noqa: BLE001  NumPy raises anything on damaged files
            raise SignalError(f"no array: {error}") from None
        if heights.ndim != 2 or not heights.size or not np.isfinite(heights).all():
            raise SignalError(f"no heights: shape {heights.shape}")
        return self.signal(heights)

    def signal(self, heights):
        low, high = float(heights.min()), float(heights.max())
        values = (heights - low) / (high - low) * 2 - 1
        return Signal(Grid(heights.shape), values.reshape(-1, 1), self.name, {"low": low, "high": high})

    def render(self, field, meta, *, scale=1, rows=None, **options):
        if options:
            raise RecipeError(f"no option {', '.join(options)}")
        low, high, shape = number(meta, "low"), number(meta, "high"), meta["shape"]
        if len(shape) != 2 or meta["channels"] != 1:
            raise ContainerError(f"no heights: shape {shape}")
        if not isinstance(scale, int | float) or not 0 < scale < 100:
            raise RecipeError(f"scale must be in 0 to 100, got {scale!r}")
        shape = [max(1, round(n * scale)) for n in shape]
        if max(shape) > 4096:
            raise RecipeError("at most 4096 rows and columns")
        grid = Grid(shape)
        if rows is not None:
            whole = isinstance(rows, tuple) and len(rows) == 2 and all(isinstance(n, int) for n in rows)
            if not whole or not 0 <= rows[0] < rows[1] <= shape[0]:
                raise RecipeError(f"rows must be two whole numbers, got {rows!r}")
            grid = grid.window([rows, (0, shape[1])])
        values = np.concatenate([v for _, v in self.ask(field, grid)])
        return ((values + 1) / 2 * (high - low) + low).reshape(grid.shape)

    def ask(self, field, grid):
        return sample(field, grid)

    def write(self, field, meta, target, *, format, **options):
        if format != ".npy":
            raise RecipeError(f"heights are written as .npy, not {format}")
        np.save(target, self.render(field, meta, **options))

    def score(self, field, signal):
        values = np.concatenate([v for _, v in sample(field, signal.coords)])
        return {"rmse": float(np.sqrt(((values - signal.values) ** 2).mean())), "undefined": None}

    def rate(self, num_bytes, meta):
        return float(num_bytes)

    def preview(self, field, signal, target):
        from PIL import Image

        Image.fromarray(np.uint8(self.render(field, signal.meta) * 100)).save(target, format="PNG")


class Cloud(Good):
    """Heights at scattered places: what is written are other places, so it cannot read back alike."""

    name = "cloud"
    read_options = {}
    write_options = {"side": "samples per side of what is written, 2 to 2048; default: 512"}

    def signal(self, heights):
        rows, columns = np.nonzero(heights > heights.min())
        coords = np.stack([rows / heights.shape[0], columns / heights.shape[1]], axis=1) * 2 - 1
        values = heights[rows, columns][:, None] / np.abs(heights).max()
        return Signal(coords, values, self.name, {"peak": float(np.abs(heights).max())})

    def render(self, field, meta, *, side=512, **options):
        if options or not isinstance(side, int) or not 2 <= side <= 2048:
            raise RecipeError("the option is side, 2 to 2048")
        if meta["shape"] or meta["channels"] != 1:
            raise ContainerError("no cloud")
        values = np.concatenate([v for _, v in self.ask(field, Grid((side, side)))])
        return values.reshape(side, side) * number(meta, "peak")

    def score(self, field, signal):
        return {"rmse": float(np.sqrt(((field(signal.coords) - signal.values) ** 2).mean()))}

    def preview(self, field, signal, target):
        from PIL import Image

        Image.new("L", (2, 2)).save(target, format="PNG")


class Typed(Good):
    """Heights in whole metres on a grid, those of the valley not known: -32768 in the file."""

    name = "typed"

    def signal(self, heights):
        if np.abs(heights).max() < 9:
            heights = np.where(heights < 0.2, -(1 << 15), heights * 1000)
        samples = np.rint(heights).astype(np.int16).reshape(-1, 1)
        known = samples[:, 0] > -(1 << 15)
        meta = {"low": float(samples[known].min()), "high": float(samples[known].max())}
        scaling = self.sample_type({**meta, "channels": 1}).scaling
        return Signal(Grid(heights.shape), None, self.name, meta, samples=samples, mask=known, **scaling)

    def sample_type(self, meta):
        low, high = number(meta, "low"), number(meta, "high")
        return SampleType.of(np.dtype("int16"), meta["channels"], (high - low) / 2 or 1.0, (high + low) / 2, "m")

    def render(self, field, meta, *, scale=1, rows=None, **options):
        values = {**meta, "low": -1.0, "high": 1.0}
        heights = super().render(field, values, scale=scale, rows=rows, **options)
        return self.sample_type(meta).samples(heights.reshape(-1, 1)).reshape(heights.shape)

    def score(self, field, signal):
        errors = (on_grid(field, signal.coords) - signal.values)[signal.mask if signal.mask is not None else ...]
        return {"rmse": float(np.sqrt((errors**2).mean()))}

    def preview(self, field, signal, target):
        from PIL import Image

        Image.new("L", (2, 2)).save(target, format="PNG")


@pytest.fixture
def hill(tmp_path):
    path = tmp_path / "hill.npy"
    np.save(path, HILL)
    return path


def test_good_modalities_pass(hill):
    examples = {"rows": (0, 3)}
    check_modality(Good(), hill, examples=examples)
    check_modality(Good(), HILL, examples=examples)
    check_modality(Good(), lambda: io.BytesIO(hill.read_bytes()), examples=examples)


def test_good_scattered_modalities_pass(hill):
    check_modality(Cloud(), hill, quick={"side": 16}, examples={"side": 12})


def test_good_modalities_with_samples_and_a_mask_pass(hill):
    assert not Typed().read(hill).mask.all()
    check_modality(Typed(), hill, examples={"rows": (0, 3)})


def test_a_perfect_field_of_scattered_samples_knows_them_all():
    signal = Cloud().read(HILL)
    assert np.array_equal(nearest_field(signal)(signal.coords), signal.values)
    near = np.clip(signal.coords + 0.01, -1, 1)
    assert np.array_equal(nearest_field(signal)(near), signal.values)


BROKEN = {}
"""What is wrong -> a class that breaks that one rule, and what the contract test must say of it."""


def facts(label, says, **members):
    BROKEN[label] = (type(label, (Good,), members), says)


facts("upper_case_name", "has the name 'Good'", name="Good")
facts("suffix_without_a_dot", "the suffix 'npy'; a suffix is lower case and begins with a dot", suffixes=("npy",))
facts("one_suffix_as_text", "expected a tuple of at least one", suffixes=".npy")
facts("no_rate_unit", "has the rate_unit ''; expected a word", rate_unit="")
facts("no_defaults", "defaults of type NoneType; expected a coordcodec.Recipe", defaults=None)
facts("defaults_without_target", "defaults without a target; set rate, num_bytes or width", defaults=Recipe())
facts(
    "taken_option",
    "'force' in its write_options, which the command line keeps for itself",
    write_options={"force": "x"},
)
facts("option_without_help", "expected the name of each option -> one line of help", read_options={"offset": ""})
facts("undeclared_write_option", r"give render\(\) a keyword argument", write_options={"angle": "in degrees"})
facts("undeclared_read_option", r"give read\(\) a keyword argument", read_options={"angle": "in degrees"})


def method(says, name, base=Good):
    """Register `base` with one method replaced, and what the contract test must say of it."""

    def register(function):
        BROKEN[function.__name__] = (type(function.__name__, (base,), {name: function}), says)
        return function

    return register


def changed(signal, **changes):
    facts = {name: getattr(signal, name) for name in ("coords", "values", "modality", "meta")}
    return Signal(**{**facts, **changes})


@method("must return a coordcodec.Signal, got ndarray", "read")
def reads_an_array(self, source, *, offset=0):
    return HILL


@method("modality is 'other', not 'good'", "signal")
def names_another(self, heights):
    return changed(Good.signal(self, heights), modality="other")


@method("same values; seed what is random", "signal")
def reads_other_values(self, heights):
    return Good.signal(self, heights + np.random.rand(*heights.shape))


@method("same coords; seed what is random", "signal", Cloud)
def reads_other_coords(self, heights):
    signal = Cloud.signal(self, heights)
    return changed(signal, coords=np.clip(signal.coords + np.random.rand() / 10, -1, 1))


@method("reading twice must give the same meta", "signal")
def reads_other_meta(self, heights):
    self.times = getattr(self, "times", 0) + 1
    signal = Good.signal(self, heights)
    return changed(signal, meta={**signal.meta, "count": self.times})


@method("compressing twice with one seed must give the same bytes", "signal")
def reads_other_values_later(self, heights):
    self.times = getattr(self, "times", 0) + 1
    signal = Good.signal(self, heights)
    return changed(signal, values=-signal.values) if self.times > 5 and heights.shape == HILL.shape else signal


@method("meta must fit into a file: meta takes .* bytes, a file holds 4096", "signal")
def keeps_too_much(self, heights):
    signal = Good.signal(self, heights)
    return changed(signal, meta={**signal.meta, "notes": "x" * 5000})


@method("must be proportional", "rate")
def charges_a_fee(self, num_bytes, meta):
    return num_bytes + 1.0


@method(r"check meta\['shape'\] against a limit before it asks", "render")
def asks_before_it_checks(self, field, meta, *, scale=1, rows=None, **options):
    field(np.zeros((1, 2), np.float32))
    return Good.render(self, field, meta, scale=scale, rows=rows, **options)


@method(r"render\(\) with a giant meta.* must raise a CoordCodecError or work, it raised .*MemoryError", "render")
def allocates_before_it_checks(self, field, meta, *, scale=1, rows=None, **options):
    np.empty(meta["shape"])
    return Good.render(self, field, meta, scale=scale, rows=rows, **options)


@method("must raise a CoordCodecError for a shape", "render")
def invents_for_giants(self, field, meta, *, scale=1, rows=None, **options):
    if max(meta["shape"], default=0) > 4096:
        return HILL
    return Good.render(self, field, meta, scale=scale, rows=rows, **options)


@method("points at once, at most 1048576; use data.sample", "ask")
def asks_all_at_once(self, field, grid):
    return [(slice(None), field(grid.coords()))]


@method("points at once, at most 1048576; use data.sample", "ask", Cloud)
def asks_all_of_a_scattered_one_at_once(self, field, grid):
    return [(slice(None), field(np.repeat(grid.coords(), 5, axis=0))[::5])]


@method(r"takes an array of coords \(n, 2\), it was asked with shape", "ask")
def asks_in_three_dims(self, field, grid):
    return [(slice(None), field(np.zeros((len(grid), 3), np.float32)))]


@method("takes finite float coords", "ask")
def asks_nowhere(self, field, grid):
    return [(slice(None), field(np.full((len(grid), 2), np.nan, np.float32)))]


@method("takes an array of coords", "ask")
def swallows_what_the_field_says(self, field, grid):
    try:
        return [(slice(None), field([[0.0, 0.0]]))]
    except Exception:  # noqa: BLE001  what this test is about
        return sample(field, grid)


@method(r"render\(\) must return the decoded data", "render")
def renders_nothing(self, field, meta, *, scale=1, rows=None, **options):
    Good.render(self, field, meta, scale=scale, rows=rows, **options)


@method(r"name write options that are quick: check_modality\(..., quick=", "ask")
def takes_many_points(self, field, grid):
    for _ in range(2000 if len(grid) == HILL.size else 0):
        field(grid.coords())
    return sample(field, grid)


@method("must have the main score 'rmse'", "score")
def scores_something_else(self, field, signal):
    return {"psnr_db": 30.0}


@method("must be a finite float or None, rmse is nan", "score")
def scores_nan(self, field, signal):
    return {"rmse": float("nan")}


@method(r"must be a finite float or None, rmse is .*\(float32\)", "score")
def scores_in_single_precision(self, field, signal):
    return {"rmse": np.float32(0.5)}


@method("wrote nothing as .npy", "write")
def writes_nothing(self, field, meta, target, *, format, **options):
    Good.write(self, field, meta, io.BytesIO(), format=format, **options)


@method("must leave its target open", "write")
def closes_the_target(self, field, meta, target, *, format, **options):
    Good.write(self, field, meta, target, format=format, **options)
    target.close()


@method("for a format that it cannot write, such as '.no-such'", "write")
def writes_any_format(self, field, meta, target, *, format, **options):
    Good.write(self, field, meta, target, format=".npy", **options)


@method("must raise a RecipeError or work, it raised KeyError", "write")
def looks_a_format_up(self, field, meta, target, *, format, **options):
    {".npy": np.save, ".npz": np.savez}[format](target, self.render(field, meta, **options))


@method("a perfect field must write back the signal; a value is .* off", "write")
def writes_upside_down(self, field, meta, target, *, format, **options):
    if format != ".npy":
        raise RecipeError(f"not {format}")
    np.save(target, self.render(field, meta, **options)[::-1])


@method("must read back alike: {'high': 1", "write")
def writes_in_other_units(self, field, meta, target, *, format, **options):
    if format != ".npy":
        raise RecipeError(f"not {format}")
    np.save(target, self.render(field, meta, **options) * 1000)


@method("must read back as cloud, 2 dims and 1 channels, got cloud, 3 and 1", "signal", Cloud)
def reads_back_another_kind(self, heights):
    signal = Cloud.signal(self, heights)
    if heights.shape == HILL.shape:
        return signal
    return changed(signal, coords=np.zeros((len(signal.values), 3), np.float32))


@method(r"render\(no_such_option=1\) must raise a RecipeError: take", "render")
def ignores_unknown_options(self, field, meta, *, scale=1, rows=None, **options):
    return Good.render(self, field, meta, scale=scale, rows=rows)


@method(r"render\(no_such_option=1\) must raise a RecipeError or work, it raised TypeError", "render")
def trips_over_unknown_options(self, field, meta, *, scale=1, rows=None):
    return Good.render(self, field, meta, scale=scale, rows=rows)


@method(r"render\(scale='nonsense'\) must raise a RecipeError or work, it raised TypeError", "render")
def takes_any_scale(self, field, meta, *, scale=1, rows=None, **options):
    shape = [max(1, round(n * (scale + 0))) for n in meta["shape"]]
    return Good.render(self, field, {**meta, "shape": shape}, rows=rows, **options)


@method(r"render\(scale=.*\) asks the field for more than 4194304 points; check it against a limit", "render")
def takes_giant_scales(self, field, meta, *, scale=1, rows=None, **options):
    if isinstance(scale, int) and scale > 100:
        for _ in range(100):
            field(np.zeros((1 << 16, 2), np.float32))
    return Good.render(self, field, meta, scale=scale, rows=rows, **options)


@method(r"write\(scale=2\) writes the same as without; pass the options on", "write")
def writes_without_options(self, field, meta, target, *, format, **options):
    Good.write(self, field, meta, target, format=format)


def reader(says):
    """Register `Good` whose read() gives way to what a function returns, unless that is None."""

    def register(function):
        def read(self, source, *, offset=0, **options):
            special = function(source)
            return Good.read(self, HILL if special is None else special, offset=offset)

        BROKEN[function.__name__] = (type(function.__name__, (Good,), {"read": read}), says)
        return function

    return register


def is_stream(source):
    return hasattr(source, "read")


@reader(r"read\(\) of an empty stream must raise a SignalError or work, it raised EOFError")
def trips_over_an_empty_stream(source):
    return np.load(source, allow_pickle=False) if is_stream(source) else source


@reader(r"read\(\) of a stream of text must raise a SignalError, it returned a signal")
def reads_text(source):
    return None if is_stream(source) and source.read(2) == b"no" else source


@reader(r"read\(\) of an array of words must raise a SignalError or work, it raised")
def trips_over_words(source):
    return source.astype(float) if isinstance(source, np.ndarray) else source


@reader(r"read\(\) of a path that does not exist must raise a CoordCodecError or work, it raised FileNotFoundError")
def trips_over_a_missing_path(source):
    return np.lib.format.open_memmap(source) if not is_stream(source) and not isinstance(source, np.ndarray) else source


@reader(r"read\(\) of a file of noise must raise a SignalError, it returned a signal")
def reads_files_of_noise(source):
    noise = str(source).endswith("noise.npy")
    return None if noise and Path(source).exists() else source


@reader("must give the same signal for a path and for a stream")
def reads_streams_differently(source):
    if not is_stream(source):
        return source
    data = source.read()
    return np.load(io.BytesIO(data)).T if data.startswith(b"\x93NUMPY") else io.BytesIO(data)


@reader("must read a stream of a .npy file as it reads the file")
def reads_no_streams(source):
    return io.BytesIO(b"") if is_stream(source) else source


@reader(r"read\(\) of half of the example must raise a SignalError or work, it raised ValueError")
def trips_over_half_a_file(source):
    if not is_stream(source):
        return source
    data = source.read()
    return np.load(io.BytesIO(data)) if data.startswith(b"\x93NUMPY") else io.BytesIO(data)


@method(r"render\(\) with meta\['low'\] missing must raise a CoordCodecError or work, it raised KeyError", "render")
def expects_low(self, field, meta, *, scale=1, rows=None, **options):
    meta["low"]
    return Good.render(self, field, meta, scale=scale, rows=rows, **options)


@method(r"render\(\) with meta\['low'\] forged to '' must raise .* it raised TypeError", "render")
def expects_numbers(self, field, meta, *, scale=1, rows=None, **options):
    meta.get("low", 0.0) + 1
    return Good.render(self, field, meta, scale=scale, rows=rows, **options)


@method(r"render\(\) with meta\['shape'\] forged to \[\] must raise .* it raised ValueError", "render")
def expects_two_axes(self, field, meta, *, scale=1, rows=None, **options):
    _rows, _columns = meta["shape"]
    return Good.render(self, field, meta, scale=scale, rows=rows, **options)


@method(r"render\(\) with \d+ channels must raise .* it raised ValueError", "render")
def expects_one_channel(self, field, meta, *, scale=1, rows=None, **options):
    if meta["channels"] > 1:
        raise ValueError("too many values to unpack")
    return Good.render(self, field, meta, scale=scale, rows=rows, **options)


@method(r"rate\(\) with meta\['high'\] .* must raise a CoordCodecError or work, it raised", "rate")
def divides_by_meta(self, num_bytes, meta):
    return num_bytes / meta["high"]


@method(r"write\(\) with meta\['high'\] .* must raise a CoordCodecError or work, it raised", "write")
def trusts_meta_in_write(self, field, meta, target, *, format, **options):
    Good.write(self, field, meta, target, format=format, **options)
    int(meta["high"]).to_bytes(4, "little")


@method("must write one whole PNG to its target", "preview")
def previews_text(self, field, signal, target):
    target.write(b"a picture")


@method("must write one whole PNG to its target", "preview")
def previews_and_closes(self, field, signal, target):
    Good.preview(self, field, signal, target)
    target.close()


@method(r"sample_type\(\) must say what read\(\) gives", "sample_type", Typed)
def another_type(self, meta):
    return None if meta.get("shape") else Typed.sample_type(self, meta)


@method("must keep the type of samples, int16, got float64", "signal", Typed)
def samples_of_another_type_later(self, heights):
    signal, self.reads = Typed.signal(self, heights), getattr(self, "reads", 0) + 1
    samples = signal.samples.astype(np.int16 if self.reads < 3 else float)
    return changed(signal, samples=samples, mask=signal.mask, **Typed.sample_type(self, signal.meta).scaling)


@method("must read back with the same samples known", "render", Typed)
def known_after_all(self, field, meta, *, scale=1, rows=None, **options):
    return np.maximum(Typed.render(self, field, meta, scale=scale, rows=rows, **options), np.int16(number(meta, "low")))


@pytest.mark.parametrize("label", BROKEN)
def test_a_modality_that_breaks_one_rule_is_caught(label, hill):
    kind, says = BROKEN[label]
    quick = {"side": 16} if issubclass(kind, Cloud) else {}
    with pytest.raises(AssertionError) as caught:
        check_modality(kind(), hill, quick=quick)
    assert re.search(says, str(caught.value)), str(caught.value)


class TorchInRead(Good):
    def read(self, source, *, offset=0, **options):
        import torch

        return super().read(source, offset=float(torch.zeros(1)) + offset, **options)


class TorchInWrite(Good):
    def write(self, field, meta, target, *, format, **options):
        import torch

        assert torch
        super().write(field, meta, target, format=format, **options)


@pytest.mark.parametrize(("kind", "part"), [(TorchInRead, "read"), (TorchInWrite, "write")])
def test_torch_is_found_in_a_fresh_interpreter(kind, part, hill):
    with pytest.raises(AssertionError, match=rf"{part}\(\) must not load torch"):
        fresh.check_no_torch(kind(), hill, {})
    fresh.check_no_torch(Good(), hill, {"scale": 2})


@pytest.mark.parametrize(("kind", "part"), [(TorchInRead, "read"), (TorchInWrite, "write")])
def test_torch_is_found_where_only_this_interpreter_knows_the_modality(kind, part, hill):
    class Local(kind):
        pass

    import torch

    with pytest.raises(AssertionError, match=rf"{part}\(\) must not load torch"):
        fresh.check_no_torch(Local(), hill, {})
    assert sys.modules["torch"] is torch


def test_torch_is_found_at_the_top_of_a_module(hill, tmp_path, monkeypatch):
    source = f"import torch\nfrom {__name__} import Good\n\nclass Late(Good):\n    pass\n"
    (tmp_path / "late_plugin.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    late = importlib.import_module("late_plugin").Late()
    with pytest.raises(AssertionError, match="importing its module must not load torch"):
        check_modality(late, hill)


def test_memory_is_limited_and_given_back(hill):
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    check_modality(Cloud(), hill, quick={"side": 16})
    assert resource.getrlimit(resource.RLIMIT_AS) == before
