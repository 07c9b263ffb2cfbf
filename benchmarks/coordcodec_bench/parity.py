"""Whether two devices compute the same: symbols, gradients, fields, files. A disagreement is an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

CLOSE = 1 / 255
"""How far two fields may differ: what docs/format.md allows."""
NEAR = 2e-3
"""How far gradients in float32 may differ, as a share of their norm."""


class Disagreement(AssertionError):
    """The devices do not compute the same."""


def _directions(device: torch.device) -> Iterator[tuple[torch.device, torch.device]]:
    """Both directions: where to fit, where to decode."""
    cpu = torch.device("cpu")
    yield cpu, device
    yield device, cpu


def picture(side: int) -> Any:
    """A smooth signal on a grid with three channels."""
    from coordcodec.data import Grid, Signal

    grid = Grid((side, side + 8))
    x = grid.coords()
    waves = [np.sin(a * x[:, 0] + b * x[:, 1]) * np.cos(b * x[:, 0]) for a, b in ((9, 4), (7, -13), (20, 11))]
    return Signal(grid, np.stack(waves, axis=1).astype(np.float32) * 0.9, "image")


def symbols_agree(device: torch.device) -> dict[str, Any]:
    """The same parameters become the same integers."""
    from coordcodec.layers.siren import network
    from coordcodec.quant.uniform import Uniform, largest
    from coordcodec.specs import SirenSpec

    params = network.init(SirenSpec(2, 3, 64, 3, 16, 1400), 4, 0)
    there = {name: tensor.to(device) for name, tensor in params.items()}
    different = 0
    for bits in (4.0, 6.5, 8.0):
        spans = largest(params)
        one, other = (Uniform()(p, lambda _: torch.zeros(()), spans, bits, 0) for p in (params, there))
        different += sum(int((one[name].symbols != other[name].symbols).sum()) for name in one)
    if different:
        raise Disagreement(f"{different} symbols differ")
    return {"symbols": 3 * sum(tensor.numel() for tensor in params.values())}


def gradients_agree(device: torch.device) -> dict[str, Any]:
    """The same minibatch gives the same gradient, in float32."""
    from coordcodec.layers.siren import batches, network, objective
    from coordcodec.partition import Partition
    from coordcodec.specs import SirenSpec

    spec, found = SirenSpec(2, 3, 48, 3, 8, 1400), []
    params = network.init(spec, 1, 0)
    for place in (torch.device("cpu"), device):
        source = batches.batches_of(picture(64), Partition((1, 1)), spec, 2048, 0, place)
        with objective.Objective(spec, source, torch.float32, place) as loss:
            _, gradients = loss.gradient({name: tensor.to(place) for name, tensor in params.items()})
        found.append({name: tensor.cpu() for name, tensor in gradients.items()})
    worst = max(float((found[0][n] - found[1][n]).norm() / (found[0][n].norm() + 1e-12)) for n in found[0])
    if not worst < NEAR:
        raise Disagreement(f"gradients differ by {worst:.2g} of their norm, at most {NEAR:g} is rounding")
    return {"worst": worst}


def fields_agree(device: torch.device, quick: bool, parts: int) -> dict[str, Any]:
    """What was fitted and quantized on one device decodes alike on both."""
    from coordcodec.layers.siren import batches, fit, network, objective
    from coordcodec.partition import Partition, gain_codes, gain_of
    from coordcodec.quant.uniform import Uniform, largest
    from coordcodec.specs import SirenSpec

    signal, spec = picture(96), SirenSpec(2, 3, 32, 3, 8, 1400)
    partition = Partition((1, 1)) if parts == 1 else Partition((parts, parts), 20)
    gains = [gain_of(code) for code in gain_codes(signal, partition)]
    coords, worst, facts = signal.coords.coords(), 0.0, {}
    for there, other in _directions(device):
        source = batches.batches_of(signal, partition, spec, 2048, 0, there, gains)
        start = {name: tensor.to(there) for name, tensor in network.init(spec, len(partition), 0).items()}
        with objective.Objective(spec, source, torch.float32, there) as loss:
            params, _ = fit.fit(loss, start, steps=40 if quick else 400, lr=5e-2, optimizer="soap")
            symbols = Uniform()(params, loss, largest(params), 8.0, 0)
        arrays = {name: q.dequantize() for name, q in symbols.items()}
        one, two = (network.as_field(spec, arrays, partition, place, gains)(coords) for place in (there, other))
        worst = max(worst, float(np.abs(one - two).max()))
        facts[f"psnr_db_{there.type}"] = float(-10 * np.log10(((one - signal.values) ** 2).mean() / 4))
    if not worst < CLOSE:
        raise Disagreement(f"fields differ by {worst:.2g}, at most {CLOSE:.2g} is rounding")
    return {"worst": worst, **facts}


def files_agree(device: torch.device, quick: bool) -> dict[str, Any]:
    """Whole files, with a learned initialisation and without, made on one device and decoded on the other."""
    from coordcodec import codec

    modality, worst = codec.find_modality("a.png", None), 0.0
    signal, sizes = picture(96), {}
    for init in ("none", "image-w32"):
        choices: dict[str, Any] = {"num_bytes": 2500, "siren": {"steps": 40 if quick else 300}, "init": init}
        for there, other in _directions(device):
            recipe = codec.make_recipe(modality, device=str(there), **choices)
            encoded = codec.compress_signal(signal, modality, recipe)
            opened = codec.open(encoded.data)
            one, two = (opened.to(str(p)).field(signal.coords.coords()) for p in (there, other))
            worst = max(worst, float(np.abs(one - two).max()))
            sizes[f"bytes_{init}_{there.type}"] = len(encoded.data)
    if not worst < CLOSE:
        raise Disagreement(f"fields differ by {worst:.2g}, at most {CLOSE:.2g} is rounding")
    return {"worst": worst, **sizes}
