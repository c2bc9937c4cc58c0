"""The dense layers that fusions are made of."""

import keras


def dense(layer, width, units, activation=None, use_bias=True):
    """A built dense layer of a fusion's own precision.

    Args:
        layer: The fusion.
        width: Size of the last axis that comes in.
        units: Size of the last axis that goes out.
        activation: As for `keras.layers.Dense`.
        use_bias: As for `keras.layers.Dense`.
    """
    made = keras.layers.Dense(
        units, activation, use_bias=use_bias, dtype=layer.dtype_policy
    )
    made.build((None, width))
    return made


def dense_each(layer, shapes, units, activation=None, use_bias=True):
    """One such layer for each input, see `dense`.

    Args:
        layer: The fusion.
        shapes: Shapes of its inputs.
        units: Size of the last axis that goes out, the same for all.
        activation: As for `keras.layers.Dense`.
        use_bias: As for `keras.layers.Dense`.
    """
    return [dense(layer, shape[-1], units, activation, use_bias) for shape in shapes]
