"""Sound files as other people's tools write, join and damage them: read whole, or refused or warned of in one line."""

import contextlib
import io
import os
import struct
import threading
import warnings
from functools import partial

import numpy as np
import pytest
import soundfile as sf

from coordcodec.errors import SignalError
from coordcodec.testing import nearest_field
from coordcodec_audio import chunks, heard, mpeg, ogg
from coordcodec_audio.files import read_sound
from coordcodec_audio.modality import Audio

RNG = np.random.default_rng(0)
ID3 = b"ID3\4\0\0\0\0\1\0" + bytes(128)
ID3V1 = b"TAG" + b"x" * 125
NOTE = b"LIST" + struct.pack("<I", 5) + b"hello"


def tone(n=3000, rate=8000, channels=1):
    time = np.arange(n)[:, None] / rate
    return (0.5 * np.sin(2 * np.pi * (440 + 100 * np.arange(channels)) * time)).astype(np.float32)


def encoded(kind="WAV", subtype=None, n=3000, rate=8000, channels=1, **how):
    target = io.BytesIO()
    sf.write(target, tone(n, rate, channels), rate, format=kind, subtype=subtype, **how)
    return target.getvalue()


def said(data):
    """The sound and the one line that is warned of, "" without one."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sound = read_sound(bytes(data), "a sound")
    assert len(caught) <= 1
    return sound, "".join(str(w.message) for w in caught)


def length(data):
    """Samples of a file that is read without a word."""
    sound, words = said(data)
    assert words == ""
    return len(sound.samples)


def refused(data):
    with pytest.raises(SignalError) as caught:
        read_sound(bytes(data), "a sound")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def with_number(data, at, number, order="<"):
    return data[:at] + struct.pack(order + "I", number) + data[at + 4 :]


# Chunks: WAV, RF64 and AIFF

WAV = encoded()
DATA = WAV.index(b"data") + 4


def wav_of(*parts):
    body = b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body


@pytest.mark.parametrize("kind", [("WAV", "PCM_16"), ("WAV", "DOUBLE"), ("WAVEX", "PCM_24"), ("RF64", "PCM_16")])
def test_a_header_that_promises_no_samples_is_not_believed(kind):
    data = encoded(*kind)
    sound, words = said(with_number(data, data.index(b"data") + 4, 0))
    assert np.array_equal(sound.samples, said(data)[0].samples)
    assert "promises no samples" in words


@pytest.mark.parametrize("size", [0x7FFF0000, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF])
def test_sizes_that_pipes_leave_open_are_no_news(size):
    assert length(with_number(WAV, DATA, size)) == 3000


def test_sizes_that_are_wrong_are_said():
    assert "is cut off: its header promises 6044 bytes of samples, 6000 are there" in refused(
        with_number(WAV, DATA, 6044)
    )
    sound, words = said(with_number(WAV, DATA, 3000))
    assert len(sound.samples) == 1500
    assert "3000 bytes behind its samples" in words
    assert "last sample is not whole" in said(with_number(WAV, DATA, 5999))[1]
    for size in (0, 1, 10, 0xFFFFFFFF):
        assert length(with_number(WAV, 4, size)) == 3000  # of the whole file
    for size in (0, 14, 18, 40, 1000, 0xFFFFFFFF):
        sound, words = said(with_number(WAV, 16, size))
        assert len(sound.samples) == 3000
        assert "'fmt ' says" in words


def test_sizes_of_64_bits():
    data = encoded("RF64")
    at = data.index(b"ds64") + 16
    for size in (0, 2**62, 2**64 - 1):
        assert length(data[:at] + struct.pack("<Q", size) + data[at + 8 :]) == 3000
    assert "is cut off" in refused(data[:at] + struct.pack("<Q", 7000) + data[at + 8 :])
    assert length(b"BW64" + data[4:]) == 3000


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_S8", "PCM_24", "FLOAT", "ULAW"])
def test_aiffs_with_wrong_headers(subtype):
    data = encoded("AIFF", subtype)
    size, count = data.index(b"SSND") + 4, data.index(b"COMM") + 10
    for wrong in (0, 8):
        sound, words = said(with_number(data, size, wrong, ">"))
        assert np.array_equal(sound.samples, said(data)[0].samples)
        assert "promises no samples" in words
    assert "is cut off" in refused(with_number(data, size, len(data), ">"))
    for wrong in (0, 100, 5000, 0xFFFFFFFF):
        sound, words = said(with_number(data, count, wrong, ">"))
        assert len(sound.samples) == 3000
        assert subtype == "ULAW" or f"promises {wrong} samples, 3000 are there" in words
    assert length(with_number(data, 4, 0, ">")) == 3000


@pytest.mark.parametrize("pad", [b"", b"\0", b"x"])
@pytest.mark.parametrize("kind", [b"LIST", b"xyzw"])
def test_odd_chunks_with_and_without_a_pad_byte(pad, kind):
    odd = kind + NOTE[4:] + pad
    assert length(wav_of(WAV[12:36], odd, WAV[36:])) == 3000
    assert length(wav_of(odd, WAV[12:])) == 3000
    assert length(wav_of(WAV[12:], odd)) == 3000
    bytes_ = encoded("WAV", "PCM_U8", n=3001)
    assert length(bytes_[: 44 + 3001] + pad + odd) == 3001
    aiff = encoded("AIFF")
    at = aiff.index(b"SSND")
    assert length(aiff[:at] + b"NAME" + struct.pack(">I", 5) + b"hello" + pad + aiff[at:]) == 3000


def test_tags_behind_an_odd_chunk_are_found():
    tags = b"INFOINAM" + struct.pack("<I", 6) + b"title\0"
    data = wav_of(WAV[12:36], b"xyzw" + NOTE[4:], WAV[36:], b"LIST" + struct.pack("<I", len(tags)) + tags)
    assert list(said(data)[0].tags) == [("TITLE", "title")]


def test_what_lies_behind_the_samples_or_is_not_there():
    assert length(WAV + bytes(100)) == 3000
    assert "33 bytes behind its samples" in said(WAV + RNG.bytes(33))[1]
    assert "several files joined" in refused(WAV + WAV)
    assert "several files joined" in refused(encoded("AIFF") * 2)
    assert "several chunks" in refused(wav_of(WAV[12:], WAV[36:]))
    for data in (WAV[:30], WAV[:40], wav_of(WAV[12:36])):
        assert "no chunk of samples" in refused(data)


@pytest.mark.parametrize("kind", ["W64", "AU", "CAF"])
@pytest.mark.parametrize("share", [1, 0.5, 0.01])
def test_kinds_that_are_not_read_are_named_whole_or_not(kind, share):
    data = encoded(kind)
    assert f"is a {kind} file" in refused(data[: max(20, int(share * len(data)))])


# Ogg


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_chained_oggs_are_read_whole(subtype):
    links = [encoded("OGG", subtype, n, 48000) for n in (3000, 5000, 4000)]
    parts = [said(link)[0].samples for link in links]
    assert np.array_equal(said(b"".join(links))[0].samples, np.concatenate(parts))
    other = encoded("OGG", subtype, 3000, 48000, channels=2)
    assert "joined that differ: 48000 Hz of 1 channels, 48000 Hz of 2" in refused(links[0] + other)
    assert "48000" in refused(links[0] + encoded("OGG", "VORBIS", 3000, 44100))


def paged(packets, stream=7, last=True):
    """An Ogg file with a page for each packet."""
    pages = []
    for number, packet in enumerate(packets):
        sizes = [255] * (len(packet) // 255) + [len(packet) % 255]
        assert len(sizes) < 256
        flags = (number == 0) * 2 | (last and number == len(packets) - 1) * 4
        head = b"OggS\0" + bytes([flags]) + struct.pack("<QIII", 0, stream, number, 0) + bytes([len(sizes), *sizes])
        checksum = ogg._checksum(head + packet)
        pages.append(head[:22] + struct.pack("<I", checksum) + head[26:] + packet)
    return b"".join(pages)


def in_ogg(flac):
    """A FLAC file of one frame in Ogg."""
    start = flac.index(b"\xff\xf8") if b"\xff\xf8" in flac else flac.index(b"\xff\xf9")
    blocks = list(split_blocks(flac[4:start]))
    first = b"\x7fFLAC\1\0" + struct.pack(">H", len(blocks) - 1) + b"fLaC" + blocks[0]
    return paged([first, *blocks[1:], flac[start:]])


def split_blocks(data):
    while data:
        size = 4 + int.from_bytes(data[1:4], "big")
        yield data[:size]
        data = data[size:]


def test_flac_in_ogg_is_read_and_checked():
    data = in_ogg(encoded("FLAC", n=3000))
    whole = said(encoded("FLAC", n=3000))[0].samples
    assert np.array_equal(said(data)[0].samples, whole)
    assert np.array_equal(said(data + data)[0].samples, np.concatenate([whole, whole]))
    last = data.rfind(b"OggS")
    assert "is cut off" in refused(data[:-10])
    assert "no samples" in refused(data[:last])


def test_ogg_checksums_are_known():
    data = encoded("OGG", "VORBIS", 3000)
    pages = list(ogg._pages(data))  # raises where a checksum is not that of libogg
    assert pages[-1].end == len(data)
    damaged = bytearray(data)
    damaged[pages[2].body + 30] ^= 1
    assert "does not have its checksum" in refused(damaged)


def test_oggs_with_something_missing_or_more_are_said():
    data = encoded("OGG", "OPUS", 100000, 48000)
    pages = list(ogg._pages(data))
    assert "pages are missing at 1 places" in said(data[: pages[2].at] + data[pages[2].end :])[1]
    assert "no end mark" in said(data[: pages[-1].at] + data)[1]
    assert "120 bytes of it are no Ogg page" in said(data + b"junk" * 30 + data)[1]
    assert "does not begin a stream" in refused(data[pages[0].end :])
    both = paged([data[pages[0].body : pages[0].end]], stream=1) + paged([data[pages[0].body : pages[0].end]], stream=2)
    assert "several sounds at the same time" in refused(both)


# MP3

MP3 = partial(encoded, "MP3")


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("channels", [1, 2])
def test_joined_mp3s_are_read_whole(mode, channels, capfd):
    files = [MP3(n=n, rate=32000, channels=channels, bitrate_mode=mode) for n in (20000, 30000)]
    parts = np.concatenate([said(data)[0].samples for data in files])
    for joined in (
        files[0] + files[1],
        ID3 + files[0] + ID3V1 + ID3 + files[1] + ID3V1,
        files[0] + bytes(7) + files[1],
    ):
        assert np.array_equal(said(joined)[0].samples, parts)
    assert length(files[0] * 3) == 60000
    assert capfd.readouterr().err == ""


def test_mp3s_joined_with_ones_without_a_header():
    data = MP3()
    bare = data[mpeg.frame_of(data[:4])[0] :]
    frames = len(mpeg._parted(bare, 0)[0][0].frames)
    assert 576 * (frames - 2) < length(bare) <= 576 * frames
    assert 576 * (2 * frames - 2) < length(bare + bare) <= 576 * 2 * frames
    sound, words = said(data + bare)
    assert len(sound.samples) > 576 * (2 * frames - 4)
    assert f"promises {frames} frames, {2 * frames} are there" in words


def test_mp3s_that_differ_are_not_joined():
    for other in (MP3(channels=2), MP3(rate=16000)):
        assert "changes its sample rate or its channels" in refused(MP3() + other)


def test_mp3s_whose_count_is_wrong_or_that_are_cut_off(capfd):
    data = MP3(n=20000)
    at = data.index(b"Xing") + 8
    count = int.from_bytes(data[at : at + 4], "big")
    for wrong in (0, 3, count - 1, count + 1):
        sound, words = said(with_number(data, at, wrong, ">"))
        assert len(sound.samples) == 20000
        assert f"promises {wrong} frames, {count} are there" in words
    assert "is cut off" in refused(with_number(data, at, count + 2, ">"))
    for share in (0.99, 0.6, 0.2, 0.05, 0.01):
        assert "cut off" in refused(data[: int(share * len(data))])
    bare = data[mpeg.frame_of(data[:4])[0] :]
    assert "last frame is cut off" in said(bare[:-20])[1]
    assert capfd.readouterr().err == ""


def test_what_lies_around_the_frames_of_an_mp3(capfd):
    data = MP3()
    ape = b"APETAGEX" + struct.pack("<IIIIQ", 2000, 32, 0, 0xA0000000, 0)
    ape += b"APETAGEX" + struct.pack("<IIIIQ", 2000, 32, 0, 0x80000000, 0)
    for around in (ID3 + data, data + ID3V1, data + ape, data + ape + ID3V1, bytes(300) + data, data + bytes(3000)):
        assert length(around) == 3000
    for around in (RNG.bytes(200) + data, data + RNG.bytes(200)):
        sound, words = said(around)
        assert len(sound.samples) == 3000
        assert "200 bytes amid or behind its frames" in words
    sound, words = said(data + RNG.bytes(200) + data)
    assert len(sound.samples) == 6000
    assert "200 bytes" in words
    assert "bytes amid or behind" in said(data + WAV)[1]
    assert capfd.readouterr().err == ""


def test_damaged_mp3s_say_so_and_print_nothing(capfd):
    data, told = MP3() * 4, 0
    for seed in range(30):
        damaged = bytearray(data)
        for at in np.random.default_rng(seed).integers(0, len(data), 20):
            damaged[at] ^= 0x55
        with contextlib.suppress(SignalError):
            told += "its decoder found damage" in said(damaged)[1]
    assert told
    assert capfd.readouterr().err == ""


def test_what_others_print_meanwhile_is_printed(capfd):
    with heard.heard() as words:
        thread = threading.Thread(target=lambda: os.write(2, b"mine\nerror: theirs!\nNote: nothing\n"))
        thread.start()
        thread.join()
    assert words == ["its decoder found damage: theirs"]
    assert capfd.readouterr().err == "mine\n"


# FLAC


def test_joined_flacs_and_what_lies_behind_them():
    data = encoded("FLAC")
    assert length(data + data) == 6000
    assert length(ID3 + data) == 3000
    for more in (ID3V1, RNG.bytes(50), bytes(500), WAV):
        sound, words = said(data + more)
        assert np.array_equal(sound.samples, said(data)[0].samples)
        assert "what follows its samples is no FLAC" in words
    for cut in (1, 100):
        refused(data[:-cut])


# Writing


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_samples_beyond_full_scale_are_said_to_be_clipped_in_flac(dtype):
    audio = Audio()
    for peak, clipped in ((0.5, False), (1.0, False), (1.5, True), (50000.0, True)):
        signal = audio.read(((tone() * 2 * peak).astype(dtype), 8000))
        with pytest.warns(UserWarning, match="floating-point numbers") as caught:
            audio.write(nearest_field(signal), signal.meta, io.BytesIO(), format=".flac")
        assert ("are clipped to 1" in str(caught[0].message)) == clipped
        target = io.BytesIO()
        audio.write(nearest_field(signal), signal.meta, target, format=".wav")
        assert np.abs(sf.read(io.BytesIO(target.getvalue()))[0]).max() == pytest.approx(peak, rel=1e-6)


def test_random_damage_is_read_or_refused():
    """Whatever is done to headers, nothing but one line comes of it."""
    files = [WAV, encoded("RF64"), encoded("AIFF"), encoded("OGG", "VORBIS"), encoded("FLAC"), MP3()]
    for seed in range(600):
        rng = np.random.default_rng(seed)
        data = bytearray(files[seed % len(files)])
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(0, min(len(data), 200)))
            data[at] = int(rng.choice([0, 1, 127, 128, 255, rng.integers(256)]))
        if rng.random() < 0.3:
            del data[int(rng.integers(0, len(data))) :]
        try:
            said(data)
        except SignalError as error:
            assert "\n" not in str(error)


def test_nothing_is_known_of_other_files():
    assert chunks.chunks_of(b"RIFF\0\0\0\0AVI LIST") is None
    assert mpeg.parts_of(b"no frames here") == ([b"no frames here"], [])
