"""Recipe: every choice that an encoder makes, in one frozen, validated object."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from coordcodec.errors import RecipeError, UnknownName
from coordcodec.partition import POINTS_PER_PART

EFFORTS = range(1, 10)
PRECISIONS = "auto", "float32", "bfloat16"
TARGETS = ("rate", "num_bytes", "quality", "target_score", "width")
_STEPS = (600, 1250, 2400, 3900, 5700, 9000, 15000, 25000, 50000)
_REFERENCE_PARAMETERS = 17000
"""The size of network (width 64) at which `_STEPS` holds; steps go with one over its square root."""
_REFERENCE_WIDTH, _REFERENCE_DEPTH = 64, 3
"""The width and depth up to which `lr` holds for SOAP."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every encoder choice. A decoder needs none of it.

    At most one of the five targets is set:
    rate: the file's rate in the modality's unit, > 0; met from below.
    num_bytes: the file's size in bytes, > 0; met from below.
    quality: 1 to 100; 50 is the size of the modality's default target, 12 more are twice the bytes.
    target_score: the modality's main score (psnr_db for pictures); the smallest file that reaches it, found by a few
        fits, see `coordcodec.aim`.
    width: neurons per hidden layer, 1 to 1024; the rate is then whatever comes out.
    lenient: a rate or size too small to be met gives the smallest file and a warning instead of an error; set
        where the target is a default and not somebody's choice.

    The network:
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
    effort: 1 (seconds) to 9 (as long as it helps); decides `steps` unless that is set.
    time_budget: seconds that fit, quantization and coding may take, >= 0, whatever effort or steps say; which bytes
        come out then depends on the machine. None: no limit.
    init: where the fit starts. "auto": at the shipped learned initialisation that fits the modality and the size, if
        there is one and it helps: where `extra_depth` is set and the fit is not a short one, it does not; "none": at a
        random SIREN (Sitzmann et al. 2020), so that the file stands alone; else the name or the path of a learned
        initialisation, which then decides the network.
    pace: what the steps that effort decides are multiplied by, 0.01 to 100.
    steps: minibatch steps, >= 0; without any, a learned initialisation has still its inner steps.
    optimizer: "soap" or "adam".
    lr: peak learning rate, > 0; for SOAP that of widths up to 64 and depths up to 3, see `planned_lr`.
    batch: points per step and part, >= 64.
    l1: weight of the L1 norm of the parameters as stored, omega_0 folded in, in the loss, >= 0; the default is the
        1e-5 that Strümpler et al. put on unfolded ones.
    pull: with the quantizer "rd" or a learned initialisation, in place of the L1 norm: how strongly parameters or
        updates are held down, 0 to 100, in units of what their bits are worth; see `coordcodec.inr.pull`.
    precision: of the matrix products of the fit: "float32", "bfloat16", or "auto": bfloat16 where the processor has
        units for it and the network is wide enough to gain from them.
    threads: CPU threads that share the fit, 1 to 1024, four at most are used; None: as many as PyTorch uses. They
        change the time, never the bytes.
    seed: 0 to 2^32 - 1.
    device: "auto", "cpu", "cuda" or another name that torch knows.

    The quantization:
    quantizer: name of a quantizer; with "rd" the fit sees the rate too, "half" stores 16-bit floats as they are.
    bits: nominal width of the symbols, 2 to 12. With a rate target the steps are refined so that it is met.
    coded_bits: with the quantizer "rd" and a rate target, the bits in the file per parameter for which a network is
        chosen that stands alone and is very wide, 1 to 12; fewer make it larger and coarser.

    Raises RecipeError for values out of range and for contradictions.
    """

    rate: float | None = None
    num_bytes: int | None = None
    quality: int | None = None
    target_score: float | None = None
    width: int | None = None
    lenient: bool = False
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
    effort: int = 5
    time_budget: float | None = None
    init: str = "auto"
    pace: float = 1.0
    steps: int | None = None
    optimizer: str = "soap"
    lr: float = 6.5e-2
    batch: int = 12288
    l1: float = 3.3e-7
    pull: float = 1.0
    precision: str = "auto"
    threads: int | None = None
    seed: int = 0
    device: str = "auto"
    quantizer: str = "rd"
    bits: int = 8
    coded_bits: float = 4.3

    def __post_init__(self) -> None:
        given = [name for name in TARGETS if getattr(self, name) is not None]
        if len(given) > 1:
            raise RecipeError(f"choose one of rate, bytes, quality, score and width, got {' and '.join(given)}")
        if self.target_score is not None and self.time_budget is not None:
            raise RecipeError("a score takes several fits and cannot be met within a time; choose one of the two")
        for name, lowest, highest in _RANGES:
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and lowest <= value <= highest):
                said = name.removeprefix("num_").replace("_", " ")
                raise RecipeError(f"{said} must be in {lowest:g} to {highest:g}, got {value!r}")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise UnknownName(name, getattr(self, name), choices)

    def replace(self, **choices: Any) -> Recipe:
        """This recipe with some choices changed. A new target takes the place of the old one."""
        if any(choices.get(name) is not None for name in TARGETS):
            choices = {**dict.fromkeys(TARGETS), "lenient": False} | choices
        return dataclasses.replace(self, **choices)

    def with_preset(self, name: str) -> Recipe:
        """This recipe with a preset's choices. Raises UnknownName."""
        if name not in PRESETS:
            raise UnknownName("preset", name, PRESETS)
        return self.replace(**PRESETS[name])

    def planned_steps(self, parameters: int) -> int:
        """How many steps to fit a network of so many parameters."""
        if self.steps is not None:
            return self.steps
        share = (_REFERENCE_PARAMETERS / max(parameters, 1)) ** 0.5
        return max(1, int(_STEPS[self.effort - 1] * self.pace * min(max(share, 0.25), 1.5)))

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


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("rate", 1e-9, 1e9),
    ("num_bytes", 1, 1 << 30),
    ("quality", 1, 100),
    ("target_score", -1000, 1e9),
    ("time_budget", 0, 1e8),
    ("width", 1, 1024),
    ("depth", 0, 16),
    ("extra_depth", 0, 16),
    ("num_frequencies", 0, 32),
    ("sigma", 1, 8),
    ("omega_0", 1e-3, 1e6),
    ("part_points", 64, 1 << 24),
    ("part_bytes", 64, 1 << 30),
    ("margin", 0, 127),
    ("effort", EFFORTS[0], EFFORTS[-1]),
    ("pace", 0.01, 100),
    ("steps", 0, 10**8),
    ("lr", 1e-9, 10),
    ("batch", 64, 1 << 24),
    ("l1", 0, 1),
    ("pull", 0, 100),
    ("threads", 1, 1024),
    ("seed", 0, 2**32 - 1),
    ("bits", 2, 12),
    ("coded_bits", 1, 12),
)
_CHOICES = {"optimizer": ("soap", "adam"), "precision": PRECISIONS}

PRESETS: dict[str, dict[str, Any]] = {
    # Strümpler et al. 2022: SIREN with positional encoding, L1, 8 bits, AdaRound, QAT, entropy coding; here with SOAP.
    "basic": {"quantizer": "qat", "init": "none"},
    # Dupont et al. 2021 (COIN): its five architectures (layers x width 5x20, 5x30, 10x28, 10x40, 13x49; their
    # count of layers includes the first), no encoding, 16-bit weights, no entropy coding. Their learning rate of 2e-4
    # holds for weights that are multiplied by omega_0 = 30; here that is folded in.
    "coin": {
        "init": "none",
        "num_frequencies": 0,
        "part_bytes": None,
        "gains": False,
        "architectures": ((4, 20), (4, 30), (9, 28), (9, 40), (12, 49)),
        "optimizer": "adam",
        "lr": 6e-3,
        "l1": 0.0,
        "quantizer": "half",
    },
}
