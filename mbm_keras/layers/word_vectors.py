"""Words by their ids and their characters."""

from typing import Any

import keras
from keras import layers
from keras import ops

_UNKNOWN = 1  # id of a word that training did not have
_CHARACTER = 16  # width of the embedding of a character
_WIDTHS = (2, 3, 4)  # of the filters over characters


@keras.saving.register_keras_serializable(package="mbm_keras.layers.word_vectors")
class WordMask(layers.Layer):
    """Which steps are words.

    Call arguments:
        words: `(batch, steps, 1 + word_length)` int32, 0 = padding.

    Returns:
        `(batch, steps)` bool.
    """

    def call(self, words):
        return words[:, :, 0] > 0

    def compute_output_spec(self, words):
        return keras.KerasTensor(words.shape[:2], "bool")


@keras.saving.register_keras_serializable(package="mbm_keras.layers.word_vectors")
class WordVectors(layers.Layer):
    """The embedding of a word, next to what convolutions find in its characters.

        x = [E[word]; max_i relu(conv_n(C[characters]))_i for n = 2, 3, 4]

    Args:
        vocabulary_size: int, number of ids of words; 1 is the unknown word.
        num_characters: int, number of ids of characters.
        word_width: int, width of E.
        filters: int, filters of each width.
        word_dropout: float, share of words that training takes for unknown, whose
            characters it still sees.
        seed: int or None, of these.

    Call arguments:
        words: `(batch, steps, 1 + word_length)` int32, 0 = padding.

    Returns:
        `(batch, steps, word_width + 3 filters)`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_characters: int,
        word_width: int,
        filters: int,
        word_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.sizes = (vocabulary_size, num_characters, word_width, filters)
        self.word_dropout = word_dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, shape):
        vocabulary_size, num_characters, word_width, filters = self.sizes
        policy = dict(dtype=self.dtype_policy)
        self.words = layers.Embedding(vocabulary_size, word_width, **policy)
        self.words.build((None, None))
        self.characters = layers.Embedding(num_characters, _CHARACTER, **policy)
        self.characters.build((None, None))
        self.convolutions = [
            layers.Conv1D(filters, n, padding="same", activation="relu", **policy)
            for n in _WIDTHS
        ]
        for convolution in self.convolutions:
            convolution.build((None, shape[2] - 1, _CHARACTER))

    def call(self, words, training=False):
        ids, letters = words[:, :, 0], words[:, :, 1:]
        if training and self.word_dropout:
            uniform = keras.random.uniform(ops.shape(ids), seed=self.seed_generator)
            hidden = ops.logical_and(uniform < self.word_dropout, ids > 0)
            ids = ops.where(hidden, _UNKNOWN, ids)
        batch, steps = ops.shape(ids)[0], ops.shape(ids)[1]
        letters = ops.reshape(letters, (-1, letters.shape[2]))  # (batch steps, letters)
        is_letter = letters[:, :, None] > 0
        x = self.characters(letters)
        x = x * ops.cast(is_letter, x.dtype)
        found = [
            ops.max(c(x) * ops.cast(is_letter, x.dtype), axis=1)
            for c in self.convolutions
        ]  # (batch steps, filters) each
        found = ops.reshape(
            ops.concatenate(found, axis=1), (batch, steps, len(_WIDTHS) * self.sizes[3])
        )
        return ops.concatenate([self.words(ids), found], axis=2)

    def compute_output_shape(self, shape):
        return (*shape[:2], self.sizes[2] + len(_WIDTHS) * self.sizes[3])

    def get_config(self):
        names = ("vocabulary_size", "num_characters", "word_width", "filters")
        return {
            **super().get_config(),
            **dict(zip(names, self.sizes, strict=True)),
            "word_dropout": self.word_dropout,
            "seed": self.seed,
        }
