"""PyTorch's global state, which belongs to whoever calls us."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch

_LOCK = threading.Lock()
_INSIDE: list[torch.dtype] = []
"""The default type that was found, once for each thread that is inside."""


@contextlib.contextmanager
def usual_torch() -> Iterator[None]:
    """PyTorch as a fit needs it, whatever its caller has set: float32 on the CPU by default, gradients, no autocast.

    The default type is one for all threads: who comes first changes it, who goes last puts it back.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_float32())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(torch.device("cpu"))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


@contextlib.contextmanager
def _float32() -> Iterator[None]:
    with _LOCK:
        _INSIDE.append(_INSIDE[0] if _INSIDE else torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        with _LOCK:
            found = _INSIDE.pop()
            if not _INSIDE:
                torch.set_default_dtype(found)
