"""Detail: what a decoder must know of integers on the signal's grid, in a basis."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import ClassVar

from coordcodec.errors import ContainerError
from coordcodec.numbers import Reader, varint

KIND = "detail"
SECTION = 4
"""What files of version 5 call this kind of layer."""
BASES = ("identity", "9/7", "5/3", "lapped")
"""The bases, in the order in which files number them: the samples themselves, wavelets, lapped cosines."""
ROTATIONS = ("identity", "midside", "ycocg", "opponent", "fitted")
"""Rotations of the channels, in the order in which files number them."""
PREDICTORS = ("none", "left", "plane", "med", "blend", "cascade")
"""Predictors of the identity basis, in the order in which files number them."""
MODELS = ("generic", "sound", "picture", "field")
"""First states of the coder, in the order in which files number them."""
MAX_LEVELS, MAX_FRACTION, MAX_SPACING, MAX_AXES = 12, 16, 1 << 12, 4
MAX_VALUES, MAX_TILED = 1 << 28, 1 << 30
"""Values, channels counted, that a layer holds at most: without tiles, and with them."""
BLOCKS = (64, 128, 256, 512, 1024, 2048, 4096)
SEGMENT = 16384
"""Samples of a lapped transform that have blocks of one size."""
CASCADE_CHANNELS, CASCADE_SPAN = 8, 1 << 25
"""What the cascade takes: one axis, so many channels, integers whose limits are less than so far apart."""
MIN_TILE, MAX_TILE = 12, 26
"""Of coefficients of a tile and channel, the logarithm to base 2; of lapped cosines at least that of a SEGMENT."""
_ORIGIN, _ALIKE, _SPLIT, _TILED, _ENDS = 1, 2, 4, 8, 16


@dataclass(frozen=True)
class DetailSpec:
    """Integers on the signal's grid: value = origin + unit * (basis + spacing * residual), per channel.

    shape, channels, periodic: the signal's grid, 1 to 4 axes, and values.
    basis: one of BASES. fraction: bits that the integers of the basis have below one. levels: of a wavelet, per axis;
        groups: which axes are split together, see `coordcodec.layers.detail.planes`. blocks: of lapped cosines, the
        size for each SEGMENT samples.
    unit: per channel, in values, > 0: what one is worth. origin: per channel, the value of 0; empty: 0, since the
        layers before this one say the rest.
    rotation, turns: of the channels. predictor: of the identity basis; limits: the least and the largest of the
        integers that it predicts, int32. model: the coder's first state.
    spacing: of a second set of integers on the grid, which stands on the basis; 0: there is none.
    split: whether each scale is a chunk of its own, so that the beginning of a file decodes, too.
    tile: of a tile's coefficients, the logarithm to base 2; 0: scales are not cut. It needs `split`.
    ends: whether lapped planes say how far their rows are coded, see `coordcodec.layers.detail.ends`.
    """

    kind: ClassVar[str] = KIND
    early: ClassVar[bool] = False
    """Whether files of versions 1 to 4 hold it."""
    chunked: ClassVar[bool] = True
    """Whether its section consists of chunks."""

    shape: tuple[int, ...]
    channels: int
    basis: str
    unit: tuple[float, ...]
    origin: tuple[float, ...] = ()
    periodic: tuple[bool, ...] = ()
    fraction: int = 0
    levels: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    blocks: tuple[int, ...] = ()
    rotation: str = "identity"
    turns: tuple[int, ...] = ()
    predictor: str = "none"
    limits: tuple[int, int] = (0, 0)
    model: str = "generic"
    spacing: int = 0
    split: bool = False
    tile: int = 0
    ends: bool = False

    @property
    def exact(self) -> bool:
        """Whether it decodes to the same numbers on every machine."""
        return self.basis != "lapped"

    @property
    def network(self) -> None:
        """There is none that could be learned."""
        return

    def describe(self) -> dict[str, int | float | str | list[int]]:
        """The facts that `info` shows."""
        found: dict[str, int | float | str | list[int]] = {
            "kind": self.kind,
            "basis": self.basis,
            "rotation": self.rotation,
            "model": self.model,
            "unit": self.unit[0],
        }
        if self.levels:
            found["levels"] = list(self.levels)
        if self.blocks:
            found["blocks"] = sorted(set(self.blocks))
        if self.basis == "identity":
            found["predictor"] = self.predictor
        if self.tile:
            found["tile"] = 1 << self.tile
        return found | ({"spacing": self.spacing} if self.spacing else {})


def pack_section(spec: DetailSpec) -> bytes:
    """The beginning of a layer's section."""
    alike = len({*zip(spec.unit, spec.origin or (0.0,) * spec.channels, strict=True)}) == 1
    flags = (_ORIGIN if spec.origin else 0) | (_ALIKE if alike else 0) | (_SPLIT if spec.split else 0)
    flags |= (_TILED if spec.tile else 0) | (_ENDS if spec.ends else 0)
    names = (BASES, ROTATIONS, PREDICTORS, MODELS)
    kinds = [k.index(v) for k, v in zip(names, (spec.basis, spec.rotation, spec.predictor, spec.model), strict=True)]
    numbers = (spec.unit[:1] + spec.origin[:1]) if alike else spec.unit + spec.origin
    out = bytes([flags, kinds[0] | kinds[1] << 4, kinds[2] | kinds[3] << 4, spec.fraction]) + varint(spec.spacing)
    out += struct.pack(f"<{len(numbers)}d", *numbers)
    if spec.rotation == "fitted":
        out += struct.pack(f"<{len(spec.turns)}h", *spec.turns)
    if spec.predictor != "none":
        out += struct.pack("<2i", *spec.limits)
    if spec.basis in ("9/7", "5/3"):
        out += bytes(level | group << 4 for level, group in zip(spec.levels, spec.groups, strict=True))
    if spec.basis == "lapped":
        out += _pack_blocks(spec.blocks)
    return out + (bytes([spec.tile]) if spec.tile else b"")


def _pack_blocks(blocks: tuple[int, ...]) -> bytes:
    """The sizes in runs: a byte for the size, a varint for how many segments have it."""
    out, first = b"", 0
    for k in range(1, len(blocks) + 1):
        if k == len(blocks) or blocks[k] != blocks[first]:
            out += bytes([BLOCKS.index(blocks[first])]) + varint(k - first)
            first = k
    return out


def _read_blocks(reader: Reader, samples: int) -> tuple[int, ...]:
    count, found = -(-samples // SEGMENT), list[int]()
    if count > 1 << 20:
        raise ContainerError(f"damaged file: {samples} samples in a lapped basis")
    while len(found) < count:
        size = reader.byte()
        if size >= len(BLOCKS):
            raise ContainerError(f"damaged file: an unknown size of block {size}")
        found += [BLOCKS[size]] * reader.varint("a run of blocks", 1, count - len(found))
    return tuple(found)


def _read_tile(reader: Reader, flags: int, basis: str) -> int:
    if flags & _ENDS and basis != "lapped":
        raise ContainerError(f"damaged file: rows of {basis} that end before their last column")
    if not flags & _TILED:
        return 0
    tile, least = reader.byte(), SEGMENT.bit_length() - 1 if basis == "lapped" else MIN_TILE
    if not (flags & _SPLIT and least <= tile <= MAX_TILE):
        raise ContainerError(f"damaged file: tiles of 2^{tile} coefficients of a detail layer")
    return tile


def unpack_section(
    body: bytes, shape: tuple[int, ...], channels: int, periodic: tuple[bool, ...]
) -> tuple[DetailSpec, bytes]:
    """The Spec at the beginning of a layer's section, and what follows it. Raises ContainerError."""
    if not 1 <= len(shape) <= MAX_AXES:
        raise ContainerError(f"damaged file: a detail layer on {len(shape)} axes, expected a grid of 1 to {MAX_AXES}")
    reader = Reader(body)
    flags, first, second, fraction = reader.byte(), reader.byte(), reader.byte(), reader.byte()
    if flags & ~(_ORIGIN | _ALIKE | _SPLIT | _TILED | _ENDS) or fraction > MAX_FRACTION:
        raise ContainerError(f"damaged file: a detail layer with flags {flags:#x} and {fraction} fraction bits")
    basis, rotation = _named("basis", BASES, first & 15), _named("rotation", ROTATIONS, first >> 4)
    predictor, model = _named("predictor", PREDICTORS, second & 15), _named("model", MODELS, second >> 4)
    spacing = reader.varint("the spacing of a residual", 0, MAX_SPACING)
    unit, origin = _read_scales(reader, channels, bool(flags & _ORIGIN), bool(flags & _ALIKE))
    turns: tuple[int, ...] = ()
    if rotation == "fitted":
        pairs = channels * (channels - 1) // 2
        turns = struct.unpack(f"<{pairs}h", reader.take(2 * pairs))
    limits = struct.unpack("<2i", reader.take(8)) if predictor != "none" else (0, 0)
    if (predictor != "none" and basis != "identity") or limits[0] > limits[1]:
        raise ContainerError(f"damaged file: the predictor {predictor} of {basis} from {limits[0]} to {limits[1]}")
    narrow = len(shape) == 1 and channels <= CASCADE_CHANNELS and limits[1] - limits[0] < CASCADE_SPAN
    if predictor == "cascade" and not narrow:
        raise ContainerError(f"damaged file: a cascade of {channels} channels from {limits[0]} to {limits[1]}")
    splits = tuple(reader.take(len(shape))) if basis in ("9/7", "5/3") else ()
    levels, groups = tuple(split & 15 for split in splits), tuple(split >> 4 for split in splits)
    if any(level > MAX_LEVELS or group >= len(shape) for level, group in zip(levels, groups, strict=True)):
        raise ContainerError(f"damaged file: levels {levels} of a wavelet in groups {groups}")
    if basis == "lapped" and (len(shape) != 1 or any(periodic) or spacing):
        raise ContainerError("damaged file: lapped cosines take one axis that is no circle, and no residual")
    blocks = _read_blocks(reader, shape[0]) if basis == "lapped" else ()
    tile = _read_tile(reader, flags, basis)
    spec = DetailSpec(
        *(shape, channels, basis, unit, origin, periodic, fraction, levels, groups, blocks, rotation, turns),
        *(predictor, limits, model, spacing, bool(flags & _SPLIT), tile, bool(flags & _ENDS)),
    )
    return spec, body[reader.at :]


def _named(what: str, names: tuple[str, ...], number: int) -> str:
    if number >= len(names):
        raise ContainerError(f"made by a newer version: an unknown {what} {number}; upgrade: pip install -U coordcodec")
    return names[number]


def _read_scales(
    reader: Reader, channels: int, placed: bool, alike: bool
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    count = 1 if alike else channels
    numbers = struct.unpack(f"<{count * (1 + placed)}d", reader.take(8 * count * (1 + placed)))
    units, origins = numbers[:count], numbers[count:]
    if not all(0 < u < math.inf for u in units) or not all(map(math.isfinite, origins)):
        raise ContainerError("damaged file: units of a detail layer that are no finite numbers above 0")
    times = channels if alike else 1
    return units * times, origins * times
