"""Vector tower: an MLP over extracted features.

Source: Zadeh et al. 2017, "Tensor Fusion Network for Multimodal Sentiment Analysis",
https://arxiv.org/abs/1707.07250, section 4.1, the sub-networks for audio and image in
the authors' code. Deviation: rows of zeros are absent, and are left out of the
normalization.
"""

import keras
from keras import layers

from mbm_keras.inputs import tower_name
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import nonzero_rows

PRESETS = {"tiny": dict(size=5, width=8)}


def build(
    size: int,
    *,
    width: int = 32,
    num_layers: int = 3,
    dropout: float = 0.2,
    pool: bool = True,
    name: str = "vector",
) -> keras.Model:
    """Builds the tower.

    Args:
        size: int > 0, numbers per row.
        width: int > 0, width of the layers and of the output.
        num_layers: int > 0, number of layers.
        dropout: float in [0, 1), dropout rate before the layers.
        pool: bool. True for one embedding, False for a sequence of one vector.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, size)` float32; rows of zeros are absent.
        Output: `(batch, width)` float32 if `pool`, else `(batch, 1, width)`.
    """
    vector = keras.Input((size,), name=name)
    x = MaskedBatchNormalization(epsilon=1e-5)(vector, mask=nonzero_rows(vector))
    x = layers.Dropout(dropout)(x)
    for _ in range(num_layers):
        x = layers.Dense(width, activation="relu")(x)  # (batch, width)
    if not pool:
        x = layers.Reshape((1, width))(x)
    return keras.Model([vector], x, name=tower_name(name))
