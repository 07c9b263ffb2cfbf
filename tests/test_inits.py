"""Learned initialisations: their file, where they are kept, and compressed files that name one."""

import contextlib
import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load as load_tensors

import coordcodec
from coordcodec import codec, inits
from coordcodec.cli import main
from coordcodec.data import Signal
from coordcodec.encoder.plan import make_plan
from coordcodec.errors import ContainerError, FileError, InitialisationError, MissingInitialisation, UnknownName
from coordcodec.inits import format, header, store
from coordcodec.partition import gain_of
from coordcodec.specs import INIT_BYTES, SirenSpec
from coordcodec.stream import weights
from tests.golden.make import TINY, learned, updated

SMALL = SirenSpec(1, 1, 2, 0, 0, 1000)
POINTS = np.random.default_rng(0).uniform(-1, 1, (50, 2)).astype(np.float32)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Three empty places for initialisations: shipped, listed, cache."""
    places = [tmp_path / "shipped", tmp_path / "listed", tmp_path / "cache" / "coordcodec" / "initialisations"]
    for place in places[:2]:
        place.mkdir()
    monkeypatch.setattr(store, "SHIPPED", places[0])
    monkeypatch.setenv("COORDCODEC_INITS", str(places[1]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return places


def small(**changed):
    """A small initialisation's bytes, packed from what is valid but for the changes."""
    tensors = {name: np.ones(shape) for name, shape in SMALL.shapes().items()}
    given = {
        "name": "small", "modality": "image", "spec": SMALL, "theta": tensors, "rates": [tensors], "codes": tensors,
        "ranges": dict.fromkeys(tensors, 0.5), "facts": {"licence": "MIT"}, **changed,
    }  # fmt: skip
    return inits.pack(**given)


# The file


@st.composite
def contents(draw):
    spec = SirenSpec(*(draw(st.integers(*limits)) for limits in ((1, 3), (1, 4), (1, 6), (0, 2), (0, 3), (1000, 8000))))
    half = st.floats(-60000, 60000, width=16)

    def tensors(values, dtype=np.float32):
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        few = draw(st.lists(values, min_size=1, max_size=5))
        return {name: rng.choice(np.array(few, dtype), shape) for name, shape in spec.shapes().items()}

    rates = [tensors(half.map(abs)) for _ in range(draw(st.integers(0, 3)))]
    name = draw(st.from_regex(r"[a-z0-9_.-]{1,64}", fullmatch=True))
    modality = draw(st.from_regex(r"[a-z][a-z0-9_-]{0,31}", fullmatch=True))
    facts = draw(st.dictionaries(st.sampled_from(["licence", "gain", "ähm", ""]), st.text(max_size=30)))
    ranges = {tensor: draw(half.filter(lambda x: x > 0)) for tensor in spec.shapes()}
    return name, modality, spec, tensors(half), rates, tensors(st.integers(-64, 63), np.int8), ranges, facts


@settings(deadline=None)
@given(contents())
def test_what_is_packed_parses(content):
    name, modality, spec, theta, rates, codes, ranges, facts = content
    data = inits.pack(*content)
    init = inits.parse(data)
    assert (init.name, init.modality, init.spec, dict(init.facts)) == (name, modality, spec, facts)
    assert [*init.theta] == [*spec.shapes()]
    assert init.ranges == ranges
    for ours, theirs in ((init.theta, theta), (init.codes, codes), *zip(init.rates, rates, strict=True)):
        assert all(np.array_equal(ours[k], theirs[k]) and ours[k].dtype == theirs[k].dtype for k in spec.shapes())
    for key, offsets in init.offsets().items():
        assert offsets.max() == 0
        assert np.array_equal(offsets, 4 * (codes[key].astype(int) - int(codes[key].max())))
    assert inits.pack(*content) == data
    assert init.id.hex() == init.sha256[:16]
    assert len(load_tensors(data)) == (3 + len(rates)) * len(spec.shapes())


def test_its_bytes_are_these_for_ever():
    assert inits.parse(small()).sha256 == SMALL_SHA256


SMALL_SHA256 = "0cdd99f6d71788bf3eab55a45defd661584194009b96e6a566437df038467136"


def forged(header=lambda h: None, metadata=lambda m: None, text=None, body=None):
    """The small initialisation's bytes with its header, its metadata or its tensors changed."""
    data = small()
    length = int.from_bytes(data[:8], "little")
    said = json.loads(data[8 : 8 + length])
    metadata(said["__metadata__"])
    header(said)
    raw = text if text is not None else json.dumps(said).encode()
    return struct.pack("<Q", len(raw)) + raw + (data[8 + length :] if body is None else body)


def of_network(**changed):
    def change(metadata):
        network = json.loads(metadata["network"])
        network.update(changed)
        metadata["network"] = json.dumps({k: v for k, v in network.items() if v is not None})

    return lambda: forged(metadata=change)


def floats(**changed):
    """The small initialisation's tensors as bytes, those of one name with other numbers."""
    body = bytearray()
    for name in sorted(f"{group}/{name}" for group in ("rate0", "span", "theta") for name in SMALL.shapes()):
        count = 1 if name.startswith("span") else int(np.prod(SMALL.shapes()[name.split("/")[1]]))
        body += np.full(count, changed.get(name.replace("/", "_"), 1), "<f2").tobytes()
    return bytes(body) + bytes(7)


HOSTILE = {
    "nothing": (lambda: b"", "expected a safetensors file"),
    "not one": (lambda: b"\x89PNG" + bytes(100), "expected a safetensors file"),
    "no header": (lambda: bytes(200), "expected a safetensors file"),
    "header of 8 EiB": (lambda: b"\xff" * 8 + b"{}", "header of at most 1 MiB"),
    "header above the limit": (lambda: forged(text=b"{" + b" " * (1 << 20) + b"}"), "at most 1 MiB"),
    "file above the limit": (lambda: small() + bytes(1 << 26), "at most 67108864 are read"),
    "no json": (lambda: forged(text=b"{nonsense"), "JSON object"),
    "no utf-8": (lambda: forged(text=b'{"\xff": 1}'), "JSON object"),
    "a list": (lambda: forged(text=b"[1, 2]"), "JSON object"),
    "deep": (lambda: forged(text=b"[" * 500_000), "JSON object"),
    "a key twice": (lambda: forged(text=b'{"a": 1, "a": 1}'), "JSON object"),
    "no metadata": (lambda: forged(header=lambda h: h.pop("__metadata__")), "metadata must be texts"),
    "metadata no texts": (lambda: forged(metadata=lambda m: m.update(gain=3)), "metadata must be texts"),
    "other format": (lambda: forged(metadata=lambda m: m.update(format="coordcodec-init-2")), "'coordcodec-init-2'"),
    "no format": (lambda: forged(metadata=lambda m: m.pop("format")), "its format is None"),
    "long fact": (lambda: forged(metadata=lambda m: m.update(gain="x" * 4097)), "'gain' takes 4097 characters"),
    "no name": (lambda: forged(metadata=lambda m: m.pop("name")), "its name is ''"),
    "long name": (lambda: forged(metadata=lambda m: m.update(name="x" * 65)), "1 to 64 of a-z"),
    "name with escapes": (lambda: forged(metadata=lambda m: m.update(name="\x1b[2J\n")), r"'\x1b[2J\n'"),
    "name with a line end": (lambda: forged(metadata=lambda m: m.update(name="a\n")), r"'a\n'"),
    "no modality": (lambda: forged(metadata=lambda m: m.update(modality="Image")), "its modality 'Image'"),
    "no network": (lambda: forged(metadata=lambda m: m.pop("network")), "expected whole numbers dims, channels"),
    "deep network": (lambda: forged(metadata=lambda m: m.update(network="[" * 4000)), "expected whole numbers"),
    "network a list": (lambda: forged(metadata=lambda m: m.update(network="[]")), "expected whole numbers"),
    "width missing": (of_network(width=None), "expected whole numbers"),
    "width more": (of_network(height=3), "expected whole numbers"),
    "width true": (of_network(width=True), "expected whole numbers"),
    "width a float": (of_network(width=2.0), "expected whole numbers"),
    "width 0": (of_network(width=0), "expected whole numbers"),
    "width 1025": (of_network(width=1025), "expected whole numbers"),
    "width huge": (of_network(width=10**30), "expected whole numbers"),
    "depth 17": (of_network(depth=17), "expected whole numbers"),
    "depth 256": (of_network(depth=256), "expected whole numbers"),
    "sigma 999": (of_network(sigma=999), "expected whole numbers"),
    "dims 9": (of_network(dims=9), "expected whole numbers"),
    "channels 256": (of_network(channels=256), "expected whole numbers"),
    "another width": (of_network(width=3), "theta/weight0 is 'F16' [2, 1], expected 'F16' [3, 1]"),
    "large network": (of_network(width=1024, depth=16), "rate0/bias10 is missing"),
    "tensor missing": (lambda: forged(header=lambda h: h.pop("scale/bias1")), "scale/bias1 is missing"),
    "tensor more": (lambda: forged(header=lambda h: h.update({"x\n": {}})), r"'x\n' is not expected"),
    "a step's rate missing": (lambda: forged(header=lambda h: h.pop("rate0/weight1")), "rate0/weight1 is missing"),
    "no tensor": (lambda: forged(header=lambda h: h.update({"theta/bias0": 7})), "theta/bias0 is None None"),
    "double": (lambda: forged(header=lambda h: h["theta/bias0"].update(dtype="F64")), "is 'F64' [2], expected 'F16'"),
    "unsigned": (lambda: forged(header=lambda h: h["scale/bias0"].update(dtype="U8")), "is 'U8' [2], expected 'I8'"),
    "huge shape": (
        lambda: forged(header=lambda h: h["theta/bias0"].update(shape=[2**62] * 2)),
        "expected 'F16' [2]",
    ),
    "long shape": (lambda: forged(header=lambda h: h["theta/bias0"].update(shape=[1] * 9999)), "expected 'F16' [2]"),
    "offsets beyond": (lambda: forged(header=lambda h: h["theta/bias0"].update(data_offsets=[0, 2**60])), "usable"),
    "offsets backwards": (lambda: forged(header=lambda h: h["theta/bias0"].update(data_offsets=[4, 0])), "usable"),
    "offsets shared": (lambda: forged(header=lambda h: h["theta/bias0"].update(h["theta/bias1"])), "usable"),
    "no offsets": (lambda: forged(header=lambda h: h["theta/bias0"].pop("data_offsets")), "usable"),
    "tensors cut": (lambda: small()[:-1], "its tensors take 43 bytes, behind the header there are 42"),
    "bytes behind": (lambda: small() + b"x", "behind the header there are 44"),
    "nan theta": (lambda: forged(body=floats(theta_bias1=np.nan)), "theta/bias1 must hold finite numbers"),
    "infinite theta": (lambda: forged(body=floats(theta_weight0=-np.inf)), "theta/weight0 must hold finite numbers"),
    "nan rate": (lambda: forged(body=floats(rate0_bias0=np.nan)), "rate0/bias0 must hold finite numbers from 0"),
    "negative rate": (lambda: forged(body=floats(rate0_bias0=-1)), "rate0/bias0 must hold finite numbers from 0"),
    "span 0": (lambda: forged(body=floats(span_bias0=0)), "span/bias0 must hold finite numbers from 5.96046e-08"),
    "infinite span": (lambda: forged(body=floats(span_bias1=np.inf)), "span/bias1 must hold finite numbers"),
    "long span": (lambda: forged(header=lambda h: h["span/bias0"].update(shape=[1])), "'F16' [1], expected 'F16' []"),
    "span missing": (lambda: forged(header=lambda h: h.pop("span/bias0")), "span/bias0 is missing"),
    "code 64": (lambda: forged(body=floats()[:-7] + b"\x40" * 7), "scale/weight0 goes from 64 to 64"),
    "code -65": (lambda: forged(body=floats()[:-7] + b"\xbf" * 7), "scale/weight0 goes from -65 to -65"),
}


def test_the_forger_forges_only_what_it_is_told():
    assert inits.parse(forged()).spec == inits.parse(forged(body=floats())).spec == SMALL


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_files_are_refused_and_told_why(what):
    make, says = HOSTILE[what]
    with pytest.raises(InitialisationError) as caught:
        inits.parse(make())
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_any_changed_byte_is_refused_or_another_initialisation():
    data = small()
    names = {inits.parse(data).sha256}
    for at in range(len(data)):
        for flip in (0x01, 0x20, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[at] ^= flip
            with contextlib.suppress(InitialisationError):
                sha256 = inits.parse(bytes(damaged)).sha256
                assert sha256 not in names
                names.add(sha256)
        with pytest.raises(InitialisationError):
            inits.parse(data[:at])
    assert len(names) > 100  # what nothing can tell from learned numbers


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.sampled_from(["__metadata__", "theta/bias0", "scale/weight1", "rate0/bias1", "rate1/weight0"]),
    st.sampled_from(["", "dtype", "shape", "data_offsets", "network", "format"]),
)
def test_senseless_headers_are_refused(value, member, key):
    def change(header):
        if key and isinstance(header.get(member), dict):
            header[member][key] = value
        else:
            header[member] = value

    try:
        init = inits.parse(forged(header=change))
    except InitialisationError as error:
        assert "\n" not in str(error)
    else:
        assert init.spec == SMALL


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": "Large"}, "'Large'"),
        ({"modality": ""}, "modality ''"),
        ({"facts": {"name": "x"}}, "may not be called name"),
        ({"facts": {"licence": "x" * 5000}}, "'licence' takes 5000"),
        ({"theta": {}}, "theta has the tensors"),
        ({"codes": {name: np.full(shape, 64) for name, shape in SMALL.shapes().items()}}, "codes must be -64 to 63"),
        ({"theta": {name: np.full(shape, 7e4) for name, shape in SMALL.shapes().items()}}, "theta/weight0 must hold"),
        ({"theta": {name: np.ones(3) for name in SMALL.shapes()}}, "theta/weight0 is 'F16' [3], expected 'F16' [2, 1]"),
        ({"rates": [{name: -np.ones(s) for name, s in SMALL.shapes().items()}]}, "rate0/weight0 must hold"),
        ({"rates": [{name: np.ones(s) for name, s in SMALL.shapes().items()}] * 17}, "more than 16 inner steps"),
    ],
)
def test_what_would_be_refused_is_not_packed(changed, says):
    with pytest.raises(InitialisationError) as caught:
        small(**changed)
    assert says in str(caught.value)


def test_the_format_page_names_the_limits_of_the_code():
    page = (Path(__file__).parent.parent / "docs" / "format.md").read_text()
    for words, value in (
        ("(at most 2^20); the header", header.MAX_HEADER == 1 << 20),
        ("The whole has at most 2^26 bytes", header.MAX_FILE == 1 << 26),
        ("texts of at most 4096 characters", header.MAX_FACT == 4096),
        ("s = 0, 1 ... up to 15, or none at all", header.MAX_STEPS == 16),
        ("2^(c / 2); -64 to 63", (format.LOWEST_CODE, format.HIGHEST_CODE) == (-64, 63)),
        ("| init | 8 |", INIT_BYTES == 8),
        ("`coordcodec-init-1`", header.FORMAT == "coordcodec-init-1"),
        (
            "4096 + 256 k; with *init* at most\n2^20 + 256 k",
            (weights.FREE_PARAMETERS, weights.FREE_UPDATES) == (4096, 1 << 20),
        ),
    ):
        assert words in page
        assert value


# Where they are kept


def test_all_places_are_searched_in_order_and_nothing_is_told_twice(folders):
    assert inits.places() == folders
    assert inits.available() == []
    shipped, listed, kept = learned(1, 0), small(), learned(2, 1)
    (folders[0] / "b.safetensors").write_bytes(shipped)
    (folders[1] / "a.safetensors").write_bytes(listed)
    (folders[1] / "again.safetensors").write_bytes(shipped)
    assert inits.keep(kept).parent == folders[2]
    found = inits.available()
    assert [e.sha256 for e in found] == [inits.parse(data).sha256 for data in (shipped, listed, kept)]
    assert [e.shipped for e in found] == [True, False, False]
    assert [e.path.name for e in found[:2]] == ["b.safetensors", "a.safetensors"]
    assert (found[1].name, found[1].modality, found[1].spec) == ("small", "image", SMALL)
    assert found[1].facts == {"licence": "MIT"}


def test_new_and_changed_files_are_noticed(folders):
    path = folders[1] / "a.safetensors"
    path.write_bytes(small())
    assert [e.name for e in inits.available()] == ["small"]
    path.write_bytes(small(name="other"))
    assert [e.name for e in inits.available()] == ["other"]
    path.unlink()
    assert inits.available() == []


@pytest.mark.parametrize("data", [b"", b"hello", small()[:-1], bytes(100)])
def test_a_damaged_file_is_a_warning_of_one_line(folders, data):
    path = folders[1] / "damaged.safetensors"
    path.write_bytes(data)
    (folders[1] / "whole.safetensors").write_bytes(small())
    (folders[1] / "folder.safetensors").mkdir()
    with pytest.warns(UserWarning) as caught:
        assert [e.name for e in inits.available()] == ["small"]
    told = sorted(str(w.message) for w in caught)
    assert [t.startswith(f"{path}: not a") for t in told] == [True, False]
    assert not any("\n" in t for t in told)
    assert [e.name for e in inits.available()] == ["small"]  # and is told once


def test_a_pipe_among_initialisations_keeps_nobody_waiting(folders):
    os.mkfifo(folders[1] / "pipe.safetensors")
    with pytest.warns(UserWarning, match=r"pipe.safetensors is no file; it is left out"):
        assert inits.available() == []


def test_by_name_and_by_path(folders, tmp_path, monkeypatch):
    (folders[0] / "first.safetensors").write_bytes(small(facts={"gain": "more"}))
    (folders[1] / "second.safetensors").write_bytes(small())
    assert inits.named("small").facts == {"gain": "more"}
    monkeypatch.chdir(tmp_path)
    Path("mine").write_bytes(learned(1, 0))
    for name in ("mine", "./mine", str(tmp_path / "mine")):
        assert inits.named(name).name == "drawn-w8"
    assert inits.named("listed/second.safetensors").facts == {"licence": "MIT"}
    with pytest.raises(UnknownName, match=r"unknown initialisation 'large'; choose from: small \(or the path"):
        inits.named("large")
    for name in ("gone.safetensors", "./gone", "a\0b.safetensors"):
        with pytest.raises(FileError, match="cannot read"):
            inits.named(name)
    Path("empty").touch()
    with pytest.raises(InitialisationError, match="^empty: not an initialisation"):
        inits.named("empty")
    with Path("large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InitialisationError, match="^large: not a usable initialisation: 1099511627776 bytes"):
        inits.named("large")


def test_by_hash(folders):
    data = learned(1, 2)
    init = inits.parse(data)
    with pytest.raises(MissingInitialisation) as caught:
        inits.find(init.id, TINY, "image")
    for part in (init.id.hex(), "(image-w8)", *map(str, folders), "--init"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    path = folders[1] / "a.safetensors"
    path.write_bytes(data)
    assert inits.find(init.id, TINY, "image").sha256 == init.sha256
    changed = bytearray(data)
    changed[-1] ^= 1
    path.write_bytes(changed)
    assert inits.available()[0].name == init.name
    with pytest.raises(MissingInitialisation, match="is not here"):
        inits.find(init.id, TINY, "image")
    kept = inits.keep(data)
    assert inits.find(init.id, TINY, "image").sha256 == init.sha256
    kept.write_bytes(changed)
    with pytest.raises(MissingInitialisation) as caught:
        inits.find(init.id, TINY, "image")
    assert f"{init.id.hex()} (image-w8) is damaged: {kept} holds something else" in str(caught.value)
    assert "--init" in str(caught.value)


def test_keeping_puts_a_whole_file_there_once(folders):
    data = small()
    path = inits.keep(data)
    assert path == folders[2] / f"{inits.parse(data).sha256[:16]}.safetensors"
    before = path.stat().st_mtime_ns
    assert inits.keep(data) == path
    assert path.stat().st_mtime_ns == before
    path.write_bytes(data[:-1])  # what is damaged there is mended
    assert inits.keep(data) == path
    assert path.read_bytes() == data
    assert [p.name for p in folders[2].iterdir()] == [path.name]
    with pytest.raises(InitialisationError):
        inits.keep(data[:-1])


def test_a_cache_that_cannot_be_is_told(folders, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(FileError, match="cannot make the folder"):
        inits.keep(small())
    assert inits.available() == []

    def homeless(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "expanduser", homeless)
    assert inits.places() == folders[:2]
    with pytest.raises(FileError, match="set XDG_CACHE_HOME"):
        inits.keep(small())


# Compressed files that name one


@pytest.mark.parametrize("parts", [(1, 1), (2, 3)])
@pytest.mark.parametrize("half", [False, True])
def test_a_field_is_theta_and_updates(folders, parts, half):
    data, learnt = updated(learned(1, 2), parts, half), inits.parse(learned(1, 2))
    opened = coordcodec.open(data, learnt)
    plain = {k: learnt.theta[k] + q.dequantize() for k, q in opened.symbols.items()}
    import torch

    from coordcodec.layers.siren.network import as_field
    from coordcodec.partition import Partition

    expected = as_field(TINY, plain, Partition(parts), torch.device("cpu"))(POINTS)
    assert np.array_equal(opened.field(POINTS), expected)
    assert any(q.symbols.any() for q in opened.symbols.values())
    assert opened.to("cpu").render().shape == (20, 24, 3)


def test_the_initialisation_is_found_or_given_and_only_the_right_one(folders, tmp_path):
    data = updated(learned(1, 2))
    path = folders[1] / "a.safetensors"
    path.write_bytes(learned(1, 2))
    expected = coordcodec.open(data).field(POINTS)
    for init in (path, str(path), inits.load(path), "drawn-w8"):
        assert np.array_equal(coordcodec.open(data, init).field(POINTS), expected)
    other, digits = inits.parse(learned(2, 2)), inits.load(path).sha256[:16]
    with pytest.raises(InitialisationError) as caught:
        coordcodec.open(data, other)
    assert "is not the initialisation this file was made with" in str(caught.value)
    assert f"(hash {other.sha256[:16]}, the file names {digits})" in str(caught.value)
    path.unlink()
    opened = coordcodec.open(data)
    with pytest.raises(MissingInitialisation, match=digits):
        opened.field(POINTS)
    with pytest.raises(MissingInitialisation, match=digits):
        assert opened.symbols
    plain = Path(__file__).parent / "golden" / "v1-rgb.ccdc"
    with pytest.raises(InitialisationError, match="the file names none"):
        coordcodec.open(plain, other)


def test_info_needs_no_initialisation(folders):
    data, init = updated(learned(1, 2)), inits.parse(learned(1, 2))
    digits = init.sha256[:16]
    info = coordcodec.open(data).info
    assert info["init"] == {"hash": digits, "name": None, "available": False}
    assert info["format"] == 3
    assert sum(info["sections"].values()) == info["bytes"] == len(data)
    assert coordcodec.open(data, init).info["init"] == {"hash": digits, "name": "drawn-w8", "available": True}
    inits.keep(learned(1, 2))
    assert coordcodec.open(data).info["init"] == {"hash": digits, "name": "drawn-w8", "available": True}
    plain = Path(__file__).parent / "golden" / "v2-gains.ccdc"
    assert coordcodec.open(plain).info["init"] is None


def resigned(body):
    return bytes(body) + struct.pack("<I", zlib.crc32(body))


def test_an_initialisation_of_another_network_is_a_damaged_file(folders):
    data = updated(learned(1, 2))
    inits.keep(learned(1, 2))
    wider = bytearray(data[:-4])
    at = wider.index(TINY.pack()[1])
    wider[at + 1] += 1
    other = bytearray(data[:-4])
    other[7] ^= 1  # the first letter of the modality
    for forged in (wider, other):
        opened = coordcodec.open(resigned(forged))
        with pytest.raises(ContainerError, match="damaged file: it names an initialisation of image, SirenSpec"):
            opened.field(POINTS)
        with pytest.raises(ContainerError, match="damaged file: it names an initialisation"):
            coordcodec.open(resigned(forged), inits.parse(learned(1, 2)))


@pytest.mark.parametrize("given", [True, False])
def test_forged_files_with_a_right_checksum_decode_or_are_refused(folders, given):
    data, init = updated(learned(1, 2)), inits.parse(learned(1, 2))
    inits.keep(learned(1, 2))
    outcomes = set()
    for at in range(len(data) - 4):
        for flip in (0x01, 0x80, 0xFF):
            body = bytearray(data[:-4])
            body[at] ^= flip
            try:
                coordcodec.open(resigned(body), init if given else None).field(POINTS[:2])
                outcomes.add("decoded")
            except (ContainerError, InitialisationError) as error:
                outcomes.add(type(error).__name__)
                assert "\n" not in str(error)
    assert outcomes == {"decoded", "ContainerError", "InitialisationError" if given else "MissingInitialisation"}


def test_gains_and_margins_apply_to_the_sum(folders):
    init = inits.parse(learned(2, 0))
    files = [updated(learned(2, 0), (1, 2), gains=gains) for gains in (b"", b"\x08\x10")]
    loud, quiet = (coordcodec.open(data, init).field(POINTS) for data in files)
    left = POINTS[:, 1] < 0
    assert np.allclose(quiet[left], loud[left] * gain_of(8), atol=1e-6)
    assert np.allclose(quiet[~left], loud[~left] * gain_of(16), atol=1e-6)


# The command line


@pytest.fixture
def said(capsys, monkeypatch, tmp_path):
    """Run a command in an empty folder without the seconds that a new process takes: code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main([*map(str, arguments)])
        return code, *capsys.readouterr()

    return run


def test_a_missing_initialisation_has_an_exit_code_of_its_own(folders, command, tmp_path):
    (tmp_path / "a.ccdc").write_bytes(updated(learned(1, 2)))
    missing = command("decompress", "a.ccdc", "-o", "a.png")
    assert (missing.returncode, missing.stdout) == (4, "")
    assert len(missing.stderr.splitlines()) == 1
    digits = inits.parse(learned(1, 2)).sha256[:16]
    for part in ("error: ", digits, "image-w8", str(folders[1]), str(folders[2]), "--init"):
        assert part in missing.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.ccdc", "listed", "shipped"]


def test_decoding_with_what_is_given_or_found(folders, said, tmp_path):
    digits = inits.parse(learned(1, 2)).sha256[:16]
    (tmp_path / "a.ccdc").write_bytes(updated(learned(1, 2)))
    (tmp_path / "other.safetensors").write_bytes(learned(2, 2))
    code, output, errors = said("decompress", "a.ccdc", "-o", "a.png", "--init", "other.safetensors")
    assert (code, output) == (2, "")
    assert "is not the initialisation this file was made with" in errors
    assert not (tmp_path / "a.png").exists()
    assert f"init      {digits}, which is not here\n" in said("info", "a.ccdc")[1]
    assert said("evaluate", "a.png", "a.ccdc", "--init", "gone")[0] == 2

    (folders[1] / "right.safetensors").write_bytes(learned(1, 2))
    assert said("decompress", "a.ccdc", "-o", "found.png")[0] == 0
    assert said("decompress", "a.ccdc", "-o", "given.png", "--init", "listed/right.safetensors")[0] == 0
    assert (tmp_path / "found.png").read_bytes() == (tmp_path / "given.png").read_bytes()
    scores = said("evaluate", "found.png", "a.ccdc", "--init", "drawn-w8", "--json")[1]
    assert json.loads(scores)["psnr_db"] > 40
    assert f"init      drawn-w8, {digits}\n" in said("info", "a.ccdc")[1]


def test_the_table_of_initialisations(folders, said):
    code, output, _ = said("inits")
    assert code == 0
    assert output.strip() == f"no initialisation is here; searched {', '.join(map(str, folders))}"
    facts = {"licence": "CC0-1.0", "trained_on": "two\nlines \x1b[2J", "gain": "20.1 -> 26.3 dB"}
    (folders[1] / "a.safetensors").write_bytes(small(facts=facts))
    (folders[0] / "b.safetensors").write_bytes(learned(1, 2))
    titles, shipped, listed = said("inits")[1].splitlines()
    assert titles.split() == ["name", "modality", "width", "hash", "gain", "learned", "from", "licence", "where"]
    digits = inits.parse(small(facts=facts)).sha256[:16]
    assert listed.startswith("small ")
    for part in (" image ", " 2 ", digits, "20.1 -> 26.3 dB", "two lines [2J", "CC0-1.0", str(folders[1] / "a.safet")):
        assert part in listed
    assert shipped.startswith("drawn-w8 ")
    assert shipped.endswith(" shipped")
    facts_of = json.loads(said("inits", "--json")[1])
    assert [row["name"] for row in facts_of["initialisations"]] == ["drawn-w8", "small"]
    assert facts_of["initialisations"][1]["trained_on"] == facts["trained_on"]
    assert [row["shipped"] for row in facts_of["initialisations"]] == [True, False]
    assert facts_of["searched"] == [*map(str, folders)]


@pytest.mark.parametrize(
    ("quantizer", "num_bytes", "name"),
    [("qat", 4096, "sdf-w40"), ("qat", 8192, "sdf-w64"), ("rd", 4096, "sdf-w40"), ("rd", 8192, "sdf-w56")],
)
def test_shapes_start_from_smaller_networks_where_the_fit_sees_the_rate(quantizer, num_bytes, name):
    coords = np.random.default_rng(0).uniform(-1, 1, (50, 3)).astype(np.float32)
    signal = Signal(coords, coords[:, :1], "sdf", {"c": [0.0, 0.0, 0.0], "s": 1.0, "t": 0.05})
    kind = codec.find_modality(signal.values, "sdf")
    plan = make_plan(signal, kind, codec.make_recipe(kind, siren={"quantizer": quantizer}, num_bytes=num_bytes))
    assert plan.init.name == name
