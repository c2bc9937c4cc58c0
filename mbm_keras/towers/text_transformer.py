"""Text tower: a small transformer encoder, mean over the words.

Source: Vaswani et al. 2017, "Attention Is All You Need",
https://arxiv.org/abs/1706.03762. Deviation: the normalisation stands before each
block and not after it, as in Xiong et al. 2020, "On Layer Normalization in the
Transformer Architecture", https://arxiv.org/abs/2002.04745, which needs no
warm-up of the learning rate.
"""

import keras
from keras import layers

from mbm_keras.inputs import tower_name
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import Sinusoids

PRESETS = {
    "tiny": dict(vocabulary_size=20, width=8, num_heads=2, depth=1),
    "small": dict(vocabulary_size=20_000, width=256, num_heads=4, depth=4),
}


def build(
    vocabulary_size,
    *,
    width=64,
    num_heads=4,
    depth=2,
    dropout=0.0,
    pool=True,
    name="text",
):
    """Builds the tower.

    Args:
        vocabulary_size: Number of word ids, padding id 0 included.
        width: Size of an embedded word and of the output.
        num_heads: Attention heads of each block, `width / num_heads` wide each.
        depth: Number of blocks of attention and MLP.
        dropout: Rate of dropout after each half of a block.
        pool: True for one embedding, False for one vector per word.
        name: Name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, steps)` int32 word ids, 0 = padding.
        Output: `(batch, width)` float32 if `pool`, in which padding does not
        count, else `(batch, steps, width)` with the padding as its Keras mask.

    Raises:
        ValueError: If `width` is not a multiple of `num_heads`.
    """
    if width % num_heads:
        raise ValueError(
            "`width` must be a multiple of `num_heads`. "
            f"Received: width={width}, num_heads={num_heads}."
        )
    text = keras.Input((None,), dtype="int32", name=name)
    x = layers.Embedding(vocabulary_size, width, mask_zero=True)(text)
    x = Sinusoids()(x)  # (batch, steps, width)
    for _ in range(depth):
        y = layers.LayerNormalization()(x)
        y = layers.MultiHeadAttention(num_heads, width // num_heads)(y, y)
        x = layers.Add()([x, layers.Dropout(dropout)(y)])
        y = layers.LayerNormalization()(x)
        y = layers.Dense(4 * width, activation="gelu")(y)  # (batch, steps, 4 width)
        y = layers.Dense(width)(y)
        x = layers.Add()([x, layers.Dropout(dropout)(y)])
    x = layers.LayerNormalization()(x)
    if pool:
        x = MaskedMean()(x)  # (batch, width)
    return keras.Model([text], x, name=tower_name(name))
