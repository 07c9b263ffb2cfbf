"""What decoding networks costs, in multiply-adds; see `coordcodec.layers.protocol.Layer.cost`."""

from __future__ import annotations

import math

from coordcodec.layers.costs import Cost
from coordcodec.specs import SirenSpec

SYMBOL = 1000
"""A coded parameter."""
SINE = 10
"""A sine with its cosine."""
SHARE = 4000
"""A point in one of the boxes that it is looked up in, where there are several."""
CALL = 1_500_000
"""The evaluation of one network for some of the points of a slice, however few."""
SLICE = 4096


def cost(spec: SirenSpec, own: int) -> Cost:
    """See `coordcodec.layers.protocol.Layer`.

    A slice is taken for a run of the grid's points, row after row. It meets some boxes of every column of boxes.
    """
    boxes, inputs = len(spec.partition), spec.features
    network = spec.parameters + SINE * (spec.width * (spec.depth + 1) + inputs)
    once = float(SYMBOL * spec.parameters * boxes)
    if boxes == 1:
        return Cost(once, network + CALL / SLICE)
    covers = 2.0 ** sum(count > 1 for count in spec.partition.counts) if spec.partition.margin else 1.0
    column = boxes / spec.partition.counts[0]
    met = column + boxes * min(1.0, SLICE / own if own else 1.0)
    met = min(float(boxes), SLICE * covers, met * (2 if spec.partition.margin else 1))
    return Cost(once, covers * (network + SHARE) + CALL * math.ceil(met) / SLICE)
