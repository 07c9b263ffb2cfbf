"""The fit of latents and networks to one signal, for error + tradeoff * bits. Encoder only.

Latents are rounded softly, with noise (see `loops.latents`), ever more sharply; SOAP for the networks, Adam for the
latents, as Cool-chic 5 does it (Leguay et al.). In the last part the networks are quantized and stay; latents go on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from coordcodec.clock import Clock, Progress
from coordcodec.compute.optim import Soap
from coordcodec.data import Floats, Quantized
from coordcodec.layers.pyramid import networks
from coordcodec.layers.pyramid.step import Measured, Net, Stepper

NETWORKS = 0.85
"""The share of the steps in which networks learn."""
LOOK = 0.5
"""The share after which it is measured how many bytes the networks will take."""
JOIN = 0.3
"""The share from which one latent per sample takes part: what coarser levels say well it need not learn."""
TEMPERATURES, WIDTHS = (0.35, 0.08), (0.3, 0.15)
"""Of soft rounding and noise, from the first step to the last."""
LATENTS, AGAIN = 8.0, 0.15
"""Learning rate of latents, in those of networks; the share of it with which they go on once networks stay."""
LARGEST = 0.1
"""The norm that gradients of a network are cut to."""
_WAIT, _GAIN, _NOW, _EARLY = 0.08, 8.0, 1.0, 0.8
"""When the tradeoff begins to follow the target; the power of what is missed that it takes on over a whole run, and at
once; how much more than the target is right at the beginning: rates fall while networks learn."""


@dataclass
class Aim:
    """What the bits of latents are to be. bits: None: whatever the tradeoff makes them."""

    tradeoff: float
    bits: float | None
    now: float = 1.0

    @property
    def weight(self) -> float:
        """The tradeoff of the next step."""
        return self.tradeoff * self.now

    def follow(self, bits: float, share: float, steps: int) -> None:
        """Move the tradeoff after a step. bits: what it measured."""
        if self.bits is not None and share > _WAIT:
            expected = self.bits * (1 + _EARLY * (1 - share) ** 2)
            missed = min(max(math.log(max(bits, 1.0) / expected), -1.0), 1.0)
            self.tradeoff *= math.exp(_GAIN * (4 if share > NETWORKS else 1) / max(steps, 100) * missed)
            self.now = math.exp(_NOW * missed)


class Training:
    """A fit in progress.

    stepper: latents and loops. tensors: of the networks, float32, by name. aim: see `Aim`.
    """

    def __init__(self, stepper: Stepper, tensors: Mapping[str, Floats], aim: Aim, lr: float) -> None:
        import torch

        self.stepper, self.aim, self.lr = stepper, aim, lr
        self.tensors = {name: torch.from_numpy(t.copy())[None] for name, t in tensors.items()}
        self.optimizer = Soap([*self.tensors.values()])
        self.done = 0

    def arrays(self) -> dict[str, Floats]:
        """The networks' tensors as they are."""
        return {name: t[0].numpy() for name, t in self.tensors.items()}

    def run(
        self, steps: int, clock: Clock, progress: Progress | None, bytes_left: float | None
    ) -> dict[str, Quantized]:
        """Fit; returns the quantized networks. bytes_left: for networks and latents; None: no target."""
        share, looked = 0.0, bytes_left is None
        while share < NETWORKS and self.done < steps:
            if share >= LOOK and not looked:
                looked = True
                self._leave(bytes_left, self._quantized())
            self._step(share, steps, None)
            share = max(self.done / steps, NETWORKS * clock.spent(0.7))
            if progress:
                progress("fit", self.done, steps)
        found = self._quantized()
        self._leave(bytes_left, found)
        fixed = networks.nets({name: q.dequantize() for name, q in found.items()})
        share = NETWORKS
        while share < 1 and self.done < steps:
            self._step(share, steps, fixed)
            share = max(self.done / steps, NETWORKS + (1 - NETWORKS) * _late(clock))
            if progress:
                progress("fit", self.done, steps)
        return found

    def _leave(self, bytes_left: float | None, found: Mapping[str, Quantized]) -> None:
        """Aim for what networks leave to latents."""
        if bytes_left is not None:
            self.aim.bits = max(8 * bytes_left - networks.bits_of(found), 64.0)

    def _step(self, share: float, steps: int, fixed: tuple[Net, Net] | None) -> None:
        self.stepper.finest = int(self.stepper.spec.first == 0 and share < JOIN and len(self.stepper.planes) > 1)
        width, temperature = (a + (b - a) * share for a, b in (WIDTHS, TEMPERATURES))
        self.stepper.disturb(width, temperature)
        measured = self.stepper.measure(*(fixed or networks.nets(self.arrays())), self.aim.weight, fixed is None)
        if fixed is None:
            self._learn(measured, self.lr * _cosine(share / NETWORKS))
        late = AGAIN * _cosine((share - NETWORKS) / (1 - NETWORKS))
        self.stepper.move(self.lr * LATENTS * (_cosine(share / NETWORKS) if fixed is None else late))
        self.aim.follow(float(measured.bits.sum()), share, steps)
        self.done += 1

    def _learn(self, measured: Measured, lr: float) -> None:
        import torch

        assert measured.context is not None and measured.synthesis is not None
        gradients = networks.trimmed(self.tensors, measured.context + measured.synthesis)
        half = len(measured.context)
        for part in (gradients[:half], gradients[half:]):
            norm = float(torch.sqrt(sum((g * g).sum() for g in part)))  # type: ignore[arg-type]
            for g in part:
                g.mul_(min(1.0, LARGEST / max(norm, 1e-30)))
        self.optimizer.step(gradients, [lr] * len(gradients))

    def _quantized(self) -> dict[str, Quantized]:
        """The networks, quantized for the latents as rounded."""
        stepper = self.stepper
        stepper.settle()
        stepper.interpolate()

        def cost(tensors: networks.Tensors) -> float:
            context, synthesis = networks.nets(tensors)
            error, bits = stepper.error(synthesis), stepper.bits(context)
            return error / stepper.values + self.aim.tradeoff * bits / stepper.samples

        return networks.quantized(self.arrays(), cost, self.aim.tradeoff / stepper.samples)


def _cosine(share: float) -> float:
    return 0.5 + 0.5 * math.cos(math.pi * min(max(share, 0.0), 1.0)) + 1e-3


def _late(clock: Clock) -> float:
    """How much of the time that networks stay has gone, 0 to 1."""
    return min(1.0, max(0.0, (min(clock.spent(1.0), 1.0) - 0.75) / 0.15))
