"""Cyclic translation: from one modality to the other, and back."""

import keras
from keras import ops

from mbm_keras.losses.pairs import check_widths
from mbm_keras.losses.pairs import pairs_of


@keras.saving.register_keras_serializable(package="mbm_keras.losses.cyclic")
class CyclicTranslationLoss(keras.layers.Layer):
    """Adds how badly each embedding is translated into the others, and back.

        b^   = T_ab(a),   a^ = T_ba(b^)
        loss = mean |b^ - b|^2 + cycle * mean |a^ - a|^2

    for every pair, the first as the source; T is a dense layer of `units`, tanh, and
    one of the width of the embedding.

    Source: Pham et al. 2019, "Found in Translation: Learning Robust Joint
    Representations by Cyclic Translations Between Modalities",
    https://arxiv.org/abs/1812.07809, section 3. Deviations: embeddings are translated
    and not sequences; the representation between is not what is classified.

    Args:
        units: Width between.
        cycle: What the way back counts for.
        weight: What the loss is multiplied by.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width)`, all of one width.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        The embeddings, as they are.

    Raises:
        ValueError: If called with anything but such a list.
    """

    def __init__(self, units=64, cycle=1.0, weight=0.1, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cycle = cycle
        self.weight = weight

    def build(self, shapes):
        check_widths(self, shapes)
        width, count = shapes[0][-1], len(shapes) * (len(shapes) - 1) // 2
        self.forth = [self._translator(width) for _ in range(count)]
        self.back = [self._translator(width) for _ in range(count)]

    def _translator(self, width):
        # In float32, as the loss is.
        hidden = keras.layers.Dense(self.units, "tanh", dtype="float32")
        out = keras.layers.Dense(width, dtype="float32")
        hidden.build((None, width))
        out.build((None, self.units))
        return [hidden, out]

    def call(self, embeddings, present=None):
        total, pairs = 0.0, list(pairs_of(embeddings, present))
        for (a, b, weight), forth, back in zip(
            pairs, self.forth, self.back, strict=True
        ):
            there = forth[1](forth[0](a))
            again = back[1](back[0](there))
            total += _distance(there, b, weight)
            total += self.cycle * _distance(again, a, weight)
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


def _distance(x, y, weight):
    """The mean square over the rows that count."""
    each = ops.mean(ops.square(x - y), axis=1)
    return ops.sum(weight * each) / ops.maximum(ops.sum(weight), 1.0)
