"""Sequence tower: one linear map of every step, as the input of a transformer.

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


def build(
    size: int,
    *,
    width: int = 128,
    use_bias: bool = True,
    pool: bool = True,
    name: str = "sequence",
) -> keras.Model:
    """Builds the tower.

    Args:
        size: int > 0, numbers per step.
        width: int > 0, width of the output.
        use_bias: bool. True to add a bias.
        pool: bool. True for the mean over the steps, False for one vector per step.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, steps, size)` float32; steps of zeros are padding.
        Output: `(batch, width)` float32 if `pool`, else `(batch, steps, width)` with
        the Keras mask `(batch, steps)`.
    """
    sequence = keras.Input((None, size), name=name)
    x = layers.Dense(width, use_bias=use_bias)(sequence)  # (batch, steps, width)
    x = AttachMask()([x, nonzero_steps(sequence)])
    if pool:
        x = MaskedMean()(x)  # (batch, width)
    return keras.Model([sequence], x, name=tower_name(name))
