"""Where and in which precision to compute."""

from __future__ import annotations

from functools import cache

import torch

from coordcodec.errors import RecipeError, reason

NARROW = 32
"""Networks of less width gain no time from bfloat16 on a CPU: their steps are not spent in matrix products."""
BFLOAT16_UNITS = "amx-bf16", "avx512bf16"
"""Processor flags, as LLVM spells them, of CPUs on which PyTorch's products in bfloat16 are faster than in float32."""


def find_device(name: str) -> torch.device:
    """The torch device of that name; "auto" is a GPU where there is one. Raises RecipeError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise RecipeError(f"device {name!r} cannot be used ({reason(error)}); use auto, cpu or cuda") from None
    return device


def choose_precision(wanted: str, device: torch.device, width: int) -> torch.dtype:
    """The type of the fit's matrix products: for "auto" bfloat16 where this device has units for it, else float32.

    Facts decide, no timing: what else the machine does must not change the bytes of a file.
    """
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type != "cpu" or width < NARROW:
        return torch.float32
    return torch.bfloat16 if has_bfloat16_units() else torch.float32


@cache
def has_bfloat16_units() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware; elsewhere it is emulated, at a tenth of float32's speed."""
    try:
        from llvmlite import binding

        features = binding.get_host_cpu_features()
    except (ImportError, RuntimeError):  # it comes with Numba, which is optional
        return False
    return any(features.get(name, False) for name in BFLOAT16_UNITS)
