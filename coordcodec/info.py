"""What a file says of itself."""

from __future__ import annotations

import warnings
from typing import Any

from coordcodec import inits
from coordcodec.inits import Initialisation
from coordcodec.layers import layer_of
from coordcodec.samples import SampleType
from coordcodec.stream.container import CHECKSUM, MAGIC, Container


class Info(dict[str, Any]):
    """What a file says of itself. What earlier versions said of the only kind of layer is there, too, until 1.0."""

    _OLD = ("network", "parts", "margin", "gains", "coding", "contexts", "bits")

    def __missing__(self, key: str) -> Any:
        if key not in self._OLD:
            raise KeyError(key)
        if key not in self.earlier():
            raise KeyError(key)
        warnings.warn(f'info["{key}"] is that of one layer; use info["layers"]', DeprecationWarning, stacklevel=2)
        return self.earlier()[key]

    def earlier(self) -> dict[str, Any]:
        """What earlier versions said of the only kind of layer."""
        layer = self["layers"][0]
        known = [key for key in self._OLD if key in layer]
        return {"network": layer, **{key: layer[key] for key in known}}


def facts_of(data: bytes, parsed: Container, rate: float | None, unit: str | None) -> dict[str, Any]:
    """What a file holds. rate, unit: as its modality says them, None without it."""
    layers = [layer_of(s.spec).describe(s.spec, s.init, s.chunks) for s in parsed.sections]
    coded: dict[str, int] = dict(parsed.sizes)
    for layer in layers:
        for name, size in layer.pop("sections").items():
            coded[name] = coded.get(name, 0) + size
    inner = sum(len(s.chunks) - 1 for s in parsed.sections if s.spec.chunked)
    checksums = CHECKSUM * (len(layers) + len(parsed.sizes) + inner)
    return {
        "format": data[len(MAGIC)],
        "modality": parsed.modality,
        "bytes": len(data),
        "sections": {"header": len(data) - sum(coded.values()) - checksums, **coded, "checksum": checksums},
        "rate": rate,
        "rate_unit": unit,
        "meta": {key: _shown(value) for key, value in parsed.meta.items()},
        "samples": _samples(parsed.samples),
        "unknown": 0 if parsed.mask is None else parsed.mask.unknown,
        "max_error": None if parsed.promise is None else parsed.promise.max_error or 0,
        "layers": layers,
    }


def _shown(value: Any) -> Any:
    """A value of meta; of bytes, which may be long, their number."""
    return {"bytes": len(value)} if isinstance(value, bytes) else value


def _samples(kind: SampleType | None) -> dict[str, Any] | None:
    """The type of the samples; one number where all channels have the same."""
    if kind is None:
        return None
    scale, offset = (v[0] if len(set(v)) == 1 else list(v) for v in (kind.scale, kind.offset))
    return {"dtype": kind.dtype, "scale": scale, "offset": offset, "unit": kind.unit}


def init_facts(digits: str, given: Initialisation | None) -> dict[str, Any] | None:
    """Of the learned initialisation that a file names by these digits: what it is called, and whether it is here."""
    if not digits:
        return None
    names = [given.name] if given else [e.name for e in inits.available() if e.sha256.startswith(digits)]
    return {"hash": digits, "name": names[0] if names else None, "available": bool(names)}


def in_short(data: bytes, parsed: Container) -> str:
    """A file in one line of a console."""
    shape = " x ".join(map(str, parsed.meta["shape"])) or "scattered points"
    return f"{parsed.modality}, {shape}, channels: {parsed.meta['channels']}, {len(data):,} bytes"
