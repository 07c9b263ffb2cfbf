"""One signal, one recipe, one file: plan, fit, quantize, pack."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from coordcodec.clock import Clock, Progress
from coordcodec.data import Grid, Signal, Symbols, on_grid
from coordcodec.encoder.plan import Before, Plan, kinds_for, make_plan
from coordcodec.encoder.promise import check_kept
from coordcodec.encoder.rate import RateControl
from coordcodec.hookspecs import Modality
from coordcodec.inits import Initialisation
from coordcodec.recipe import Recipe
from coordcodec.specs import Spec


@dataclass(frozen=True)
class Encoded:
    """A compressed signal and how it was made.

    data: the file. spec: its layer. steps: minibatch steps taken for it, those of the quantizer included.
    fitted: steps of the fit. bits: width of the quantization grid, not necessarily whole. device: where it was fitted.
    init: the learned initialisation that the file needs, if it needs one. precision: of the matrix products that the
    fit began with. threads: CPU threads that shared the fit. worst: the largest error of a sample, in its unit,
    where the file promises one; None where it promises nothing. trained: whether the last layer was fitted in steps.
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


SHARE = 0.5
"""Of the target, what a layer takes that another one stands on."""


def encode(
    signal: Signal, modality: Modality, recipe: Recipe, clock: Clock, progress: Progress | None = None
) -> Encoded:
    """The file of a recipe that names a size, or leaves it open."""
    *earlier, last = kinds_for(signal, modality, recipe)
    before = Before()
    for kind in earlier:
        before = _with_layer(before, make_plan(signal, modality, recipe, kind, SHARE, before), clock, progress)
    plan = make_plan(signal, modality, recipe, last, before=before)
    (fitted,) = plan.layer.fit([signal], plan.spec, [plan.goal], plan.init, recipe, clock, progress, before.values)
    with closing(fitted):
        symbols, fineness = RateControl(plan, fitted, clock).run()
        data = plan.file(symbols)
        facts = fitted.facts()
    promise = plan.frame.container.promise
    worst = check_kept(data, signal, promise) if promise else None
    steps = facts.steps + facts.calls
    return Encoded(
        data,
        plan.spec,
        steps,
        fineness,
        facts.device,
        plan.init,
        facts.steps,
        facts.precision,
        facts.threads,
        worst,
        facts.trained,
        (*before.symbols, symbols),
    )


def _with_layer(before: Before, plan: Plan, clock: Clock, progress: Progress | None) -> Before:
    """One more layer, fitted, for the next to stand on."""
    signal, recipe = plan.signal, plan.recipe
    assert isinstance(signal.coords, Grid)
    (fitted,) = plan.layer.fit([signal], plan.spec, [plan.goal], plan.init, recipe, clock, progress, before.values)
    with closing(fitted):
        symbols, _ = RateControl(plan, fitted, clock).run()
        device = fitted.facts().device
    values = on_grid(plan.layer.field(plan.spec, symbols, plan.init, device, recipe.threads), signal.coords)
    values = values if before.values is None else values + before.values
    return Before((*before.sections, plan.section(symbols)), values, (*before.symbols, symbols))
