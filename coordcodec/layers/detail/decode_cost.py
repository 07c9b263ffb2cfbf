"""What decoding integers costs, in multiply-adds; see `coordcodec.layers.protocol.Layer.cost`."""

from __future__ import annotations

import math

from coordcodec.layers.costs import Cost
from coordcodec.specs import DetailSpec

CODED, TRANSFORMED, INTERPOLATED = 20_000, 6_000, 1_000
"""A value that the coder knows, one that a basis makes, one corner of an interpolation."""
PREDICTED = {"cascade": 40_000, "blend": 10_000}
"""A value that is predicted; other predictors are as quick as a basis."""


def cost(spec: DetailSpec, own: int) -> Cost:
    """See `coordcodec.layers.protocol.Layer`. Counts all samples, of tiled files too."""
    values = math.prod(spec.shape) * spec.channels
    sets = 2 if spec.spacing else 1
    each = CODED * sets + PREDICTED.get(spec.predictor, 0) + TRANSFORMED
    return Cost(float(values * each), float(INTERPOLATED * 2 ** len(spec.shape) * spec.channels))
