"""Does an accelerator compute what the CPU computes, and how fast? `make check-gpu`, in four minutes at most.

It needs no network and no installed package: what is missing skips a row by name. The same symbols must become the same
field on both devices, wherever they were fitted; a disagreement is an error. What it finds becomes a JSON file and
`gpu.md`, dated, with the chip's name.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from coordcodec.errors import reason
from coordcodec_bench import parity

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 240.0
"""Seconds in all; rows that would begin later are skipped."""


def _registered() -> None:
    """Make the package's entry points known where it is not installed: plugins are found by them."""
    from importlib.metadata import entry_points

    if entry_points(group="coordcodec"):
        return
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    folder = Path(tempfile.mkdtemp()) / f"{project['name']}-{project['version']}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    lines = [f"{name} = {module}" for name, module in project["entry-points"]["coordcodec"].items()]
    (folder / "entry_points.txt").write_text("\n".join(["[coordcodec]", *lines, ""]))
    sys.path.insert(0, str(folder.parent))


@dataclass
class Check:
    """The devices, the inputs, and what every row found.

    device: the one to check. data: a folder with kodim15.png or another picture. quick: fewer steps, for rehearsals.
    """

    device: torch.device
    data: Path
    quick: bool
    start: float = field(default_factory=time.monotonic)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def run(self, name: str, work: Callable[[], dict[str, Any]]) -> None:
        """Add the row of that name: what work() found, why it was skipped, or what is wrong."""
        began = time.monotonic()
        row: dict[str, Any] = {"name": name}
        if began - self.start > LIMIT:
            row |= {"state": "skipped", "why": f"the {LIMIT:.0f} seconds were over"}
        else:
            try:
                row |= {"state": "ok", **work()}
            except ModuleNotFoundError as error:
                row |= {"state": "skipped", "why": f"{error.name} is not installed"}
            except FileNotFoundError as error:
                row |= {"state": "skipped", "why": f"there is no {error.filename}"}
            except parity.Disagreement as error:
                row |= {"state": "failed", "why": str(error)}
            except Exception as error:  # noqa: BLE001  one broken row must not hide the others
                row |= {"state": "failed", "why": f"{type(error).__name__}: {reason(error)}"}
        row["seconds"] = round(time.monotonic() - began, 2)
        self.rows.append(row)
        print(_in_words(row), flush=True)


def _in_words(row: Mapping[str, Any]) -> str:
    facts = [f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()]
    return "  ".join([f"{row['state']:8}{row['name']}", *facts[2:]])


def picture(check: Check) -> dict[str, Any]:
    """One Kodak picture, encoded and decoded there."""
    from PIL import Image

    from coordcodec import codec

    path = check.data / "kodim15.png"
    with Image.open(path, formats=("PNG",)) as image:
        pixels = np.asarray(image.convert("RGB"))
    pixels = pixels[200:272, 200:296] if check.quick else pixels
    modality = codec.find_modality(path, None)
    choices: dict[str, Any] = {"siren": {"steps": 30}, "num_bytes": 1200} if check.quick else {"rate": 0.3, "effort": 3}
    choices |= {"layers": "siren"}  # what a GPU is for
    recipe = codec.make_recipe(modality, device=str(check.device), **choices)
    signal = modality.read(pixels)
    _forget_memory(check.device)
    start = time.monotonic()
    encoded = codec.compress_signal(signal, modality, recipe)
    encode_seconds = time.monotonic() - start
    opened = codec.open(encoded.data, time_limit=None).to(str(check.device))
    opened.field(np.zeros((1, 2)))
    start = time.monotonic()
    decoded = opened.render()
    decode_seconds = time.monotonic() - start
    error = ((decoded.astype(np.float64) - pixels) ** 2).mean()
    return {
        "bytes": len(encoded.data),
        "bpp": 8 * len(encoded.data) / pixels[..., 0].size,
        "psnr_db": float(10 * np.log10(255**2 / error)),
        "steps": encoded.steps,
        "precision": encoded.precision,
        "encode_seconds": encode_seconds,
        "decode_seconds": decode_seconds,
        **_memory(check.device),
    }


def launches(check: Check) -> dict[str, Any]:
    """Kernels that a step of the fit launches, and steps per second, with one network and with 64."""
    from torch.profiler import ProfilerActivity, profile

    from coordcodec.compute.device import choose_precision
    from coordcodec.compute.optim import Soap
    from coordcodec.layers.siren import batches, network, objective
    from coordcodec.layers.siren.penalty import L1Penalty
    from coordcodec.partition import Partition
    from coordcodec.specs import SirenSpec
    from coordcodec_bench.workload import LR

    spec, found = SirenSpec(2, 3, 64, 5, 16, 1400), {}
    dtype = choose_precision("auto", check.device, spec.width)
    cuda = check.device.type == "cuda"
    activities = [ProfilerActivity.CUDA] if cuda else [ProfilerActivity.CPU]
    for name, parts in (("one", 1), ("many", 8)):
        source = batches.batches_of(parity.picture(192), Partition((parts, parts)), spec, 12288, 0, check.device)
        params = {n: t.to(check.device) for n, t in network.init(spec, parts**2, 0).items()}
        with objective.Objective(spec, source, dtype, check.device, L1Penalty(3.3e-7)) as loss:
            soap = Soap(list(params.values()))

            def steps(count: int, loss: Any = loss, soap: Any = soap, params: Any = params) -> None:
                for _ in range(count):
                    soap.step(list(loss.gradient(params)[1].values()), [LR] * len(params))
                if cuda:
                    torch.cuda.synchronize()

            steps(30 if not check.quick else 2)
            with profile(activities=activities) as watched:
                steps(10 if not check.quick else 1)
            events = [e for e in watched.events() if not cuda or e.device_type.name == "CUDA"]
            found[f"launches_{name}"] = len(events) / (10 if not check.quick else 1)
            start = time.monotonic()
            steps(100 if cuda else 4)
            found[f"steps_per_second_{name}"] = (100 if cuda else 4) / (time.monotonic() - start)
    return {"precision": str(dtype).removeprefix("torch."), **found}


def _forget_memory(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _memory(device: torch.device) -> dict[str, float]:
    return {"peak_mib": torch.cuda.max_memory_allocated(device) / 2**20} if device.type == "cuda" else {}


def facts_of(device: torch.device) -> dict[str, Any]:
    """Chip, versions and date."""
    from coordcodec_bench import facts

    chip = torch.cuda.get_device_name(device) if device.type == "cuda" else facts.machine()
    return {
        "chip": chip,
        "device": str(device),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
        "commit": facts.commit(),
    }


def page(found: Mapping[str, Any]) -> str:
    """The Markdown page of a run."""
    facts = {key: value for key, value in found.items() if key != "rows"}
    lines = [
        "# Checked on an accelerator",
        "",
        f"`make check-gpu` on {found['date']}: {found['chip']}, torch {found['torch']}, CUDA {found['cuda']}, Python "
        f"{found['python']}, commit {facts['commit']}. This page is written by that command.",
        "",
        "| row | state | seconds | what it found |",
        "|---|---|---|---|",
    ]
    for row in found["rows"]:
        rest = {k: v for k, v in row.items() if k not in ("name", "state", "seconds")}
        words = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in rest.items())
        lines.append(f"| {row['name']} | {row['state']} | {row['seconds']} | {words} |")
    return "\n".join([*lines, ""])


def main() -> int:
    """Check, write gpu.json and gpu.md, return 1 if a row failed."""
    parser = argparse.ArgumentParser(description="Compare an accelerator with the CPU.")
    parser.add_argument("--device", default="cuda", help="the one to check; cpu is a rehearsal; default: cuda")
    parser.add_argument("--data", type=Path, default=ROOT / "examples", help="folder with kodim15.png")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs", help="folder for gpu.json and gpu.md")
    parser.add_argument("--quick", action="store_true", help="few steps, for a rehearsal")
    a = parser.parse_args()
    _registered()
    if a.device.startswith("cuda") and not torch.cuda.is_available():
        print("error: there is no GPU here; --device cpu rehearses the check", file=sys.stderr)
        return 2
    check = Check(torch.device(a.device), a.data, a.quick)
    rows: tuple[tuple[str, Callable[[], dict[str, Any]]], ...] = (
        ("symbols", partial(parity.symbols_agree, check.device)),
        ("gradients", partial(parity.gradients_agree, check.device)),
        ("fields of one network", partial(parity.fields_agree, check.device, check.quick, 1)),
        ("fields of nine networks", partial(parity.fields_agree, check.device, check.quick, 3)),
        ("files", partial(parity.files_agree, check.device, check.quick)),
        ("picture", partial(picture, check)),
        ("launches", partial(launches, check)),
    )
    for name, work in rows:
        check.run(name, work)
    found = {**facts_of(check.device), "rows": check.rows}
    a.output.mkdir(parents=True, exist_ok=True)
    (a.output / "gpu.json").write_text(json.dumps(found, indent=1) + "\n")
    (a.output / "gpu.md").write_text(page(found))
    return int(any(row["state"] == "failed" for row in check.rows))


if __name__ == "__main__":
    sys.exit(main())
