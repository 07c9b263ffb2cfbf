"""One step of a fit, in loops of the CPU: from latents and networks to the error, the bits and the gradients of both.

Work is cut into bands, always the same ones, and each band has sums of its own: threads change the time, not a bit of
the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordcodec.data import Floats
from coordcodec.layers.pyramid.geometry import four
from coordcodec.layers.pyramid.loops import interpolation, latents, rate, synthesis
from coordcodec.layers.pyramid.loops.networks import BLOCK
from coordcodec.layers.pyramid.planes import all_planes, filled, total
from coordcodec.layers.pyramid.upsample import TAPS
from coordcodec.layers.threads import usable
from coordcodec.specs.pyramid import PyramidSpec

_PARTS = 8
"""Bands that samples are cut into."""
_NOTHING: Floats = np.zeros((1, 0), np.float32)
_NOWHERE: Floats = np.zeros(1, np.float32)
_NOISE = 1 << 18
DAMPING = 1.0
"""Added to roots of second moments, in root mean squares of a level's gradients: latents of small ones stay."""

Net = tuple[Floats, ...]


def net_of(tensors: Sequence[Floats]) -> Net:
    """A network as loops take it: weight and bias of three layers and the skip, then the weights transposed."""
    w1, b1, w2, b2, w3, b3, skip = (filled(t, 4 if k in (4, 5, 6) else 0) for k, t in enumerate(tensors))
    back = (filled(np.ascontiguousarray(w.T), 0) for w in (w1, w2, w3, skip))
    return (w1, b1, w2, b2, w3, b3, skip, *back)


def _work(net: Net) -> tuple[Floats, ...]:
    """Activations of a block and their gradients."""
    inputs, first, second = net[7].shape[0], net[0].shape[0], net[2].shape[0]
    return tuple(np.zeros((n, BLOCK), np.float32) for n in (inputs, first, second, 4, first, second, inputs))


@dataclass(frozen=True)
class Measured:
    """What a step measures. error: the sum of squared errors of known values. bits: by level, from fine to coarse.
    gradients of both networks' tensors, with zeros as `net_of` has them; None where they were not asked for."""

    error: float
    bits: NDArray[np.float64]
    context: list[Floats] | None
    synthesis: list[Floats] | None


class Stepper:
    """Latents of one signal and what is computed with them.

    target: (n, c) float32, as networks give them. known: (n,) bool, None: all are.
    finest: the number of the first level that takes part; finer ones stay zero.
    """

    def __init__(
        self, spec: PyramidSpec, target: Floats, known: NDArray[np.bool_] | None, seed: int, threads: int | None
    ) -> None:
        self.spec, self.planes, self.samples = spec, all_planes(spec), len(target)
        self.target = np.ascontiguousarray(target.T)
        self.known = _NOWHERE[:0] if known is None else known.astype(np.float32)
        self.values = spec.channels * (self.samples if known is None else int(known.sum()))
        rows, columns = len(self.planes) + len(self.planes) % 2, self.samples + 64  # rows of one size would meet
        rows = -(-rows // 4) * 4
        self.features, self.back = (np.zeros((rows, columns), np.float32) for _ in range(2))
        self.random = np.random.default_rng(seed)
        self.noise = self.random.standard_normal(_NOISE).astype(np.float32)
        self.threads = min(usable(threads), _PARTS)
        self.pool = ThreadPoolExecutor(self.threads)
        self.finest = 0

    def close(self) -> None:
        """Give back the threads."""
        self.pool.shutdown()

    def each(self, work: Callable[[Any], Any], things: Iterable[Any]) -> list[Any]:
        """Do the work for each thing, in several threads."""
        return [*self.pool.map(work, things)]

    def disturb(self, width: float, temperature: float) -> None:
        """Put latents into their planes as rounded softly, with noise of that standard deviation."""
        starts = [self.random.integers(0, _NOISE, len(own.runs)) for own in self.planes]

        def one(k: int) -> None:
            p = self.planes[k]
            latents.disturb(p.latents, self.noise, starts[k], np.float32(width), temperature, p.plane, p.runs, p.slopes)

        self.each(one, range(self.finest, len(self.planes)))

    def settle(self) -> None:
        """Put latents into their planes as rounded."""
        for own in self.planes:
            own.inside(own.plane)[:] = np.rint(own.latents).reshape(own.shape)

    def measure(self, context: Net, synthesis_net: Net, weight: float, learn: bool = True) -> Measured:
        """The error and the bits of what is in the planes.

        weight: of the bits in the loss, which is the mean squared error plus the weight times bits per sample; with 0
        there are no gradients. learn: whether the networks' are wanted.
        """
        self.interpolate()
        error, sums = self._errors(synthesis_net, weight > 0, learn)
        bits, context_sums = self._rates(context, weight / self.samples, learn)
        return Measured(error, bits, context_sums, sums)

    def error(self, net: Net) -> float:
        """The sum of squared errors of features as they are."""
        return self._errors(net, False, False)[0]

    def bits(self, net: Net) -> float:
        """The bits of what is in the planes."""
        return float(self._rates(net, 0.0, False)[0].sum())

    def gradients(self) -> list[Floats]:
        """Those of the loss that was measured last, by latents in the planes, for each level that takes part."""

        def one(k: int) -> Floats:
            own = self.planes[k]
            found = self._lowered(self.back[k, : self.samples], k).reshape(own.shape) + own.inside(own.back)
            return found + own.inside(own.back_above) if k > self.finest else found

        return self.each(one, range(self.finest, len(self.planes)))

    def move(self, lr: float) -> None:
        """A step of Adam for the latents, by the gradients that were measured last."""
        found = self.gradients()

        def one(k: int) -> None:
            p, gradient = self.planes[k], found[k - self.finest]
            p.count += 1
            gradient *= p.slopes.reshape(p.shape)
            p.usual = max(0.95 * p.usual, float(np.sqrt(np.mean(np.square(gradient)))))
            damping = np.float32(DAMPING * p.usual + 1e-20)
            latents.descend(p.latents, gradient.reshape(-1), p.first, p.second, np.float32(lr), p.count, damping)

        self.each(one, range(self.finest, len(self.planes)))

    def _chain(self, k: int) -> list[tuple[int, int]]:
        """The axes to double from a level down to the grid: (finer level, axis)."""
        axes = range(len(self.spec.shape))
        finer = range(self.spec.levels[k] - 1, -1, -1)
        return [(level, axis) for level in finer for axis in axes if self.spec.halved[level] >> axis & 1]

    def interpolate(self) -> None:
        """Bring what is in the planes to the grid: the features."""
        self.each(self.interpolate_level, range(self.finest, len(self.planes)))

    def interpolate_level(self, k: int) -> None:
        """The same for one level."""
        x = np.ascontiguousarray(self.planes[k].inside(self.planes[k].plane))
        for level, axis in self._chain(k):
            x = self._along(
                interpolation.double, interpolation.double_rows, x, axis, self.spec.level_shape(level)[axis]
            )
        self.features[k, : self.samples] = x.reshape(-1)

    def lowered(self, values: Floats, k: int) -> Floats:
        """Averages of values (samples,) around each latent of a level."""
        doublings = len(self._chain(k))
        return self._lowered(values, k) * np.float32(0.5**doublings)

    def _lowered(self, values: Floats, k: int) -> Floats:
        g: Floats = values.reshape(four(self.spec.shape))
        for level, axis in reversed(self._chain(k)):
            g = self._along(
                interpolation.halve, interpolation.halve_rows, g, axis, self.spec.level_shape(level + 1)[axis]
            )
        return g

    def _along(self, inner: Any, last: Any, x: Floats, axis: int, size: int) -> Floats:
        """Interpolate along an axis to that size, or bring gradients back. Four axes."""
        behind = axis - len(self.spec.shape)
        circle = bool(self.spec.periodic and self.spec.periodic[axis])
        shape = list(x.shape)
        shape[behind] = size
        found, x = np.empty(shape, np.float32), np.ascontiguousarray(x)
        if behind == -1:
            last(x.reshape(-1, x.shape[-1]), found.reshape(-1, size), TAPS, circle)
        else:
            inside = prod(shape[behind + 1 :])
            inner(x.reshape(-1, x.shape[behind], inside), found.reshape(-1, size, inside), TAPS, circle)
        return found

    def _errors(self, net: Net, back: bool, learn: bool) -> tuple[float, list[Floats] | None]:
        cuts = [self.samples * k // _PARTS // BLOCK * BLOCK for k in range(_PARTS)] + [self.samples]
        sums = [[np.zeros_like(t) for t in net[:7]] for _ in range(_PARTS)]
        weight = np.float32(1 / max(self.values, 1) if back else 0)

        def one(k: int) -> float:
            return float(
                synthesis.synthesise(
                    *(self.features, self.target, self.known, cuts[k], cuts[k + 1], weight, net, _work(net)),
                    *(tuple(sums[k]), self.back, _NOTHING, learn),
                )
            )

        return sum(self.each(one, range(_PARTS))), total(sums) if back and learn else None

    def _rates(self, net: Net, weight: float, learn: bool) -> tuple[NDArray[np.float64], list[Floats] | None]:
        residual = net[0].shape[0] == net[2].shape[0]
        bands = [
            (k, band, number)
            for k, p in enumerate(self.planes)
            for number, band in enumerate(p.bands)
            if k >= self.finest
        ]
        sums = [[np.zeros_like(t) for t in net[:7]] for _ in bands]
        for own in self.planes:
            own.back.fill(0)
            own.back_above.fill(0)

        def one(i: int) -> float:
            k, (first, last), _ = bands[i]
            own, level = self.planes[k], self.spec.levels[k]
            above = self.planes[k + 1] if k + 1 < len(self.planes) else None
            plane, back = (_NOWHERE, _NOWHERE) if above is None else (above.plane, above.back_above)
            return float(
                rate.rate(
                    *(own.plane, plane, own.runs[first:last], own.above[first:last], own.halved, own.shifts, level),
                    *(residual, np.float32(weight), net, _work(net), tuple(sums[i]), own.back, back, learn),
                )
            )

        bits = np.zeros(len(self.planes))
        for turn in (0, 1):
            numbers = [i for i, band in enumerate(bands) if band[2] % 2 == turn]
            for i, found in zip(numbers, self.each(one, numbers), strict=True):
                bits[bands[i][0]] += found
        return bits, total(sums) if weight > 0 and learn else None
