"""Fields beside zfp, SZ3 and SPERR: `python -m coordcodec.bench.fields FILE.nc --bytes 12000 -o OUT.jsonl`.

One JSON line per codec and comparison. Ours comes first, with the plugin of `examples/coordcodec_climate`; each of the
others then gets the tightest setting whose file is no larger than `--bytes` ("bytes"), and the loosest whose error is
no larger than ours ("rmse"). They get the same cells as float32, less their mean, masked ones filled as for ours; mean,
mask, units and coordinates, which our file holds, are not counted for them. A codec that is not installed is recorded
as skipped.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from coordcodec import __version__, codec
from coordcodec.bench.rate_distortion import load, there_and_back
from coordcodec.data import Signal
from coordcodec.errors import CoordCodecError
from coordcodec.inr.device import find_device
from coordcodec.plugins import installed

Row = dict[str, Any]
Cells = NDArray[np.float32]
KEY = ("file", "variable", "target_bytes", "codec", "comparison", "effort")
HALVINGS = 24
NEIGHBOURS = range(-25, 26)


@dataclass(frozen=True)
class Peer:
    """Another codec: one or more modes, in each of which a single positive number decides how loose it is.

    encode: (cells, mode, looseness) -> bytes; the larger the number, the smaller the file, about. A largest error is
        meant in parts of the cells' range.
    decode: (bytes, like) -> cells of the shape and type of `like`.
    """

    modes: tuple[str, ...]
    encode: Callable[[Cells, str, float], bytes]
    decode: Callable[[bytes, Cells], Cells]
    version: str


def zfp() -> Peer:
    """zfp with a fixed largest error."""
    library = importlib.import_module("zfpy")
    return Peer(
        ("accuracy",),
        lambda cells, mode, loose: bytes(library.compress_numpy(cells, tolerance=loose * float(np.ptp(cells)))),
        lambda data, like: np.asarray(library.decompress_numpy(data)),
        f"zfpy {library.__version__}",
    )


def sz3() -> Peer:
    """SZ3 with a fixed largest error."""
    library = importlib.import_module("imagecodecs")
    return Peer(
        ("abs",),
        lambda cells, mode, loose: bytes(library.sz3_encode(cells, mode=mode, abs=loose * float(np.ptp(cells)))),
        lambda data, like: np.asarray(library.sz3_decode(data, shape=like.shape, dtype=like.dtype)),
        f"{library.sz3_version()}, imagecodecs {library.__version__}",
    )


def sperr() -> Peer:
    """SPERR with a fixed size or a fixed largest error, whichever is better; for two or three axes."""
    library = importlib.import_module("imagecodecs")

    def encode(cells: Cells, mode: str, loose: float) -> bytes:
        level = 1 / loose if mode == "bpp" else loose * float(np.ptp(cells))
        return bytes(library.sperr_encode(cells, level, mode=mode))

    return Peer(
        ("bpp", "pwe"),
        encode,
        lambda data, like: np.asarray(library.sperr_decode(data, shape=like.shape, dtype=like.dtype)),
        f"{library.sperr_version()}, imagecodecs {library.__version__}",
    )


PEERS: dict[str, tuple[Callable[[], Peer], str]] = {
    "zfp": (zfp, "pip install zfpy"),
    "sz3": (sz3, "pip install imagecodecs"),
    "sperr": (sperr, "pip install imagecodecs"),
}
"""How to get at each codec, and what installs it."""


@dataclass(frozen=True)
class Field:
    """What the others compress: the cells of a field less their mean, and which of them are known and count."""

    cells: Cells
    known: NDArray[np.bool_]

    def trial(self, peer: Peer, mode: str, loose: float) -> Row:
        """One codec at one setting."""
        start = time.monotonic()
        data = peer.encode(self.cells, mode, loose)
        encoded = time.monotonic()
        decoded = peer.decode(data, self.cells).reshape(self.cells.shape)
        seconds = time.monotonic() - encoded
        error = np.abs(decoded.astype(np.float64) - self.cells)[self.known]
        return {
            "bytes": len(data),
            "rmse": float(np.sqrt((error**2).mean())),
            "max_error": float(error.max()),
            "encode_seconds": round(encoded - start, 4),
            "decode_seconds": round(seconds, 4),
            "setting": f"{mode} {loose:g}",
        }

    def best(self, peer: Peer, wanted: str, most: float) -> Row:
        """The codec's best setting: `wanted` ("bytes" or "rmse") is at most `most`, the other as small as can be."""
        other = "rmse" if wanted == "bytes" else "bytes"
        rows: list[Row] = []

        def fits(mode: str, loose: float) -> bool:
            row = self.trial(peer, mode, loose)
            rows.extend([row] if row[wanted] <= most else [])
            return bool(row[wanted] <= most)

        for mode in peer.modes:
            tight, loose = 1e-6, 1e6
            for _ in range(HALVINGS):
                middle = math.sqrt(tight * loose)
                if fits(mode, middle) == (wanted == "bytes"):
                    loose = middle
                else:
                    tight = middle
            for step in NEIGHBOURS:  # sizes and errors do not only go one way
                fits(mode, middle * 1.01**step)
        if not rows:
            return {"failed": f"no setting has {wanted} of at most {most:g}"}
        return min(rows, key=lambda row: (row[other], row[wanted]))

    def rows(self, name: str, size: int, rmse: float) -> Iterator[Row]:
        """A codec at no more bytes than `size`, and at no more error than `rmse`."""
        make, command = PEERS[name]
        try:
            peer = make()
        except ImportError:
            yield {"codec": name, "comparison": "bytes", "skipped": f"not installed: {command}"}
            return
        for wanted, most in (("bytes", size), ("rmse", rmse)):
            try:
                row = self.best(peer, wanted, most)
            except Exception as error:  # noqa: BLE001  other people's codecs raise anything, for four axes for instance
                row = {"failed": f"{type(error).__name__}: {error}".splitlines()[0]}
            yield {"codec": name, "comparison": wanted, **row, "version": peer.version}


def our_row(signal: Signal, size: int, effort: int, device: str) -> Row:
    """Compress a field with this package; the row that describes what came out."""
    kind = installed().modalities.get("climate")
    recipe = codec.make_recipe(kind, num_bytes=size, effort=effort, device=device)
    try:
        encoded, opened, seconds = there_and_back(signal, kind, recipe, device)
    except CoordCodecError as error:
        return {"codec": "coordcodec", "comparison": "bytes", "failed": str(error)}
    scores = opened.score(signal)
    return {
        "codec": "coordcodec",
        "comparison": "bytes",
        "bytes": len(encoded.data),
        **{name: scores[name] for name in ("rmse", "max_error")},
        **seconds,
        "setting": f"width {encoded.spec.width}, {encoded.steps} steps, {encoded.bits:.3f} bits",
        "version": f"coordcodec {__version__}, torch {torch.__version__}",
        "device": str(find_device(device)),
    }


def field_of(signal: Signal) -> Field:
    """The cells that a signal of the climate plugin was made of, masked ones filled, axes of one cell left out."""
    kind, low, high = installed().modalities.get("climate"), signal.meta["low"], signal.meta["high"]
    scaled = (signal.values[:, 0].astype(np.float64) + 1) / 2 * (high - low) + low
    shown = np.asarray(kind.render(lambda coords: np.zeros((len(coords), 1), np.float32), signal.meta))
    shape = [n for n in signal.meta["sizes"] if n > 1]
    return Field((scaled - scaled.mean()).astype(np.float32).reshape(shape), ~np.isnan(shown).reshape(shape))


def measure(path: Path, variable: str | None, size: int, effort: int, device: str) -> Iterator[Row]:
    """All rows of one file and size."""
    kind = installed().modalities.get("climate")
    signal = kind.read(path, variable=variable)
    field = field_of(signal)
    facts = {"file": path.name, "variable": signal.meta["name"], "target_bytes": size, "effort": effort}
    facts |= {"cells": field.cells.size, "date": time.strftime("%Y-%m-%d"), "threads": torch.get_num_threads()}
    ours = our_row(signal, size, effort, device)
    yield facts | ours
    for name in PEERS:
        for row in field.rows(name, size, ours.get("rmse", 0.0)):
            yield facts | row


def main() -> None:
    """Measure one field at one size."""
    parser = argparse.ArgumentParser(description="A field beside zfp, SZ3 and SPERR, one JSON line each.")
    parser.add_argument("file", type=Path, help="a NetCDF file")
    parser.add_argument("--variable", help="its name; default: the first with the most axes")
    parser.add_argument("--bytes", type=int, default=12000, help="the most bytes of a file; default: 12000")
    parser.add_argument("--effort", type=int, default=5, help="1 to 9; default: 5")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda; default: auto")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT.jsonl", help="added to, or replaced in"
    )
    a = parser.parse_args()
    try:
        rows = list(measure(a.file, a.variable, a.bytes, a.effort, a.device))
    except CoordCodecError as error:
        parser.exit(2, f"error: {error}\n")
    done = {tuple(row.get(k) for k in KEY) for row in rows}
    kept = [row for row in load(a.output) if tuple(row.get(k) for k in KEY) not in done]
    a.output.parent.mkdir(parents=True, exist_ok=True)
    a.output.write_text("".join(json.dumps(row) + os.linesep for row in kept + rows))
    for row in rows:
        shown = row.get("skipped") or row.get("failed") or f"{row['bytes']} bytes, rmse {row['rmse']:.4f}"
        print(f"{row['codec']} by {row['comparison']}: {shown}", flush=True)


if __name__ == "__main__":
    main()
