"""Text tower: word embeddings, recurrent layers, mean over the words.

Source: Elman 1990, "Finding Structure in Time",
https://doi.org/10.1207/s15516709cog1402_1, for the simple network; Hochreiter and
Schmidhuber 1997, "Long Short-Term Memory",
https://doi.org/10.1162/neco.1997.9.8.1735; Cho et al. 2014, "Learning Phrase
Representations using RNN Encoder-Decoder for Statistical Machine Translation",
https://arxiv.org/abs/1406.1078, for the GRU; Schuster and Paliwal 1997, "Bidirectional
Recurrent Neural Networks", https://doi.org/10.1109/78.650093. Deviation: the embedding
is the mean over the words instead of the last state, which forgets the first words of a
long text.
"""

import keras
from keras import layers

from mbm_keras.inputs import tower_name
from mbm_keras.layers import MaskedMean

PRESETS = {
    "tiny": dict(vocabulary_size=20, width=8),
    "simple": dict(vocabulary_size=20_000, rnn=layers.SimpleRNN),
    "lstm": dict(vocabulary_size=20_000, rnn=layers.LSTM),
    "gru": dict(vocabulary_size=20_000, rnn=layers.GRU),
}


def build(
    vocabulary_size: int,
    *,
    rnn: type[layers.Layer] = layers.GRU,
    num_layers: int = 1,
    bidirectional: bool = True,
    width: int = 128,
    word_width: int | None = None,
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "text",
) -> keras.Model:
    """Builds the tower.

    Args:
        vocabulary_size: int > 0, number of word ids, padding id 0 included.
        rnn: Class of the recurrent layers: `keras.layers.SimpleRNN`, `LSTM` or `GRU`.
        num_layers: int > 0, number of recurrent layers, one on the other.
        bidirectional: bool. True to read in both directions, with `width / 2` units
            each.
        width: int > 0, width of the recurrent layers and of the output; even if
            `bidirectional`.
        word_width: int > 0, width of a word embedding; None for `width`.
        dropout: float in [0, 1), dropout rate of the word embeddings.
        pool: bool. True for the mean over the words, False for one vector per word.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, steps)` int32 word ids, 0 = padding.
        Output: `(batch, width)` float32 if `pool`, which does not depend on padding,
        else `(batch, steps, width)` with the Keras mask `(batch, steps)`.

    Raises:
        ValueError: If the tower is bidirectional and `width` is odd, or `num_layers` is
            below 1.
    """
    if num_layers < 1:
        raise ValueError(
            f"Expected num_layers >= 1. Received: num_layers={num_layers}."
        )
    if bidirectional and width % 2:
        raise ValueError(
            "Expected an even `width`, half of it for each direction. "
            f"Received: width={width}, bidirectional={bidirectional}."
        )
    text = keras.Input((None,), dtype="int32", name=name)
    # (batch, steps, word_width)
    x = layers.Embedding(vocabulary_size, word_width or width, mask_zero=True)(text)
    x = layers.Dropout(dropout)(x)
    for _ in range(num_layers):  # (batch, steps, width)
        if bidirectional:
            x = layers.Bidirectional(rnn(width // 2, return_sequences=True))(x)
        else:
            x = rnn(width, return_sequences=True)(x)
    if pool:
        x = MaskedMean()(x)  # (batch, width)
    return keras.Model([text], x, name=tower_name(name))
