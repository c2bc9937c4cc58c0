"""Sequence tower: one recurrent layer over vectors, such as those of words.

The sub-network of text of Zadeh et al. 2017, "Tensor Fusion Network for Multimodal
Sentiment Analysis", https://arxiv.org/abs/1707.07250, section 4.1, as the authors' code
has it. Deviation: steps of zeros are padding.
"""

import keras
from keras import layers

from mbm_keras.inputs import tower_name

PRESETS = {"tiny": dict(size=5, units=6, width=8)}


def build(size, *, units=128, width=128, dropout=0.2, pool=True, name="sequence"):
    """Builds the tower.

    Args:
        size: Width of the vector of a step.
        units: Size of the LSTM.
        width: Size of the output.
        dropout: Rate of dropout behind the LSTM.
        pool: True for what the last step knows, False for one vector per step.
        name: Name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, steps, size)` float32, zeros = padding.
        Output: `(batch, width)` float32 if `pool`, else `(batch, steps, width)` with
        the padding as its Keras mask.
    """
    sequence = keras.Input((None, size), name=name)
    x = layers.Masking()(sequence)
    x = layers.LSTM(units, return_sequences=not pool)(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(width)(x)
    return keras.Model([sequence], x, name=tower_name(name))
