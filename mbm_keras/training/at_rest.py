"""Frozen layers without their random changes."""

import contextlib
from collections.abc import Iterable
from collections.abc import Iterator

import keras
from keras import layers

_DROPOUTS = (
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
)


@contextlib.contextmanager
def at_rest(frozen: Iterable[keras.Layer]) -> Iterator[None]:
    """While it lasts, the dropout in frozen layers does nothing.

    Batch normalization whose `trainable` is False uses and keeps its statistics anyway.

    Args:
        frozen: Layers, or models with layers inside.
    """
    inside = [x for layer in frozen for x in layer._flatten_layers()]
    rates = [(x, x.rate) for x in inside if isinstance(x, _DROPOUTS)]
    for layer, _ in rates:
        layer.rate = 0.0
    try:
        yield
    finally:
        for layer, rate in rates:
            layer.rate = rate
