"""Sequence tower: recurrent layers over vectors, such as word vectors.

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
    rnn: type[layers.Layer] = layers.LSTM,
    num_layers: int = 1,
    units: int | None = 128,
    width: int = 128,
    dropout: float = 0.2,
    pool: bool = True,
    name: str = "sequence",
) -> keras.Model:
    """Builds the tower.

    Args:
        size: int > 0, numbers per step.
        rnn: Class of the recurrent layers: `keras.layers.SimpleRNN`, `LSTM` or `GRU`.
        num_layers: int > 0, number of recurrent layers, one on the other.
        units: int > 0, units of each; None for `width`, without a dense layer after
            them.
        width: int > 0, width of the output.
        dropout: float in [0, 1), dropout rate after the recurrent layers.
        pool: bool. True for the output of the last step, False for one vector per step.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, steps, size)` float32; steps of zeros are padding.
        Output: `(batch, width)` float32 if `pool`, else `(batch, steps, width)` with
        the Keras mask `(batch, steps)`.

    Raises:
        ValueError: If `num_layers` is below 1.
    """
    if num_layers < 1:
        raise ValueError(
            f"Expected num_layers >= 1. Received: num_layers={num_layers}."
        )
    sequence = keras.Input((None, size), name=name)
    x = layers.Masking()(sequence)
    for _ in range(num_layers - 1):
        x = rnn(units or width, return_sequences=True)(x)  # (batch, steps, units)
    # (batch, units) if pool, else (batch, steps, units)
    x = rnn(units or width, return_sequences=not pool)(x)
    x = layers.Dropout(dropout)(x)
    if units is not None:
        x = layers.Dense(width)(x)
    return keras.Model([sequence], x, name=tower_name(name))
