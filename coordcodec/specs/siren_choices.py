"""SIREN: what an encoder may be told of its networks, their fit and their quantization."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from coordcodec.errors import UnknownName
from coordcodec.partition import POINTS_PER_PART
from coordcodec.specs.ranges import check_ranges

_STEPS = (600, 1250, 2400, 3900, 5700, 9000, 15000, 25000, 50000)
"""Steps of a fit by effort, from 1 on."""
_REFERENCE_PARAMETERS = 17000
"""The size of network (width 64) at which `_STEPS` holds; steps go with one over its square root."""
_REFERENCE_WIDTH, _REFERENCE_DEPTH = 64, 3
"""The width and depth up to which `lr` holds for SOAP."""


@dataclass(frozen=True, kw_only=True)
class SirenChoices:
    """What an encoder may be told of SIRENs.

    The network:
    width: neurons per hidden layer, 1 to 1024, in place of a target; the rate is then whatever comes out.
    depth: hidden-to-hidden layers, 0 to 16.
    extra_depth: further ones, 0 to 16, where the fit sees the rate and neither a learned initialisation nor `width`
        decides the network, unless that makes it narrower than 32.
    num_frequencies: frequencies of the positional encoding, 0 to 32; 0 for none.
    sigma: ratio of successive frequencies, 1 to 8, in thousandths.
    omega_0: frequency factor of the SIREN initialisation, > 0.
    architectures: if not empty, the only (depth, width) pairs to choose from.

    The parts, each with a network of its own (see `coordcodec.partition`):
    part_points: most points of a grid per part, 64 to 2^24.
    part_bytes: with a rate or size as target: as many parts of a grid as get about so many bytes each, >= 64;
        None: as few as `part_points` allows.
    margin: how far parts overlap, in 256ths of a part's side, 0 to 127; the field fades from one to the next.
    gains: whether each part is fitted at full amplitude, with its gain coded in a byte.

    The fit:
    pace: what the steps that effort decides are multiplied by, 0.01 to 100.
    steps: minibatch steps, >= 0; without any, a learned initialisation has still its inner steps. None: by effort.
    optimizer: "soap" or "adam".
    lr: peak learning rate, > 0; for SOAP that of widths up to 64 and depths up to 3, see `planned_lr`.
    batch: points per step and part, >= 64.
    l1: weight of the L1 norm of the parameters as stored, omega_0 folded in, in the loss, >= 0; the default is the
        1e-5 that Strümpler et al. put on unfolded ones.
    rate_penalty: with the quantizer "rd" or a learned initialisation, in place of the L1 norm: the strength of the
        rate penalty, 0 to 100, in units of what bits are worth; see `coordcodec.layers.siren.penalty`.

    The quantization:
    quantizer: name of a quantizer; with "rd" the fit sees the rate too, "half" stores 16-bit floats as they are.
    bits: nominal width of the symbols, 2 to 12. With a rate target the steps are refined so that it is met.
    coded_bits: with the quantizer "rd" and a rate target, the bits in the file per parameter for which a network is
        chosen that stands alone and is very wide, 1 to 12; fewer make it larger and coarser.

    Raises RecipeError for values out of range, UnknownName for another optimizer.
    """

    kind: ClassVar[str] = "siren"
    promises: ClassVar[bool] = False
    """Whether a layer of this kind can keep a largest error."""
    learned: ClassVar[bool] = True
    """Whether its fit may start at a learned initialisation."""
    automatic: ClassVar[bool] = True
    """Whether it may be chosen where nobody asks for it."""

    width: int | None = None
    depth: int = 3
    extra_depth: int = 0
    num_frequencies: int = 16
    sigma: float = 1.4
    omega_0: float = 30.0
    architectures: tuple[tuple[int, int], ...] = ()
    part_points: int = POINTS_PER_PART
    part_bytes: int | None = None
    margin: int = 0
    gains: bool = False
    pace: float = 1.0
    steps: int | None = None
    optimizer: str = "soap"
    lr: float = 6.5e-2
    batch: int = 12288
    l1: float = 3.3e-7
    rate_penalty: float = 1.0
    quantizer: str = "rd"
    bits: int = 8
    coded_bits: float = 4.3

    def __post_init__(self) -> None:
        check_ranges(self, _SIREN_RANGES)
        if self.optimizer not in OPTIMIZERS:
            raise UnknownName("optimizer", self.optimizer, OPTIMIZERS)

    @staticmethod
    def suits(shape: Sequence[int], values: int, target: int | None) -> bool:
        """Whether a file of this kind is the best there is; networks are where no other kind is."""
        return True

    @property
    def fixed(self) -> str:
        """The choice that fixes the size in place of a target, or nothing."""
        return "" if self.width is None else "width"

    def released(self) -> SirenChoices:
        """The same without a fixed size."""
        return replace(self, width=None)

    def planned_steps(self, parameters: int, effort: int) -> int:
        """How many steps to fit a network of so many parameters."""
        if self.steps is not None:
            return self.steps
        share = (_REFERENCE_PARAMETERS / max(parameters, 1)) ** 0.5
        return max(1, int(_STEPS[effort - 1] * self.pace * min(max(share, 0.25), 1.5)))

    def planned_lr(self, width: int, depth: int) -> float:
        """The peak learning rate for a network of that width and depth.

        SOAP's updates have entries of about the rate whatever the width; what they change in the next layer's sums
        grows with it. Kodak's kodim05 at 0.6 bpp, effort 3, width 112: 21.5 dB at 0.065, 25.2 dB at 0.043; at 0.3 bpp,
        depth 5, width 64: 23.6 dB at 0.065, 23.7 dB at 0.05.
        """
        if self.optimizer != "soap":
            return self.lr
        deeper = math.sqrt(max(1.0, depth / _REFERENCE_DEPTH))
        return self.lr * min(1.0, _REFERENCE_WIDTH / width) / deeper


OPTIMIZERS = ("soap", "adam")
_SIREN_RANGES = (
    ("width", 1, 1024),
    ("depth", 0, 16),
    ("extra_depth", 0, 16),
    ("num_frequencies", 0, 32),
    ("sigma", 1, 8),
    ("omega_0", 1e-3, 1e6),
    ("part_points", 64, 1 << 24),
    ("part_bytes", 64, 1 << 30),
    ("margin", 0, 127),
    ("pace", 0.01, 100),
    ("steps", 0, 10**8),
    ("lr", 1e-9, 10),
    ("batch", 64, 1 << 24),
    ("l1", 0, 1),
    ("rate_penalty", 0, 100),
    ("bits", 2, 12),
    ("coded_bits", 1, 12),
)
