"""Where and in which precision to compute."""

from __future__ import annotations

import time

import torch

from coordcodec.errors import RecipeError

NARROW = 32
"""Networks of less width gain no time from bfloat16 on a CPU: their steps are not spent in matrix products."""


def find_device(name: str) -> torch.device:
    """The torch device of that name; "auto" is a GPU where there is one. Raises RecipeError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise RecipeError(f"device {name!r} cannot be used ({reason}); use auto, cpu or cuda") from None
    return device


def choose_precision(wanted: str, device: torch.device, width: int) -> torch.dtype:
    """The type of the fit's matrix products: for "auto" bfloat16 where this device multiplies it clearly faster."""
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32
    if device.type != "cpu":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    if width < NARROW:
        return torch.float32
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(4096, width, dtype=dtype), torch.ones(width, width, dtype=dtype)
        runs = []
        for _ in range(12):
            start = time.perf_counter()
            torch.mm(a, b)
            runs.append(time.perf_counter() - start)
        seconds[dtype] = min(runs)
    return torch.bfloat16 if seconds[torch.bfloat16] < 0.8 * seconds[torch.float32] else torch.float32
