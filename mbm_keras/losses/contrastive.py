"""The contrastive loss: each row is to be nearest to itself in the other modality."""

import math

import keras
from keras import ops

from mbm_keras.losses.pairs import check_widths
from mbm_keras.losses.pairs import pairs_of


def contrastive(a, b, scale, weight=None):
    """The mean of two cross-entropies over all pairs of rows of a batch.

        l_ij = scale * a_i . b_j / (|a_i| |b_j|)
        loss = (CE(l, i = j) over j + CE(l, i = j) over i) / 2

    Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural
    Language Supervision", https://arxiv.org/abs/2103.00020, figure 3. Deviation: rows
    without both take no part.

    Args:
        a: `(batch, width)` float32.
        b: `(batch, width)` float32.
        scale: The inverse of the temperature.
        weight: `(batch,)` float32, 1 for a row that has both and 0 for another; None
            for all.

    Returns:
        A scalar; 0 where no row has both.
    """
    a, b = ops.normalize(a, axis=-1), ops.normalize(b, axis=-1)
    logits = scale * ops.matmul(a, ops.transpose(b))  # (batch, batch)
    if weight is None:
        weight = ops.ones_like(logits[:, 0])
    away = -1e4 * (1.0 - weight)
    right = ops.diagonal(logits)
    rows = ops.logsumexp(logits + ops.expand_dims(away, 0), axis=1) - right
    columns = ops.logsumexp(logits + ops.expand_dims(away, 1), axis=0) - right
    total = ops.sum(weight * (rows + columns)) / 2
    return total / ops.maximum(ops.sum(weight), 1.0)


@keras.saving.register_keras_serializable(package="mbm_keras.losses.contrastive")
class ContrastiveLoss(keras.layers.Layer):
    """Adds the contrastive loss of every pair of embeddings, see `contrastive`.

    The scale is learned: it begins at 1 / 0.07 and ends at 100 at most, as in CLIP.

    Args:
        weight: What the loss is multiplied by.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width)`, all of one width.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        The embeddings, as they are.

    Raises:
        ValueError: If called with anything but such a list.
    """

    def __init__(self, weight=1.0, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight

    def build(self, shapes):
        check_widths(self, shapes)
        start = keras.initializers.Constant(math.log(1 / 0.07))
        self.log_scale = self.add_weight((), start, dtype="float32", name="log_scale")

    def call(self, embeddings, present=None):
        scale = ops.minimum(ops.exp(ops.cast(self.log_scale, "float32")), 100.0)
        losses = [
            contrastive(a, b, scale, w) for a, b, w in pairs_of(embeddings, present)
        ]
        self.add_loss(self.weight * sum(losses) / len(losses))
        return list(embeddings)

    def compute_output_spec(self, embeddings, present=None):
        return [keras.KerasTensor(x.shape, x.dtype) for x in embeddings]

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}
