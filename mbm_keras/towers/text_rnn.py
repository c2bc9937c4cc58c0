"""Text tower: word embeddings, one recurrent layer, mean over the words.

Sources: Elman 1990, "Finding Structure in Time",
https://doi.org/10.1207/s15516709cog1402_1, for the simple network; Hochreiter
and Schmidhuber 1997, "Long Short-Term Memory",
https://doi.org/10.1162/neco.1997.9.8.1735; Cho et al. 2014, "Learning Phrase
Representations using RNN Encoder-Decoder", https://arxiv.org/abs/1406.1078, for
the GRU; Schuster and Paliwal 1997, "Bidirectional Recurrent Neural Networks",
https://doi.org/10.1109/78.650093. Deviation: the embedding is the mean over the
words and not the last state, which forgets the first words of a long text.
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
    vocabulary_size,
    *,
    rnn=layers.GRU,
    bidirectional=True,
    width=128,
    word_width=None,
    dropout=0.0,
    pool=True,
    name="text",
):
    """Builds the tower.

    Args:
        vocabulary_size: Number of word ids, padding id 0 included.
        rnn: The recurrent layer's class: `keras.layers.SimpleRNN`, `LSTM` or
            `GRU`.
        bidirectional: True to read in both directions, `width / 2` units each.
        width: Size of the output.
        word_width: Size of an embedded word; None for `width`.
        dropout: Rate of dropout on the embedded words.
        pool: True for one embedding, False for one vector per word.
        name: Name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, steps)` int32 word ids, 0 = padding.
        Output: `(batch, width)` float32 if `pool`, in which padding does not
        count, else `(batch, steps, width)` with the padding as its Keras mask.

    Raises:
        ValueError: If the tower is bidirectional and `width` is odd.
    """
    if bidirectional and width % 2:
        raise ValueError(
            "A bidirectional tower has half its width per direction, so `width` "
            f"must be even. Received: width={width}."
        )
    text = keras.Input((None,), dtype="int32", name=name)
    x = layers.Embedding(vocabulary_size, word_width or width, mask_zero=True)(text)
    x = layers.Dropout(dropout)(x)  # (batch, steps, word_width)
    if bidirectional:
        x = layers.Bidirectional(rnn(width // 2, return_sequences=True))(x)
    else:
        x = rnn(width, return_sequences=True)(x)
    if pool:
        x = MaskedMean()(x)  # (batch, width)
    return keras.Model([text], x, name=tower_name(name))
