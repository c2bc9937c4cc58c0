"""Text tower: a small transformer encoder, mean over the words.

Source: Vaswani et al. 2017, "Attention Is All You Need",
https://arxiv.org/abs/1706.03762, section 3.1. Deviation: the normalization comes before
each half of a block, as in Xiong et al. 2020, "On Layer Normalization in the
Transformer Architecture", https://arxiv.org/abs/2002.04745, which needs no warm-up of
the learning rate.
"""

import keras
from keras import layers

from mbm_keras.inputs import tower_name
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import Sinusoids

EPSILON = 1e-6  # of the normalizations, as in the authors' code
PRESETS = {
    "tiny": dict(vocabulary_size=20, width=8, num_heads=2, num_blocks=1),
    "small": dict(vocabulary_size=20_000, width=256, num_heads=4, num_blocks=4),
}


def build(
    vocabulary_size: int,
    *,
    width: int = 64,
    num_heads: int = 4,
    num_blocks: int = 2,
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "text",
) -> keras.Model:
    """Builds the tower.

    Args:
        vocabulary_size: int > 0, number of word ids, padding id 0 included.
        width: int > 0, width of a word embedding and of the output, a multiple of
            `num_heads`.
        num_heads: int > 0, attention heads of each block, `width / num_heads` wide
            each.
        num_blocks: int > 0, number of blocks of attention and MLP.
        dropout: float in [0, 1), dropout rate after each half of a block.
        pool: bool. True for the mean over the words, False for one vector per word.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, steps)` int32 word ids, 0 = padding.
        Output: `(batch, width)` float32 if `pool`, which does not depend on padding,
        else `(batch, steps, width)` with the Keras mask `(batch, steps)`.

    Raises:
        ValueError: If `width` is not a multiple of `num_heads`.
    """
    if width % num_heads:
        raise ValueError(
            "Expected a `width` that is a multiple of `num_heads`. "
            f"Received: width={width}, num_heads={num_heads}."
        )
    text = keras.Input((None,), dtype="int32", name=name)
    # (batch, steps, width)
    x = layers.Embedding(vocabulary_size, width, mask_zero=True)(text)
    x = Sinusoids()(x)
    for _ in range(num_blocks):
        y = layers.LayerNormalization(epsilon=EPSILON)(x)
        y = layers.MultiHeadAttention(num_heads, width // num_heads)(y, y)
        x = layers.Add()([x, layers.Dropout(dropout)(y)])
        y = layers.LayerNormalization(epsilon=EPSILON)(x)
        y = layers.Dense(4 * width, activation="gelu")(y)  # (batch, steps, 4 width)
        y = layers.Dense(width)(y)  # (batch, steps, width)
        x = layers.Add()([x, layers.Dropout(dropout)(y)])
    x = layers.LayerNormalization(epsilon=EPSILON)(x)
    if pool:
        x = MaskedMean()(x)  # (batch, width)
    return keras.Model([text], x, name=tower_name(name))
