"""Sequence tower: one recurrent layer over vectors, such as word vectors.

Source: Zadeh et al. 2017, "Tensor Fusion Network for Multimodal Sentiment Analysis",
https://arxiv.org/abs/1707.07250, section 4.1, the sub-network for text in the authors'
code. Deviation: steps of zeros are padding.
"""

import keras
from keras import layers

from mbm_keras.inputs import tower_name

PRESETS = {"tiny": dict(size=5, units=6, width=8)}


def build(
    size: int,
    *,
    units: int = 128,
    width: int = 128,
    dropout: float = 0.2,
    pool: bool = True,
    name: str = "sequence",
) -> keras.Model:
    """Builds the tower.

    Args:
        size: int > 0, numbers per step.
        units: int > 0, units of the LSTM.
        width: int > 0, width of the output.
        dropout: float in [0, 1), dropout rate after the LSTM.
        pool: bool. True for the output of the last step, False for one vector per step.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, steps, size)` float32; steps of zeros are padding.
        Output: `(batch, width)` float32 if `pool`, else `(batch, steps, width)` with
        the Keras mask `(batch, steps)`.
    """
    sequence = keras.Input((None, size), name=name)
    x = layers.Masking()(sequence)
    # (batch, units) if pool, else (batch, steps, units)
    x = layers.LSTM(units, return_sequences=not pool)(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(width)(x)
    return keras.Model([sequence], x, name=tower_name(name))
