"""TIFF of any layout and depth, by tifffile and imagecodecs.

Pillow reads a part of it: 12 bits as if they were 16, signed samples as unsigned ones, associated alpha of 16 bits as
if it were none, an unnamed fourth sample as alpha, a thumbnail where one comes first.
"""

from __future__ import annotations

import io
import logging
import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError
from coordcodec_image import extras, jpeg
from coordcodec_image.raster import (
    MAX_PIXELS,
    ORIENTATION,
    OTHER_PAGES,
    UNNAMED,
    Picture,
    Pixels,
    check_size,
    rescaled,
    straight,
    upright,
)

_CONVERT = "convert it first, for example to RGB of 8 or 16 bits"
_WHITE, _BLACK, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_COLOURS = {_WHITE: 1, _BLACK: 1, _RGB: 3, _PALETTE: 1, _YCBCR: 3}
"""Samples of a pixel besides extra ones, by PhotometricInterpretation."""
_JPEG = (6, 7, 34892, 33007)
_COMPRESSIONS = (1, 2, 3, 4, 5, 8, 32771, 32773, 32946, 34925, 50000, 50001, *_JPEG)
"""Those that libtiff reads, too. Others have sizes of their own in every strip, which may be forged."""
_SLACK = 16
"""Rows and columns that a JPEG may have besides those of its strip or tile."""
_LOSSLESS = (1, 5, 8, 32773, 32946, 34925, 50000)
"""Values of Compression whose data are decoded to what stands in the file, without a change of colours."""
_ASSOCIATED, _UNASSOCIATED = 1, 2
_PROFILE, _COEFFICIENTS, _REFERENCE = 34675, 529, 532
_MOST_SAMPLES, _MOST_PAGES = 8, 64
_SHAPE = re.compile(r'(?:shape=|\{"shape": )[\[(]([\d, ]{1,200})[\])]')
"""In the description that tifffile writes."""
_NAMES = {5: "CMYK", 8: "LAB"}
_KINDS = {"f": "floating-point", "i": "signed", "c": "complex"}


def read(data: bytes) -> Picture:
    """The first page that is a whole picture, not a thumbnail or a mask. Raises SignalError."""
    tifffile = _library()
    with tifffile.TiffFile(io.BytesIO(data), _multifile=False) as opened:
        page, remarks = _chosen(opened)
        kind = _check(page)
        _check_data(page, len(data))
        damage = _damage(page, opened.filehandle)
        values = page.asarray(squeeze=False, maxworkers=1)[:, 0]  # (planes, rows, columns, samples)
        shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
        pixels, others = _pixels(page, kind, values.transpose(1, 2, 0, 3).reshape(shape))
        orientation = int(page.tags.valueof(ORIENTATION, 1) or 1)
        said, lost = extras.of_tiff(data, page.tags.valueof(_PROFILE))
    return Picture(upright(pixels, orientation), said, [*remarks, *others, *lost], damage)


@cache
def _library() -> Any:
    import tifffile

    for name in ("tifffile", "imagecodecs"):
        logging.getLogger(name).addHandler(logging.NullHandler())  # what they find odd, they raise too
    return tifffile


def _chosen(opened: Any) -> tuple[Any, list[str]]:
    """The page to read, and what of the others is not carried. Thumbnails and smaller copies are not missed."""
    whole, smaller, masks = list[Any](), list[Any](), False
    for page in _pages(opened):
        masks = masks or bool(page.is_mask)
        if not page.is_mask:
            (smaller if page.is_reduced else whole).append(page)
        if len(whole) > 1:
            break
    if not whole and not smaller:
        raise SignalError("holds no picture, only a mask" if masks else "is damaged: it holds no page")
    page = whole[0] if whole else max(smaller, key=lambda page: page.imagelength * page.imagewidth)
    remarks = [OTHER_PAGES] if len(whole) > 1 or _stacked(opened) else []
    return page, [*remarks, *(["its mask of transparency is"] if masks else [])]


def _pages(opened: Any) -> Iterator[Any]:
    """The first pages, and, where none of them is a whole picture, those that they hold."""
    found = list[Any]()
    for page in opened.pages:
        found.append(page)
        yield page
        if len(found) == _MOST_PAGES:
            break
    if all(page.is_reduced or page.is_mask for page in found):
        for page in found:
            yield from page.pages or ()


def _stacked(opened: Any) -> bool:
    """Whether one page stands for several, as ImageJ, MetaMorph and tifffile may write them."""
    first = opened.pages.first
    if opened.is_imagej:
        return int((opened.imagej_metadata or {}).get("images", 1)) > 1
    if found := _SHAPE.match(str(first.description)):
        return bool(math.prod(map(int, re.findall(r"\d+", found.group(1)))) > math.prod(first.shape))
    return bool(opened.is_stk and first.tags[33629].count > 1)


def _check(page: Any) -> int:
    """The page's PhotometricInterpretation; raises SignalError for pages that would be read wrongly."""
    check_size(page.imagewidth, page.imagelength)
    kind, bits, samples = int(page.photometric), page.bitspersample, page.samplesperpixel
    if page.imagedepth != 1:
        raise SignalError(f"is a volume of {page.imagedepth} layers, expected a flat picture; take one layer of it")
    if kind not in _COLOURS:
        name = _NAMES.get(kind) or getattr(page.photometric, "name", f"number {kind}")
        raise SignalError(f"has colour mode {name}, expected grey, RGB or a palette; {_CONVERT}")
    if page.compression not in _COMPRESSIONS:
        name = getattr(page.compression, "name", f"number {page.compression}")
        raise SignalError(f"is compressed by {name}, which is not read in a TIFF; {_CONVERT}")
    what = "" if page.dtype is None else _KINDS.get(page.dtype.kind, "")
    if what or page.dtype is None or not isinstance(bits, int) or not 1 <= bits <= 16:
        wide = "/".join(map(str, bits)) if isinstance(bits, tuple) else bits
        raise SignalError(
            f"has {what and what + ' '}samples of {wide} bits, expected whole numbers without sign of 1 to 16 bits; "
            f"scale and convert it first"
        )
    if not _COLOURS[kind] <= samples <= _MOST_SAMPLES:
        raise SignalError(f"has {samples} samples per pixel, expected {_COLOURS[kind]} to {_MOST_SAMPLES}; {_CONVERT}")
    if kind == _YCBCR and not (_is_decoded_to_rgb(page) or _plain_ycbcr(page)):
        raise SignalError(f"has colour mode YCbCr of a kind that is not read; {_CONVERT}")
    return kind


def _is_decoded_to_rgb(page: Any) -> bool:
    return page.compression in _JPEG and page.planarconfig == 1 and page.samplesperpixel == _COLOURS[_YCBCR]


def _plain_ycbcr(page: Any) -> bool:
    """Whether its colours are those of JPEG, stored in full."""

    def numbers(tag: int) -> list[float]:
        found = page.tags.valueof(tag) or ()
        return [round(a / b, 3) for a, b in zip(found[::2], found[1::2], strict=True) if b]

    coefficients, reference = numbers(_COEFFICIENTS), numbers(_REFERENCE)
    usual = coefficients in ([], [0.299, 0.587, 0.114]) and reference in ([], [0, 255, 128, 255, 128, 255])
    return usual and page.compression in _LOSSLESS and page.bitspersample == 8 and not page.is_subsampled


def _check_data(page: Any, size: int) -> None:
    """Raise SignalError unless all strips or tiles lie within the file; memory is not taken for what cannot be."""
    need = math.prod(page.chunked)
    offsets, counts = (np.asarray(found[:need], np.float64) for found in (page.dataoffsets, page.databytecounts))
    if len(offsets) < need or len(counts) < need or not offsets.all() or not counts.all():
        raise SignalError("is damaged: some of its strips or tiles are missing")
    if (offsets + counts > size).any():
        raise SignalError(f"is cut off: it has {size} bytes, its pixels go on to byte {int((offsets + counts).max())}")
    if page.is_tiled and page.tilewidth * page.tilelength * page.tiledepth > MAX_PIXELS:
        raise SignalError(f"declares tiles of {page.tilewidth}x{page.tilelength} pixels, expected at most {MAX_PIXELS}")


def _pixels(page: Any, kind: int, values: NDArray[Any]) -> tuple[Pixels, list[str]]:
    """Colours and alpha, of (height, width, samples), and what is not carried."""
    values = values.astype(np.uint8) if values.dtype == bool else values
    peak = (1 << page.bitspersample) - 1
    if page.bitspersample not in (8, 16):  # differences of packed samples are undone modulo 2^8 or 2^16
        values = values & values.dtype.type(peak)
    count = _COLOURS[kind]
    kinds = [int(extra) for extra in page.extrasamples[: values.shape[2] - count]]
    alphas = [k for k, extra in enumerate(kinds) if extra in (_ASSOCIATED, _UNASSOCIATED)]
    alpha = alphas[0] if alphas else None
    colours = _coloured(page, kind, values[:, :, :count], peak)
    remarks = [UNNAMED] if values.shape[2] - count > (alpha is not None) else []
    if alpha is None:
        return colours, remarks
    opacity = rescaled(values[:, :, count + alpha][:, :, None], peak)
    if opacity.dtype != colours.dtype:  # 16-bit colours of an 8-bit palette
        opacity = rescaled(opacity.astype(np.uint16) * np.uint16(257), 65535)
    found: Pixels = np.concatenate([colours, opacity], axis=2)
    return straight(found) if kinds[alpha] == _ASSOCIATED else found, remarks


def _coloured(page: Any, kind: int, values: NDArray[Any], peak: int) -> Pixels:
    """Grey or RGB of the samples that say them, 0 to peak."""
    if kind == _PALETTE:
        table = _table(page.colormap)
        if int(values.max()) >= len(table):
            raise SignalError(f"has pixels of colour {int(values.max())}, its palette has {len(table)} colours")
        coloured: Pixels = table[values[:, :, 0]]
        return coloured
    if kind == _YCBCR and not _is_decoded_to_rgb(page):
        from PIL import Image

        rgb: Pixels = np.asarray(Image.fromarray(np.ascontiguousarray(values), "YCbCr").convert("RGB"))
        return rgb
    return rescaled(peak - values if kind == _WHITE else values, peak)


def _table(colormap: Any) -> Pixels:
    """(colours, 3); of 8 bits where the file's 16 bits say no more."""
    if colormap is None:
        raise SignalError("is damaged: its palette is missing")
    table = np.ascontiguousarray(np.asarray(colormap, np.uint16).T)
    if table.max() < 256:  # as some writers leave them
        return table.astype(np.uint8)
    if not (table % 257).any() or not (table % 256).any():
        return (table >> 8).astype(np.uint8)
    return table


def _damage(page: Any, file: Any) -> str:
    """What libjpeg says of the strips or tiles of a JPEG in a TIFF; raises SignalError where one is too large."""
    if int(page.compression) not in _JPEG:
        return ""
    said, tables = "", page.jpegtables[:-2] if page.jpegtables else b""
    rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        file.seek(offset)
        strip = file.read(count)
        whole = tables + strip[2:] if tables else strip
        height, width = (jpeg.header(whole) or (0, 8, 1 << 16, 1 << 16))[2:]
        if height * width > (rows + _SLACK) * (columns + _SLACK):
            raise SignalError("is damaged: a JPEG within it has another size than its place")
        said = said or jpeg.damage(whole)
    return said
