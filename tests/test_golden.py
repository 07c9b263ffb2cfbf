"""Files of every released version decode for ever; damaged ones are noticed."""

from pathlib import Path

import numpy as np
import pytest

import coordcodec
from coordcodec.errors import ContainerError
from coordcodec.layers import layer_of
from coordcodec.layers.detail.values import decoded
from coordcodec.samples import DTYPES, SampleType
from tests import reference

CUT = {f"v5-tiles-{name}" for name in ("lossless", "bound", "wavelet", "lapped")} | {"v5-coast"}
DETAIL = {f"v5-{name}" for name in ("lossless", "cascade", "bound", "reversible", "lapped", "wavelet", "layers")} | CUT
"""Files with a detail layer."""
PYRAMID = {f"v5-pyramid{name}" for name in ("", "-globe", "-sound", "-volume", "-layers")}
FILES = sorted((Path(__file__).parent / "golden").glob("*.ccdc"))


def test_every_feature_of_the_format_has_a_golden_file():
    names = {path.stem for path in FILES}
    first = {"v1-rgb", "v1-grey", "v1-alpha16", "v1-coin", "v1-pixel", "v1-parts", "v1-cloud"}
    third, fourth = {"v3-init", "v3-init-parts", "v3-init-half"}, {"v4-contexts", "v4-contexts-parts", "v4-sorted"}
    fifth = {"v5-mask", "v5-periodic", "v5-periodic-parts", "v5-side"}
    assert names == first | {"v2-gains"} | third | fourth | fifth | DETAIL | PYRAMID
    assert all(path.read_bytes()[4] == int(path.stem[1]) for path in FILES)


def init_of(path):
    """The initialisation beside a golden file, if it needs one."""
    beside = path.with_suffix(".safetensors")
    return beside if beside.exists() else None


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_it_decodes_to_what_it_was(path, device):
    expected = np.load(path.with_suffix(".npz"))
    values = coordcodec.open(path, init_of(path)).to(device).field(expected["coords"])
    assert np.array_equal(np.isnan(values), np.isnan(expected["values"]))
    assert np.nanmax(np.abs(values - expected["values"])) < 1 / 255


@pytest.mark.parametrize("path", [p for p in FILES if p.stem in DETAIL], ids=lambda p: p.stem)
def test_what_was_promised_is_the_same_to_the_bit(path):
    opened, expected = coordcodec.open(path), np.load(path.with_suffix(".npz"))
    assert ("samples" in expected) == (opened.container.promise is not None)
    if "samples" in expected:
        assert np.array_equal(opened.samples(), expected["samples"])
    assert opened.info["layers"][-1]["kind"] == "detail"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_the_page_alone_is_enough_to_decode_it(path):
    init = init_of(path)
    fields = reference.parse(path.read_bytes(), init.read_bytes() if init else None)
    opened = coordcodec.open(path, init)
    parsed = opened.container
    assert fields["modality"] == parsed.modality
    assert fields["meta"] == {k: v for k, v in parsed.meta.items() if k not in parsed.free}
    assert (fields["shape"], fields["channels"]) == (parsed.meta["shape"], parsed.meta["channels"])
    assert fields["circles"] == (list(parsed.periodic) or [False] * parsed.dims)
    if parsed.samples:
        kind, scale, offset, unit = fields["samples"]
        channels = parsed.meta["channels"] // len(scale)
        assert parsed.samples == SampleType(DTYPES[kind], (*scale * channels,), (*offset * channels,), unit)
    for section in parsed.sections:
        symbols = layer_of(section.spec).decode(section.chunks, section.spec, opened.init if section.init else None)
        if section.spec.kind == "detail":
            ours = decoded(section.spec, symbols).reshape(-1, section.spec.channels)
            assert np.array_equal(fields["detail"]["integers"], ours)
            continue
        if section.spec.kind == "pyramid":
            check_pyramid(fields["pyramid"], symbols)
            continue
        for numbers, q in zip(fields["numbers"], symbols.values(), strict=True):
            assert np.array_equal(np.float32(numbers), q.dequantize().ravel())
    if parsed.promise:
        assert fields["promise"] == (parsed.promise.max_error or 0)
        known = slice(None) if parsed.mask is None else parsed.mask.full().ravel()
        ours = opened.samples()
        assert np.array_equal(np.array(reference.samples(fields)).astype(ours.dtype)[known], ours[known])
    expected = np.load(path.with_suffix(".npz"))
    for p, values in zip(expected["coords"][:8].tolist(), expected["values"], strict=False):
        assert np.allclose(reference.evaluate(fields, p), values, atol=1 / 255, equal_nan=True)


def check_pyramid(read, symbols):
    """The page's networks and latents are ours."""
    for name, (step, numbers) in read["tensors"].items():
        assert step == symbols[name].step
        assert numbers == symbols[name].symbols.ravel().tolist()
    for level, latents in read["latents"].items():
        ours = symbols[f"latents.{level}"].symbols
        assert [latents[at] for at in np.ndindex(ours.shape)] == ours.ravel().tolist()
    assert len(symbols) == len(read["tensors"]) + len(read["latents"])


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_any_flipped_byte_and_any_cut_is_noticed(path):
    data = path.read_bytes()
    for at in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[at] ^= flip
            with pytest.raises(ContainerError):
                coordcodec.open(bytes(damaged), init_of(path))
        with pytest.raises(ContainerError):
            coordcodec.open(data[:at], init_of(path))


def test_what_a_file_says_of_its_contexts():
    whole, parts, ordered = (coordcodec.open(p).info["layers"][0]["contexts"] for p in FILES if p.stem.startswith("v4"))
    assert whole == parts
    assert {"weight0": "columns", "weight1": "rows"}.items() <= whole.items()
    assert {f"bias{layer}": "differences" for layer in range(4)}.items() <= ordered.items()
    assert not any(coordcodec.open(p, init_of(p)).info["layers"][0]["contexts"] for p in FILES if p.stem < "v4")
