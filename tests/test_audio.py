"""Real sounds: every kind of file comes through whole or is refused in one clear line."""

import hashlib
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import coordcodec
from coordcodec.data import Grid, Signal
from coordcodec.errors import ContainerError, CoordCodecError, RecipeError, SignalError
from coordcodec.hookspecs import Previewer
from coordcodec.plugins import installed
from coordcodec.testing import check_modality, nearest_field
from coordcodec_audio import files, metrics, mpeg, promises, rendering

SOUNDS = Path(__file__).parent / "sounds"
AUDIO = installed().modalities.get("audio")
SUBTYPES = [
    *(("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM")),
    *(("FLAC", subtype) for subtype in ("PCM_S8", "PCM_16", "PCM_24")),
    *(("AIFF", subtype) for subtype in ("PCM_S8", "PCM_16", "FLOAT")),
    *(("WAVEX", "PCM_24"), ("RF64", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")),
]


def tone(n=4000, rate=16000, channels=1, peak=0.5):
    """(n, channels) float32 sines of 440, 540 ... Hz."""
    time = np.arange(n)[:, None] / rate
    return (peak * np.sin(2 * np.pi * (440 + 100 * np.arange(channels)) * time)).astype(np.float32)


def encoded(samples, rate=16000, kind="WAV", subtype=None, **how):
    target = io.BytesIO()
    sf.write(target, samples, rate, format=kind, subtype=subtype, **how)
    return target.getvalue()


def read(data):
    return AUDIO.read(io.BytesIO(data))


def written(signal, suffix=".wav", **options):
    target = io.BytesIO()
    AUDIO.write(nearest_field(signal), signal.meta, target, format=suffix, **options)
    return target.getvalue()


def warned(action):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = action()
    return result, [str(w.message) for w in caught]


# Reading and writing


@pytest.mark.parametrize(
    ("kind", "subtype", "channels"),
    [(k, s, c) for k, s in SUBTYPES for c in (1, 2, *([] if s in ("IMA_ADPCM", "MPEG_LAYER_III") else [6]))],
)
def test_every_kind_of_file_is_read_as_its_decoder_reads_it(kind, subtype, channels):
    data = encoded(tone(channels=channels), kind=kind, subtype=subtype)
    signal = read(data)
    expected, rate = sf.read(io.BytesIO(data), dtype="float32", always_2d=True)
    assert signal.meta["rate"] == rate
    assert np.abs(signal.values - expected).max() <= (1e-6 if kind == "MP3" else 0)
    assert np.array_equal(read(data).values, signal.values)
    assert signal.coords == Grid((len(expected),))


@pytest.mark.parametrize(
    ("subtype", "suffix", "comes_back_as"),
    [
        ("PCM_U8", ".wav", "PCM_U8"),
        ("PCM_16", ".wav", "PCM_16"),
        ("PCM_24", ".wav", "PCM_24"),
        ("PCM_32", ".wav", "PCM_32"),
        ("FLOAT", ".wav", "FLOAT"),
        ("DOUBLE", ".wav", "DOUBLE"),
        ("PCM_U8", ".flac", "PCM_S8"),
        ("PCM_16", ".flac", "PCM_16"),
        ("PCM_24", ".flac", "PCM_24"),
    ],
)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_rate_channels_length_depth_and_every_sample_survive(subtype, suffix, comes_back_as, channels):
    rng = np.random.default_rng(0)
    signal = read(encoded(rng.uniform(-1, 1, (3000, channels)), 22050, subtype=subtype))
    data = written(signal, suffix)
    facts = sf.info(io.BytesIO(data))
    assert (facts.samplerate, facts.channels, facts.frames, facts.subtype) == (22050, channels, 3000, comes_back_as)
    back = read(data)
    assert np.array_equal(back.values, signal.values)
    assert dict(back.meta) == dict(signal.meta)


@pytest.mark.parametrize("subtype", ["PCM_32", "FLOAT"])
def test_what_flac_cannot_hold_is_written_with_24_bits_and_said(subtype):
    signal = read(encoded(tone(), subtype=subtype))
    data, said = warned(lambda: written(signal, ".flac"))
    assert sf.info(io.BytesIO(data)).subtype == "PCM_24"
    assert len(said) == 1 and ".flac holds at most 24 bits" in said[0]
    assert np.abs(read(data).values - signal.values).max() <= 2**-24


def test_extreme_samples_keep_their_sign():
    for depth, dtype in ((16, np.int16), (32, np.int32)):
        ends = np.array([np.iinfo(dtype).min, np.iinfo(dtype).max, 0], dtype)
        back, _ = sf.read(io.BytesIO(written(read(encoded(ends, subtype=f"PCM_{depth}")))), dtype=dtype)
        assert np.array_equal(back, ends)


def test_floats_beyond_full_scale_are_kept():
    samples = np.array([0, 1.5, -3, 2.25], np.float32)
    signal = read(encoded(samples, subtype="FLOAT"))
    assert signal.meta["scale"] == 3
    assert np.array_equal(signal.values[:, 0], samples / 3)
    assert np.allclose(AUDIO.render(nearest_field(signal), signal.meta), samples)
    assert np.allclose(sf.read(io.BytesIO(written(signal)))[0], samples)


def test_clipped_peaks_of_a_lossy_file_are_said():
    data = encoded(np.sign(tone()), kind="OGG", subtype="VORBIS")
    signal, said = warned(lambda: read(data))
    assert len(said) == 1 and "clipped to 1" in said[0]
    assert np.abs(signal.values).max() == 1


@pytest.mark.parametrize(
    "samples",
    [np.zeros(1), np.full(1, 0.5), tone(10)[:, 0], np.zeros(3000), np.full(3000, 0.3), np.sign(tone()[:, 0])],
    ids=["one zero", "one sample", "ten samples", "silence", "constant", "square"],
)
def test_extraordinary_sounds_go_all_the_way(samples):
    signal = read(encoded(samples.astype(np.float32), subtype="PCM_16"))
    opened = coordcodec.open(
        coordcodec.compress((samples, 16000), modality="audio", siren={"width": 8, "steps": 20}, device="cpu")
    )
    assert AUDIO.render(opened.field, signal.meta).shape == samples.shape
    assert len(sf.read(io.BytesIO(opened.export(".wav")))[0]) == len(samples)
    scores = AUDIO.score(opened.field, signal)
    assert all(value is None or np.isfinite(value) for value in scores.values())
    assert (scores["snr_db"] is None) == (not samples.any())
    assert opened.rate == pytest.approx(8 * len(opened.data) / (len(samples) / 16000) / 1000)


def test_arrays_and_tuples():
    with pytest.raises(SignalError, match="does not tell its sample rate"):
        AUDIO.read(np.zeros(100, np.float32))
    integers = (tone(channels=2) * 32767).astype(np.int16)
    assert np.array_equal(AUDIO.read((integers, 16000)).values, integers / np.float32(32768))
    assert dict(AUDIO.read((integers, np.int64(16000))).meta) == {"rate": 16000, "shape": [4000], "channels": 2}
    assert AUDIO.read((tone().astype(float), 8000)).meta["float"] is True
    for source, says in (
        ((np.zeros((0, 2), np.float32), 8000), "(n,) or (n, c)"),
        ((np.zeros((2, 2, 2), np.float32), 8000), "(n,) or (n, c)"),
        ((np.zeros(2, np.uint8), 8000), "int16, int32, float32 or float64"),
        ((np.array(["x"]), 8000), "int16, int32, float32 or float64"),
        ((np.array([np.nan]), 8000), "finite"),
        ((np.array([1e300]), 8000), "finite"),
        ((np.zeros(2), 0), "sample rate"),
        ((np.zeros(2), 44100.5), "sample rate"),
        ((np.zeros(2),), "tuple of 1"),
    ):
        with pytest.raises(SignalError) as caught:
            AUDIO.read(source)
        assert says in str(caught.value)


def test_other_kinds_of_output_are_refused():
    signal = read(encoded(tone()))
    with pytest.raises(RecipeError, match=r"cannot write audio as '.ogg'; choose .wav or .flac"):
        written(signal, ".ogg")
    many = read(encoded(tone(channels=9)))
    assert read(written(many)).channels == 9
    with pytest.raises(RecipeError, match="cannot write 9 channels"):
        written(many, ".flac")


def test_writing_twice_gives_the_same_bytes():
    for subtype in ("PCM_16", "FLOAT"):
        signal = read(encoded(tone(), subtype=subtype))
        assert written(signal) == written(signal)
        assert b"PEAK" not in written(signal)  # a chunk with the time of day


# Files that are not whole


def refused(data, name="a.wav"):
    with pytest.raises(SignalError) as caught:
        files.read_sound(data, name)
    message = str(caught.value)
    assert name in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("kind", "subtype"), SUBTYPES)
def test_files_that_are_cut_off_are_refused(kind, subtype, capfd):
    data = encoded(tone(40000), kind=kind, subtype=subtype)
    for share in (0.7, 0.3, 0.01):
        refused(data[: int(len(data) * share)])


def test_what_is_no_sound_is_refused():
    rng = np.random.default_rng(0)
    assert "is empty" in refused(b"")
    for data in (b"no sound at all", rng.bytes(5000), b"RIFF", b"fLaC", b"FORM", b"ID3"):
        assert "cannot read" in refused(data)
    assert "is cut off or damaged" in refused(b"\xff\xfb\x90\x00")
    assert "is a AU file" in refused(encoded(tone(), kind="AU"))
    for kind in ("WAV", "AIFF", "OGG"):
        assert "holds no samples" in refused(encoded(tone(0), kind=kind))
    for bad in (np.nan, np.inf):
        samples = tone()
        samples[77] = bad
        assert "NaN or infinite" in refused(encoded(samples, subtype="FLOAT"))
        assert "NaN or infinite" in refused(encoded(samples, subtype="DOUBLE"))


def test_a_missing_file_and_a_stream(tmp_path):
    with pytest.raises(CoordCodecError, match=r"missing.wav"):
        AUDIO.read(tmp_path / "missing.wav")
    path = tmp_path / "a.flac"
    path.write_bytes(encoded(tone(), kind="FLAC"))
    with path.open("rb") as stream:
        assert np.array_equal(AUDIO.read(stream).values, AUDIO.read(path).values)


def test_a_wav_of_unknown_length_as_pipes_make_them_is_read():
    data = bytearray(encoded(tone()))
    at = data.index(b"data") + 4
    for size in (b"\xff\xff\xff\xff", b"\x00\xf0\xff\x7f"):
        data[at : at + 4] = size
        assert len(read(bytes(data)).values) == 4000


def test_a_wav_with_chunks_around_its_samples_is_read():
    data = encoded(tone())
    note = b"LIST" + (5).to_bytes(4, "little") + b"hello\0"
    body = data[12:36] + note + data[36:] + note
    data = b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WAVE" + body
    assert len(read(data).values) == 4000


@pytest.mark.parametrize("total", [0, 17, 3999, 4001, 10**9])
def test_a_flac_with_a_wrong_total_is_read_to_its_end(total):
    samples = np.random.default_rng(0).integers(-32768, 32768, (200000, 1), dtype=np.int16)
    data = bytearray(encoded(samples, kind="FLAC"))
    data[21] &= 0xF0
    data[22:26] = total.to_bytes(4, "big")
    if total == 10**9:
        assert "more than the" in refused(bytes(data))
        return
    signal, said = warned(lambda: read(bytes(data)))
    assert np.array_equal(signal.values * 32768, samples)
    assert len(said) == (total != 0)
    without_md5 = bytes(data[:26]) + bytes(16) + bytes(data[42:])
    signal, _ = warned(lambda: read(without_md5))
    assert len(signal.values) == 200000


def test_a_flac_that_decodes_to_something_else_is_refused():
    data = bytearray(encoded(tone(), kind="FLAC"))
    data[30] ^= 1
    assert "MD5" in refused(bytes(data))
    data[26:42] = bytes(16)
    data[21:26] = bytes([data[21], 0, 0, 0x20, 0])
    assert "is cut off: its header promises 8192 samples, 4000 are there" in refused(bytes(data))


def bits(*fields):
    """Numbers as (value, width) pairs, one after another, most significant bit first, filled up to a byte."""
    text = "".join(format(value & (1 << width) - 1, f"0{width}b") for value, width in fields)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def crc(data, polynomial, width):
    value = 0
    for byte in data:
        value ^= byte << width - 8
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value >> width - 1 else 0)) & (1 << width) - 1
    return value.to_bytes(width // 8, "big")


def flac(samples, depth, code, md5=True):
    """One frame of verbatim samples (n < 256, mono, 16 kHz), of a depth that few encoders write."""
    raw = b"".join(int(v).to_bytes((depth + 7) // 8, "little", signed=True) for v in samples)
    n = len(samples)
    info = bits((16, 16), (4096, 16), (0, 48), (16000, 20), (0, 3), (depth - 1, 5), (n, 36))
    info += hashlib.md5(raw).digest() if md5 else bytes(16)
    head = bits((0b11111111111110, 14), (0, 2), (6, 4), (5, 4), (0, 4), (code, 3), (0, 1), (0, 8), (n - 1, 8))
    frame = head + crc(head, 0x07, 8) + bits((0, 1), (1, 6), (0, 1), *((int(v), depth) for v in samples))
    return b"fLaC" + bits((128, 8), (34, 24)) + info + frame + crc(frame, 0x8005, 16)


@pytest.mark.parametrize(("depth", "code", "read_as"), [(8, 1, 8), (12, 2, 16), (16, 4, 16), (20, 5, 24), (24, 6, 24)])
def test_flacs_of_12_and_20_bits_are_read_too(depth, code, read_as):
    rng = np.random.default_rng(0)
    samples = rng.integers(-(2 ** (depth - 1)), 2 ** (depth - 1), 200)
    signal = read(flac(samples, depth, code))
    assert np.array_equal(signal.values[:, 0] * 2.0 ** (depth - 1), samples)
    assert signal.meta.get("depth", 16) == read_as
    if depth in (12, 20):
        assert "without the MD5" in refused(flac(samples, depth, code, md5=False))


def test_a_flac_whose_facts_come_late_or_behind_a_tag_is_checked(tmp_path):
    data = flac(np.arange(200), 16, 4)
    late = data[:4] + bits((1, 8), (4, 24)) + bytes(4) + data[4:]
    tagged = b"ID3\4\0\0\0\0\1\0" + bytes(128) + data
    for variant in (late, tagged):
        found = promises.flac(variant)
        assert (found.total, found.bits) == (200, 16)
    assert len(read(tagged).values) == 200


@pytest.mark.parametrize("mode", ["CONSTANT", "AVERAGE", "VARIABLE"])
def test_mp3s_without_a_header_of_their_length(mode, capfd):
    noise = tone(60000) + np.random.default_rng(0).normal(0, 0.05, (60000, 1)).astype(np.float32)
    noise[:20000] *= 0.01
    data = encoded(noise, kind="MP3", compression_level=0.3, bitrate_mode=mode)
    assert len(read(data).values) == 60000
    size, _ = mpeg.frame_of(data[:4])
    whole = read(data).values
    bare = read(data[size:]).values  # with what an encoder adds at both ends
    assert 60000 <= len(bare) <= 60000 + 4 * 1152
    shifts = [float(np.abs(bare[k : k + 60000] - whole).max()) for k in range(len(bare) - 59999)]
    assert min(shifts) < 1e-3
    assert capfd.readouterr().err == ""


def test_an_ogg_that_ends_without_an_end_mark_is_said():
    data = encoded(tone(60000), kind="OGG", subtype="OPUS")
    last = data.rfind(b"OggS")
    signal, said = warned(lambda: read(data[:last]))
    assert len(signal.values) < 60000
    assert "may be cut off" in said[0]


def test_enormous_declarations_are_refused_before_decoding(monkeypatch):
    monkeypatch.setattr(files, "MAX_VALUES", 5000)
    assert "declares 4000 samples of 2 channels" in refused(encoded(tone(channels=2)))
    without_total = bytearray(encoded(tone(8000), kind="FLAC"))
    without_total[21:26] = bytes([without_total[21] & 0xF0, 0, 0, 0, 0])
    assert "has more than the" in refused(bytes(without_total))


def test_too_many_channels_are_refused():
    assert "has 300 channels" in refused(encoded(np.zeros((4, 300))))


@pytest.mark.parametrize("path", sorted(SOUNDS.glob("*.wav")), ids=lambda path: path.name)
def test_every_nasty_file_here_decodes_or_is_refused(path):
    go_through(path)


@pytest.mark.skipif("COORDCODEC_NASTY_AUDIO" not in os.environ, reason="COORDCODEC_NASTY_AUDIO names no folder")
def test_every_nasty_file_there_decodes_or_is_refused():
    for path in sorted(Path(os.environ["COORDCODEC_NASTY_AUDIO"]).iterdir()):
        go_through(path)


def go_through(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            data = coordcodec.compress(path, modality="audio", siren={"width": 8, "steps": 20}, device="cpu")
        except CoordCodecError as error:
            assert "\n" not in str(error)
            assert path.name in str(error)
            return
    opened = coordcodec.open(data)
    assert len(opened.render()) == opened.container.meta["shape"][0]


# Decoding at other rates, and in part


def sine_field(frequency, frames, rate, channels=1):
    """A field that is a sine of so many Hz, in time."""

    def field(coords):
        assert np.abs(coords).max() <= 1
        assert len(coords) <= 1 << 16
        time = (coords.astype(np.float64) + 1) / 2 * (frames - 1) / rate
        return np.repeat(0.5 * np.sin(2 * np.pi * frequency * time), channels, axis=1).astype(np.float32)

    return field


def meta_of(frames, rate, channels=1, **more):
    return {"rate": rate, "shape": [frames], "channels": channels, **more}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 3000, 7999, 2000, 1001])
def test_another_sample_rate_is_the_same_sound_at_other_times(rate, channels):
    field, meta = sine_field(200, 8001, 8000, channels), meta_of(8001, 8000, channels)
    out = AUDIO.render(field, meta, sample_rate=rate).reshape(-1, channels)
    count = round(8001 * rate / 8000)
    assert out.shape == (count, channels)
    time = np.minimum(np.arange(count) / rate, 8000 / 8000)
    expected = 0.5 * np.sin(2 * np.pi * 200 * time)[:, None]
    inner = slice(40, -40) if rate < 8000 else slice(None)  # the filter looks beyond the ends
    assert np.abs(out - expected)[inner].max() < 2e-4


def test_what_a_lower_rate_cannot_carry_is_filtered_out():
    meta = meta_of(80000, 8000)  # times are float32 coordinates: noise 58 dB down
    for rate in (4000, 3000, 1001):
        for frequency, expected in ((0.4 * rate, 0.5 / 2**0.5), (0.55 * rate, 0), (0.9 * rate, 0)):
            out = AUDIO.render(sine_field(frequency, 80000, 8000), meta, sample_rate=rate)[200:-200]
            assert np.sqrt((out.astype(float) ** 2).mean()) == pytest.approx(expected, abs=6e-4), (rate, frequency)


@pytest.mark.parametrize("rate", [None, 8000, 44100, 3000])
@pytest.mark.parametrize("region", [(0, 1.25), (0, 0.1), (0.3337, 0.9), (1.2, 1.25), (0.5, 0.50000001)])
def test_a_region_is_exactly_that_part_of_the_whole(rate, region):
    field, meta = sine_field(313, 10000, 8000, 2), meta_of(10000, 8000, 2)
    whole = AUDIO.render(field, meta, sample_rate=rate)
    part = AUDIO.render(field, meta, sample_rate=rate, region=region)
    start = round(region[0] * (rate or 8000))
    assert len(part) == max(1, round(region[1] * (rate or 8000)) - start)
    assert np.array_equal(part, whole[start : start + len(part)])


def test_only_the_region_is_computed():
    asked = []

    def field(coords):
        asked.append(len(coords))
        return np.zeros((len(coords), 1), np.float32)

    assert len(AUDIO.render(field, meta_of(10**7, 44100), region=(100, 100.5))) == 22050
    assert sum(asked) == 22050


def test_one_sample_at_any_rate():
    seen = []

    def field(coords):
        seen.append(coords)
        return np.full((len(coords), 1), 0.25, np.float32)

    for rate, count in ((None, 1), (100, 1), (8000, 1), (80000, 10)):
        assert np.allclose(AUDIO.render(field, meta_of(1, 8000), sample_rate=rate), np.full(count, 0.25))
    assert not np.concatenate(seen).any()


def test_a_constant_stays_constant_up_to_its_ends():
    def field(coords):
        return np.full((len(coords), 1), 0.5, np.float32)

    for rate in (100, 1000, 7000, 48000):
        assert np.allclose(AUDIO.render(field, meta_of(9000, 8000), sample_rate=rate), 0.5, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sample_rate": 0}, "sample_rate must be a whole number from 32 to 768000 Hz, got 0"),
        ({"sample_rate": 31}, "from 32 to 768000"),
        ({"sample_rate": 800000}, "from 32 to 768000"),
        ({"sample_rate": 44100.5}, "whole number"),
        ({"sample_rate": float("nan")}, "whole number"),
        ({"sample_rate": "fast"}, "whole number"),
        ({"sample_rate": (1, 2)}, "whole number"),
        ({"region": (0, 2)}, "region 0,2 is not inside 0,1.000000 seconds"),
        ({"region": (-1, 0.5)}, "is not inside"),
        ({"region": (0.5, 0.5)}, "with T0 < T1"),
        ({"region": (float("nan"), 0.5)}, "is not inside"),
        ({"region": 1}, "two times T0,T1"),
        ({"region": (0, 1, 2)}, "two times T0,T1"),
        ({"region": "all"}, "two times T0,T1"),
        ({"scale": 2}, "sounds have no option scale"),
    ],
)
def test_bad_options_are_refused(options, says):
    with pytest.raises(RecipeError) as caught:
        AUDIO.render(sine_field(1, 8000, 8000), meta_of(8000, 8000), **options)
    assert says in str(caught.value)


def test_a_giant_output_is_refused_and_a_region_of_it_is_not():
    field, meta = sine_field(1, 1 << 26, 8000), meta_of(1 << 26, 8000)
    with pytest.raises(RecipeError, match="choose a region"):
        AUDIO.render(field, meta, sample_rate=768000)
    assert len(AUDIO.render(field, meta, sample_rate=768000, region=(0, 0.001))) == 768


@pytest.mark.parametrize(
    "forged",
    [
        {"shape": [2, 3]},
        {"shape": []},
        {"shape": [1 << 40]},
        {"channels": 255, "shape": [1 << 21]},
        {"rate": 0},
        {"rate": 10**7},
        {"rate": 8000.0},
        {"rate": "x"},
        {"rate": True},
        {"rate": [8000]},
        {"depth": 17},
        {"depth": -8},
        {"depth": "16"},
        {"depth": 16.0},
        {"float": 1},
        {"scale": 0.5},
        {"scale": -1.0},
        {"scale": 2},
        {"scale": 1e300},
    ],
)
def test_forged_meta_is_refused_before_anything_is_asked(forged):
    def field(coords):
        raise AssertionError

    meta = {**meta_of(100, 8000), **forged}
    for action in (
        lambda: AUDIO.render(field, meta),
        lambda: AUDIO.rate(100, meta),
        lambda: AUDIO.write(field, meta, io.BytesIO(), format=".wav"),
    ):
        with pytest.raises(ContainerError, match="not a sound"):
            action()
    del meta["rate"]
    with pytest.raises(ContainerError):
        AUDIO.render(field, meta)


# Scores


def test_scores_of_known_arrays():
    x = np.array([[0.5], [-0.5], [0.5], [-0.5]], np.float32)
    y = np.array([[0.25], [-0.5], [0.5], [-0.5]], np.float32)
    assert metrics.snr_db(x, y) == pytest.approx(10 * np.log10(1 / 0.0625))
    assert metrics.psnr_db(x, y) == pytest.approx(10 * np.log10(1 / (0.0625 / 4)))
    # Without means: s = x, e = y + 0.0625; a = <e, s> / <s, s> = 0.875, |a s|^2 = 0.765625, |e|^2 = 0.8125 - 0.015625.
    assert metrics.si_sdr_db(x, y) == pytest.approx(10 * np.log10(0.765625 / (0.796875 - 0.765625)))


def test_scores_of_silence_constants_and_perfection():
    zero, half, x = np.zeros((3000, 2), np.float32), np.full((3000, 2), 0.3, np.float32), tone(3000, channels=2)
    assert metrics.scores(x, x) == {
        "snr_db": 100,
        "psnr_db": 100,
        "si_sdr_db": 100,
        "log_spectral_distance_db": 0,
    }
    assert metrics.snr_db(zero, x) is metrics.si_sdr_db(zero, x) is metrics.si_sdr_db(half, x) is None
    assert metrics.snr_db(half, zero) == 0
    assert metrics.psnr_db(half, zero) == pytest.approx(-20 * np.log10(0.3), abs=1e-5)
    assert metrics.si_sdr_db(x, zero) == -100
    assert metrics.si_sdr_db(x, half) < -90


def test_si_sdr_ignores_scale_and_mean_and_snr_does_not():
    rng = np.random.default_rng(0)
    x = tone(300000)
    y = x + rng.normal(0, 0.01, x.shape).astype(np.float32)
    score = metrics.si_sdr_db(x, y)
    assert score == pytest.approx(10 * np.log10(0.125 / 1e-4), abs=0.05)
    assert metrics.si_sdr_db(x, 0.5 * y + np.float32(0.1)) == pytest.approx(score, abs=0.01)
    assert metrics.si_sdr_db(x, -y) == pytest.approx(score, abs=0.01)
    assert metrics.snr_db(x, 0.5 * y) == pytest.approx(6.02, abs=0.05)


def test_log_spectral_distance():
    x = np.random.default_rng(0).normal(0, 0.1, (100000, 2)).astype(np.float32)
    assert metrics.log_spectral_distance_db(x, x / 2) == pytest.approx(6.02, abs=0.01)
    # The floor: what is below -100 dB is silence, and a sine at full scale is at 0 dB.
    assert metrics.log_spectral_distance_db(x * 0, x * np.float32(1e-7)) < 0.01
    time = np.arange(2048)
    frame = np.sin(2 * np.pi * 100 * time / 2048)
    assert metrics.decibels(metrics.power_spectrum(frame))[100] == pytest.approx(0, abs=1e-6)
    # Blocks and frames at the end change nothing.
    short = x[:2049]
    padded = np.concatenate([short, np.zeros((511, 2), np.float32)])
    assert metrics.log_spectral_distance_db(short, short / 2) == metrics.log_spectral_distance_db(padded, padded / 2)
    assert np.isfinite(metrics.log_spectral_distance_db(x[:1], x[1:2]))


def test_scores_are_those_of_the_written_file():
    samples = (tone(5000, channels=2) * 100).round() / 128
    signal = read(encoded(samples, subtype="PCM_U8"))
    noise = np.random.default_rng(0).normal(0, 0.02, signal.values.shape).astype(np.float32)
    noisy = Signal(signal.coords, np.clip(signal.values + noise, -1, 1), "audio", signal.meta)
    target = io.BytesIO()
    AUDIO.write(nearest_field(noisy), signal.meta, target, format=".wav")
    back = read(target.getvalue()).values
    assert AUDIO.score(nearest_field(noisy), signal) == metrics.scores(signal.values, back)
    assert AUDIO.score(nearest_field(signal), signal)["snr_db"] == 100


# The contract and the previews


@pytest.mark.filterwarnings("ignore:.flac holds at most 24 bits")
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_U8", "FLOAT"])
def test_it_keeps_the_contract(subtype, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(encoded(tone(600, 8000, channels=2, peak=2 if subtype == "FLOAT" else 0.5), 8000, subtype=subtype))
    check_modality(AUDIO, path, examples={"sample_rate": 4000, "region": (0.01, 0.03)})


def test_loading_the_plugin_loads_no_library():
    code = "import sys, coordcodec_audio; coordcodec_audio.register_modalities(); print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "scipy", "soundfile", "matplotlib", "PIL"}


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("frames", [1, 10, 1000, 1001, 50000])
def test_a_preview_is_a_picture_of_sane_size(frames, channels):
    from PIL import Image

    signal = AUDIO.read((tone(frames, channels=channels), 16000))
    assert isinstance(AUDIO, Previewer)
    target = io.BytesIO()
    AUDIO.preview(sine_field(440, frames, 16000, channels), signal, target)
    with Image.open(target) as picture:
        assert (picture.format, picture.size) == ("PNG", (1200, 900))
        assert len(np.unique(np.asarray(picture.convert("L").resize((60, 45))))) > 5


def test_a_preview_of_silence_and_of_a_long_sound(monkeypatch):
    AUDIO.preview(lambda c: np.zeros((len(c), 1), np.float32), AUDIO.read((np.zeros(5000), 8000)), io.BytesIO())
    from coordcodec_audio import picture

    monkeypatch.setattr(picture, "_WHOLE", 1000)
    asked = []

    def field(coords):
        asked.append(len(coords))
        return np.zeros((len(coords), 1), np.float32)

    signal = AUDIO.read((np.zeros((1 << 22, 1), np.float32), 44100))
    AUDIO.preview(field, signal, io.BytesIO())
    assert sum(asked) <= picture.COLUMNS * picture.LONGEST_WINDOW
    assert rendering.MAX_DECIMATION == 256
