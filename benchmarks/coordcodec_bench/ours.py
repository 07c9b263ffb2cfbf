"""Our own codecs in a benchmark: "ours", "coin" and "siren", each with any choice of a recipe behind a colon.

ours:layers=siren:effort=2      coin:siren.steps=5000      siren

"ours" chooses the kinds of layers by the data; choices of networks, such as preset=basic or init=none, mean networks.

A choice of one kind of layer stands behind the kind. Without it, as in earlier versions, it works with a warning.
"""

from __future__ import annotations

import time
import typing
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coordcodec import __version__, codec
from coordcodec.codec import check_names
from coordcodec.data import Grid, Signal
from coordcodec.decoder import Compressed
from coordcodec.encoder.encode import Encoded
from coordcodec.errors import RecipeError
from coordcodec.hookspecs import Modality
from coordcodec.recipe import TARGETS, Recipe
from coordcodec.specs import CHOICES
from coordcodec_bench.names import canonical
from coordcodec_bench.rows import LOSSLESS, Row, Target

OURS: dict[str, dict[str, Any]] = {
    "ours": {},
    # Dupont et al. 2021: five architectures, half precision, Adam, 50,000 steps. Theirs see all pixels at each step,
    # ours 4,096 of them, so that a picture takes minutes and not a day; coin:siren.batch=16777216 sees them all.
    "coin": {"preset": "coin", "siren.steps": 50_000, "siren.batch": 4096},
    # Sitzmann et al. 2020 (section 4.1 and supplement 5): one network for the whole clip, no encoding, a first layer
    # of frequencies up to 3000; quantized and coded like ours.
    "siren": {
        "siren.num_frequencies": 0,
        "siren.omega_0": 3000.0,
        "siren.depth": 3,
        "siren.part_bytes": None,
        "siren.part_points": 1 << 24,
        "siren.batch": 12288,
        "siren.pace": 1.0,
    },
}
"""The choices that make each of our codecs, beside the modality's defaults."""
_TARGETS = (*TARGETS, "width", "lenient", "architectures", "device", "seed", "choices", "threads")
_COMPARED = 1 << 16
"""Points at which two devices are compared."""


@dataclass(frozen=True)
class Own:
    """One of our codecs as it was asked for: its name with all options, a preset or None, choices of a recipe by name,
    with the kind of layer in front of those that have one."""

    name: str
    preset: str | None
    choices: Mapping[str, Any]

    def recipe(self, kind: Modality, target: Target, effort: int, seed: int, device: str) -> Recipe:
        """The recipe for a rate or a promise. Raises RecipeError or UnknownName."""
        aim: dict[str, Any] = {"rate": target}
        if isinstance(target, str):
            aim = {"lossless": True} if target == LOSSLESS else {"max_error": target}
        recipe = codec.make_recipe(kind, self.preset, **aim, effort=effort, seed=seed, device=device)
        return recipe.replace(**nested(self.choices))


def nested(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Choices as `Recipe` takes them: {"siren.steps": 5} -> {"siren": {"steps": 5}}."""
    found: dict[str, Any] = {}
    for name, value in choices.items():
        kind, dot, choice = name.partition(".")
        if dot:
            found.setdefault(kind, {})[choice] = value
        else:
            found[name] = value
    return found


def parse(name: str) -> Own | None:
    """One of our codecs from its name with options; None for any other's. Raises RecipeError or UnknownName."""
    whole = canonical(name)
    family, *options = whole.split(":")
    if family not in OURS:
        return None
    if whole != name:
        warnings.warn(f"{name} leaves out kinds of layers; write {whole}", DeprecationWarning, stacklevel=2)
    choices = dict(OURS[family])
    for option in options:
        key, equals, text = option.partition("=")
        if not equals or (key not in _kinds() and key != "preset"):
            known = ", ".join(["preset", *_kinds()])
            raise RecipeError(
                f"codec {name!r}: {option!r} is no choice of a recipe; write NAME=VALUE with one of {known}"
            )
        choices[key] = text if key == "preset" else _value(name, key, text)
    preset = choices.pop("preset", None)
    plain = Recipe().with_preset(preset) if preset else Recipe()
    recipe = plain.replace(**nested(choices))  # raises for what is out of range
    check_names(recipe)
    return Own(whole, preset, choices)


def _kinds() -> dict[str, Any]:
    """The type of each choice that may be made."""
    found = {name: hint for name, hint in typing.get_type_hints(Recipe).items() if name not in _TARGETS}
    for kind, choices in CHOICES.items():
        hints = typing.get_type_hints(choices).items()
        found |= {f"{kind}.{name}": hint for name, hint in hints if name not in (*_TARGETS, "kind")}
    return found


def _value(name: str, key: str, text: str) -> Any:
    kinds = typing.get_args(_kinds()[key]) or (_kinds()[key],)
    if text == "None" and type(None) in kinds:
        return None
    if bool in kinds:
        if text not in ("True", "False"):
            raise RecipeError(f"codec {name!r}: {key} is True or False, got {text!r}")
        return text == "True"
    kind = next(kind for kind in kinds if kind is not type(None))
    try:
        return kind(text)
    except ValueError:
        raise RecipeError(f"codec {name!r}: {key} is of type {kind.__name__}, got {text!r}") from None


def measure(own: Own, signal: Signal, kind: Modality, recipe: Recipe) -> Row:
    """Compress a signal and decode it again; the row that says what came out. The row's "data" is the file."""
    import torch

    start = time.monotonic()
    encoded = codec.compress_signal(signal, kind, recipe)
    encode_seconds = time.monotonic() - start
    opened = codec.open(encoded.data, encoded.init, time_limit=None).to(encoded.device)
    kinds = [section.spec.kind for section in opened.container.sections]
    start = time.monotonic()
    opened.render()
    decode_seconds = time.monotonic() - start
    return {
        "bytes": len(encoded.data),
        "scores": opened.score(signal),
        "encode_seconds": round(encode_seconds, 3),
        "decode_seconds": round(decode_seconds, 3),
        "setting": setting(own, recipe, kinds),
        "version": f"coordcodec {__version__}, torch {torch.__version__}",
        "width": encoded.spec.describe().get("width"),
        "steps": encoded.steps,
        **({"bits": round(encoded.bits, 3)} if kinds[-1] == "siren" else {}),
        **({"init": f"{encoded.init.name} {encoded.init.id.hex()}"} if encoded.init else {}),
        "fitted_on": device_name(encoded.device),
        **_elsewhere(encoded, signal),
        "data": encoded.data,
    }


def setting(own: Own, recipe: Recipe, kinds: Sequence[str]) -> str:
    """What the file was made with; kinds: of its layers, whatever the recipe left open."""
    plain, told = Recipe(), [f"preset {own.preset}"] if own.preset else []
    told.append(f"layers {'+'.join(kinds)}")
    told += [f"quantizer {recipe.siren.quantizer}"] if "siren" in kinds else []
    told.append(f"effort {recipe.effort}")
    for name, value in own.choices.items():
        if name in ("layers", "effort"):
            continue
        kind, dot, choice = name.partition(".")
        if value != (getattr(plain.choices[kind], choice) if dot else getattr(plain, name)):
            told.append(f"{choice or name} {value}")
    return ", ".join(told)


def device_name(device: str) -> str:
    """A device as rows name it: of a GPU what it calls itself."""
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def _elsewhere(encoded: Encoded, signal: Signal) -> Row:
    """With a GPU: what the device that the file was not made on decodes, and how far it is from the first."""
    import torch

    other = "cpu" if encoded.device != "cpu" else "cuda"
    if other == "cuda" and not torch.cuda.is_available():
        return {}
    return {
        "other_device": compared(codec.open(encoded.data, encoded.init, time_limit=None), encoded.device, other, signal)
    }


def compared(opened: Compressed, device: str, other: str, signal: Signal) -> Row:
    """The largest difference of the values, of range 2, that two devices decode, and the other one's scores."""
    fields = [opened.to(name).field for name in (device, other)]
    random = np.random.default_rng(0).uniform(-1, 1, (_COMPARED, signal.dims))
    coords = random if isinstance(signal.coords, Grid) else signal.coords[:_COMPARED]
    first, second = (np.asarray(field(coords)) for field in fields)
    return {
        "device": other,
        "largest_difference": float(np.abs(first - second).max()),
        "scores": opened.to(other).score(signal),
    }


__all__ = ["OURS", "Own", "canonical", "compared", "measure", "parse"]
