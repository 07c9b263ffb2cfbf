"""Damage and forge for a while, and see that nothing but a typed error comes of it: `make fuzz`.

    python -m tests.fuzz --seconds 60 [--seed 1] [--only container,weights] [-o findings]

Checksums are switched off while it runs, so that forged numbers reach what stands behind them. Each case must end
within PATIENCE seconds and MEMORY bytes, in a field that is finite or in a CoordCodecError. What does not is written to
the folder of findings as TARGET-HASH.bin; put it into tests/corpus, where the tests replay it for ever.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import random
import resource
import signal
import sys
import time
import traceback
import warnings
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

import coordcodec
from coordcodec import inits
from coordcodec.data import Quantized
from coordcodec.errors import CoordCodecError, DecodeLimit
from coordcodec.inits.store import SHIPPED
from coordcodec.layers.siren import coding
from coordcodec.plugins import installed
from coordcodec.specs import SirenSpec
from coordcodec.stream import container, meta, weights
from coordcodec.stream.grid import GridDecoder, GridState
from coordcodec.verify import check_whole

HERE = Path(__file__).parent
PATIENCE, MEMORY, LIMIT = 20, 3 << 30, 0.02
SHAPES = ((1,), (40,), (7, 9), (3, 5, 6))
EXTREMES = (
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80\x80\x01",
    b"\xff" * 8 + b"\x7f",
    b"\xff" * 10,
    b"\0\0\xc0\x7f",
    b"\0\0\x80\x7f",
)
SPEC = SirenSpec(2, 3, 6, 1, 2, 1400)


class Unending(BaseException):
    """A case that took longer than PATIENCE. No Exception, so that nobody takes it for one of a plugin's."""


def mutated(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """The bytes with one to four things changed."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(found) + 1)
        match rng.randrange(7):
            case 0 | 1 if at < len(found):
                found[at] ^= 1 << rng.randrange(8)
            case 2 if at < len(found):
                found[at] = rng.randrange(256)
            case 3:
                extreme = rng.choice(EXTREMES)
                found[at : at + rng.choice((0, 1, len(extreme)))] = extreme
            case 4:
                del found[at : at + rng.choice((1, 2, 8, len(found)))]
            case 5:
                found[at:at] = found[at : at + rng.randrange(1, 40)]
            case 6:
                other = rng.choice(others)
                cut = rng.randrange(len(other) + 1)
                found[at : at + rng.randrange(40)] = other[cut : cut + rng.randrange(40)]
    return bytes(found)


def opened(data: bytes) -> None:
    """A file: its header, its whole field, what it says of itself, and its data as its modality gives them."""
    for partial in (False, True):
        found = coordcodec.open(data, partial=partial, time_limit=LIMIT)
        json.dumps(found.info)
        check_whole(found)
        found.export()


def coded(data: bytes) -> None:
    """A chunk of weights; its first byte chooses whether they are updates."""
    shapes = SPEC.tensors()
    coding.check(SPEC, b"", (data,))
    symbols = weights.decode(data, shapes)
    assert all(np.isfinite(q.dequantize()).all() for q in symbols.values())


def planes(data: bytes) -> None:
    """A chunk of the grid coder, read as planes of several shapes with all kinds of guides."""
    shape, state = SHAPES[data[0] % len(SHAPES)] if data else (3,), GridState(data[1] % 4 if len(data) > 1 else 0)
    decoder = GridDecoder(state, data[2:])
    plane = decoder.plane(shape, {}, None)
    decoder.plane(shape, {"parent": plane, "sibling": plane}, np.zeros(shape[-1:], np.int64))
    decoder.finish()


def initialised(data: bytes) -> None:
    """The file of a learned initialisation."""
    inits.parse(data)


def told(data: bytes) -> None:
    """Meta, given to the modality that its first byte chooses."""
    kinds = sorted(installed().modalities.entries)
    modality = installed().modalities.entries[kinds[data[0] % len(kinds)] if data else kinds[0]].object
    facts = meta.read_meta(data[1:])
    facts |= {"shape": facts.pop("forged_shape", []), "channels": facts.pop("forged_channels", 1)}
    if not isinstance(facts["shape"], list) or not all(
        type(n) is int and 1 <= n <= 9 for n in [*facts["shape"], facts["channels"]]
    ):
        return  # the core checks these
    asked = 0

    def constant(coords):
        nonlocal asked
        asked += len(coords)
        if asked > 1 << 21:
            raise DecodeLimit("more than a test should take")
        return np.full((len(coords), facts["channels"]), 0.25, np.float32)

    modality.rate(100, facts)
    modality.write(constant, facts, io.BytesIO(), format=modality.suffixes[0])


TARGETS = {"container": opened, "weights": coded, "grid": planes, "initialisation": initialised, "meta": told}


def seeds() -> dict[str, list[bytes]]:
    """Good inputs of every target, small ones. Made with checksums switched off."""
    files = [path.read_bytes() for path in sorted((HERE / "golden").glob("*.ccdc"))]
    resealed = []
    zlib.crc32, real = unsealed, zlib.crc32
    for data in files:
        zlib.crc32 = real
        found = container.unpack(data)
        zlib.crc32 = unsealed
        resealed.append(container.pack(found))
    rng, chunks = np.random.default_rng(0), []
    for step in (0.0, 2.0**-6):
        symbols = {
            name: Quantized(rng.integers(0, 40, shape).astype(np.int32), step) for name, shape in SPEC.tensors().items()
        }
        chunks += coding.encode(symbols, SPEC, None)
    kinds = sorted(installed().modalities.entries)
    metas = []
    for data in resealed:
        parsed = container.unpack(data)
        if parsed.modality in kinds:
            shape = [min(n, 9) for n in parsed.meta["shape"]]
            facts = {k: v for k, v in parsed.meta.items() if k not in ("shape", "channels")}
            facts |= {"forged_shape": shape, "forged_channels": parsed.meta["channels"]}
            metas.append(bytes([kinds.index(parsed.modality)]) + meta.pack_meta(facts, ()))
    shipped = [path.read_bytes() for path in sorted(SHIPPED.glob("*.safetensors"))][:2]
    grids = [b"".join(s.chunks) for data in resealed for s in container.unpack(data).sections if s.spec.chunked]
    return {
        "container": resealed,
        "weights": chunks,
        "grid": [bytes([k, k]) + data[:400] for k, data in enumerate(grids)] or [bytes(40)],
        "initialisation": shipped,
        "meta": metas,
    }


def unsealed(data: bytes, value: int = 0) -> int:
    """Stands for CRC-32: every checksum is 0."""
    return 0


def outcome(target: str, data: bytes, patience: int = PATIENCE) -> str | None:
    """What is wrong with how a case ends; None: nothing. patience: in seconds; 0: without end."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            signal.alarm(patience)
            TARGETS[target](data)
    except CoordCodecError:
        return None
    except MemoryError:
        return "MemoryError"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "".join(traceback.format_exception(error)[-8:])
    finally:
        signal.alarm(0)
    return None


def main(argv: list[str]) -> int:
    """Run for a while; returns 1 if something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join(TARGETS))
    parser.add_argument("-o", "--output", type=Path, default=Path("fuzz-findings"))
    a = parser.parse_args(argv)
    for target, inputs in (good := seeds()).items():  # compiles and imports what takes its time
        for data in inputs:
            outcome(target, data, patience=0)
    signal.signal(signal.SIGALRM, _give_up)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY + _reserved(), resource.RLIM_INFINITY))
    rng, counts, found = random.Random(a.seed), Counter(), {}
    targets, end = a.only.split(","), time.monotonic() + a.seconds
    while time.monotonic() < end:
        target = rng.choice(targets)
        data = mutated(rng.choice(good[target]), good[target], rng)
        counts[target] += 1
        if wrong := outcome(target, data):
            key = target + wrong.strip().splitlines()[-1][:60] + str(len(wrong.splitlines()))
            if key not in found:
                found[key] = data
                a.output.mkdir(exist_ok=True)
                path = a.output / f"{target}-{hashlib.sha256(data).hexdigest()[:12]}.bin"
                path.write_bytes(data)
                print(f"{path}\n{wrong}", flush=True)
    print(f"{sum(counts.values()):,} cases ({dict(counts)}), {len(found)} findings", flush=True)
    return 1 if found else 0


def _give_up(number: int, frame: object) -> None:
    raise Unending


def _reserved() -> int:
    """The address space that is taken already."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
