"""The seam: all that the author of a plugin must read, with the types in `coordcodec.data`.

A plugin is a module, named in its package's metadata as an entry point of the group "coordcodec":

    [project.entry-points.coordcodec]
    heightmap = "coordcodec_heightmap"

The module implements one hook or both, which return lists of objects that keep the protocols below:

    from coordcodec.hookspecs import hookimpl

    @hookimpl
    def register_modalities():
        return [Heightmap()]

It says which number of this seam it is written for, and gets a clear message from a coordcodec of another:

    COORDCODEC_API = 2

`coordcodec.testing.check_modality` and `check_quantizer` test whether an object keeps its protocol.
The built-in modalities and quantizers come in by the same door. Import what is heavy inside methods, so that
`coordcodec --help` stays quick.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, runtime_checkable

import pluggy
from numpy.typing import NDArray

from coordcodec.data import Field, SampleType, Signal, Symbols
from coordcodec.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

API = 2
"""The number of this seam. 1 had signals without samples, scale, offset, unit, mask and periodic axes; plugins that are
written for it, or say no number, keep working unless an option of theirs has a name that the command line has taken."""
GROUP = "coordcodec"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)

Source = str | os.PathLike[str] | BinaryIO | NDArray[Any]


@runtime_checkable
class Modality(Protocol):
    """One kind of data: how to turn it into coordinates and values, and back.

    name: 1 to 32 of a-z, 0-9, _ and -; stored in the file.
    suffixes: of the files that it reads, lower case with the dot or with several (".nii.gz"); the longest one of a name
        counts, and the first is the one it writes by default.
    rate_unit: of `rate`, such as "bpp" or "kbps".
    main_score: the key of `score` that the result line shows and that --target-score is about. Where less of it is
        better, as of a distance, say so with a further attribute, lower_is_better = True.
    defaults: the choices that suit this kind of data; set a target (rate, num_bytes or width) in them.
    read_options, write_options: what `read`, and what `render` and `write`, can be told besides: the name of each
        keyword argument -> one line of help (unit, range, default). The command line makes options of them
        (sample_rate -> --sample-rate 16000) and passes on those given, as a number, a tuple of numbers
        (1,2.5,3 or 640x480) or else the text.
    """

    name: str
    suffixes: tuple[str, ...]
    rate_unit: str
    main_score: str
    defaults: Recipe
    read_options: Mapping[str, str]
    write_options: Mapping[str, str]

    def read(self, source: Source, **options: Any) -> Signal:
        """Read a path, a binary file or an array as a signal.

        The signal's values must lie in [-1, 1]; what is needed to undo their scaling goes into its meta. Give its
        samples, too, with their scale and offset: what is said of errors and types is about them.
        Give what else the source says, such as a colour profile or tags, as its extras: the recipe decides whether a
        file keeps them. Warn (`warnings.warn`, one line) of whatever the signal does not carry.
        Raise SignalError for anything that cannot be read.
        """
        ...

    def render(self, field: Field, meta: Mapping[str, Any], **options: Any) -> Any:
        """The decoded data in its natural form (an array, a mesh), from a field and the signal's meta.

        `meta` comes from a file and may be forged: check it before allocating. The options are those that
        `write_options` names (scale, size, region, resolution ...); raise RecipeError for bad values.
        Ask the field in slices (`coordcodec.data.sample`): its memory grows with the points of one call.
        """
        ...

    def write(self, field: Field, meta: Mapping[str, Any], target: BinaryIO, *, format: str, **options: Any) -> None:
        """Write what `render` returns, as a file of the kind that the suffix `format` (".png") names.

        Without options it writes the samples, where the signal has them, in their own type: those that
        `coordcodec.data.samples_on` gives. Extras are in `meta` where the file kept them.
        Raise RecipeError for a format that cannot be written. The core sees to paths, overwriting and half files.
        """
        ...

    def score(self, field: Field, signal: Signal) -> dict[str, float | None]:
        """How close a field comes to a signal, each score with its unit in its name: {"psnr_db": 31.2}.

        None for a score that is not defined for this signal; every other one is finite.
        """
        ...

    def rate(self, num_bytes: int, meta: Mapping[str, Any]) -> float:
        """The rate of a file of `num_bytes` bytes in `rate_unit`; proportional to `num_bytes`."""
        ...


@runtime_checkable
class Sampled(Protocol):
    """What a modality may have besides if its signals have samples: small files then need not say their type."""

    def sample_type(self, meta: Mapping[str, Any]) -> SampleType | None:
        """Type, scale, offset and unit of the samples of a signal with this meta, which may be forged.

        What `read` gives: signal.sample_type. None if it gives none. Raise ContainerError for forged meta.
        """
        ...


@runtime_checkable
class Recognizer(Protocol):
    """What a modality may have besides if others read files with its suffixes, too: it then wins by content."""

    def recognizes(self, path: str) -> bool:
        """Whether the file at this path, which has one of the suffixes, is of this modality. Look at a few bytes only.

        Not asked where the modality is named. One that returns False is only taken where no other reads the suffix.
        """
        ...


@runtime_checkable
class Previewer(Protocol):
    """What a modality may have besides: a picture for people, for `compress --preview` and `evaluate --preview`."""

    def preview(self, field: Field, signal: Signal, target: BinaryIO) -> None:
        """Write one PNG that shows the original, the decoded data and their difference."""
        ...


Loss = Callable[[Mapping[str, "Tensor"]], "Tensor"]
"""Parameters by name -> the loss on the next minibatch, a scalar tensor that can be differentiated."""


@runtime_checkable
class Quantizer(Protocol):
    """A way to turn parameters into integers.

    name: what --quantizer calls it. It is not stored: a decoder does not need it.

    One that has `in_loop = True`, too, lets the fit see what bits are worth where a size is to be met: a rate penalty
    holds parameters down by the bits that they would take, networks may be deeper, and the ranges say how fine a grid
    each tensor is worth. The built-in rd is such a one.
    """

    name: str

    def __call__(
        self, params: Mapping[str, Tensor], loss: Loss, ranges: Mapping[str, float], bits: float, budget: int
    ) -> Symbols:
        """Quantize the parameters of a fitted network, or their updates to a learned initialisation.

        params: float32 tensors by name, each (parts, ...); not to be changed.
        loss: see `Loss`. Each call costs one step of the fit. It raises when the time is over; let that pass.
        ranges: how far the grid of each tensor reaches at `bits` bits, so that its step is reach / (2^(bits - 1) - 1):
            the largest magnitude of a tensor, or what a learned initialisation says; a parameter may lie beyond.
        bits: the width of the symbols, 2 to 12; need not be whole, so that a rate can be met exactly. A
            quantizer must give a smaller file for fewer bits.
        budget: how often `loss` may be called; 0 or more.

        Returns one `Quantized` per tensor, in the order and of the shapes of `params`, with magnitudes below 2^11.
        """
        ...


class Hooks:
    """The two hooks."""

    @hookspec
    def register_modalities(self) -> list[Modality]:
        """Return the modalities of this plugin."""
        raise AssertionError("a specification, never called")

    @hookspec
    def register_quantizers(self) -> list[Quantizer]:
        """Return the quantizers of this plugin."""
        raise AssertionError("a specification, never called")


__all__ = [
    "API",
    "GROUP",
    "Hooks",
    "Loss",
    "Modality",
    "Previewer",
    "Quantizer",
    "Recognizer",
    "Sampled",
    "Source",
    "hookimpl",
]
