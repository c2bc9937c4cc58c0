"""Contrastive loss: the embeddings of a row must match each other best in the batch."""

import math
from typing import Any

import keras
from keras import ops

from mbm_keras.layers.contrastive import softmax_pairs
from mbm_keras.losses.pairs import check_widths
from mbm_keras.losses.pairs import embedding_pairs


def contrastive(a: Any, b: Any, scale: Any, weight: Any = None) -> Any:
    """The mean of two cross-entropies over all pairs of rows of a batch.

        l_ij = scale * a_i . b_j / (|a_i| |b_j|)
        loss = (CE(l, i = j) over j + CE(l, i = j) over i) / 2

    Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural
    Language Supervision", https://arxiv.org/abs/2103.00020, figure 3. Deviation: rows
    without both embeddings are left out.

    Args:
        a: `(batch, width)` float32.
        b: `(batch, width)` float32.
        scale: float or scalar float32, the inverse of the temperature, > 0.
        weight: `(batch,)` float32, 1 for a row with both embeddings, else 0; None if
            all rows have both.

    Returns:
        Scalar float32; 0 if no row has both embeddings.
    """
    a, b = ops.normalize(a, axis=-1), ops.normalize(b, axis=-1)
    return softmax_pairs(scale * ops.matmul(a, ops.transpose(b)), weight)


@keras.saving.register_keras_serializable(package="mbm_keras.losses.contrastive")
class ContrastiveLoss(keras.layers.Layer):
    """Adds the mean contrastive loss of all pairs of embeddings to the model's loss.

    See `contrastive` for the equations, the source and the deviation. The scale is
    learned: it starts at 1 / 0.07 and is at most 100, as in section 2.5 of the paper.

    Args:
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

    def __init__(self, weight: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.weight = weight

    def build(self, shapes):
        check_widths(self, shapes)
        start = keras.initializers.Constant(math.log(1 / 0.07))
        self.log_scale = self.add_weight((), start, dtype="float32", name="log_scale")

    def call(self, embeddings, present=None):
        scale = ops.minimum(ops.exp(ops.cast(self.log_scale, "float32")), 100.0)
        pairs = embedding_pairs(embeddings, present)
        losses = [contrastive(a, b, scale, w) for a, b, w in pairs]
        self.add_loss(self.weight * sum(losses) / len(losses))
        return list(embeddings)

    def compute_output_spec(self, embeddings, present=None):
        return [keras.KerasTensor(x.shape, x.dtype) for x in embeddings]

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}
