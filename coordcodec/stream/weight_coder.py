"""The range coder of a network's symbols: constriction's (Bamler 2022, "Understanding Entropy Coding With Asymmetric
Numeral Systems", arXiv:2201.01741), steered by the integer models of `weight_models`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import ContainerError
from coordcodec.stream import contexts
from coordcodec.stream.weight_models import Model, Offsets, classes, frequencies, model_at, pieces

if TYPE_CHECKING:
    import constriction


@lru_cache(maxsize=1024)
def _coder_model(model: Model, limit: int) -> constriction.stream.model.Model:
    import constriction

    # constriction gives every index one unit and shares out the rest in proportion, which is exact in float64
    # for integers that already sum to the rest. The tests check this against an independent integer decoder.
    return constriction.stream.model.Categorical((frequencies(model, limit) - 1).astype(np.float64), perfect=False)


def encode(
    tensors: Sequence[NDArray[np.int32]],
    models: Sequence[Model],
    limit: int,
    offsets: Sequence[Offsets | None] | None = None,
) -> bytes:
    """Range-code tensors of symbols, one model each, into one payload.

    offsets: for each tensor those of its symbols, in a shape that NumPy broadcasts to the tensor's, or None.

    Raises ValueError when a symbol's magnitude exceeds `limit`.
    """
    import constriction

    encoder = constriction.stream.queue.RangeEncoder()
    for symbols, model, spread in zip(tensors, models, offsets or [None] * len(tensors), strict=True):
        if symbols.size and int(np.abs(symbols).max()) > limit:
            raise ValueError(f"a symbol exceeds the limit {limit}")
        for own, indices in pieces(symbols.astype(np.int32), model, limit, spread):
            encoder.encode(indices, _coder_model(own, limit))
    # Zero bytes at the end carry nothing: the decoder reads zeros past the end.
    return bytes(encoder.get_compressed().astype(">u4").tobytes().rstrip(b"\0"))


class _Decoder:
    """Takes tensors off a payload. limit: the largest magnitude of a symbol."""

    def __init__(self, payload: bytes, limit: int) -> None:
        import constriction

        words = np.frombuffer(payload + b"\0" * (-len(payload) % 4), dtype=">u4").astype(np.uint32)
        self.coder, self.limit = constriction.stream.queue.RangeDecoder(words), limit

    def tensor(self, shape: tuple[int, ...], model: Model, spread: Offsets | None) -> NDArray[np.int32]:
        """The next tensor. Raises ValueError or AssertionError for what no encoder writes."""
        if model.context == contexts.NONE:
            return self._classes(shape, model, spread)
        if model.context == contexts.SORTED:
            return self._sorted(shape, model)
        tensor = np.empty(shape, np.int32)
        seen = contexts.Seen(shape, model.context)
        for one in contexts.laid_out(tensor, model.context):
            one[:] = self._classes(one.shape, model, seen.offsets())
            seen.add(one)
        return tensor

    def _classes(self, shape: tuple[int, ...], model: Model, spread: Offsets | None) -> NDArray[np.int32]:
        count = math.prod(shape)
        order, sizes = classes(None if spread is None else np.broadcast_to(spread, shape).ravel(), count)
        coded = [self.coder.decode(_coder_model(model_at(model, o), self.limit), size) for o, size in sizes]
        tensor = np.empty(count, np.int32)
        tensor[order] = np.concatenate(coded).astype(np.int32) - np.int32(self.limit)
        return tensor.reshape(shape)

    def _sorted(self, shape: tuple[int, ...], model: Model) -> NDArray[np.int32]:
        found = self.coder.decode(_coder_model(model, self.limit), math.prod(shape)).astype(np.int64).reshape(shape)
        sums = found.cumsum(axis=1)
        if sums.max() > self.limit:
            raise ValueError("a symbol beyond the limit")
        return np.asarray(sums, np.int32)


def decode(
    payload: bytes,
    shapes: Sequence[tuple[int, ...]],
    models: Sequence[Model],
    limit: int,
    offsets: Sequence[Offsets | None] | None = None,
) -> list[NDArray[np.int32]]:
    """The tensors of symbols, of these shapes, that `encode` made `payload` from.

    offsets: as for `encode`.

    Raises ContainerError when the payload cannot come from `encode`.
    """
    decoder, tensors = _Decoder(payload, limit), list[NDArray[np.int32]]()
    try:
        for shape, model, spread in zip(shapes, models, offsets or [None] * len(shapes), strict=True):
            tensors.append(decoder.tensor(shape, model, spread))
    except (AssertionError, ValueError) as error:
        raise ContainerError("damaged payload: the entropy decoder met an impossible code word") from error
    # What an encoder writes ends as soon as it says which symbols are meant, and not in a byte that says nothing.
    if payload.endswith(b"\0") or not decoder.coder.maybe_exhausted():
        raise ContainerError("damaged payload: its end does not match its symbols")
    return tensors
