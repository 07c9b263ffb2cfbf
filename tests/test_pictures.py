"""Pictures of other people's tools: transparency, depth, pages, damage; and what each kind of file can hold."""

import io
import re
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pil

import coordcodec
from coordcodec.errors import CoordCodecError, RecipeError, SignalError
from coordcodec.plugins import installed
from coordcodec.testing import nearest_field

FAULTS = Path(__file__).parent / "images" / "faults"
IMAGE = installed().modalities.get("image")
RNG = np.random.default_rng(7)


def read(source):
    """The pixels that a file is read as, and what is said of it."""
    source = io.BytesIO(source) if isinstance(source, bytes) else source
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        signal = IMAGE.read(source)
    return IMAGE.render(nearest_field(signal), signal.meta), [str(warning.message) for warning in caught]


def pixels(source):
    """The pixels of a file of which there is nothing to say."""
    found, said = read(source)
    assert not said
    return found


def refusal(source):
    with pytest.raises(SignalError) as caught:
        read(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def scaled(values, bits):
    most = 255 if bits <= 8 else 65535
    return np.floor(np.asarray(values) / (2**bits - 1) * most + 0.5).astype(np.uint8 if bits <= 8 else np.uint16)


def packed(values, bits):
    """Rows of whole numbers, each of so many bits, each row ending with a whole byte."""
    rows = np.asarray(values).reshape(len(values), -1)
    places = (rows[:, :, None] >> np.arange(bits)[::-1]) & 1
    return np.packbits(places.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


# PNG


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(values, bits, colour, *chunks):
    """A PNG of whole numbers (h, w) or (h, w, c), with further chunks before its pixels."""
    height, width = values.shape[:2]
    body = packed(values, bits)
    stride = len(body) // height
    rows = b"".join(b"\0" + body[k : k + stride] for k in range(0, len(body), stride))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    end = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + end


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("high", [0, 0xA500])
def test_a_transparent_grey_of_any_depth(bits, high):
    values = np.arange(35).reshape(5, 7) * 2971 % 2**bits
    key = int(values[2, 3])
    said = key | (high if bits <= 8 else 0)  # bits beyond a sample's do not count
    found = pixels(png(values, bits, 0, chunk(b"tRNS", struct.pack(">H", said))))
    assert np.array_equal(found[:, :, 0], scaled(values, bits))
    assert np.array_equal(found[:, :, 1], np.where(values == key, 0, np.iinfo(found.dtype).max))


@pytest.mark.parametrize("bits", [8, 16])
def test_a_transparent_colour_of_any_depth(bits):
    values = RNG.integers(0, 2**bits, (5, 7, 3))
    values[3, 2] = values[1, 1]
    values[4, 4] = values[1, 1] + [0, 0, 1 if values[1, 1, 2] < 9 else -1]
    found = pixels(png(values, bits, 2, chunk(b"tRNS", struct.pack(">3H", *values[1, 1]))))
    assert np.array_equal(found[:, :, :3], values)
    clear = (values == values[1, 1]).all(2)
    assert clear.sum() == 2
    assert np.array_equal(found[:, :, 3], np.where(clear, 0, 2**bits - 1))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_with_transparency(bits):
    colours = RNG.integers(0, 256, (2**bits, 3), dtype=np.uint8)
    alphas = RNG.integers(0, 256, 2**bits - 1, dtype=np.uint8)  # the last one is opaque
    values = RNG.integers(0, 2**bits, (5, 7))
    found = pixels(png(values, bits, 3, chunk(b"PLTE", colours.tobytes()), chunk(b"tRNS", alphas.tobytes())))
    assert np.array_equal(found, np.column_stack([colours, [*alphas, 255]])[values])


@pytest.mark.parametrize("bits", [8, 16])
def test_rows_that_are_missing_are_damage(bits):
    whole = png(RNG.integers(0, 2**bits, (9, 7)), bits, 0)
    assert pixels(whole).shape == (9, 7)
    taller = bytearray(whole)
    taller[16:33] = struct.pack(">IIBBBBB", 7, 10, bits, 0, 0, 0, 0) + bytes(4)
    taller[29:33] = struct.pack(">I", zlib.crc32(taller[12:29]))
    assert "cannot read the input as an image" in refusal(bytes(taller))


def test_nothing_reaches_stderr_but_our_own_lines(tmp_path):
    values = RNG.integers(0, 65536, (9, 7, 3))
    wrong = chunk(b"iCCP", b"x\0\0" + zlib.compress(b"no")), chunk(b"sBIT", b"\0\0\0"), chunk(b"hIST", b"\0")
    (tmp_path / "odd.png").write_bytes(png(values, 16, 2, *wrong))
    code = f"from coordcodec_image.modality import Image; Image().read({str(tmp_path / 'odd.png')!r})"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_colours_that_a_palette_does_not_have_are_damage():
    palette = chunk(b"PLTE", bytes(range(9)))
    assert pixels(png(np.array([[0, 1, 2]]), 4, 3, palette)).tolist() == [[[0, 1, 2], [3, 4, 5], [6, 7, 8]]]
    found, said = read(png(np.array([[0, 1, 3]]), 4, 3, palette))
    assert found[0, 1].tolist() == [3, 4, 5]
    assert said == ["the input is damaged, parts may be wrong: it has colours beyond the 3 of its palette"]


def test_a_description_of_colours_that_is_not_carried_is_said():
    values = RNG.integers(0, 256, (5, 7, 3))
    assert pixels(png(values, 8, 2, chunk(b"cICP", bytes([1, 13, 0, 1])))).shape == (5, 7, 3)
    said = read(png(values, 8, 2, chunk(b"cICP", bytes([9, 16, 0, 1]))))[1]
    assert said == ["the input: its description of colours (such as BT.2020, PQ or HLG) is not carried"]


# TIFF


def tiff(values, bits, *, photometric=1, extra=(), order="<", **tags):
    """A TIFF of one strip, of whole numbers (h, w) or (h, w, c) of so many bits; extra: of its extra samples."""
    height, width = values.shape[:2]
    samples = values[0, 0].size
    body = values.astype(f"{order}u2").tobytes() if bits == 16 else packed(values, bits)
    entries = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [bits] * samples),
        259: (3, [1]),
        262: (3, [photometric]),
    }
    entries |= {273: (4, [8]), 277: (3, [samples]), 278: (4, [height]), 279: (4, [len(body)])}
    entries |= {338: (3, list(extra))} if extra else {}
    entries |= {int(name[1:]): entry for name, entry in tags.items()}
    body += b"\0" * (len(body) % 2)
    at = 8 + len(body)
    after, table = b"", struct.pack(f"{order}H", len(entries))
    for tag, (kind, numbers) in sorted(entries.items()):
        data = struct.pack(f"{order}{len(numbers)}{'H' if kind == 3 else 'I'}", *numbers)
        if len(data) > 4:
            place, after = at + 2 + 12 * len(entries) + 4 + len(after), after + data
            data = struct.pack(f"{order}I", place)
        table += struct.pack(f"{order}HHI", tag, kind, len(numbers)) + data.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    return head + body + table + bytes(4) + after


@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_of_every_depth_keeps_its_levels(bits, order):
    values = RNG.integers(0, 2**bits, (5, 7))
    values[0, :2] = 0, 2**bits - 1
    assert np.array_equal(pixels(tiff(values, bits, order=order)), scaled(values, bits))
    white = pixels(tiff(values, bits, photometric=0, order=order))
    assert np.array_equal(white, scaled(2**bits - 1 - values, bits))


@pytest.mark.parametrize("bits", [2, 4, 8, 10, 12, 16])
def test_tiff_of_colours_keeps_its_levels(bits):
    values = RNG.integers(0, 2**bits, (5, 7, 3))
    assert np.array_equal(pixels(tiff(values, bits, photometric=2)), scaled(values, bits))


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("colours", [1, 3])
def test_associated_alpha_is_divided_out(bits, colours):
    most = 2**bits - 1
    straight = RNG.integers(0, most + 1, (5, 7, colours))
    alpha = RNG.integers(most // 2, most + 1, (5, 7, 1))
    alpha[0, 0] = 0
    values = np.concatenate([np.floor(straight * alpha / most + 0.5).astype(int), alpha], axis=2)
    found = pixels(tiff(values, bits, photometric=2 if colours == 3 else 1, extra=[1]))
    assert np.array_equal(found[:, :, -1], scaled(alpha[:, :, 0], bits))
    assert not found[0, 0].any()
    known = alpha[:, :, 0] > 0
    expected = scaled(straight, bits)
    assert np.abs(found[:, :, :-1].astype(int) - expected)[known].max() <= 2 * np.iinfo(found.dtype).max // most


@pytest.mark.parametrize("bits", [1, 4, 8, 12, 16])
@pytest.mark.parametrize("colours", [1, 3])
def test_unassociated_alpha_is_alpha_and_what_has_no_name_is_said(bits, colours):
    values = RNG.integers(0, 2**bits, (5, 7, colours + 1))
    kind = 2 if colours == 3 else 1
    expected = scaled(values, bits)
    assert np.array_equal(pixels(tiff(values, bits, photometric=kind, extra=[2])), expected)
    for extra in ([0], []):
        found, said = read(tiff(values, bits, photometric=kind, extra=extra))
        assert np.array_equal(found.reshape(5, 7, -1), expected[:, :, :colours])
        assert said == ["the input: a channel beyond its colours that its file does not call alpha is not carried"]
    more = np.concatenate([values, values[:, :, :1]], axis=2)
    found, said = read(tiff(more, bits, photometric=kind, extra=[0, 2]))
    assert np.array_equal(found, expected[:, :, [*range(colours), 0]])
    assert len(said) == 1


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("levels", [8, 16])
def test_palettes_of_tiff(bits, levels):
    table = RNG.integers(0, 2**levels, (2**bits, 3)) * (257 if levels == 8 else 1)
    values = RNG.integers(0, 2**bits, (5, 7))
    file = tiff(values, bits, photometric=3, t320=(3, table.T.ravel().tolist()))
    assert np.array_equal(pixels(file), (table // 257 if levels == 8 else table)[values])
    with_alpha = np.dstack([values, values[::-1]])
    found = pixels(tiff(with_alpha, bits, photometric=3, extra=[2], t320=(3, table.T.ravel().tolist())))
    assert np.array_equal(found[:, :, 3], scaled(values[::-1], bits) * (1 if levels == 8 else np.uint16(257)))


@pytest.mark.parametrize(
    ("dtype", "says"),
    [
        (np.float16, "floating-point"),
        (np.float32, "floating-point"),
        (np.float64, "floating-point"),
        (np.complex64, "complex"),
        (np.int8, "signed"),
        (np.int16, "signed"),
        (np.int32, "signed"),
        (np.uint32, "samples of 32 bits"),
        (np.uint64, "samples of 64 bits"),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_samples_that_are_no_levels_are_refused(tmp_path, dtype, says, channels):
    values = np.ones((6, 5, channels), dtype)
    tifffile.imwrite(tmp_path / "a.tif", values.squeeze(), photometric="rgb" if channels == 3 else "minisblack")
    said = refusal(tmp_path / "a.tif")
    assert says in said
    assert "scale and convert it first" in said


@pytest.mark.parametrize("photometric", ["separated", "cielab", "icclab", "cfa", "logluv"])
def test_colours_that_are_not_read_are_named(tmp_path, photometric):
    values = np.ones((6, 5, 4 if photometric == "separated" else 3), np.uint8)
    values = values[:, :, 0] if photometric == "cfa" else values
    tifffile.imwrite(tmp_path / "a.tif", values, photometric=photometric)
    said = refusal(tmp_path / "a.tif")
    assert "colour mode" in said
    assert "convert it first" in said


def test_ycbcr_is_read_where_it_is_that_of_jpeg_and_else_refused():
    ycc = RNG.integers(40, 200, (6, 8, 3))
    rgb = np.asarray(Pil.fromarray(ycc.astype(np.uint8), "YCbCr").convert("RGB"))
    full = {"t530": (3, [1, 1])}
    assert np.array_equal(pixels(tiff(ycc, 8, photometric=6, **full)), rgb)
    with_alpha = np.dstack([ycc, ycc[:, :, 0]])
    assert np.array_equal(pixels(tiff(with_alpha, 8, photometric=6, extra=[2], **full))[:, :, :3], rgb)
    for bits, tags in ((8, {"t530": (3, [2, 2])}), (8, {}), (16, full)):
        assert "colour mode YCbCr of a kind that is not read" in refusal(tiff(ycc, bits, photometric=6, **tags))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "layout",
    [
        {"planarconfig": "separate"},
        {"tile": (16, 16)},
        {"tile": (16, 16), "planarconfig": "separate"},
        {"rowsperstrip": 3},
        {"compression": "lzw", "predictor": True},
        {"compression": "zlib", "rowsperstrip": 4},
        {"compression": "packbits"},
        {"compression": "zstd"},
        {"bigtiff": True},
        {"byteorder": ">", "compression": "lzw", "predictor": True},
    ],
)
@pytest.mark.parametrize("channels", [3, 4])
def test_every_layout_of_tiff(tmp_path, dtype, layout, channels):
    values = RNG.integers(0, np.iinfo(dtype).max, (37, 29, channels), dtype=dtype, endpoint=True)
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    planar = layout.get("planarconfig") == "separate"
    given = np.moveaxis(values, 2, 0) if planar else values
    tifffile.imwrite(tmp_path / "a.tif", given, photometric="rgb", metadata=None, **layout, **extra)
    assert np.array_equal(pixels(tmp_path / "a.tif"), values)


@pytest.mark.parametrize("compression", ["jpeg2000", "jpegxl", "png"])
def test_tiffs_of_other_compressions_are_refused_by_name(tmp_path, compression):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((32, 32, 3), np.uint8), photometric="rgb", compression=compression)
    assert re.search(r"is compressed by \w*(JPEG|PNG)\w*, which is not read in a TIFF", refusal(tmp_path / "a.tif"))


@pytest.mark.parametrize("compression", [None, "group3", "group4", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiffs_that_pillow_writes(tmp_path, compression):
    two = RNG.integers(0, 2, (37, 29)).astype(bool)
    Pil.fromarray(two).save(tmp_path / "a.tif", compression=compression)
    assert np.array_equal(pixels(tmp_path / "a.tif"), two * np.uint8(255))
    if compression in ("group3", "group4"):
        return
    rgb = RNG.integers(0, 256, (37, 29, 3), dtype=np.uint8)
    for mode in ("RGB", "RGBA", "LA", "L", "P", "PA", "YCbCr"):
        image = Pil.fromarray(rgb).convert(mode) if mode != "PA" else Pil.fromarray(rgb).convert("P").convert("PA")
        image.save(tmp_path / "a.tif", compression=compression)
        back = {"P": "RGB", "PA": "RGBA", "YCbCr": "RGB"}.get(mode, mode)
        assert np.array_equal(pixels(tmp_path / "a.tif"), np.asarray(image.convert(back))), mode


# Pages, frames, layers


def test_a_thumbnail_before_the_picture_is_skipped(tmp_path):
    small, large = np.full((6, 8, 3), 9, np.uint8), RNG.integers(0, 256, (24, 31, 3), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(small, subfiletype=1, metadata=None, photometric="rgb")
        file.write(large, metadata=None, photometric="rgb", extratags=[(274, 3, 1, 3, True)])
        file.write(small, subfiletype=1, metadata=None, photometric="rgb")
    assert np.array_equal(pixels(tmp_path / "a.tif"), large[::-1, ::-1])
    with tifffile.TiffWriter(tmp_path / "b.tif") as file:  # as cameras write it: the picture is a part of the thumbnail
        file.write(small, subfiletype=1, metadata=None, photometric="rgb", subifds=1)
        file.write(large, metadata=None, photometric="rgb")
    assert np.array_equal(pixels(tmp_path / "b.tif"), large)
    tifffile.imwrite(tmp_path / "c.tif", small, subfiletype=1, photometric="rgb")  # all that there is
    assert np.array_equal(pixels(tmp_path / "c.tif"), small)


def test_a_mask_of_transparency_is_said(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(np.full((6, 8), 9, np.uint8), metadata=None)
        file.write(np.ones((6, 8), bool), subfiletype=4, photometric="mask", metadata=None)
    assert read(tmp_path / "a.tif")[1] == ["a.tif: its mask of transparency is not carried"]


@pytest.mark.parametrize("how", [{}, {"metadata": None}, {"imagej": True}, {"metadata": {"axes": "ZYX"}}])
def test_further_pages_are_said_once(tmp_path, how):
    stack = RNG.integers(0, 65536, (5, 6, 8), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack", **how)
    found, said = read(tmp_path / "a.tif")
    assert np.array_equal(found, stack[0])
    assert said == ["a.tif: all but the first of its pages are not carried"]


def test_a_page_that_stands_for_several_is_said(tmp_path):
    stack = RNG.integers(0, 256, (5, 6, 8), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(stack, photometric="minisblack", metadata={"truncate": True}, contiguous=True)
    data = (tmp_path / "a.tif").read_bytes()
    assert read(data)[1] == ["the input: all but the first of its pages are not carried"]
    text = "ImageJ=1.54f\nimages=5\nslices=5\n"
    tifffile.imwrite(tmp_path / "b.tif", stack[0], description=text, metadata=None, photometric="minisblack")
    assert read(tmp_path / "b.tif")[1] == ["b.tif: all but the first of its pages are not carried"]


def test_a_volume_is_refused(tmp_path):
    stack = RNG.integers(0, 256, (16, 32, 32), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack", volumetric=True, tile=(16, 16, 16))
    assert "is a volume of 16 layers" in refusal(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".avif", ".tif"])
def test_animations_are_said_once(tmp_path, suffix):
    frames = [Pil.new("RGB", (20, 16), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:])
    found, said = read(tmp_path / f"a{suffix}")
    assert found.shape == (16, 20, 3)
    assert np.abs(found[0, 0].astype(int) - [255, 0, 0]).max() < 6
    assert len(said) == 1
    assert "all but the first of its" in said[0]


def test_pictures_that_follow_a_picture_are_said():
    one = b"P5 2 1 255\n\1\2"
    assert pixels(one + b"\n").tolist() == [[1, 2]]
    assert read(one + one)[1] == ["the input: all but the first of its frames are not carried"]
    assert read(one + b"more")[1] == ["the input: what stands behind its pixels is not carried"]


# PBM, PGM, PPM, PAM


@pytest.mark.parametrize("peak", [1, 2, 15, 100, 254, 255, 256, 1000, 1023, 4095, 65534, 65535])
@pytest.mark.parametrize("kind", [2, 3, 5, 6, 7])
def test_every_largest_value_of_netpbm(peak, kind):
    channels = {2: 1, 3: 3, 5: 1, 6: 3, 7: 4}[kind]
    values = RNG.integers(0, peak + 1, (5, 7, channels))
    values[0, 0] = peak
    head = f"P{kind}\n# a note\n7 5 # and one\n{peak}\n"
    if kind == 7:
        head = f"P7\n#!x\nWIDTH 7\nHEIGHT 5\nDEPTH 4\nMAXVAL {peak}\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
    body = values.astype(">u2" if peak > 255 else "u1").tobytes()
    if kind < 4:
        body = "\n".join(" ".join(map(str, row.ravel())) for row in values).encode() + b"\n# the end\n"
    most = 255 if peak < 256 else 65535
    expected = np.floor(values / peak * most + 0.5)
    assert np.array_equal(pixels(head.encode() + body).reshape(5, 7, -1), expected)


def test_line_ends_of_windows_in_a_header_are_no_pixels():
    assert pixels(b"P5\r\n2 1\r\n255\r\n\1\2").tolist() == [[1, 2]]
    assert pixels(b"P5\r\n2 1\r\n255\r\n\2").tolist() == [[10, 2]]


def test_bitmaps_of_netpbm():
    bits = RNG.integers(0, 2, (5, 11))
    expected = np.where(bits, 0, 255)
    plain = "\n".join("".join(map(str, row)) for row in bits).encode()
    assert np.array_equal(pixels(b"P1\n11 5\n" + plain), expected)
    assert np.array_equal(pixels(b"P4\n11 5\n" + packed(bits, 1)), expected)
    pam = (
        b"P7\nWIDTH 11\nHEIGHT 5\nDEPTH 1\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE\nENDHDR\n" + bits.astype(np.uint8).tobytes()
    )
    assert np.array_equal(pixels(pam), bits * 255)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"P5 3 2 255\n12345", "is cut off"),
        (b"P2 3 2 255\n1 2 3 4 5", "is cut off"),
        (b"P1 3 2\n10101", "is cut off"),
        (b"P4 9 2\n123", "is cut off"),
        (b"P5 1 1 15\n\x10", "pixels above 15"),
        (b"P2 1 1 15\n16", "pixels above 15"),
        (b"P2 1 1 15\n99999999999999999999999999", "pixels above 15"),
        (b"P2 1 1 15\n-1", "something else than whole numbers"),
        (b"P3 1 1 15\n1 2 x", "something else than whole numbers"),
        (b"P1 1 1\n2", "something else than whole numbers"),
        (b"P5 1 1 0\n1", "largest value of 0"),
        (b"P5 1 1 65536\n1234", "largest value of 65536"),
        (b"P5 0 1 255\n", "declares 0x1 pixels"),
        (b"P5 99999 99999 255\n", "declares 99999x99999 pixels"),
        (b"P5 x", "damaged PNM header"),
        (b"P7\nWIDTH 1\n", "damaged PAM header"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nENDHDR\n1", "without WIDTH, HEIGHT, DEPTH or MAXVAL"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE CMYK\nENDHDR\n1234", "tuples of type 'CMYK'"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n123", "3 samples per pixel"),
        (b"Pf\n1 1\n-1.0\n0000", "floating-point"),
        (b"PF\n1 1\n-1.0\n000000000000", "floating-point"),
    ],
)
def test_netpbm_that_is_wrong_is_refused(data, says):
    assert says in refusal(data)


def test_samples_of_pam_without_a_name_are_said():
    head = "P7\nWIDTH 1\nHEIGHT 1\nDEPTH {}\nMAXVAL 255\n{}ENDHDR\n"
    for depth, kind, channels in ((2, "", 1), (4, "", 3), (4, "TUPLTYPE RGB\n", 3), (5, "TUPLTYPE RGB_ALPHA\n", 4)):
        found, said = read(head.format(depth, kind).encode() + b"12345"[:depth])
        assert found.reshape(1, 1, -1).tolist() == [[[49, 50, 51, 52][:channels]]]
        assert len(said) == 1
        assert "does not call alpha" in said[0]


# AVIF


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_avif_of_every_depth(bits, channels):
    import imagecodecs

    values = (
        np.linspace(0, 2**bits - 1, 20 * 16 * channels)
        .reshape(20, 16, channels)
        .astype(np.uint8 if bits == 8 else np.uint16)
    )
    file = imagecodecs.avif_encode(values.squeeze(), level=100, bitspersample=bits)
    found = pixels(file)
    assert found.dtype == (np.uint8 if bits == 8 else np.uint16)
    found = found[:, :, :1] if channels == 1 and found.ndim == 3 else found.reshape(20, 16, -1)
    assert np.abs(found.astype(int) - scaled(values, bits)).max() <= 2 * np.iinfo(found.dtype).max / (2**bits - 1)


# Damage


def jpeg(size=(96, 64), **how):
    target = io.BytesIO()
    y, x = np.indices(size[::-1])
    rgb = np.dstack([x * 2, y * 3, (x * y) % 256]).astype(np.uint8)
    Pil.fromarray(rgb).save(target, format="JPEG", quality=90, **how)
    return target.getvalue()


@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"keep_rgb": True}, {"subsampling": 0}])
def test_what_libjpeg_says_of_damage_is_passed_on(how):
    good = jpeg(**how)
    assert pixels(good).shape == (64, 96, 3)
    for damaged in (good[: len(good) * 3 // 4] + b"\xff\xd9", good[:-2] + b"more than that" + good[-2:]):
        found, said = read(damaged)
        assert found.shape == (64, 96, 3)
        assert len(said) == 1
        assert said[0].startswith("the input is damaged, parts may be wrong: Corrupt JPEG data: ")
    assert "cannot read the input as an image" in refusal(good[: len(good) // 2])


def test_damage_of_a_jpeg_within_a_tiff_is_passed_on(tmp_path):
    rgb = np.asarray(Pil.open(io.BytesIO(jpeg())))
    tifffile.imwrite(tmp_path / "a.tif", rgb, photometric="rgb", compression="jpeg")
    assert np.abs(pixels(tmp_path / "a.tif").astype(int) - rgb).mean() < 6
    Pil.fromarray(rgb).save(tmp_path / "b.tif", compression="jpeg")
    assert np.abs(pixels(tmp_path / "b.tif").astype(int) - rgb).mean() < 6
    data = bytearray((tmp_path / "b.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        at, count = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    forged = data.replace(b"\xff\xc0\x00\x11\x08\x00\x40\x00\x60", b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff")
    assert forged != data
    assert "a JPEG within it has another size than its place" in refusal(bytes(forged))
    data[at + count // 2 : at + count - 2] = bytes(count - 2 - count // 2)
    assert "the input is damaged, parts may be wrong: Corrupt JPEG data" in read(bytes(data))[1][0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_damaged_exif_costs_the_exif_not_the_picture(kind):
    values = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    target = io.BytesIO()
    if kind == "TIFF":
        target.write(tiff(values.astype(int), 8, photometric=2, t34665=(4, [1 << 30])))
    else:
        how = {"lossless": True} if kind == "WEBP" else {}
        Pil.fromarray(values).save(
            target, format=kind, exif=b"Exif\0\0" * (kind == "JPEG") + b"garbage!!garbage", **how
        )
    found, said = read(target.getvalue())
    assert np.array_equal(found, values) or kind == "JPEG"
    assert kind == "TIFF" or said == ["the input: its EXIF (damaged or too long) is not carried"]


def test_jpegs_that_are_not_read_say_so():
    import imagecodecs

    deep = imagecodecs.jpeg8_encode(np.arange(4096, dtype=np.uint16).reshape(64, 64), bitspersample=12)
    assert "has samples of 12 bits" in refusal(deep)
    target = io.BytesIO()
    Pil.new("CMYK", (4, 4)).save(target, format="JPEG")
    assert "has colour mode CMYK" in refusal(target.getvalue())


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits", "jpeg"])
def test_tiffs_that_are_cut_off_are_refused(tmp_path, cut, compression):
    rgb = RNG.integers(0, 256, (60, 50, 3), dtype=np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif", rgb, photometric="rgb", compression=compression, rowsperstrip=16, metadata=None
    )
    data = (tmp_path / "a.tif").read_bytes()
    refusal(data[: int(cut * len(data))])
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        entry = file.pages[0].tags[273]
    assert entry.count > 3
    fewer = bytearray(data)
    fewer[entry.offset + 4 : entry.offset + 8] = struct.pack("<I", 3)  # strips that are missing hold no stale memory
    assert "missing" in refusal(bytes(fewer))


def test_sizes_that_tiffs_promise_take_no_memory():
    data = bytearray(tiff(np.zeros((5, 7), int), 8))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        places = {code: file.pages[0].tags[code].valueoffset for code in (256, 257, 277)}
    for code, value, says in ((256, 1 << 31, "declares"), (277, 60000, "60000 samples per pixel"), (257, 6, "")):
        forged = bytearray(data)
        forged[places[code] : places[code] + 4] = (
            struct.pack("<I", value) if code < 277 else struct.pack("<HH", value, 0)
        )
        assert says in refusal(bytes(forged))


def test_every_damaged_byte_is_read_or_refused():
    files = [path.read_bytes() for path in sorted(FAULTS.glob("*.tif")) + sorted(FAULTS.glob("*.p?m"))]
    files += [jpeg((16, 16)), png(RNG.integers(0, 16, (9, 7)), 4, 0, chunk(b"tRNS", b"\0\3"))]
    for data in files:
        for _ in range(40):
            forged = bytearray(data)
            at = int(RNG.integers(0, len(data))) if RNG.random() < 0.3 else len(data) - 1 - int(RNG.integers(0, 300))
            forged[max(at, 0) % len(data)] = int(RNG.integers(0, 256))
            try:
                read(bytes(forged))
            except CoordCodecError as error:
                assert "\n" not in str(error)


def test_only_kinds_on_the_list_are_opened(tmp_path):
    for kind in ("TGA", "PCX", "EPS", "PDF", "SGI", "PSD"):
        target = io.BytesIO()
        if kind == "PSD":
            target.write(b"8BPS\0\1" + bytes(40))
        else:
            Pil.new("RGB", (8, 8)).save(target, format=kind)
        (tmp_path / "a.png").write_bytes(target.getvalue())
        said = refusal(tmp_path / "a.png")
        assert said.startswith("cannot read a.png as an image: it is none of PNG, JPEG")


# The files once read wrongly


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "pixel", "tolerance"),
    [
        ("grey1_trns.png", (24, 31, 2), np.uint8, None, 0),
        ("grey2_trns.png", (24, 31, 2), np.uint8, None, 0),
        ("assoc16.tif", (24, 31, 4), np.uint16, (30000, 31200, 27000, 51400), 2),
        ("bits12.tif", (24, 31), np.uint16, 30007, 0),
        ("rgb16.ppm", (24, 31, 3), np.uint16, (30000, 31200, 27000), 0),
        ("g16.pgm", (24, 31), np.uint16, 30000, 0),
        ("avif10.avif", (24, 31, 3), np.uint16, (30000, 31200, 27000), 100),
        ("thumbfirst.tif", (24, 31, 3), np.uint8, (120, 120, 108), 0),
    ],
)
def test_faulty_once_and_now_right(name, shape, dtype, pixel, tolerance):
    found = pixels(FAULTS / name)
    assert (found.shape, found.dtype) == (shape, dtype)
    if pixel is not None:
        assert np.abs(found[12, 15].astype(int) - pixel).max() <= tolerance
    else:
        assert np.array_equal(found[:, :, 1] == 0, found[:, :, 0] == (255 if "1" in name else 85))


@pytest.mark.parametrize("name", ["unspec8.tif", "unspec16.tif"])
def test_a_fourth_sample_without_a_name_is_no_alpha(name):
    found, said = read(FAULTS / name)
    assert found.shape == (24, 31, 3)
    assert len(said) == 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("s8.tif", "signed samples"),
        ("rgbf32.tif", "floating-point samples"),
        ("g_float64.tif", "floating-point samples"),
        ("eps-named-photo.png", "it is none of PNG"),
    ],
)
def test_faulty_once_and_now_refused(name, says):
    assert says in refusal(FAULTS / name)


@pytest.mark.parametrize("path", sorted(FAULTS.glob("*.*")), ids=lambda path: path.name)
def test_lossless_files_give_back_what_was_read(path, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            signal = IMAGE.read(path)
        except SignalError:
            return
        opened = coordcodec.open(coordcodec.compress(path, lossless=True, effort=1))
    assert np.array_equal(opened.samples(), signal.samples)
    assert opened.samples().dtype == signal.samples.dtype
    opened.write(tmp_path / "back.png")
    assert np.array_equal(pixels(tmp_path / "back.png").reshape(signal.samples.shape), signal.samples)


# Writing


def written(values, suffix):
    signal, target = IMAGE.read(values), io.BytesIO()
    IMAGE.write(nearest_field(signal), signal.meta, target, format=suffix)
    return target.getvalue()


HOLDS = {  # depths and channels
    ".png": "8: 1234, 16: 1234",
    ".tif": "8: 1234, 16: 1234",
    ".pam": "8: 1234, 16: 1234",
    ".ppm": "8: 13, 16: 13",
    ".pnm": "8: 13, 16: 13",
    ".pgm": "8: 1, 16: 1",
    ".webp": "8: 1234",
    ".avif": "8: 1234",
    ".ico": "8: 1234",
    ".gif": "8: 1234",  # of few colours
    ".jpg": "8: 13",
    ".bmp": "8: 13",
}


@pytest.mark.parametrize("suffix", HOLDS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_kind_of_file_holds_all_of_a_picture_or_is_refused(suffix, dtype, channels):
    most = np.iinfo(dtype).max
    values = np.kron(RNG.integers(0, 2, (4, 4, channels)), np.ones((16, 16, 1))).astype(dtype) * most
    if channels in (2, 4):
        values[values[:, :, -1] == 0] = 0
    held = dict(part.split(": ") for part in HOLDS[suffix].split(", "))
    if str(channels) not in held.get("8" if dtype == np.uint8 else "16", ""):
        with pytest.raises(RecipeError, match=r"write \.p[np]") as caught:
            written(values, suffix)
        assert "\n" not in str(caught.value)
        return
    back = pixels(written(values, suffix)).reshape(64, 64, -1)
    assert back.dtype == dtype
    if channels < 3 and back.shape[2] > 2:  # WebP, GIF and icons have no grey
        assert (back[:, :, :1] == back[:, :, :3]).all()
        back = back[:, :, [0, *range(3, back.shape[2])]]
    if channels in (1, 3) and suffix == ".ico":  # which always have alpha
        assert (back[:, :, -1] == 255).all()
        back = back[:, :, :-1]
    assert np.abs(back.astype(int) - values).mean() < (9 if suffix in (".jpg", ".avif") else 1e-9)


@pytest.mark.parametrize(
    ("shape", "suffix", "says"),
    [
        ((2, 65501), ".jpg", "at most 65500 pixels a side"),
        ((2, 16384), ".webp", "at most 16383 pixels a side"),
        ((257, 2), ".ico", "at most 256 pixels a side"),
        ((2, 65536), ".gif", "at most 65535 pixels a side"),
    ],
)
def test_sizes_that_a_kind_does_not_hold_are_refused(shape, suffix, says):
    with pytest.raises(RecipeError, match=says):
        written(np.zeros(shape, np.uint8), suffix)


def test_an_icon_is_one_picture_of_its_own_size():
    values = RNG.integers(0, 256, (200, 100, 4), dtype=np.uint8)
    file = written(values, ".ico")
    assert struct.unpack_from("<H", file, 4) == (1,)
    assert np.array_equal(pixels(file), values)


def test_colours_that_gif_does_not_hold_are_refused():
    for values in (
        RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8),
        np.full((4, 4, 4), 100, np.uint8),
        np.array([[[1, 2, 3, 0], [4, 5, 6, 0]]], np.uint8),
    ):
        with pytest.raises(RecipeError, match=r"\.gif holds 256 colours.*write \.png"):
            written(values, ".gif")
    few = RNG.integers(0, 256, (256, 3), dtype=np.uint8)[RNG.integers(0, 256, (40, 40))]
    assert np.array_equal(pixels(written(few, ".gif")), few)


@pytest.mark.parametrize("suffix", [".jpg", ".avif"])
def test_fine_colours_stay_fine(suffix):
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (200, 40, 40), (40, 40, 200)
    assert np.abs(pixels(written(stripes, suffix)).astype(int) - stripes).max() < 30


@pytest.mark.parametrize("suffix", [".icns", ".eps", ".pdf", ".tga", ".jp2", ".pbm", ".ps"])
def test_only_kinds_on_the_list_are_written(suffix):
    with pytest.raises(RecipeError, match=r"choose \.png, \.jpg"):
        written(np.zeros((4, 4), np.uint8), suffix)


def test_the_command_refuses_in_one_line_and_reads_what_it_should(command, tmp_path):
    for name in ("pal8_alpha.png", "assoc16.tif", "unspec8.tif"):
        (tmp_path / name).write_bytes((FAULTS / name).read_bytes())
    done = command("compress", "pal8_alpha.png", "-o", "a.ccdc", "--lossless", "--effort", 1)
    assert done.returncode == 0, done.stderr
    for name in ("x.bmp", "x.ppm", "x.jpg", "x.icns"):
        done = command("decompress", "a.ccdc", "-o", name)
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        assert ".png" in done.stderr
        assert not (tmp_path / name).exists()
    done = command("compress", "unspec8.tif", "-o", "b.ccdc", "--lossless", "--effort", 1)
    assert done.returncode == 0
    assert "warning: unspec8.tif: a channel beyond its colours" in done.stderr
    (tmp_path / "cut.jpg").write_bytes(jpeg()[:-300] + b"\xff\xd9")
    done = command("compress", "cut.jpg", "-o", "c.ccdc", "--lossless", "--effort", 1)
    assert done.returncode == 0
    assert "warning: cut.jpg is damaged, parts may be wrong: Corrupt JPEG data" in done.stderr
