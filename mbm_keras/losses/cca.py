"""Canonical correlation: what two modalities say together."""

import keras
from keras import ops

from mbm_keras.losses.pairs import check_widths
from mbm_keras.losses.pairs import pairs_of


def correlation(a, b, weight=None, r=1e-3, epsilon=1e-9):
    """The sum of the canonical correlations of two sets of embeddings.

        S_11 = a'a / (m - 1) + r I,  S_22 likewise,  S_12 = a'b / (m - 1)
        corr = sum of the singular values of S_11^(-1/2) S_12 S_22^(-1/2)

    with the means taken off, m the number of rows.

    Source: Andrew et al. 2013, "Deep Canonical Correlation Analysis",
    https://proceedings.mlr.press/v28/andrew13.html, section 3. Deviation: rows without
    both take no part.

    Args:
        a: `(batch, width)` float32. A batch should have more rows than that is wide.
        b: `(batch, width)` float32.
        weight: `(batch,)` float32, 1 for a row that has both and 0 for another; None
            for all.
        r: What is added to the diagonals.
        epsilon: Least eigenvalue that is inverted.

    Returns:
        A scalar between 0 and the width.
    """
    if weight is None:
        weight = ops.ones_like(a[:, 0])
    number = ops.maximum(ops.sum(weight), 2.0)
    column = ops.expand_dims(weight, 1)
    a, b = (column * (x - ops.sum(column * x, axis=0) / number) for x in (a, b))

    def covariance(x, y):
        return ops.matmul(ops.transpose(x), y) / (number - 1)

    def inverse_root(x):
        values, vectors = ops.eigh(covariance(x, x) + r * ops.eye(x.shape[1]))
        values = ops.maximum(values, epsilon)
        return ops.matmul(vectors / ops.sqrt(values), ops.transpose(vectors))

    t = ops.matmul(ops.matmul(inverse_root(a), covariance(a, b)), inverse_root(b))
    # The root of the eigenvalues of t't, which has a gradient where two are the same.
    values, _ = ops.eigh(
        ops.matmul(ops.transpose(t), t) + epsilon * ops.eye(t.shape[1])
    )
    return ops.sum(ops.sqrt(ops.maximum(values, epsilon)))


@keras.saving.register_keras_serializable(package="mbm_keras.losses.cca")
class CCALoss(keras.layers.Layer):
    """Adds minus the correlation of every pair of embeddings, see `correlation`.

    Args:
        weight: What the loss is multiplied by; 0.001 beside a cross-entropy in Liang et
            al. 2021, "MultiBench", https://arxiv.org/abs/2107.07502.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width)`, all of one width.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        The embeddings, as they are.

    Raises:
        ValueError: If called with anything but such a list.
    """

    def __init__(self, weight=1e-3, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight

    def build(self, shapes):
        check_widths(self, shapes)

    def call(self, embeddings, present=None):
        found = [correlation(a, b, w) for a, b, w in pairs_of(embeddings, present)]
        self.add_loss(-self.weight * sum(found) / len(found))
        return list(embeddings)

    def compute_output_spec(self, embeddings, present=None):
        return [keras.KerasTensor(x.shape, x.dtype) for x in embeddings]

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}
