"""Sequence tower: one linear map of every step, as in front of a transformer.

Source: Tsai et al. 2019, "Multimodal Transformer for Unaligned Multimodal Language
Sequences", https://arxiv.org/abs/1906.00295, section 3.1, with a kernel of one step.
Deviation: steps of zeros are padding.
"""

import keras
from keras import layers

from mbm_keras.inputs import tower_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import nonzero_steps

PRESETS = {"tiny": dict(size=5, width=8)}


def build(size, *, width=128, use_bias=True, pool=True, name="sequence"):
    """Builds the tower.

    Args:
        size: Width of the vector of a step.
        width: Size of the output.
        use_bias: True for a constant beside the map.
        pool: True for the mean over the steps, False for one vector per step.
        name: Name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, steps, size)` float32, zeros = padding.
        Output: `(batch, width)` float32 if `pool`, else `(batch, steps, width)` with
        the padding as its Keras mask.
    """
    sequence = keras.Input((None, size), name=name)
    x = layers.Dense(width, use_bias=use_bias)(sequence)  # (batch, steps, width)
    x = AttachMask()([x, nonzero_steps(sequence)])
    if pool:
        x = MaskedMean()(x)  # (batch, width)
    return keras.Model([sequence], x, name=tower_name(name))
