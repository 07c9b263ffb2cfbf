"""What the contract says of bad input: damaged sources, forged meta, senseless options."""

from __future__ import annotations

import contextlib
import io
import math
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coordcodec.contract import Checked
from coordcodec.data import Field, Signal
from coordcodec.errors import CoordCodecError, RecipeError, SignalError
from coordcodec.hookspecs import Modality, Sampled, Source
from coordcodec.testing.fields import Enough, Watched, constant_field, nearest_field

MOST_FORGED = 1 << 22
"""Points that decoding may ask for, whatever forged meta or senseless options say."""
_MEMORY = 1 << 32
"""Bytes that a check may take beyond what the process has: allocating a forged size must fail, not succeed."""
_HUGE = 1 << 40
_FAR = 1.7e308

_WRONG: tuple[Any, ...] = (
    *("", "x", "x" * 3000, True, False, 0, 1, -1, _HUGE, -(1 << 62), 0.0, -1.5, 5e-324, _FAR, -_FAR),
    *([], [0], [-1], ["x"], [""], [_HUGE], [_FAR], [True] * 300, b"", b"x", bytes(3000)),
)
_SENSELESS: tuple[Any, ...] = (
    *("nonsense", "", -1, 0, math.nan, math.inf, -math.inf, _FAR, 5e-324, _HUGE, -(1 << 62), (), (0, 0), (-1, -1)),
    *((math.nan,) * 2, (1, 2, 3, 4, 5, 6, 7), (_HUGE,) * 2, (_HUGE,) * 3, (0, 0, _HUGE, _HUGE), (5, 5, 1, 1)),
    *((math.nan,) * 4, (_FAR,) * 4, ("x", 1)),
)


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Let allocations of a forged size fail as they would on a smaller machine; let warnings pass."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore")
        with contextlib.suppress(ImportError, OSError, ValueError):  # where the system has no such limit
            import resource

            pages = int(Path("/proc/self/statm").read_text().split()[0])
            soft, hard = resource.getrlimit(resource.RLIMIT_AS)
            lowered = pages * resource.getpagesize() + _MEMORY
            if soft == resource.RLIM_INFINITY or lowered < soft:
                resource.setrlimit(resource.RLIMIT_AS, (lowered, hard))
                stack.callback(resource.setrlimit, resource.RLIMIT_AS, (soft, hard))
        yield


def _refused(what: str, action: Callable[[], object], kind: type[CoordCodecError] = CoordCodecError) -> bool:
    """Whether an action is refused as it should be. Fails when it raises anything but `kind`."""
    try:
        with _limited():
            action()
    except kind:
        return True
    except Enough:
        most = f"more than {MOST_FORGED} points"
        raise AssertionError(f"{what} asks the field for {most}; check it against a limit") from None
    except Exception as error:
        name = type(error).__name__
        raise AssertionError(f"{what} must raise a {kind.__name__} or work, it raised {name}: {error}") from error
    return False


def check_giant_shape(modality: Modality, signal: Signal) -> None:
    """A forged shape must be refused before anything of its size is allocated or computed."""
    dims = signal.dims
    if not signal.meta["shape"]:
        return
    watched = Watched(constant_field(signal.channels), dims)
    giant = [1 << (40 // dims)] * dims
    refused = _refused(
        "render() with a giant meta['shape']", lambda: modality.render(watched, {**signal.meta, "shape": giant})
    )
    assert not watched.asked, "render() must check meta['shape'] against a limit before it asks the field"
    assert refused, f"render() must raise a CoordCodecError for a shape of {giant}"
    large = [math.ceil((1 << 21) ** (1 / dims))] * dims
    watched = Watched(constant_field(signal.channels), dims, most=MOST_FORGED)
    with contextlib.suppress(AssertionError):  # what is too large for this kind of data may be refused
        _refused("render() with a large shape", _later(modality.render, watched, {**signal.meta, "shape": large}))
    assert not watched.problem, watched.problem


def check_sources(modality: Modality, source: Source | Callable[[], Source]) -> None:
    """What is no example of this kind of data must raise SignalError, whatever it is."""
    noise = np.random.default_rng(0).bytes(4096)
    streams = {"an empty stream": b"", "a stream of text": b"no data of any kind\n" * 9, "a stream of noise": noise}
    for what, data in streams.items():
        _must_refuse(modality, what, io.BytesIO(data))
    _must_refuse(modality, "an array of words", np.array([["no", "numbers"]]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"noise{modality.suffixes[0]}"
        _must_refuse(modality, "a path that does not exist", path, CoordCodecError)
        path.write_bytes(noise)
        _must_refuse(modality, "a file of noise", path)
    if isinstance(source, str | os.PathLike):
        _check_stream(modality, Path(source))


def _must_refuse(modality: Modality, what: str, source: Source, kind: type[CoordCodecError] = SignalError) -> None:
    refused = _refused(f"read() of {what}", lambda: modality.read(source), kind)
    assert refused, f"read() of {what} must raise a {kind.__name__}, it returned a signal"


def _check_stream(modality: Modality, path: Path) -> None:
    """A stream of a file's bytes is the same signal: standard input is such a stream."""
    data, signals = path.read_bytes(), list[Signal]()
    refused = _refused(
        "read() of the example as a stream", lambda: signals.append(modality.read(io.BytesIO(data))), SignalError
    )
    first = path.suffix.lower() == modality.suffixes[0]
    assert not (refused and first), f"read() must read a stream of a {modality.suffixes[0]} file as it reads the file"
    if signals:
        same = np.array_equal(signals[0].values, modality.read(path).values)
        assert same, "read() must give the same signal for a path and for a stream of that file"
    _refused("read() of half of the example", lambda: modality.read(io.BytesIO(data[: len(data) // 2])), SignalError)


@dataclass(frozen=True)
class Hostile:
    """Decoding one example with what nobody should have asked for.

    meta: the signal's with its extras, as it comes out of a file. quick: write options that make decoding quick.
    """

    modality: Modality
    signal: Signal
    meta: Mapping[str, Any]
    quick: Mapping[str, Any]

    def check(self) -> None:
        """Both."""
        self.check_options()
        self.check_meta()

    def check_options(self) -> None:
        """Senseless options and formats must raise RecipeError or work, and never ask for points without end."""
        perfect = nearest_field(self.signal)

        def render(**options: Any) -> object:
            watched = Watched(perfect, self.signal.dims, most=MOST_FORGED)
            return self.modality.render(watched, self.meta, **{**self.quick, **options})

        unknown = _refused("render(no_such_option=1)", lambda: render(no_such_option=1), RecipeError)
        assert unknown, "render(no_such_option=1) must raise a RecipeError: take **options and refuse what is left"
        for option in self.modality.write_options:
            for value in _SENSELESS:
                _refused(f"render({option}={value!r})", _later(render, **{option: value}), RecipeError)
        write = _later(self.modality.write, perfect, self.meta, io.BytesIO(), format=".no-such", **self.quick)
        unknown = _refused("write(format='.no-such')", write, RecipeError)
        assert unknown, "write() must raise a RecipeError for a format that it cannot write, such as '.no-such'"

    def check_meta(self) -> None:
        """Forged meta must raise a CoordCodecError or work, in everything that is asked with a file's meta."""
        meta, perfect, dims = self.meta, nearest_field(self.signal), self.signal.dims
        refused = self._decode("the signal's own meta and extras", meta, perfect, dims)
        assert not refused, "write() must work with what read() gives as meta and extras"
        for key, value in meta.items():
            if key in ("shape", "channels", "periodic"):
                continue
            for wrong in (*_WRONG, *_variations(value)):
                self._decode(f"meta[{key!r}] forged to {_short(wrong)}", {**meta, key: wrong}, perfect, dims)
            self._decode(f"meta[{key!r}] missing", {k: v for k, v in meta.items() if k != key}, perfect, dims)
        # The core sees to the types of these three, but not to what a plugin expects of them.
        flat, plain = constant_field(meta["channels"]), {k: v for k, v in meta.items() if k != "periodic"}
        for shape in ([], [1], [2, 3], [3, 1, 2], [1] * 8):
            self._decode(f"meta['shape'] forged to {shape}", {**plain, "shape": shape}, flat, len(shape) or dims)
        if meta["shape"] and min(meta["shape"]) > 1:
            self._decode("periodic axes", {**meta, "periodic": [True] * dims}, perfect, dims)
        self._decode("no periodic axes", plain, perfect, dims)
        for channels in {1, 2, 5, 255} - {meta["channels"]}:
            self._decode(f"{channels} channels", {**meta, "channels": channels}, constant_field(channels), dims)

    def _decode(self, what: str, forged: Mapping[str, Any], field: Field, dims: int) -> bool:
        """Whether writing is refused."""
        modality, format = self.modality, self.modality.suffixes[0]

        def watched() -> Field:
            return Watched(field, dims, most=MOST_FORGED)

        _refused(f"render() with {what}", _later(modality.render, watched(), forged, **self.quick))
        write = _later(modality.write, watched(), forged, io.BytesIO(), format=format, **self.quick)
        refused = _refused(f"write() with {what}", write)
        _refused(f"rate() with {what}", _later(self._rate, forged))
        if isinstance(modality, Sampled):
            _refused(f"sample_type() with {what}", _later(Checked(modality, "under test").sample_type, forged))
        return refused

    def _rate(self, meta: Mapping[str, Any]) -> None:
        rate = self.modality.rate(1000, meta)
        if not (isinstance(rate, int | float) and math.isfinite(rate)):
            raise ValueError(f"a rate of {rate!r}, expected a finite number")


def _later(function: Callable[..., object], *args: Any, **options: Any) -> Callable[[], object]:
    return lambda: function(*args, **options)


def _variations(value: Any) -> list[Any]:
    """Values of the right type that are wrong all the same."""
    if isinstance(value, str):
        return [value + "x", value[:-1], value[::-1]]
    if isinstance(value, bytes):
        return [value + b"x", value[:-1], value[::-1], bytes(len(value)), b"\xff" * len(value)]
    if not isinstance(value, list) or not value:
        return [] if isinstance(value, list) else [value + 1, -value - 1]
    numbers = [v for v in value if not isinstance(v, str)]
    huge: list[Any] = [1 << (40 // len(value)) if isinstance(v, int) else _FAR for v in numbers] or ["x" * 2000]
    return [value[:-1], value * 2, value[::-1], huge, [-1 for _ in value], [0 for _ in value], ["" for _ in value]]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."
