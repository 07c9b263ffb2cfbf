"""One signal, one recipe, one file: plan, fit, quantize, pack."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from coordcodec.clock import Clock, Progress
from coordcodec.data import Grid, Signal, Symbols, on_grid
from coordcodec.encoder.plan import SHARE, Before, Plan, kinds_for, make_plan
from coordcodec.encoder.promise import check_kept
from coordcodec.encoder.rate import RateControl
from coordcodec.hookspecs import Modality
from coordcodec.inits import Initialisation
from coordcodec.layers.protocol import Facts
from coordcodec.recipe import Recipe
from coordcodec.specs import Spec


@dataclass(frozen=True)
class Encoded:
    """A compressed signal and how it was made.

    data: the file. spec: its last layer. steps: minibatch steps taken for it, those of the quantizer included.
    fitted: steps of the fit. bits: width of the quantization grid, not necessarily whole. device: where it was fitted.
    init: the learned initialisation that the file needs, if it needs one. precision: of the matrix products that the
    fit began with. threads: CPU threads that shared the fit. worst: the largest error of a sample, in its unit,
    where the file promises one; None where it promises nothing. trained: whether a layer was fitted in steps.
    meant: the symbols of all layers.
    """

    data: bytes
    spec: Spec
    steps: int
    bits: float
    device: str
    init: Initialisation | None = None
    fitted: int = 0
    precision: str = "float32"
    threads: int = 1
    worst: float | None = None
    trained: bool = True
    meant: tuple[Symbols, ...] = ()


@dataclass(frozen=True)
class _Made:
    """A layer, fitted and quantized."""

    plan: Plan
    symbols: Symbols
    fineness: float
    facts: Facts


def encode(
    signal: Signal, modality: Modality, recipe: Recipe, clock: Clock, progress: Progress | None = None
) -> Encoded:
    """The file of a recipe that names a size, or leaves it open."""
    *earlier, last = kinds_for(signal, modality, recipe)
    before, made = Before(), list[_Made]()
    for kind in earlier:
        made.append(_layer(make_plan(signal, modality, recipe, kind, SHARE, before), clock, progress))
        before = _joined(before, made[-1])
    made.append(_layer(make_plan(signal, modality, recipe, last, before=before), clock, progress))
    return _encoded(made)


def _layer(plan: Plan, clock: Clock, progress: Progress | None) -> _Made:
    plan = plan.refined(progress)
    (fitted,) = plan.layer.fit(
        [plan.signal], plan.spec, [plan.goal], plan.init, plan.recipe, clock, progress, plan.below
    )
    with closing(fitted):
        symbols, fineness = RateControl(plan, fitted, clock).run()
        return _Made(plan, symbols, fineness, fitted.facts())


def _joined(before: Before, made: _Made) -> Before:
    """One more layer for the next to stand on."""
    plan = made.plan
    assert isinstance(plan.signal.coords, Grid)
    field = plan.layer.field(plan.spec, made.symbols, plan.init, made.facts.device, plan.recipe.threads)
    values = on_grid(field, plan.signal.coords)
    values = values if before.values is None else values + before.values
    return Before((*before.sections, plan.section(made.symbols)), values)


def _encoded(made: Sequence[_Made]) -> Encoded:
    """The file of all layers. How it was made says the layer that was trained, if one was, else the last."""
    plan, last = made[-1].plan, made[-1]
    told = next((layer.facts for layer in made if layer.facts.trained), last.facts)
    data, promise = plan.file(last.symbols), plan.frame.container.promise
    return Encoded(
        data,
        plan.spec,
        sum(layer.facts.steps + layer.facts.calls for layer in made),
        last.fineness,
        told.device,
        next((layer.plan.init for layer in made if layer.plan.init), None),
        sum(layer.facts.steps for layer in made),
        told.precision,
        told.threads,
        check_kept(data, plan.signal, promise) if promise else None,
        told.trained,
        tuple(layer.symbols for layer in made),
    )
