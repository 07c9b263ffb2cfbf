"""Other people's codecs for pictures, each with its modes."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec_bench import videos
from coordcodec_bench.baseline import Mode, needs

Pixels = NDArray[np.uint8]
"""A picture: (h, w, c), with one channel (grey) or three (RGB)."""


@dataclass
class Coder:
    """A baseline made of three functions; see `coordcodec_bench.baseline.Baseline`.

    encoder: (picture, mode, level) -> a file. decoder: a file and the original, for its shape -> the picture, of any
    shape that has as many samples. versions: what the baseline's version() says.
    """

    name: str
    install: str
    note: str
    modes: tuple[Mode, ...]
    encoder: Callable[[Pixels, str, float], bytes]
    decoder: Callable[[bytes, Pixels], NDArray[Any]]
    versions: Callable[[], str]

    def version(self) -> str:
        """The exact versions of the libraries at work. Raises NotInstalled."""
        return str(needs(self.versions, self.install))

    def encode(self, original: Pixels, mode: str, level: float) -> bytes:
        """A file. Raises NotInstalled, and whatever the codec does."""
        return bytes(needs(lambda: self.encoder(original, mode, level), self.install))

    def decode(self, data: bytes, original: Pixels) -> Pixels:
        """The picture that a file holds, of the original's shape. Raises RuntimeError if it has another."""
        decoded = np.asarray(needs(lambda: self.decoder(data, original), self.install))
        if decoded.dtype != np.uint8 or decoded.shape[:2] != original.shape[:2] or decoded.size != original.size:
            raise RuntimeError(f"decoded {decoded.dtype} of shape {decoded.shape}, not uint8 of {original.shape}")
        return decoded.reshape(original.shape)


def flat(picture: Pixels) -> Pixels:
    """(h, w) for grey: what libraries take."""
    return np.ascontiguousarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)


def saved(picture: Pixels, kind: str, **options: Any) -> bytes:
    """A picture as Pillow writes it."""
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(flat(picture)).save(target, format=kind, **options)
    return target.getvalue()


def opened(data: bytes, original: Pixels) -> NDArray[Any]:
    """A picture as Pillow reads it, grey if the original is."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("L" if original.shape[2] == 1 else "RGB"))


def pillow(feature: str, name: str) -> Callable[[], str]:
    """The version of a library of Pillow's."""

    def version() -> str:
        from PIL import __version__, features

        if not features.check(feature):
            raise ImportError(f"a Pillow without {name}")
        number = features.version("libjpeg_turbo" if feature == "jpg" else feature)
        return f"{name} {number or 'of unknown version'}, Pillow {__version__}"

    return version


def _jpeg(picture: Pixels, mode: str, level: float) -> bytes:
    files = [
        saved(picture, "JPEG", quality=int(level), subsampling=mode, optimize=True, progressive=progressive)
        for progressive in (False, True)
    ]
    return min(files, key=len)


def _jpeg2000(picture: Pixels, mode: str, level: float) -> bytes:
    # Without the 9/7 wavelet 0.4 dB would be lost, without the colour transform 2.5 dB.
    colour = int(picture.shape[2] == 3)
    return saved(picture, "JPEG2000", no_jp2=True, irreversible=True, mct=colour, quality_layers=[level])


def _webp(picture: Pixels, mode: str, level: float) -> bytes:
    return saved(picture, "WEBP", quality=level, method=6)


def _jxl(picture: Pixels, mode: str, level: float) -> bytes:
    codecs = importlib.import_module("imagecodecs")
    effort = int(mode.removeprefix("effort "))
    file = codecs.jpegxl_encode(flat(picture), distance=level, effort=effort, usecontainer=False, numthreads=1)
    return bytes(file)


def jxl_opened(data: bytes, original: Pixels) -> NDArray[Any]:
    """A picture as libjxl reads it."""
    decoded: NDArray[Any] = importlib.import_module("imagecodecs").jpegxl_decode(data, numthreads=1)
    return decoded


def jxl_version() -> str:
    """Those of libjxl and imagecodecs. Raises ImportError."""
    codecs = importlib.import_module("imagecodecs")
    if not codecs.JPEGXL.available:
        raise ImportError("an imagecodecs without libjxl")
    return f"{codecs.jpegxl_version()}, imagecodecs {codecs.__version__}"


_X265 = {
    "tune": "psnr",
    "preset": "slow",
    "x265:psy-rd": "0",  # half a decibel
    "x265:psy-rdoq": "0",
    "x265:aq-mode": "0",
    "x265:pools": "none",
}


def _heif(picture: Pixels, mode: str, level: float) -> bytes:
    heif = importlib.import_module("pillow_heif")
    height, width, channels = picture.shape
    chroma = mode.rpartition(" ")[2]
    options = {**_X265, "x265:qp": str(int(level)), "x265:cbqpoffs": chroma, "x265:crqpoffs": chroma}
    kind, sampling = ("RGB", 444) if channels == 3 else ("L", 420)
    target = io.BytesIO()
    heif.encode(kind, (width, height), picture.tobytes(), target, chroma=sampling, enc_params=options)
    return target.getvalue()


def _heif_opened(data: bytes, original: Pixels) -> NDArray[Any]:
    return np.asarray(importlib.import_module("pillow_heif").open_heif(io.BytesIO(data)))


def _heif_version() -> str:
    heif = importlib.import_module("pillow_heif")
    told = heif.libheif_info()
    coder = told.get("encoders", {}).get("x265")
    if not coder:
        raise ImportError("a pillow-heif without x265")
    coder = coder.replace(" HEVC encoder (", " ").rstrip(")")
    return f"{coder}, libheif {told['libheif']}, pillow-heif {heif.__version__}"


PILLOW = "pip install --upgrade pillow"
"""What installs it."""

CODECS = (
    Coder(
        "jpeg",
        PILLOW,
        "optimised Huffman tables, progressive where smaller",
        (Mode("4:2:0", 1, 100), Mode("4:4:4", 1, 100)),
        _jpeg,
        opened,
        pillow("jpg", "libjpeg-turbo"),
    ),
    Coder(
        "jpeg2000",
        PILLOW,
        "9/7 wavelet, colour transform, codestream without the JP2 box",
        (Mode("ratio", 2000, 2, whole=False, log=True, halvings=11),),
        _jpeg2000,
        opened,
        pillow("jpg_2000", "OpenJPEG"),
    ),
    Coder(
        "webp",
        PILLOW,
        "method 6",
        (Mode("quality", 0, 100, whole=False, halvings=9),),
        _webp,
        opened,
        pillow("webp", "libwebp"),
    ),
    Coder(
        "jxl",
        "pip install --upgrade imagecodecs",
        "effort 7, which PSNR likes best, and 9, whose smallest files are smaller; the coder aims at the eye",
        # From distance 20 on libjxl halves the picture; the file then is larger than just before.
        (
            Mode("effort 7", 19.9, 0.05, whole=False, log=True, halvings=9),
            Mode("effort 9", 25, 15, whole=False, halvings=5),
        ),
        _jxl,
        jxl_opened,
        jxl_version,
    ),
    Coder(
        "heif",
        "pip install --upgrade pillow-heif",
        "x265 4:4:4, preset slow, tuned for PSNR without psycho-visual terms: what BPG does",
        (Mode("qp, chroma 0", 51, 0), Mode("qp, chroma -2", 51, 0)),
        _heif,
        _heif_opened,
        _heif_version,
    ),
    Coder(
        "avif",
        videos.INSTALL,
        "libaom 4:4:4, 10 bits, speed 5, tuned for PSNR",
        (Mode("crf", 63, 1),),
        videos.avif,
        videos.from_avif,
        videos.avif_version,
    ),
    Coder(
        "vvc",
        videos.INSTALL,
        "vvenc 4:2:0, 10 bits, preset medium, tuned for PSNR, bare bitstream",
        (Mode("qp", 63, 10),),
        videos.vvc,
        videos.from_vvc,
        videos.vvc_version,
    ),
)
