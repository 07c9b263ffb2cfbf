"""How a domain is cut and the gains of its boxes, as files hold them."""

from __future__ import annotations

import math

from coordcodec.errors import ContainerError
from coordcodec.numbers import Reader, varint
from coordcodec.partition import Partition

MAX_PARTS = 1 << 16
MAX_MARGIN = 127


def pack_partition(partition: Partition, gains: bytes) -> bytes:
    """What `read_partition` reads."""
    whole = all(n == 1 for n in partition.counts)
    parts = b"" if whole else b"".join(varint(n) for n in partition.counts)
    return parts + bytes([partition.margin] if partition.margin else []) + gains


def read_partition(reader: Reader, dims: int, parts: bool, margin: bool, gains: bool) -> tuple[Partition, bytes]:
    """How a domain is cut, and the gains of its boxes, as far as flags say that they are there."""
    counts = tuple(reader.varint("the number of parts", 1, MAX_PARTS) if parts else 1 for _ in range(dims))
    if math.prod(counts) > MAX_PARTS:
        raise ContainerError(f"damaged file: {list(counts)} parts exceed {MAX_PARTS}")
    reach = reader.varint("the margin", 1, MAX_MARGIN) if margin else 0
    return Partition(counts, reach), reader.take(math.prod(counts)) if gains else b""
