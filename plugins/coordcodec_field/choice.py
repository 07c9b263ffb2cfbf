"""Which variable of a file, and what of the rest belongs to it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.errors import SignalError
from coordcodec_field import lattice
from coordcodec_field.layout import MAX_SAMPLES, MAX_VARIABLES
from coordcodec_field.netcdf import Attribute, Contents, Variable, is_name

MAX_AXES = 4
FEW = 0.05
"""Bits per sample that coordinates on several axes may take, where it is not said whether to keep them."""
CHOICES = ("auto", "all", "axes")
_MOST = 48 << 20
"""Bytes of all coordinates together."""
_NAMING = (
    "coordinates",
    "bounds",
    "climatology",
    "grid_mapping",
    "formula_terms",
    "cell_measures",
    "ancillary_variables",
)


@dataclass
class Chosen:
    """A variable, the others that go with it, its coordinates that are left out, and all other variables."""

    name: str
    variable: Variable
    others: dict[str, Variable]
    dropped: list[str]
    left: list[str]

    def words(self) -> list[str]:
        """What a user should know of what is left out, at most a line for each of the two."""
        found = []
        if self.left:
            found.append(f"{self.name} is taken without {_listed(self.left)}")
        if self.dropped:
            which = _listed(self.dropped)
            found.append(f"{self.name} is taken without the coordinates {which}; to keep them: --coordinates all")
        return found


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def choose(contents: Contents, name: str | None, coordinates: str) -> Chosen:
    """The variable of that name, or the first with the most axes. Raises SignalError."""
    able = _candidates(contents)
    if name is None:
        named = {word for n in able for word in _named(contents.variables[n], _NAMING[:5])}
        first = [n for n in able if n not in named] or able
        name = max(first, key=lambda n: _axes(contents.variables[n]), default=None)
        if name is None:
            raise SignalError(_nothing(contents))
    if name not in contents.variables:
        raise SignalError(f"there is no variable {name!r}; choose from: {', '.join(able)[:200] or 'none'}")
    variable = contents.variables[name]
    if name not in able:
        raise SignalError(f"{name} {_fault(name, variable)}; choose from: {', '.join(able)[:200] or 'none'}")
    others, dropped = _companions(contents, name, coordinates)
    left = [n for n in contents.variables if n != name and n not in others and n not in dropped]
    return Chosen(name, variable, others, dropped, left)


def _candidates(contents: Contents) -> list[str]:
    """Names of the variables that could be taken, those that others describe themselves by last."""
    return [n for n, v in contents.variables.items() if not _fault(n, v)]


def _fault(name: str, variable: Variable) -> str:
    large, axes, once = variable.size > MAX_SAMPLES, _axes(variable), len({*variable.dims}) == len(variable.dims)
    faults = {
        f"has {variable.size} numbers, {MAX_SAMPLES} at most are read; cut it first": large,
        "is no number": not variable.numeric,
        "holds no numbers": not variable.size,
        "is a single number without an axis": not variable.dims,
        "is the coordinate of an axis": variable.dims == (name,),
        "has a name, or one of an axis, that NetCDF-4 does not have; rename it": not all(
            map(is_name, (name, *variable.dims))
        ),
        "has one axis twice": not once,
        f"has {axes} axes of more than one sample, {MAX_AXES} at most are read; choose a part first": axes > MAX_AXES,
    }
    return next((words for words, wrong in faults.items() if wrong), "")


def _nothing(contents: Contents) -> str:
    large = [f"{n} {_fault(n, v)}" for n, v in contents.variables.items() if v.size > MAX_SAMPLES or _axes(v) > 4]
    empty = [n for n, v in contents.variables.items() if v.numeric and not v.size]
    if large:
        return large[0]
    if empty:
        return f"{empty[0]} holds no numbers"
    have = ", ".join(contents.variables)[:200]
    return f"no variable with numbers on 1 to 4 axes{f', only {have}' if have else ': the file is empty'}"


def _axes(variable: Variable) -> int:
    return sum(n > 1 for n in variable.shape)


def _named(variable: Variable, attributes: tuple[str, ...]) -> set[str]:
    """What a variable names in its attributes."""
    return {word.strip(":") for a in attributes for word in variable.text(a).split()}


def _companions(contents: Contents, name: str, coordinates: str) -> tuple[dict[str, Variable], list[str]]:
    """Coordinates, their bounds, and the map that they are of; and the names of those that are left out."""
    whole = contents.variables
    found = [*whole[name].dims, *sorted(_named(whole[name], _NAMING[:6]))]
    for given in found:  # grows: coordinates have bounds and, of layers, terms of a formula
        found += sorted(_named(whole[given], _NAMING[1:5]) - {*found}) if given in whole else []
    wanted = [n for n in dict.fromkeys(found) if n in whole and n != name]
    wanted.sort(key=lambda n: _axes_of(whole, name, n) > 1)
    kept, dropped = dict[str, Variable](), list[str]()
    spent, total, allowed = 0, 0, FEW * whole[name].size / 8
    for other in wanted[:MAX_VARIABLES]:
        variable, several = whole[other], _axes_of(whole, name, other) > 1
        large = total + variable.size * variable.dtype.itemsize > _MOST
        if not variable.size or not _writable(other, variable):
            continue
        if large or (several and coordinates == "axes"):
            dropped.append(other)
            continue
        cost = _cost(variable.data) if several and coordinates == "auto" else 0
        if spent + cost > allowed and cost:
            dropped.append(other)
            continue
        spent += cost
        total += variable.data.nbytes
        kept[other] = Variable(variable.dims, variable.data, _tidy(variable))
    return kept, dropped


def _cost(data: NDArray[Any]) -> int:
    """About how many bytes coordinates take."""
    return len(zlib.compress(lattice.pack(data)[1], 9))


def _axes_of(whole: dict[str, Variable], name: str, other: str) -> int:
    """Along how many axes of a variable another one runs."""
    return sum(d in whole[name].dims for d, n in zip(whole[other].dims, whole[other].shape, strict=False) if n > 1)


def _writable(name: str, variable: Variable) -> bool:
    known = variable.dtype.str[1:] in lattice.DTYPES
    return known and all(map(is_name, (name, *variable.dims))) and len({*variable.dims}) == len(variable.dims)


def _tidy(variable: Variable) -> dict[str, Attribute]:
    """A variable's attributes; a fill in the variable's type, as NetCDF-4 has it."""
    attrs, fill = dict(variable.attrs), variable.attrs.get("_FillValue")
    if fill is not None:
        with np.errstate(all="ignore"):
            cast = np.asarray(fill).astype(variable.dtype.newbyteorder("=")) if isinstance(fill, np.ndarray) else None
        if cast is None or cast.ndim or not np.array_equal(cast.astype(np.float64), fill, equal_nan=True):
            del attrs["_FillValue"]
        else:
            attrs["_FillValue"] = cast
    return attrs
