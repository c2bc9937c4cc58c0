"""Cyclic translation loss: from one embedding to another, and back."""

from typing import Any

import keras
from keras import ops

from mbm_keras.losses.pairs import check_widths
from mbm_keras.losses.pairs import embedding_pairs


@keras.saving.register_keras_serializable(package="mbm_keras.losses.cyclic")
class CyclicTranslationLoss(keras.layers.Layer):
    """Adds the errors of translating embeddings into each other to the model's loss.

        b^   = T_ab(a),   a^ = T_ba(b^)
        loss = mean |b^ - b|^2 + cycle * mean |a^ - a|^2

    for every pair of embeddings, with the first as a. Each T is a dense layer with
    `units` and tanh, and one with the width of the embedding.

    Source: Pham et al. 2019, "Found in Translation: Learning Robust Joint
    Representations by Cyclic Translations Between Modalities",
    https://arxiv.org/abs/1812.07809, section 3. Deviations: embeddings are translated
    instead of sequences; the classifier does not use the hidden layer of T.

    Args:
        units: int > 0, width of the hidden layer of T.
        cycle: float >= 0, weight of the translation back.
        weight: float, weight of the loss.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width)`, float, all of one width.
        present: `(batch, n)` bool, True where a row has the input; None if all rows
            have all inputs.

    Returns:
        The embeddings, unchanged.

    Raises:
        ValueError: If called with anything but two or more embeddings of one width.
    """

    def __init__(
        self, units: int = 64, cycle: float = 1.0, weight: float = 0.1, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.units = units
        self.cycle = cycle
        self.weight = weight

    def build(self, shapes):
        check_widths(self, shapes)
        width, num_pairs = shapes[0][-1], len(shapes) * (len(shapes) - 1) // 2
        self.translators = [self._build_translator(width) for _ in range(num_pairs)]
        self.restorers = [self._build_translator(width) for _ in range(num_pairs)]

    def _build_translator(self, width):
        # In float32, like the loss.
        hidden = keras.layers.Dense(self.units, "tanh", dtype="float32")
        out = keras.layers.Dense(width, dtype="float32")
        hidden.build((None, width))
        out.build((None, self.units))
        return [hidden, out]

    def call(self, embeddings, present=None):
        total, pairs = 0.0, list(embedding_pairs(embeddings, present))
        for (a, b, weight), translator, restorer in zip(
            pairs, self.translators, self.restorers, strict=True
        ):
            translated = translator[1](translator[0](a))  # (batch, width)
            restored = restorer[1](restorer[0](translated))  # (batch, width)
            total += _squared_error(translated, b, weight)
            total += self.cycle * _squared_error(restored, a, weight)
        self.add_loss(self.weight * total / len(pairs))
        return list(embeddings)

    def compute_output_spec(self, embeddings, present=None):
        return [keras.KerasTensor(x.shape, x.dtype) for x in embeddings]

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "cycle": self.cycle,
            "weight": self.weight,
        }


def _squared_error(x, y, weight):
    """The mean squared error over the rows of weight 1."""
    each = ops.mean(ops.square(x - y), axis=1)  # (batch,)
    return ops.sum(weight * each) / ops.maximum(ops.sum(weight), 1.0)
