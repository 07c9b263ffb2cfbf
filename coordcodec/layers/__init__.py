"""Layers: a field is a sum of them. One folder per kind, each behind the interface of `protocol`."""

from coordcodec.data import Signal
from coordcodec.layers.detail.layer import Detail
from coordcodec.layers.learnable import LearnableLayer
from coordcodec.layers.protocol import Layer, Quantizable
from coordcodec.layers.pyramid.layer import Pyramid
from coordcodec.layers.siren.layer import Siren
from coordcodec.specs import Spec

__all__ = ["KINDS", "LAYERS", "Layer", "LearnableLayer", "Quantizable", "fitted_example", "layer_of", "learnable"]

KINDS = (Siren(), Pyramid(), Detail())
LAYERS: dict[str, Layer] = {layer.kind: layer for layer in KINDS}
"""The layers by kind, in the order in which a file holds them."""


def layer_of(spec: Spec) -> Layer:
    """The layer of that Spec's kind."""
    return LAYERS[spec.kind]


def learnable() -> LearnableLayer:
    """The kind of layer of which initialisations are learned."""
    return next(layer for layer in KINDS if isinstance(layer, LearnableLayer))


def fitted_example(signal: Signal) -> Quantizable:
    """A small network fitted to a signal on the CPU, to try a quantizer on."""
    return next(layer for layer in KINDS if hasattr(layer, "fitted_example")).fitted_example(signal)
