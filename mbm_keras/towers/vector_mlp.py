"""Vector tower: an MLP over numbers that something else extracted.

The sub-network of sound and picture of Zadeh et al. 2017, "Tensor Fusion Network for
Multimodal Sentiment Analysis", https://arxiv.org/abs/1707.07250, section 4.1, as the
authors' code has it. Deviation: rows of zeros are absent, and do not count in the
normalisation.
"""

import keras
from keras import layers

from mbm_keras.inputs import tower_name
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import nonzero_rows

PRESETS = {"tiny": dict(size=5, width=8)}


def build(size, *, width=32, depth=3, dropout=0.2, pool=True, name="vector"):
    """Builds the tower.

    Args:
        size: Width of the vector.
        width: Size of the layers and of the output.
        depth: Number of layers.
        dropout: Rate of dropout in front of them.
        pool: True for one embedding, False for a sequence of one vector.
        name: Name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, size)` float32; zeros where there is no vector.
        Output: `(batch, width)` float32 if `pool`, else `(batch, 1, width)`.
    """
    vector = keras.Input((size,), name=name)
    x = MaskedBatchNormalization()(vector, mask=nonzero_rows(vector))
    x = layers.Dropout(dropout)(x)
    for _ in range(depth):
        x = layers.Dense(width, activation="relu")(x)
    if not pool:
        x = layers.Reshape((1, width))(x)
    return keras.Model([vector], x, name=tower_name(name))
