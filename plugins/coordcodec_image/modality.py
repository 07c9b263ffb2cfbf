"""The modality "image"."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from coordcodec.data import Field, Grid, SampleType, Signal, samples_on
from coordcodec.errors import ContainerError, RecipeError, SignalError
from coordcodec.files import read_bytes
from coordcodec.hookspecs import Source
from coordcodec.recipe import Recipe
from coordcodec_image.extras import checked
from coordcodec_image.files import read_picture
from coordcodec_image.kinds import SUFFIXES
from coordcodec_image.metrics import as_pixels, ms_ssim, psnr_db
from coordcodec_image.opened import encoded, is_pillow
from coordcodec_image.raster import MAX_PIXELS, Picture, Pixels
from coordcodec_image.writing import write_pixels

_STRIP = 1 << 21
"""Pixels that are decoded at a time."""
_LARGE = 1 << 26
"""Values that a picture has at once."""


class Image:
    """Grey or colour pictures of 8 or 16 bits, with or without alpha, on a grid of rows and columns.

    A pixel's values v in 0..peak become 2 v / peak - 1, alpha included. Everything the file needs beyond the
    grid is the depth: meta {"depth": 16}, left out for 8 bits. Colour profile, EXIF, XMP and texts are extras.
    """

    name = "image"
    suffixes: tuple[str, ...] = tuple(SUFFIXES)
    rate_unit = "bpp"
    main_score = "psnr_db"
    defaults = Recipe(rate=0.3, siren={"extra_depth": 2})
    read_options: Mapping[str, str] = {}
    write_options: Mapping[str, str] = {
        "scale": "output pixels per pixel, above 0; default: 1",
        "size": "WxH: width and height of the whole output in pixels, from 1x1, instead of a scale",
        "region": "X0,Y0,X1,Y1: only this part, in pixels of the original, X1 and Y1 excluded; default: all",
    }

    def read(self, source: Source, **options: Any) -> Signal:
        """Read an image file, or an array (h, w) or (h, w, 1 to 4) of uint8 or uint16.

        Raises SignalError for anything else; warns of further frames.
        """
        if isinstance(source, np.ndarray):
            picture = Picture(_checked_array(source))
        elif isinstance(source, str | os.PathLike):
            picture = read_picture(read_bytes(source), Path(source).name)
        elif is_pillow(source):
            picture = read_picture(encoded(source), "the image")
        else:
            picture = read_picture(source.read(), "the input")
        pixels = picture.pixels
        height, width, channels = pixels.shape
        peak = np.iinfo(pixels.dtype).max
        samples = pixels.reshape(-1, channels)
        values: Any = None  # of a large picture they would take four times as much memory
        if samples.size <= _LARGE:
            values = np.clip(samples.astype(np.float32) * (2 / np.float32(peak)) - 1, -1, 1)
        meta = {"depth": 16} if pixels.dtype == np.uint16 else {}
        grid, half, said = Grid((height, width)), peak / 2, picture.extras
        return Signal(grid, values, self.name, meta, samples=samples, scale=half, offset=half, extras=said)

    def sample_type(self, meta: Mapping[str, Any]) -> SampleType:
        """Pixels of 0 to peak, as uint8 or uint16."""
        return _sample_type(meta)

    def render(
        self,
        field: Field,
        meta: Mapping[str, Any],
        *,
        scale: float | None = None,
        size: tuple[int, int] | None = None,
        region: tuple[int, int, int, int] | None = None,
        **options: Any,
    ) -> Pixels:
        """The picture: (h, w) for grey, else (h, w, channels), uint8 or uint16.

        scale: output pixels per pixel, > 0; default 1. size: (width, height) of the whole output instead.
        region: x0, y0, x1, y1 in pixels of the original, x1 and y1 excluded; only this part is computed, and
            it is exactly that part of the whole output.
        Raises RecipeError for other values and for outputs of more than MAX_PIXELS.
        """
        if options:
            raise RecipeError(f"images have no option {', '.join(options)}; they have scale, size and region")
        pixels = _render(field, meta, _output_grid(meta, scale, size, region))
        return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels

    def write(self, field: Field, meta: Mapping[str, Any], target: BinaryIO, *, format: str, **options: Any) -> None:
        """Write the picture that `render` returns, with its colour profile and what else meta says of it.

        Raises RecipeError.
        """
        extras = checked(meta)
        pixels = self.render(field, meta, **options)
        write_pixels(pixels if pixels.ndim == 3 else pixels[:, :, None], target, format, extras)

    def score(self, field: Field, signal: Signal) -> dict[str, float | None]:
        """PSNR in dB over all samples (at most 100), and MS-SSIM (0 to 1), of the picture as it is written.

        MS-SSIM (Wang et al. 2003) is None when a side has fewer than 161 pixels.
        """
        assert isinstance(signal.coords, Grid)
        peak = _peak(signal.meta)
        decoded = _render(field, signal.meta, signal.coords)
        flat = decoded.reshape(-1, signal.channels)
        squares = 0.0
        for start in range(0, len(flat), 1 << 18):
            part = slice(start, start + (1 << 18))
            squares += float(((flat[part] - as_pixels(signal.part(part), peak)) ** 2).sum())
        psnr = psnr_db(squares / signal.size, peak)
        return {"psnr_db": psnr, "ms_ssim": ms_ssim(decoded, signal, peak)}

    def rate(self, num_bytes: int, meta: Mapping[str, Any]) -> float:
        """Bits per pixel."""
        height, width = _shape(meta)
        return 8 * num_bytes / (height * width)

    def preview(self, field: Field, signal: Signal, target: BinaryIO) -> None:
        """Write a PNG of the original, the decoded picture and their amplified difference, side by side."""
        from coordcodec_image.picture import draw

        draw(field, signal, _peak(signal.meta), target)


def _checked_array(array: np.ndarray[Any, Any]) -> Pixels:
    pixels = array[:, :, None] if array.ndim == 2 else array
    if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4 or not pixels.size:
        raise SignalError(f"an image array is (h, w) or (h, w, c) with 1 to 4 channels, got shape {array.shape}")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise SignalError(f"an image array is uint8 or uint16, got {array.dtype}; scale and convert it first")
    if pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        raise SignalError(f"an image has at most {MAX_PIXELS} pixels, got {pixels.shape[1]}x{pixels.shape[0]}")
    return pixels


def _shape(meta: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width, from meta that may come from a hostile file."""
    if len(meta["shape"]) != 2 or not 1 <= meta["channels"] <= 4:
        raise ContainerError(f"not an image: a grid of shape {meta['shape']} with {meta['channels']} channels")
    return meta["shape"][0], meta["shape"][1]


def _peak(meta: Mapping[str, Any]) -> int:
    depth = meta.get("depth", 8)
    if depth not in (8, 16):
        raise ContainerError(f"not an image: a depth of {depth!r} bits, expected 8 or 16")
    return 255 if depth == 8 else 65535


def _output_grid(
    meta: Mapping[str, Any],
    scale: float | None,
    size: tuple[int, int] | None,
    region: tuple[int, int, int, int] | None,
) -> Grid:
    height, width = _shape(meta)
    if scale is not None and size is not None:
        raise RecipeError("choose scale or size, not both")
    if scale is not None and not (isinstance(scale, int | float) and 0 < scale <= MAX_PIXELS):
        raise RecipeError(f"scale must be a number above 0, at most {MAX_PIXELS}, got {scale!r}")
    if size is not None and not _whole_numbers(size, 2):
        raise RecipeError(f"size of an image is two whole numbers WxH such as 640x480, got {size!r}")
    factor = 1.0 if scale is None else float(scale)
    columns, rows = (max(1, round(width * factor)), max(1, round(height * factor))) if size is None else size
    if min(columns, rows) < 1:
        raise RecipeError(f"size must be at least 1x1, got {columns}x{rows}")
    if region is not None and not _whole_numbers(region, 4):
        raise RecipeError(f"region of an image is four whole numbers x0,y0,x1,y1, got {region!r}")
    x0, y0, x1, y1 = (0, 0, width, height) if region is None else region
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise RecipeError(f"region {x0},{y0},{x1},{y1} is not inside 0,0,{width},{height}, with x0 < x1 and y0 < y1")
    bounds = [_scaled(y0, y1, height, rows), _scaled(x0, x1, width, columns)]
    pixels = math.prod(upper - lower for lower, upper in bounds)
    if pixels > MAX_PIXELS:
        raise RecipeError(
            f"that is {pixels / 1e6:.0f} megapixels, at most {MAX_PIXELS / 1e6:.0f} are written at once; "
            "choose a smaller scale or a region"
        )
    return Grid((rows, columns)).window(bounds)


def _whole_numbers(value: object, count: int) -> bool:
    return isinstance(value, tuple | list) and len(value) == count and all(isinstance(n, int) for n in value)


def _scaled(first: int, last: int, count: int, scaled: int) -> tuple[int, int]:
    """The samples first <= i < last of an axis of `count`, on that axis with `scaled` samples: at least one."""
    lower = min(round(first * scaled / count), scaled - 1)
    return lower, max(lower + 1, round(last * scaled / count))


def _sample_type(meta: Mapping[str, Any]) -> SampleType:
    _shape(meta)  # checks it, and the channels
    peak = _peak(meta)
    kind = np.dtype(np.uint8 if peak == 255 else np.uint16)
    return SampleType.of(kind, meta["channels"], peak / 2, peak / 2)


def _render(field: Field, meta: Mapping[str, Any], grid: Grid) -> Pixels:
    kind, (rows, columns) = _sample_type(meta), grid.shape
    found = np.empty((rows, columns, meta["channels"]), kind.dtype)
    band, wide = max(1, _STRIP // columns), min(columns, _STRIP)
    for top in range(0, rows, band):
        for left in range(0, columns, wide):
            bounds = ((top, min(top + band, rows)), (left, min(left + wide, columns)))
            part = samples_on(field, grid.window(bounds), kind)
            found[top : top + band, left : left + wide] = part.reshape(-1, bounds[1][1] - left, meta["channels"])
    return found
