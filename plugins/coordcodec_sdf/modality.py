"""The modality "sdf"."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

import numpy as np

from coordcodec.data import Field, Signal
from coordcodec.errors import ContainerError, PluginError, RecipeError, SignalError
from coordcodec.files import read_bytes
from coordcodec.hookspecs import Source
from coordcodec.recipe import Recipe
from coordcodec_sdf import files, settings
from coordcodec_sdf.bricks import Lattice
from coordcodec_sdf.fineness import fitting_resolution
from coordcodec_sdf.meshes import Mesh, checked_mesh
from coordcodec_sdf.metrics import compare
from coordcodec_sdf.repair import as_solid
from coordcodec_sdf.samples import Frame, affordable, draw
from coordcodec_sdf.solid import Solid
from coordcodec_sdf.surface import Closed, extract


class Shape:
    """Solids, given by triangle meshes, as truncated signed distances.

    coords: the mesh, its box's middle at 0, its longest side from -0.9 to 0.9. values: the distance to the surface,
    negative inside, cut off at the truncation t and divided by it. meta: {"c": the middle, "s": the user's units per
    unit of coords, "t": t}.
    """

    name = "sdf"
    suffixes: tuple[str, ...] = files.SUFFIXES
    rate_unit = "bytes"
    main_score, lower_is_better = "chamfer_l1_percent", True
    defaults: Recipe = settings.DEFAULTS
    read_options: Mapping[str, str] = {
        "samples": f"distances to learn from, {settings.LEAST_SAMPLES} to {settings.MOST_SAMPLES}; "
        f"default: {settings.SAMPLES}",
        "truncation": "where distances are cut off, in units of 1/0.9 of half the longest side, "
        f"{settings.LEAST_TRUNCATION:g} to {settings.MOST_TRUNCATION:g}; default: {settings.TRUNCATION:g}",
        "thicken": "make the surface so thick, in the mesh's units, from 0 to 5 % of its longest side; open surfaces "
        "need it; default: 0",
    }
    write_options: Mapping[str, str] = {
        "resolution": "grid points along the longest side, "
        f"{settings.LEAST_RESOLUTION} to {settings.MOST_RESOLUTION}, or auto, {settings.AUTO[0]} or "
        f"{settings.AUTO[-1]} by the surface's detail; default: auto",
        "region": "X0,Y0,Z0,X1,Y1,Z1: only the surface in this box, in the mesh's units; the resolution is then that "
        "of the box; default: all",
    }

    def read(
        self,
        source: Source,
        *,
        samples: int = settings.SAMPLES,
        truncation: float = settings.TRUNCATION,
        thicken: float = 0.0,
        **options: Any,
    ) -> Signal:
        """Read a PLY, OBJ, STL, OFF or GLB file (by its contents, not its name), or a trimesh.Trimesh or Scene.

        The signal's `original` is the `Solid` in the user's units.
        Raises SignalError for what is no mesh or encloses nothing, RecipeError for bad options; warns of doubtful
        and hidden surfaces.
        """
        if options:
            raise RecipeError(f"meshes are read with the options {', '.join(self.read_options)}, not {min(options)}")
        _check_number("samples", samples, settings.LEAST_SAMPLES, settings.MOST_SAMPLES, whole=True)
        _check_number("truncation", truncation, settings.LEAST_TRUNCATION, settings.MOST_TRUNCATION)
        mesh, name = _mesh_from(source)
        frame, side = Frame.of(mesh), float((mesh.bounds[1] - mesh.bounds[0]).max())
        _check_number("thicken", thicken, 0, 0.05 * side)
        single = float(np.float32(truncation))
        solid = as_solid(mesh.moved(frame.centre, frame.scale), name, thicken / 2 / frame.scale, frame.scale)
        coords, values = draw(solid, affordable(solid.mesh, samples, name), single)
        meta = {"c": [float(c) for c in frame.centre], "s": frame.scale, "t": single}
        original = solid.moved(-frame.centre / frame.scale, 1 / frame.scale)
        return Signal(coords, values, self.name, meta, original)

    def render(
        self,
        field: Field,
        meta: Mapping[str, Any],
        *,
        resolution: int | str = settings.RESOLUTION,
        region: tuple[float, ...] | None = None,
        **options: Any,
    ) -> Any:
        """The surface as a trimesh.Trimesh in the user's units, closed, its faces seen from outside.

        resolution: grid points along the longest side of the domain, or of the region; "auto" chooses by the
            surface's detail, see `coordcodec_sdf.fineness`.
        region: x0, y0, z0, x1, y1, z1 in the user's units; the surface is cut open at the sides of this box.
        Raises RecipeError for other values and where there is no surface, ContainerError for forged meta.
        """
        import trimesh

        if options:
            raise RecipeError(f"meshes are written with the options resolution and region, not {min(options)}")
        mesh = decode(field, meta, resolution, region)
        if mesh is None and region is not None:
            raise RecipeError("there is no surface in that region; choose another one or leave it out")
        if mesh is None:
            raise RecipeError(
                "there is no surface in this file at this resolution: its field does not change sign; choose a higher "
                "resolution, or compress the mesh again with more bytes or more effort"
            )
        return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)

    def write(self, field: Field, meta: Mapping[str, Any], target: BinaryIO, *, format: str, **options: Any) -> None:
        """Write the mesh that `render` returns. Raises RecipeError for formats other than `suffixes`."""
        files.check_suffix(format)
        files.write_mesh(self.render(field, meta, **options), target, format)

    def score(self, field: Field, signal: Signal) -> dict[str, float | None]:
        """The scores of `coordcodec_sdf.metrics.compare` for the mesh that is decoded at the default resolution."""
        return compare(_original(signal), decode(field, signal.meta, settings.RESOLUTION))

    def rate(self, num_bytes: int, meta: Mapping[str, Any]) -> float:
        """Bytes: shapes have no size in samples that a rate could be measured by."""
        return float(num_bytes)

    def preview(self, field: Field, signal: Signal, target: BinaryIO) -> None:
        """One PNG: the original, the decoded mesh, and its distance to the original, from the front and behind."""
        from coordcodec_sdf.picture import draw_comparison

        draw_comparison(_original(signal), decode(field, signal.meta, settings.RESOLUTION), target)


def decode(field: Field, meta: Mapping[str, Any], resolution: object, region: object = None) -> Mesh | None:
    """The surface of a field in the user's units, or None if there is none. Raises as `Shape.render` does."""
    frame, truncation = _frame_from(meta)
    fixed = _resolution_from(resolution)
    low, high = np.full(3, -1.0), np.full(3, 1.0)
    if region is not None:
        low, high = _box(frame, region)
    sides = [(bool(a <= -1), bool(b >= 1)) for a, b in zip(low, high, strict=True)]
    closed: Closed = (sides[0], sides[1], sides[2])
    _check_field(field)
    count = fixed or fitting_resolution(field, low, high, truncation, closed)
    vertices, faces = extract(field, Lattice.of(low, high, count), truncation, closed)
    return Mesh(frame.outwards(vertices), faces) if len(faces) else None


def _resolution_from(value: object) -> int | None:
    """Grid points along the longest side; None where they are chosen by the surface."""
    if value == "auto":
        return None
    lowest, highest = settings.LEAST_RESOLUTION, settings.MOST_RESOLUTION
    if not isinstance(value, int) or isinstance(value, bool) or not (lowest <= value <= highest):
        raise RecipeError(f"resolution must be auto or a whole number from {lowest} to {highest}, got {value!r}")
    return value


def _box(frame: Frame, region: object) -> tuple[Any, Any]:
    """The part of the domain that a region in the user's units covers: its corners in coords."""
    numbers = isinstance(region, tuple | list) and len(region) == 6 and all(_is_number(x) for x in region)
    if not numbers:
        raise RecipeError(f"region of a mesh is six numbers x0,y0,z0,x1,y1,z1, got {region!r}")
    corners = np.array(region, dtype=np.float64).reshape(2, 3)
    low, high = np.clip(frame.inwards(corners), -1, 1)
    if not ((corners[0] < corners[1]).all() and (high - low > 1e-6).all()):
        first, last = (", ".join(f"{x:g}" for x in frame.outwards(np.full(3, s))) for s in (-1.0, 1.0))
        raise RecipeError(f"region {region!r} is not a box within {first} to {last}")
    return low, high


def _frame_from(meta: Mapping[str, Any]) -> tuple[Frame, float]:
    """The frame and the truncation, from meta that may come from a hostile file."""
    centre, scale, truncation = meta.get("c"), meta.get("s"), meta.get("t")
    if meta.get("shape") or meta.get("channels", 1) != 1:
        raise ContainerError(f"not a shape: a grid {meta.get('shape')} with {meta.get('channels')} channels")
    if not (isinstance(centre, list | tuple) and len(centre) == 3 and all(_is_number(c) for c in centre)):
        raise ContainerError(f"not a shape: a centre c of {centre!r}, expected three numbers")
    if not (_is_number(scale) and 1e-101 < scale < 1e101 and max(abs(c) for c in centre) < 1e101):
        raise ContainerError(f"not a shape: a scale s of {scale!r} at {centre!r}")
    if not (_is_number(truncation) and settings.LEAST_TRUNCATION * 0.999 <= truncation <= settings.MOST_TRUNCATION):
        raise ContainerError(f"not a shape: a truncation t of {truncation!r}")
    return Frame(np.array(centre, dtype=np.float64), float(scale)), float(truncation)


def _check_field(field: Field) -> None:
    """A forged file may say that it is a shape and have a field of other dimensions."""
    try:
        found = field(np.zeros((1, 3), np.float32)).shape
    except (ValueError, PluginError):  # the latter where the core watches what a plugin asks
        found = ()
    if found != (1, 1):
        raise ContainerError("not a shape: its field does not map three coordinates to one value")


def _mesh_from(source: Any) -> tuple[Mesh, str]:
    if isinstance(source, str | os.PathLike):
        return files.read_mesh(read_bytes(source), Path(source).name), Path(source).name
    if hasattr(source, "vertices") and hasattr(source, "faces"):
        return checked_mesh(source.vertices, source.faces, "the mesh"), "the mesh"
    if hasattr(source, "geometry") and hasattr(source, "graph"):
        vertices, faces, _ = files.join(source)
        return checked_mesh(vertices, faces, "the scene"), "the scene"
    if hasattr(source, "read"):
        return files.read_mesh(source.read(), "the input"), "the input"
    raise SignalError(f"a shape is a mesh file or a trimesh.Trimesh, got {type(source).__name__}")


def _original(signal: Signal) -> Solid:
    assert isinstance(signal.original, Solid), "a signal that `read` returned"
    return signal.original


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_number(name: str, value: object, lowest: float, highest: float, whole: bool = False) -> None:
    if not (_is_number(value) and lowest <= value <= highest and (not whole or isinstance(value, int))):
        kind = "a whole number" if whole else "a number"
        raise RecipeError(f"{name} must be {kind} from {lowest:g} to {highest:g}, got {value!r}")
