"""What the contract says of samples: values and samples agree, and what is written holds them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.contract import Checked
from coordcodec.data import Grid, SampleType, Signal
from coordcodec.decoder import Compressed
from coordcodec.hookspecs import Modality, Sampled
from coordcodec.plugins import installed


def check_samples(modality: Modality, signal: Signal, meta: Mapping[str, Any]) -> None:
    """The modality says of a file what it said when it read."""
    kind = signal.sample_type  # whether values and samples agree, the signal itself has checked
    if isinstance(modality, Sampled):
        said = Checked(modality, "under test").sample_type(meta)
        assert kind is None or said == kind, f"sample_type() must say what read() gives, {kind}; it says {said}"


def check_written(signal: Signal, back: Signal) -> None:
    """What a perfect field writes reads back as the same samples, of the same type, and the same ones known."""
    same = back.mask is None if signal.mask is None else np.array_equal(signal.mask, np.asarray(back.mask))
    assert same, "what write() writes must read back with the same samples known"
    kind = signal.sample_type
    if signal.samples is None or kind is None or not isinstance(signal.coords, Grid):
        return
    name = signal.samples.dtype
    assert back.samples is not None, f"what write() writes must read back with samples, {name}"
    assert back.samples.dtype == name, f"write() must keep the type of samples, {name}, got {back.samples.dtype}"
    worst = _apart(kind, back.samples, signal)
    assert worst <= 2, f"a perfect field must write back the samples; one is {worst:g} times the rounding error off"


def check_decoded(modality: Modality, signal: Signal, opened: Compressed, written: bytes) -> None:
    """What a file's `samples()` gives is what `write` writes, up to half a step where that rounds."""
    kind = signal.sample_type
    known = opened.container.samples or modality.name in installed().modalities.entries
    if kind is None or not known or not isinstance(signal.coords, Grid):
        return
    decoded = opened.samples()
    assert decoded.dtype == kind.dtype, f"samples() gives {decoded.dtype}, read() gave {kind.dtype}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"decoded{modality.suffixes[0]}"
        path.write_bytes(written)
        back = modality.read(path)
    if kind.whole and back.samples is not None and back.samples.shape == decoded.shape:
        # Between the ends of a type of 24 bits, which no array has, and those of a value lies one step.
        held = np.clip(decoded, back.samples.min(), back.samples.max())
        same = np.array_equal(held, back.samples)
        assert same, "write() must write the samples as the file gives them: use sample_type(meta).samples(values)"


def _apart(kind: SampleType, samples: NDArray[Any], signal: Signal) -> float:
    """The largest difference of samples that are known, as a multiple of what float32 values cannot tell apart."""
    known = slice(None) if signal.mask is None else signal.mask
    assert signal.samples is not None
    given, expected = samples[known].astype(np.float64), signal.samples[known].astype(np.float64)
    reach = np.abs(np.array(kind.scale)) + np.abs(np.array(kind.offset))
    finest = 2.0**-22 * reach + (0.5 if kind.whole else 0.0)
    return float((np.abs(given - expected) / finest).max())
