"""Text tower: a linear layer over weighted n-grams, next to convolutions over words.

    y = W sum_i w_i v_i + b + mean_t conv(x)_t

with the weight w_i of a gram in the text and its vector v_i; the weights of a text are
scaled to length one. The first part is a linear model of TF-IDF, which few rows are
enough for; the second part learns from more rows what the order of the words means.

Source: Cheng et al. 2016, "Wide & Deep Learning for Recommender Systems",
https://arxiv.org/abs/1606.07792, section 3; the sum of vectors of n-grams from Joulin
et al. 2017, "Bag of Tricks for Efficient Text Classification",
https://arxiv.org/abs/1607.01759, section 2. Deviation: the parts are added before the
head, so that a fusion takes them as one embedding; the deep part is `text_cnn`.
"""

from collections.abc import Sequence

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import tower_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import WordConvolutions

PRESETS = {
    "tiny": dict(vocabulary_size=20, num_grams=3, sequence_length=3, rank=4, width=8)
}


def build(
    vocabulary_size: int,
    num_grams: int = 0,
    sequence_length: int | None = None,
    *,
    width: int = 128,
    rank: int = 32,
    word_width: int | None = None,
    kernel_sizes: Sequence[int] = (1, 3),
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "text",
) -> keras.Model:
    """Builds the tower.

    Args:
        vocabulary_size: int > 0, number of word ids, padding id 0 included.
        num_grams: int >= 0, number of gram ids, padding id 0 included; 0 for words
            alone, as in `text_cnn`.
        sequence_length: int > 0, number of word ids before the grams; None if there are
            no grams.
        width: int > 0, width of the output.
        rank: int > 0, width of a gram's vector.
        word_width: int > 0, width of a word embedding; None for `width`.
        kernel_sizes: ints > 0, lengths of the filters in words.
        dropout: float in [0, 1), dropout rate of the grams, of the word embeddings and
            of what the convolutions give.
        pool: bool. True for the mean over the words, False for one vector per word.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, sequence_length + grams)` int32: word ids, 0 = padding;
        then for each gram `id + num_grams * weight`, whose weight is a whole number in
        any unit, 0 = padding.
        Output: `(batch, width)` float32 if `pool`, which does not depend on padding,
        else `(batch, sequence_length, width)` with the Keras mask of the words: to each
        word is added what the grams say of the text.

    Raises:
        ValueError: If there are grams and `sequence_length` is not positive.
    """
    if num_grams and not (sequence_length or 0) > 0:
        raise ValueError(
            "Expected sequence_length > 0 in front of grams. Received: "
            f"num_grams={num_grams}, sequence_length={sequence_length}."
        )
    text = keras.Input((None,), dtype="int32", name=name)
    words = text[:, :sequence_length] if num_grams else text

    # === Deep ===
    # (batch, steps, word width)
    x = layers.Embedding(vocabulary_size, word_width or width, mask_zero=True)(words)
    x = layers.Dropout(dropout)(x)
    x = WordConvolutions(width, kernel_sizes)(x)  # (batch, steps, width)
    if pool:
        x = MaskedMean()(x)  # (batch, width)
    x = layers.Dropout(dropout)(x)

    # === Wide ===
    if num_grams:
        codes = text[:, sequence_length:]  # (batch, grams)
        weights = ops.normalize(ops.cast(codes // num_grams, "float32"))
        weights = layers.Dropout(dropout)(weights)
        vectors = layers.Embedding(num_grams, rank)(codes % num_grams)
        y = ops.einsum("bg,bgr->br", weights, vectors)  # (batch, rank)
        y = layers.Dense(width)(y)  # (batch, width)
        if pool:
            x = x + y
        else:
            x = AttachMask()([x + y[:, None], words != 0])  # (batch, steps, width)
    return keras.Model([text], x, name=tower_name(name))
