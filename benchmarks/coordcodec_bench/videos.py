"""Single pictures through ffmpeg's video encoders: AVIF (libaom) and VVC (vvenc).

swscale converts between RGB and Y'CbCr at full range and 10 bits, with the matrix of BT.601: 0.1 dB better than BT.709
on Kodak. That alone leaves 59 dB of PSNR at 4:4:4, and 46 dB at 4:2:0, which is all that vvenc knows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coordcodec_bench import ffmpeg

Pixels = NDArray[np.uint8]

INSTALL = ffmpeg.INSTALL
_LIMIT_SECONDS = 600.0
_FLAGS = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_LEAST = 16
"""Pixels that vvenc needs along each axis."""
_BLOCK = 8


def _encoded(picture: Pixels, pixels: str, coder: list[str], seekable: bool = False) -> bytes:
    height, width, channels = picture.shape
    raw = ["-f", "rawvideo", "-pix_fmt", _raw(channels), "-s", f"{width}x{height}", "-i", "pipe:0"]
    convert = f"scale=in_range=full:out_range=full:out_color_matrix=bt601:{_FLAGS},format={pixels}"
    arguments = [*raw, "-vf", convert, *coder, "-threads", "1", "pipe:1"]
    return ffmpeg.run(arguments, picture.tobytes(), _LIMIT_SECONDS, seekable)


def _decoded(data: bytes, format: list[str], shape: tuple[int, int, int]) -> Pixels:
    convert = f"scale=in_range=full:out_range=full:in_color_matrix=bt601:{_FLAGS},format={_raw(shape[2])}"
    arguments = ["-threads", "1", *format, "-i", "pipe:0", "-vf", convert, "-f", "rawvideo", "pipe:1"]
    raw = ffmpeg.run(arguments, data, _LIMIT_SECONDS)
    return np.frombuffer(raw, np.uint8).reshape(shape)


def _raw(channels: int) -> str:
    return "rgb24" if channels == 3 else "gray"


def avif(picture: Pixels, mode: str, level: float) -> bytes:
    """An AVIF file of a picture (h, w, 1 or 3) uint8.

    level: libaom's quantizer, 0 to 63. libaom runs as for a video of one frame, which is as good as its mode for stills
    in half the time.
    """
    coder = ["-c:v", "libaom-av1", "-still-picture", "1", "-cpu-used", "5", "-crf", str(int(level))]
    tagged = ["-colorspace", "smpte170m", "-color_range", "pc", "-aom-params", "tune=psnr", "-f", "avif"]
    return _encoded(picture, "yuv444p10le" if picture.shape[2] == 3 else "gray10le", [*coder, *tagged], seekable=True)


def from_avif(data: bytes, original: Pixels) -> Pixels:
    """The picture in an AVIF file, which must have the original's shape."""
    height, width, channels = original.shape
    return _decoded(data, [], (height, width, channels))


def avif_version() -> str:
    """That of libaom and ffmpeg. Raises NotInstalled."""
    return ffmpeg.encoder_version("libaom-av1", "yuv444p10le")


def vvc(picture: Pixels, mode: str, level: float) -> bytes:
    """A bare VVC bitstream of a picture (h, w, 1 or 3) uint8, its edge repeated to a multiple of 8 pixels.

    level: vvenc's quantization parameter, 0 to 63. Chroma is quantized 4 steps finer, which is best for the error in
    RGB (0.15 dB).
    """
    height, width, _ = picture.shape
    missing = [(0, _padded(side) - side) for side in (height, width)]
    whole = np.pad(picture, (*missing, (0, 0)), mode="edge")
    chroma = "CbQpOffset=-4:CrQpOffset=-4:CbCrQpOffset=-4"
    coder = ["-c:v", "libvvenc", "-preset", "medium", "-qp", str(int(level)), "-qpa", "0", "-g", "1"]
    return _encoded(whole, "yuv420p10le", [*coder, "-vvenc-params", chroma, "-f", "vvc"])


def from_vvc(data: bytes, original: Pixels) -> Pixels:
    """The picture in a bitstream of `vvc`, of which the original tells the shape."""
    height, width, channels = original.shape
    return _decoded(data, ["-f", "vvc"], (_padded(height), _padded(width), channels))[:height, :width]


def _padded(side: int) -> int:
    return max(_LEAST, -(-side // _BLOCK) * _BLOCK)


def vvc_version() -> str:
    """That of vvenc and ffmpeg. Raises NotInstalled."""
    return ffmpeg.encoder_version("libvvenc", "yuv420p10le")
