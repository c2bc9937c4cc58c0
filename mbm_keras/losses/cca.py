"""Canonical correlation between the embeddings of two modalities, as a loss."""

from typing import Any

import keras
from keras import ops

from mbm_keras.losses.pairs import check_widths
from mbm_keras.losses.pairs import embedding_pairs


def correlation(
    a: Any, b: Any, weight: Any = None, r: float = 1e-3, epsilon: float = 1e-9
) -> Any:
    """The sum of the canonical correlations of two sets of embeddings.

        S_11 = a'a / (m - 1) + r I,  S_22 likewise,  S_12 = a'b / (m - 1)
        corr = sum of the singular values of S_11^(-1/2) S_12 S_22^(-1/2)

    with the means of a and b subtracted, and m the number of rows.

    Source: Andrew et al. 2013, "Deep Canonical Correlation Analysis",
    https://proceedings.mlr.press/v28/andrew13.html, section 3. Deviation: rows without
    both embeddings are left out.

    Args:
        a: `(batch, width)` float32. The batch should have more rows than `width`.
        b: `(batch, width)` float32.
        weight: `(batch,)` float32, 1 for a row with both embeddings, else 0; None if
            all rows have both.
        r: float >= 0, regularization added to the diagonals.
        epsilon: float > 0, lower limit of the eigenvalues that are inverted.

    Returns:
        Scalar float32 between 0 and `width`.
    """
    if weight is None:
        weight = ops.ones_like(a[:, 0])
    m = ops.maximum(ops.sum(weight), 2.0)
    column = ops.expand_dims(weight, 1)  # (batch, 1)
    a, b = (column * (x - ops.sum(column * x, axis=0) / m) for x in (a, b))

    def covariance(x, y):
        return ops.matmul(ops.transpose(x), y) / (m - 1)  # (width, width)

    def inverse_root(x):
        values, vectors = ops.eigh(covariance(x, x) + r * ops.eye(x.shape[1]))
        values = ops.maximum(values, epsilon)
        return ops.matmul(vectors / ops.sqrt(values), ops.transpose(vectors))

    t = ops.matmul(ops.matmul(inverse_root(a), covariance(a, b)), inverse_root(b))
    # Singular values as roots of the eigenvalues of t't. The constant on the diagonal
    # keeps their gradient finite.
    values, _ = ops.eigh(
        ops.matmul(ops.transpose(t), t) + epsilon * ops.eye(t.shape[1])
    )
    return ops.sum(ops.sqrt(ops.maximum(values, epsilon)))


@keras.saving.register_keras_serializable(package="mbm_keras.losses.cca")
class CCALoss(keras.layers.Layer):
    """Adds minus the mean correlation of all pairs of embeddings to the model's loss.

    See `correlation` for the equations, the source and the deviation.

    Args:
        weight: float, weight of the loss. It is 0.001, with a cross-entropy, in Liang
            et al. 2021, "MultiBench", https://arxiv.org/abs/2107.07502.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width)`, float, all of one width.
        present: `(batch, n)` bool, True where a row has the input; None if all rows
            have all inputs.

    Returns:
        The embeddings, unchanged.

    Raises:
        ValueError: If called with anything but two or more embeddings of one width.
    """

    def __init__(self, weight: float = 1e-3, **kwargs: Any):
        super().__init__(**kwargs)
        self.weight = weight

    def build(self, shapes):
        check_widths(self, shapes)

    def call(self, embeddings, present=None):
        pairs = embedding_pairs(embeddings, present)
        correlations = [correlation(a, b, w) for a, b, w in pairs]
        self.add_loss(-self.weight * sum(correlations) / len(correlations))
        return list(embeddings)

    def compute_output_spec(self, embeddings, present=None):
        return [keras.KerasTensor(x.shape, x.dtype) for x in embeddings]

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}
