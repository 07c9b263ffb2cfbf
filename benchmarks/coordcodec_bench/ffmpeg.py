"""The ffmpeg program that imageio-ffmpeg ships, as a function from bytes to bytes."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

from coordcodec_bench.baseline import NotInstalled

INSTALL = "pip install imageio-ffmpeg"


def program() -> str:
    """Where ffmpeg lies. Raises NotInstalled."""
    try:
        return str(import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError):  # RuntimeError: the package came without a program for this machine
        raise NotInstalled(INSTALL) from None


def run(arguments: Sequence[str], data: bytes, limit_seconds: float, seekable: bool = False) -> bytes:
    """What ffmpeg writes to its output when it reads `data` as its input.

    arguments: those after the program's name; "pipe:0" stands for the input, "pipe:1" for the output.
    limit_seconds: after so many it is ended.
    seekable: the output's format goes back while it is written, so that ffmpeg gets a temporary file for it.
    Raises NotInstalled, and RuntimeError when ffmpeg fails, takes longer, or writes nothing.
    """
    if not seekable:
        return _run(arguments, data, limit_seconds)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "output"
        _run([str(target) if word == "pipe:1" else word for word in arguments], data, limit_seconds, target)
        return target.read_bytes()


def _run(arguments: Sequence[str], data: bytes, limit_seconds: float, target: Path | None = None) -> bytes:
    command = [program(), "-hide_banner", "-nostdin", "-loglevel", "error", *arguments]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=limit_seconds, check=False)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"ffmpeg took longer than {limit_seconds:g} s; allow more, or a smaller input") from None
    empty = not done.stdout if target is None else not target.exists() or not target.stat().st_size
    if done.returncode or empty:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise RuntimeError(f"ffmpeg failed: {lines[-1].strip() if lines else 'it wrote nothing and said nothing'}")
    return done.stdout


def version() -> str:
    """What ffmpeg calls itself, such as "ffmpeg 7.0.2". Raises NotInstalled."""
    done = subprocess.run([program(), "-version"], capture_output=True, text=True, timeout=60, check=False)
    words = done.stdout.split()
    return f"ffmpeg {words[2]}" if len(words) > 2 else "ffmpeg, version unknown"


def encoder_version(encoder: str, pixels: str) -> str:
    """What the library behind a video encoder tells of its version while it encodes, and ffmpeg's own.

    encoder, pixels: as ffmpeg names them, "libaom-av1" and "yuv420p" for instance.
    Raises NotInstalled where there is no such encoder.
    """
    return _encoder_version(program(), encoder, pixels)


@cache
def _encoder_version(path: str, encoder: str, pixels: str) -> str:
    source = ["-f", "lavfi", "-i", "color=size=64x64", "-frames:v", "1", "-pix_fmt", pixels]
    command = [path, "-hide_banner", "-nostdin", "-loglevel", "verbose", *source, "-c:v", encoder, "-f", "null", "-"]
    told = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False).stderr
    if "Unknown encoder" in told:
        raise NotInstalled("pip install --upgrade imageio-ffmpeg")
    found = re.search(rf"^\[{encoder} @ \w+\] (?:{encoder} version: )?v?(\d+\.\d[\w.+-]*)", told, re.MULTILINE)
    return f"{encoder} {found[1] if found else 'of unknown version'}, {version()}"
