"""Text tower: word embeddings, and one layer of convolutions over adjacent words.

Source: Kim 2014, "Convolutional Neural Networks for Sentence Classification",
https://arxiv.org/abs/1408.5882, section 2. Deviations: filters of one and three words
instead of three, four and five, so that the tower includes a bag of words; the mean
over the words instead of their maximum, so that the gradient reaches every word.
"""

from collections.abc import Sequence

import keras
from keras import layers

from mbm_keras.inputs import tower_name
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import WordConvolutions

PRESETS = {"tiny": dict(vocabulary_size=20, width=8)}


def build(
    vocabulary_size: int,
    *,
    width: int = 128,
    kernel_sizes: Sequence[int] = (1, 3),
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "text",
) -> keras.Model:
    """Builds the tower.

    Args:
        vocabulary_size: int > 0, number of word ids, padding id 0 included.
        width: int > 0, width of a word embedding and of the output.
        kernel_sizes: ints > 0, lengths of the filters in words.
        dropout: float in [0, 1), dropout rate of the word embeddings.
        pool: bool. True for the mean over the words, False for one vector per word.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, steps)` int32 word ids, 0 = padding.
        Output: `(batch, width)` float32 if `pool`, which does not depend on padding,
        else `(batch, steps, width)` with the Keras mask `(batch, steps)`.
    """
    text = keras.Input((None,), dtype="int32", name=name)
    # (batch, steps, width)
    x = layers.Embedding(vocabulary_size, width, mask_zero=True)(text)
    x = layers.Dropout(dropout)(x)
    x = WordConvolutions(width, kernel_sizes)(x)
    if pool:
        x = MaskedMean()(x)  # (batch, width)
    return keras.Model([text], x, name=tower_name(name))
