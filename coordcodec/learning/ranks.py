"""Several processes that share one piece of work, as torchrun starts them: gloo between CPUs, nccl between GPUs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """rank: the number of this process, from 0. count: of processes."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process prints, validates and writes."""
        return self.rank == 0

    def share(self, count: int) -> range:
        """Which of `count` things are this process' own."""
        return range(self.rank, count, self.count)

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one dtype and device by their sums over all processes."""
        if self.count > 1:
            flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
            torch.distributed.all_reduce(flat)
            for tensor, own in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
                tensor.copy_(own.view(tensor.shape))


ALONE = Ranks()


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[Ranks, torch.device]]:
    """This process among those that torchrun started, and its device: each GPU has its own process."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield ALONE, device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(torch.distributed.get_rank(), count), device
    finally:
        torch.distributed.destroy_process_group()
